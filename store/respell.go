package store

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"golang.org/x/text/unicode/norm"
)

// respelledPrefix begins the name that an entry has while it gets another spelling of
// its own: to a disk that takes the two for one, the new name is taken. It lies beside
// both, so that it is in sight whatever happens to the folder's database meanwhile.
const respelledPrefix = ".zsync-respelled-"

func respelledName(c Change) string {
	tag := sha256.Sum256([]byte(c.Path))
	return respelledPrefix + hex.EncodeToString(tag[:slotTagBytes])
}

// respells reports whether a rename changes no more of a name than its spelling.
func (a *applier) respells(c Change) bool {
	n := a.root.nature
	return n.Folds() && c.From.Dir() == c.Path.Dir() && n.Key(c.From.Base()) == n.Key(c.Path.Base())
}

// respell renames in two steps. A crash between them is ended by respellOn.
func (a *applier) respell(dir Dir, name, toName string, c Change) (result Result, err error) {
	between := respelledName(c)
	err = dir.Rename(name, dir, between, NoReplace)
	if errors.Is(err, errors.ErrUnsupported) {
		result.Kept, err = a.root.kept.pass(dir, name, dir, toName, *c.Old, &a.need)
		if err == nil {
			result.Stat, err = dir.Stat(toName)
		}
		return result, err
	}
	if err != nil {
		return Result{}, err
	}
	now, err := dir.Stat(between)
	if err == nil && !now.SameFile(*c.Old) {
		err = ErrDiverged // another file took the name since the look
	}
	if err == nil {
		err = dir.Rename(between, dir, toName, NoReplace)
	}
	if err != nil {
		return Result{}, errors.Join(err, dir.Rename(between, dir, name, NoReplace))
	}
	result.Stat, err = dir.Stat(toName)
	return result, err
}

// respellOn takes the second step of a respell that a crash cut in two. Where the new
// name was taken meanwhile, the entry gets its old one again if that is free.
func (a *applier) respellOn(dir Dir, toName string, c Change) (Stat, bool) {
	between := respelledName(c)
	now, err := dir.Stat(between)
	if err != nil || !a.respells(c) || !now.SameFile(*c.Old) {
		return Stat{}, false
	}
	err = a.giveName(dir, between, toName, now)
	if err != nil {
		_ = a.giveName(dir, between, string(c.From.Base()), now) // else it is found where it is
		return Stat{}, false
	}
	now, err = dir.Stat(toName)
	return now, err == nil
}

func (a *applier) giveName(dir Dir, name, toName string, old Stat) error {
	err := dir.Rename(name, dir, toName, NoReplace)
	if errors.Is(err, errors.ErrUnsupported) {
		_, err = a.root.kept.pass(dir, name, dir, toName, old, &a.need)
	}
	return err
}

// exact is Stat for what a crash may have cut short: a name counts only as it is
// spelled, since what the disk has under another spelling is something else.
func (a *applier) exact(dir Dir, name string) (Stat, error) {
	stat, err := dir.Stat(name)
	if err != nil || !a.root.nature.Folds() {
		return stat, err
	}
	names, err := dir.Names()
	if err != nil {
		return Stat{}, err
	}
	if !slices.ContainsFunc(names, func(other string) bool { return a.root.nature.isSpelled(name, other) }) {
		return Stat{}, fmt.Errorf("%q is there under another spelling: %w", name, fs.ErrNotExist)
	}
	return stat, nil
}

// isSpelled reports whether a directory shows a name as it was given. A disk that minds
// no forms may show another one.
func (n Nature) isSpelled(name, shown string) bool {
	return name == shown || n.Forms && norm.NFC.String(name) == norm.NFC.String(shown)
}

// spelled makes sure that each directory on the way has just the name that the path
// says, where the disk might take another one for it: what is meant for photos must not
// go to Photos when photos could not be made.
func (a *applier) spelled(path string) error {
	if path == "" || a.spelt[path] || !a.root.nature.Folds() {
		return nil
	}
	parent, name := split(path)
	if err := a.spelled(parent); err != nil {
		return err
	}
	dir, err := a.root.fs.Dir(parent)
	if err != nil {
		return err
	}
	defer dir.Close()
	if _, err := a.exact(dir, name); err != nil {
		return err
	}
	a.spells(path)
	return nil
}

// spells notes that a directory has just that name.
func (a *applier) spells(path string) {
	if a.spelt == nil {
		a.spelt = map[string]bool{}
	}
	a.spelt[path] = true
}
