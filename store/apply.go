package store

import (
	"errors"
	"fmt"
	"io/fs"
	"math"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/internal/failpoint"
)

// Apply carries out a batch of changes, in order, and makes them durable: one
// sync of each directory and file touched, or of the file system when they are
// many. A change that cannot be done leaves the others alone.
//
// With redo the batch is one that was begun before a crash. What was done then is
// found out, by content and identity, and reported as done; the rest is done now.
func (r *Root) Apply(changes []Change, redo bool) []Result {
	r.applying.Lock()
	defer r.applying.Unlock()
	a := &applier{root: r, redo: redo, changes: changes, results: make([]Result, len(changes))}
	a.dirs = openDirs{disk: r.fs, moved: a.moved}
	a.room = budget{math.MaxInt64} // what a crash cut short is ended all the same
	if !redo {
		a.room = budget{r.room()}
	}
	if err := a.begin(); err != nil {
		for i := range changes {
			a.fail(i, err)
		}
		return a.results
	}
	for i := range changes {
		if a.results[i].Err == nil {
			a.apply(i)
			failpoint.Reach(failpoint.Rename)
		}
	}
	a.finish()
	return a.results
}

// applier is one call of Apply.
type applier struct {
	root     *Root
	redo     bool
	changes  []Change
	results  []Result
	dirs     openDirs
	need     toSync
	unlocked []locked
	own      map[uint64]Stat // by inode: files that were renamed or given attributes
	made     bool            // directories, since the last sync
	room     budget          // for what is made new; what is staged has its own already
	slots    map[string]bool // in swap: copies that begin made and no change has taken
	found    map[uint64][]keptFile
	nested   map[string]bool // directories: whether they are folders of their own
	spelt    map[string]bool // directories that are there just so: see spelled
}

// begin makes sure of the folder, and that everything to be placed is durable
// first: durable, then visible.
func (a *applier) begin() error {
	if err := a.root.Check(); err != nil {
		return err
	}
	if !a.redo && !a.root.swapped {
		if err := a.lookAfterSwap(); err != nil {
			return err
		}
	}
	for _, change := range a.changes {
		if change.Op == OpPlace && a.root.staging.isFresh(change.Content) {
			if err := a.root.Flush(); err != nil {
				return err
			}
			break
		}
	}
	return a.duplicate()
}

func (a *applier) apply(i int) {
	result, err := a.changeLocked(i)
	a.results[i] = result
	switch {
	case err != nil:
		a.fail(i, err)
	case a.changes[i].Op == OpRename && a.changes[i].Old.Mode != result.Stat.Mode:
		// Perhaps a person gave it that mode just before: no echo.
	case result.Stat.Inode != 0:
		a.root.ours.note(a.changes[i].Path, result.Stat)
	}
}

func (a *applier) change(i int, c Change) (Result, error) {
	switch c.Op {
	case OpMkdir:
		return a.mkdir(i, c)
	case OpPlace, OpSymlink:
		return a.place(i, c)
	case OpRename:
		return a.rename(i, c)
	case OpRemove:
		return a.remove(i, c)
	case OpRmdir:
		return a.rmdir(i, c)
	case OpAttr:
		return a.attr(i, c)
	case opBringBack:
		return a.bringBack(i, c)
	}
	panic(fmt.Sprintf("store: operation %d", c.Op))
}

// fail notes why a change was not done. A name that is missing or taken means
// that the disk is not as expected.
func (a *applier) fail(i int, err error) {
	missing := errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrExist)
	if missing && !errors.Is(err, ErrGone) && !errors.Is(err, ErrRoot) && !errors.Is(err, ErrDiverged) {
		err = fmt.Errorf("%w (%w)", ErrDiverged, err)
	}
	c := a.changes[i]
	a.results[i].Err = fmt.Errorf("store: %s %s: %w", c.Op, c.Path, err)
}

// moved is told of changes that were made in a directory which was moved away
// meanwhile: they were made, but not where they say.
func (a *applier) moved(i int) {
	if a.results[i].Err == nil {
		a.fail(i, ErrDiverged)
	}
}

// finish makes the batch durable. When that fails nothing of it is: the caller
// will redo it.
func (a *applier) finish() {
	a.dropCopies()
	a.dirs.dropAll()
	a.lockAgain()
	err := a.need.sync(a.root.fs)
	if err != nil { // what was staged meanwhile may have been in that sync
		err = errors.Join(err, a.root.unstageAll(a.root.staging.takeFresh()))
	}
	if err == nil && len(a.unlocked) > 0 {
		if names, listErr := a.root.unlocked.Names(); listErr == nil {
			_ = a.root.forgetUnlocked(names) // a record that stays finds nothing to set back
		}
	}
	if a.redo && err == nil {
		err = a.lookAfterSwap()
	}
	if err != nil {
		a.root.ours.forget()
	}
	for i := range a.results {
		if err != nil && a.results[i].Err == nil {
			a.fail(i, err)
		}
		if kept := a.results[i].Kept; kept != "" {
			a.results[i].KeptStat, _ = a.root.KeptStat(kept) // zero is no file's Stat, and so a difference
		}
	}
}

// parent opens the directory that holds path, for the change numbered i.
func (a *applier) parent(i int, path zsync.Path) (Dir, string, error) {
	dir, name, err := place(path)
	if err != nil {
		return nil, "", err
	}
	if err := a.spelled(dir); err != nil {
		return nil, "", err
	}
	if err := a.outside(dir); err != nil {
		return nil, "", err
	}
	opened, err := a.dirs.at(dir, i)
	return opened, name, err
}

// expect makes sure that name is old, or else is free as far as a look can tell.
// What this batch itself did to a file is no divergence, and neither is its ctime
// after a crash; a directory's own times change with its entries and say nothing.
func (a *applier) expect(dir Dir, name string, old *Stat) error {
	if old == nil {
		return nil // the rename will tell
	}
	now, err := dir.Stat(name)
	if err != nil {
		return err
	}
	if now.Unchanged(*old) {
		return nil
	}
	own, changed := a.own[now.Inode]
	if now.SameFile(*old) && (now.Type == zsync.TypeDir || a.redo || changed && now.Unchanged(own)) {
		return nil
	}
	return ErrDiverged
}

// did notes what a change made of a file that later ones of the batch may name.
func (a *applier) did(stat Stat) {
	if a.own == nil {
		a.own = map[uint64]Stat{}
	}
	a.own[stat.Inode] = stat
}

// touched notes a name that was given or taken, and the file under it when its
// mode or times are new too.
func (a *applier) touched(path zsync.Path, file bool) {
	dir, name := split(string(path))
	a.need.add(syncThing{path: dir})
	if file {
		a.need.add(syncThing{path: dir, name: name})
	}
}

func (o Op) String() string {
	switch o {
	case OpMkdir:
		return "make directory"
	case OpPlace:
		return "place"
	case OpSymlink:
		return "make symlink"
	case OpRename:
		return "rename to"
	case OpRemove, OpRmdir:
		return "remove"
	case OpAttr:
		return "set attributes of"
	case opBringBack:
		return "bring back"
	}
	return "operation on"
}
