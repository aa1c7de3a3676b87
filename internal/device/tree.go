package device

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/eventlog"
	"github.com/zsync/zsync/internal/kv"
	"github.com/zsync/zsync/replica"
	"github.com/zsync/zsync/security"
)

// TreeLine is one name of a folder's tree.
type TreeLine struct {
	Folder string
	replica.Item
	Name string // of the device that wrote it
}

// ErrNoPath is wrapped where a folder has nothing at a path.
var ErrNoPath = errors.New("there is no such path")

// Tree yields what the log of a folder has at a path and below it, each directory
// before what is in it, until yield returns false. Each directory is read between
// two turns of the folder, so what changes meanwhile may be seen half.
func (r *Running) Tree(label string, path zsync.Path, yield func(TreeLine) bool) error {
	folders, err := r.foldersOf(label)
	if err != nil {
		return err
	}
	var missed error
	found := len(folders) == 0
	for _, f := range folders {
		items := func(dir zsync.Path) (lines []TreeLine, found bool, err error) {
			err = f.ask(func() (err error) {
				lines, found, err = f.machine.Items(dir)
				return err
			})
			return lines, found, err
		}
		err := walk(items, string(f.reg.Label), path, yield)
		if err != nil && !errors.Is(err, ErrNoPath) {
			return err
		}
		found, missed = found || err == nil, cmp.Or(missed, err)
	}
	if found {
		return nil
	}
	return missed
}

// StoppedTree does the same for a folder whose device does not run.
func StoppedTree(store kv.Store, reg Registration, path zsync.Path, yield func(TreeLine) bool) error {
	f, err := openStopped(store, reg)
	if err != nil {
		return err
	}
	return walk(f.Items, string(reg.Label), path, yield)
}

// StoppedConflicts lists what clashed in a folder whose device does not run.
func StoppedConflicts(store kv.Store, reg Registration) ([]Conflict, error) {
	f, err := openStopped(store, reg)
	if err != nil {
		return nil, err
	}
	return f.Conflicts()
}

// openStopped makes of a folder's machine what only reads.
func openStopped(store kv.Store, reg Registration) (*FolderMachine, error) {
	f := &FolderMachine{cfg: FolderConfig{Registration: reg}, store: store}
	return f, store.View(func(tx kv.Tx) (err error) {
		f.space = &space{members: security.OpenMembers(tx)}
		if f.space.log, err = eventlog.Open(tx, reg.Space); err != nil {
			return err
		}
		f.replica, err = replica.Open(tx, replica.Config{Space: reg.Space})
		return err
	})
}

// Items returns what the log has in one directory, or a file by itself.
func (f *FolderMachine) Items(path zsync.Path) (lines []TreeLine, found bool, err error) {
	err = f.store.View(func(tx kv.Tx) error {
		names := f.space.names(tx)
		var items []replica.Item
		items, found = f.replica.Items(tx, path)
		for _, item := range items {
			lines = append(lines, TreeLine{string(f.cfg.Label), item, names[item.Author]})
		}
		return nil
	})
	return lines, found, err
}

// LoggedPath returns where the log has what lies at a path of this disk.
func (f *FolderMachine) LoggedPath(path zsync.Path) (logged zsync.Path) {
	logged = path
	_ = f.store.View(func(tx kv.Tx) error { // a database that cannot be read says so elsewhere
		logged = f.replica.LoggedPath(tx, path)
		return nil
	})
	return logged
}

// walk yields what is at a path and below it. Of each directory on the way down all
// names are in memory, and no others.
func walk(items func(zsync.Path) ([]TreeLine, bool, error), label string, path zsync.Path, yield func(TreeLine) bool) error {
	lines, found, err := items(path)
	if err != nil || !found {
		return errors.Join(err, missingPath(label, path, found))
	}
	stack := [][]TreeLine{lines}
	for len(stack) > 0 {
		top := &stack[len(stack)-1]
		if len(*top) == 0 {
			stack = stack[:len(stack)-1]
			continue
		}
		line := (*top)[0]
		*top = (*top)[1:]
		if !yield(line) {
			return nil
		}
		if line.Type == zsync.TypeDir {
			if lines, _, err = items(line.Path); err != nil {
				return err
			}
			stack = append(stack, lines)
		}
	}
	return nil
}

func missingPath(label string, path zsync.Path, found bool) error {
	if found {
		return nil
	}
	return fmt.Errorf("%s in %s: %w", path, label, ErrNoPath)
}

// eventsStep is how many events of a log are read between two turns.
const eventsStep = 256

// LogEvent is an event of a folder's log, apart from its database.
type LogEvent struct {
	eventlog.Event
	Name string // of the author's device
}

// Events yields the events of a folder's log in the total order, void ones
// included, until yield returns false. It reads a few at a time, so that the folder
// goes on meanwhile: what comes late below them is not seen.
func (r *Running) Events(label string, yield func(LogEvent) bool) error {
	f, err := r.folderOf(label)
	if err != nil {
		return err
	}
	return eachEvent(func(after zsync.Stamp) ([]LogEvent, error) {
		return answer(f, func() ([]LogEvent, error) { return f.machine.someEvents(after) })
	}, yield)
}

// StoppedEvents does the same for a folder whose device does not run.
func StoppedEvents(store kv.Store, reg Registration, yield func(LogEvent) bool) error {
	f, err := openStopped(store, reg)
	if err != nil {
		return err
	}
	return eachEvent(f.someEvents, yield)
}

func eachEvent(some func(after zsync.Stamp) ([]LogEvent, error), yield func(LogEvent) bool) error {
	var after zsync.Stamp
	for {
		events, err := some(after)
		if err != nil {
			return err
		}
		for _, ev := range events {
			if !yield(ev) {
				return nil
			}
		}
		if len(events) < eventsStep {
			return nil
		}
		after = events[len(events)-1].Header.Stamp(0)
	}
}

// someEvents returns the events after a place in the log.
func (f *FolderMachine) someEvents(after zsync.Stamp) (some []LogEvent, err error) {
	err = f.store.View(func(tx kv.Tx) error {
		names := f.space.names(tx)
		f.space.log.EachAfter(tx, after, func(ev eventlog.Event) bool {
			ev.Body = bytes.Clone(ev.Body)
			some = append(some, LogEvent{ev, names[ev.Author]})
			return len(some) < eventsStep
		})
		return nil
	})
	return some, err
}
