package store

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/zsync/zsync"
)

func (a *applier) mkdir(i int, c Change) (Result, error) {
	dir, name, err := a.parent(i, c.Path)
	if err != nil {
		return Result{}, err
	}
	if err := a.room.take(entryOctets); err != nil {
		return Result{}, err
	}
	err = dir.Mkdir(name, c.Mode)
	if a.redo && errors.Is(err, fs.ErrExist) {
		err = a.mkdirAgain(dir, name, c)
	}
	if err != nil {
		return Result{}, err
	}
	a.touched(c.Path, false)
	a.need.add(syncThing{path: string(c.Path)})
	a.made = true
	a.spells(string(c.Path))
	stat, err := dir.Stat(name)
	return Result{Stat: stat}, err
}

func (a *applier) remove(i int, c Change) (Result, error) {
	if c.Old == nil || c.Old.Type == zsync.TypeDir {
		return Result{}, fmt.Errorf("%w: a file or a symlink was to be there", ErrDiverged)
	}
	dir, name, err := a.parent(i, c.Path)
	if a.redo {
		if kept, done := a.removedBefore(dir, name, &c, err); done {
			return Result{Kept: kept}, nil
		}
	}
	if err != nil {
		return Result{}, err
	}
	if err := a.expect(dir, name, c.Old); err != nil {
		return Result{}, err
	}
	kept, err := a.root.kept.keep(dir, name, name, *c.Old, &a.need)
	a.touched(c.Path, false)
	return Result{Kept: kept}, err
}

func (a *applier) rmdir(i int, c Change) (Result, error) {
	if c.Old == nil || c.Old.Type != zsync.TypeDir {
		return Result{}, fmt.Errorf("%w: a directory was to be there", ErrDiverged)
	}
	a.dirs.dropBelow(string(c.Path))
	dir, name, err := a.parent(i, c.Path)
	if err == nil {
		err = a.expect(dir, name, c.Old)
	}
	if a.redo && (errors.Is(err, fs.ErrNotExist) || errors.Is(err, ErrDiverged)) {
		return Result{}, nil // that directory is there no more, by whomever
	}
	if err == nil {
		err = dir.Rmdir(name)
		a.spelt = nil
	}
	if err == nil {
		a.touched(c.Path, false)
	}
	return Result{}, err
}

func (a *applier) rename(i int, c Change) (Result, error) {
	if c.Old == nil {
		return Result{}, fmt.Errorf("%w: something was to be at %s", ErrDiverged, c.From)
	}
	if a.redo {
		if stat, done := a.renamedBefore(i, c); done {
			err := a.unlinkPassed(i, c, stat)
			return Result{Stat: stat}, err
		}
	}
	if c.Old.Type == zsync.TypeDir {
		if err := a.outside(string(c.From)); err != nil {
			return Result{}, err
		}
		a.nested, a.spelt = nil, nil // it will have another path
		a.dirs.dropBelow(string(c.From))
		a.need.many = a.need.many || len(a.need.things) > 0 // what was touched below has another path now
	}
	moved, err := a.moveUnlocked(c.From, c.Path)
	if err != nil {
		return Result{}, err
	}
	result, err := a.renameNow(i, c)
	if err == nil {
		result.Stat.Mode = a.lockedMode(result.Stat)
		a.unlocked = moved
		a.touched(c.From, false)
		a.touched(c.Path, false)
		a.did(result.Stat)
	}
	return result, err
}

func (a *applier) renameNow(i int, c Change) (result Result, err error) {
	from, fromName, err := a.parked(i, c.From)
	if err != nil {
		return Result{}, err
	}
	to, toName, err := a.parked(i, c.Path)
	if err != nil {
		return Result{}, err
	}
	err = a.expect(from, fromName, c.Old)
	if a.redo && err == nil && a.respells(c) {
		_, err = a.exact(from, fromName)
	}
	if a.redo && errors.Is(err, fs.ErrNotExist) {
		if stat, done := a.respellOn(from, toName, c); done {
			return Result{Stat: stat}, nil
		}
		return a.passOn(from, fromName, to, toName, c, err)
	}
	if err != nil {
		return Result{}, err
	}
	if err := a.syncMade(); err != nil {
		return Result{}, err
	}
	if a.respells(c) {
		return a.respell(from, fromName, toName, c)
	}
	there, back := renameModes(c)
	err = from.Rename(fromName, to, toName, there)
	if errors.Is(err, errors.ErrUnsupported) {
		there = FromPrivate
		result.Kept, err = a.root.kept.pass(from, fromName, to, toName, *c.Old, &a.need)
	}
	if err != nil {
		return result, err
	}
	result.Stat, err = to.Stat(toName)
	if err == nil && there != FromPrivate && !result.Stat.SameFile(*c.Old) { // another file took the name since the look
		err = errors.Join(ErrDiverged, to.Rename(toName, from, fromName, back))
	}
	return result, err
}

