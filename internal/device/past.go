package device

import (
	"fmt"

	"github.com/zsync/zsync"
)

// labelled returns the folder of that label.
func (r *Running) labelled(label string) (*runningFolder, error) {
	r.mutex.RLock()
	defer r.mutex.RUnlock()
	for _, f := range r.folders {
		if !f.reg.Scout && f.reg.Label == Label(label) {
			return f, nil
		}
	}
	return nil, fmt.Errorf("this device keeps no folder %q, or it is halted", label)
}

// Bring has a folder bring things back; order has a ticket that no other has.
func (r *Running) Bring(label string, order Bring) error {
	f, err := r.labelled(label)
	if err == nil {
		f.loop.post(order)
	}
	return err
}

// Brought returns how far that is. A folder that was closed meanwhile has forgotten.
func (r *Running) Brought(label string, ticket uint64) (report Report, known bool, err error) {
	f, err := r.labelled(label)
	if err == nil && !f.loop.call(func() { report, known = f.machine.Brought(ticket) }) {
		err = fmt.Errorf("the folder %q was closed", label)
	}
	return report, known, err
}

// Trash returns what is in the versions area of a folder, the newest first.
func (r *Running) Trash(label string) (lines []TrashLine, err error) {
	f, err := r.labelled(label)
	if err != nil {
		return nil, err
	}
	f.loop.call(func() { lines, err = f.machine.Trash() })
	return lines, err
}

// Discard has a folder remove files of its versions area for good; order has a ticket
// that no other has.
func (r *Running) Discard(label string, order Discard) error {
	f, err := r.labelled(label)
	if err == nil {
		f.loop.post(order)
	}
	return err
}

// Discarding reports whether that is done, and why not all of it could be.
func (r *Running) Discarding(label string, ticket uint64) (done bool, err error) {
	f, err := r.labelled(label)
	if err != nil {
		return false, err
	}
	if !f.loop.call(func() { done, err = f.machine.Discarding(ticket) }) {
		err = fmt.Errorf("the folder %q was closed", label)
	}
	return done, err
}

// orFolder names a path of a folder for a person.
func orFolder(path zsync.Path) string {
	if path == "" {
		return "the folder"
	}
	return string(path)
}
