package device

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/internal/kv"
)

// Shown is one event, checked anew.
type Shown struct {
	LogEvent
	Folder  string // "" for the log of the circle
	Damaged string // why it cannot be what its author wrote; "": it is
	Lines   []HistoryLine
}

// ErrNoEvent is wrapped where no log, or more than one event, fits.
var ErrNoEvent = errors.New("no such event")

// showMax is how many events are named where several fit.
const showMax = 4

// Show finds an event by the first digits of its id, in every folder's log and in
// the circle's, and checks it anew.
func (r *Running) Show(digits string) (shown []Shown, err error) {
	folders, err := r.foldersOf("")
	if err != nil {
		return nil, err
	}
	for _, f := range folders {
		some, err := answer(f, func() ([]Shown, error) { return f.machine.Show(digits) })
		if err != nil {
			return nil, err
		}
		shown = append(shown, some...)
	}
	type found struct {
		shown []Shown
		err   error
	}
	circle, err := ask(r.home, answerTime, func() (f found) {
		f.shown, f.err = r.Home.Show(digits)
		return f
	})
	if errors.Is(err, errEnded) {
		return shown, nil
	}
	return append(shown, circle.shown...), cmp.Or(err, circle.err)
}

// Show finds events of the circle's log by the first digits of their ids.
func (h *HomeMachine) Show(digits string) ([]Shown, error) {
	if h.circle == nil {
		return nil, nil
	}
	return (&FolderMachine{store: h.store, space: h.circle}).Show(digits)
}

// StoppedShow does the same in a folder whose device does not run.
func StoppedShow(store kv.Store, reg Registration, digits string) ([]Shown, error) {
	f, err := openStopped(store, reg)
	if err != nil {
		return nil, err
	}
	return f.Show(digits)
}

// Show finds events of this log by the first digits of their ids.
func (f *FolderMachine) Show(digits string) (shown []Shown, err error) {
	err = f.store.View(func(tx kv.Tx) error {
		ids, err := f.space.log.WithPrefix(tx, digits, showMax)
		if err != nil {
			return fmt.Errorf("%w: %w", ErrNoEvent, err)
		}
		for _, id := range ids {
			shown = append(shown, f.show(tx, id))
		}
		return nil
	})
	return shown, err
}

func (f *FolderMachine) show(tx kv.Tx, id zsync.EventID) (s Shown) {
	s.Folder, s.ID = string(f.cfg.Label), id
	ev, err := f.space.log.Verify(tx, id)
	if err != nil {
		s.Damaged = err.Error()
		return s
	}
	ev.Body = bytes.Clone(ev.Body)
	s.Event, s.Name = ev, f.space.names(tx)[ev.Author]
	s.Lines = f.linesOf(tx, ev, s.Name)
	return s
}
