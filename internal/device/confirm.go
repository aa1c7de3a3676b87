package device

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/internal/kv"
	"github.com/zsync/zsync/replica"
)

// Confirm is a person's order to let through what is held back under an ID.
type Confirm struct{ ID string }

// Held is what is held back in a folder, with a sentence that says what it is and
// what to type.
type Held struct{ ID, Why string }

// confirm takes a person's order; an ID that is not held back in this folder is of
// another one, or was confirmed meanwhile.
func (f *FolderMachine) confirm(tx kv.Tx, in Confirm) {
	_ = f.replica.Confirm(tx, in.ID)
}

// held tells what is held back in the folder.
func (f *FolderMachine) held(tx kv.Tx) (all []Held) {
	if len(f.status.Replica.Held) == 0 {
		return nil
	}
	names := f.space.names(tx)
	for _, h := range f.status.Replica.Held {
		why := fmt.Sprintf("%s wants to %s of %d files; this device does not follow before it is confirmed:  zsync confirm %s",
			nameOf(names, h.Author), takenAway(h), h.Of, h.ID)
		if h.Author == f.space.keys.Device() {
			why = fmt.Sprintf("%s (this device) wants to %s of %d files; no other device hears of it before it is confirmed:  zsync confirm %s",
				nameOf(names, h.Author), takenAway(h), h.Of, h.ID)
		}
		all = append(all, Held{h.ID, why})
	}
	return all
}

func nameOf(names map[zsync.DeviceID]string, device zsync.DeviceID) string {
	if name := names[device]; name != "" {
		return name
	}
	return "device " + device.String()[:16]
}

// takenAway says in words how much is held back.
func takenAway(h replica.Held) string {
	switch {
	case h.Replaces == 0:
		return fmt.Sprintf("delete %d", h.Deletes)
	case h.Deletes == 0:
		return fmt.Sprintf("replace %d", h.Replaces)
	default:
		return fmt.Sprintf("delete %d and replace %d", h.Deletes, h.Replaces)
	}
}

// holds reports whether something is held back under that ID, and whether this
// device may say now that it is confirmed.
func (f *FolderMachine) holds(id string) (held, may bool) {
	return slices.Contains(f.HeldBack(), id), f.space.member && !f.space.waiting
}

// HeldBack returns the IDs of what is held back, for whoever steps the machine.
func (f *FolderMachine) HeldBack() (ids []string) {
	for _, h := range f.status.Replica.Held {
		ids = append(ids, h.ID)
	}
	return ids
}

// confirm brings the order to the folder that it is about, and waits until it is
// taken.
func (r *Running) confirm(order Confirm) error {
	folders, err := r.foldersOf("")
	if err != nil {
		return err
	}
	for _, f := range folders {
		type stands struct{ held, may bool }
		id, err := answer(f, func() (s stands, err error) {
			s.held, s.may = f.machine.holds(order.ID)
			return s, nil
		})
		switch {
		case err != nil:
			return err
		case !id.held:
		case !id.may:
			return fmt.Errorf("this device may not write to %s yet; try again when it is connected to another device", f.reg.Label)
		default:
			f.loop.post(order)
			for range 2 { // the second is after the turn that took it
				err = cmp.Or(err, f.ask(func() error { return nil }))
			}
			return err
		}
	}
	return fmt.Errorf("nothing is held back here under %q", order.ID)
}