// renameModes returns how the entry is moved, and how it is moved back.
func renameModes(c Change) (there, back RenameMode) {
	switch {
	case isParked(c.Path):
		return IntoPrivate, FromPrivate
	case isParked(c.From):
		return FromPrivate, IntoPrivate
	}
	return NoReplace, NoReplace
}

// passOn takes the second step of a rename that a crash cut in two. missing is the
// error when it did not.
func (a *applier) passOn(from Dir, fromName string, to Dir, toName string, c Change, missing error) (Result, error) {
	kept, err := a.findKept(*c.Old)
	if err == nil && kept == "" {
		err = missing
	}
	if err == nil {
		err = a.syncMade()
	}
	if err != nil {
		return Result{}, err
	}
	a.found = nil // one of them will be there no more
	kept, err = a.root.kept.passOn(kept, from, fromName, to, toName, &a.need)
	if err != nil {
		return Result{Kept: kept}, err
	}
	stat, err := to.Stat(toName)
	return Result{Stat: stat}, err
}

// unlinkPassed removes the private name that a crash left to what was renamed.
func (a *applier) unlinkPassed(i int, c Change, stat Stat) error {
	if stat.Type == zsync.TypeDir {
		return nil
	}
	if isParked(c.From) {
		dir, name, err := a.parked(i, c.From)
		if err != nil {
			return err
		}
		if now, err := dir.Stat(name); err == nil && sameInode(now, stat) {
			a.touched(c.From, false)
			return dir.Remove(name)
		}
		return nil
	}
	kept, err := a.findKept(stat)
	if err != nil || kept == "" {
		return err
	}
	a.found = nil // it will be there no more
	return a.root.kept.unlink(kept, stat, &a.need)
}

func isParked(path zsync.Path) bool {
	return strings.HasPrefix(string(path), string(ParkedDir)+"/")
}

// syncMade makes the directories of this batch durable before the first of a
// user's files is moved into one: should a disk remember the move and forget the
// directory, the file would be lost. (New bytes could be had again.)
func (a *applier) syncMade() error {
	if !a.made {
		return nil
	}
	a.made = false
	return a.need.sync(a.root.fs)
}

// parked is parent for a path that may lie in ParkedDir.
func (a *applier) parked(i int, path zsync.Path) (Dir, string, error) {
	name, found := strings.CutPrefix(string(path), string(ParkedDir)+"/")
	if !found {
		return a.parent(i, path)
	}
	if _, err := zsync.ParseName(name); err != nil {
		return nil, "", err
	}
	dir, err := a.dirs.at(string(ParkedDir), i)
	return dir, name, err
}

func (a *applier) attr(i int, c Change) (Result, error) {
	dir, name, err := a.parent(i, c.Path)
	if err != nil {
		return Result{}, err
	}
	if c.Old == nil {
		return Result{}, fmt.Errorf("%w: something was to be there", ErrDiverged)
	}
	now, err := dir.Stat(name)
	if err != nil {
		return Result{}, err
	}
	if err := a.expect(dir, name, c.Old); err != nil && !(a.redo && begun(now, c)) {
		return Result{}, err
	}
	if err := setAttributes(dir, name, now, c); err != nil {
		return Result{}, err
	}
	a.touched(c.Path, now.Type != zsync.TypeDir)
	if now.Type == zsync.TypeDir {
		a.need.add(syncThing{path: string(c.Path)})
		a.unlocked = slices.DeleteFunc(a.unlocked, func(was locked) bool { return was.path == c.Path })
	}
	stat, err := dir.Stat(name)
	a.did(stat)
	return Result{Stat: stat}, err
}

// begun reports whether a file has the new mtime already, and is the old one else.
func begun(now Stat, c Change) bool {
	if now.MtimeNS != c.MtimeNS {
		return false
	}
	now.MtimeNS = c.Old.MtimeNS
	return now.SameFile(*c.Old)
}

func setAttributes(dir Dir, name string, now Stat, c Change) error {
	if now.Type != zsync.TypeSymlink && now.Mode != c.Mode {
		if err := dir.Chmod(name, c.Mode); err != nil {
			return err
		}
	}
	if now.Type != zsync.TypeDir && now.MtimeNS != c.MtimeNS {
		return dir.SetMtime(name, c.MtimeNS)
	}
	return nil
}
