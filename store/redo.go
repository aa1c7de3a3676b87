package store

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/zsync/zsync"
)

// keptFile is a file in the versions area that a batch before the crash may have
// moved there.
type keptFile struct {
	kept string
	stat Stat
}

// keptLookBack is how many of the newest kept files may be of the batch that is
// redone: batches have up to 2,048 changes.
const keptLookBack = 4096

// placedBefore finds out how far a place or symlink came. done: its name leads to
// the new bytes. Else c.Old is what is expected from here on, and result.Kept the
// old bytes when they are in the versions area already.
func (a *applier) placedBefore(dir Dir, name string, c *Change) (done bool, result Result, err error) {
	now, err := a.exact(dir, name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if c.Old == nil {
			return false, Result{}, a.clearSlot(*c)
		}
		if result.Kept, err = a.findKept(*c.Old); err == nil && result.Kept == "" {
			err = fmt.Errorf("%w: the file to be replaced is gone", ErrDiverged)
		}
		c.Old = nil
		return false, result, errors.Join(err, a.clearSlot(*c))
	case err != nil:
		return false, Result{}, err
	}
	has, err := a.has(dir, name, now, *c)
	if err != nil {
		return false, Result{}, err
	}
	if has {
		result, err = a.finishPlace(dir, name, now, *c)
		return true, result, err
	}
	if c.Old == nil || !now.SameFile(*c.Old) {
		return false, Result{}, ErrDiverged
	}
	c.Old = &now
	return false, Result{}, a.clearSlot(*c)
}

// has reports whether an entry is what the change wants there.
func (a *applier) has(dir Dir, name string, now Stat, c Change) (bool, error) {
	if c.Op == OpSymlink {
		if now.Type != zsync.TypeSymlink {
			return false, nil
		}
		target, err := dir.Readlink(name)
		return target == c.Target, err
	}
	if now.Type != zsync.TypeFile || now.Size != c.Size {
		return false, nil
	}
	file, stat, err := dir.Open(name)
	if err != nil {
		return false, err
	}
	defer file.Close()
	buffer, release := a.root.buffer()
	defer release()
	err = verify(c.Content, file, stat.Size, buffer)
	if errors.Is(err, ErrCorrupt) {
		return false, nil
	}
	return err == nil, err
}

// finishPlace does what a crash kept from being done after the new bytes had
// their name: mode and mtime may be lost, the old bytes still in the slot.
func (a *applier) finishPlace(dir Dir, name string, now Stat, c Change) (result Result, err error) {
	placed, err := a.dressed(source{dir: dir, name: name, stat: now}, c)
	if err != nil {
		return Result{}, err
	}
	a.touched(c.Path, true)
	if result.Stat, err = settled(dir, name, placed); err != nil {
		return result, err
	}
	if err := a.unlinkStaged(now, c); err != nil {
		return result, err
	}
	slot := slotName(c)
	inSlot, err := a.root.staging.swap.Stat(slot)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		err = nil
	case err == nil && (a.slots[slot] || sameInode(inSlot, now)):
		err = a.root.staging.swap.Remove(slot)
	case err == nil:
		result.Kept, err = a.keepUnlessNew(slot, name, inSlot, c)
	}
	if err == nil && result.Kept == "" && c.Old != nil {
		result.Kept, err = a.findKept(*c.Old)
	}
	return result, err
}

// unlinkStaged removes the old name of what was placed, where a crash left both: a
// user who writes to the one would write to the other.
func (a *applier) unlinkStaged(placed Stat, c Change) error {
	if c.Op != OpPlace {
		return nil
	}
	shelf, err := a.root.staging.where(c.Content)
	if err != nil {
		return nil // nothing is staged
	}
	stat, err := shelf.Stat(c.Content.String())
	if err != nil || !sameInode(stat, placed) {
		return nil
	}
	a.root.staging.forget(c.Content)
	return shelf.Remove(c.Content.String())
}

// sameInode reports whether two names lead to one file.
func sameInode(a, b Stat) bool {
	return a.Inode != 0 && a.Inode == b.Inode && a.BirthNS == b.BirthNS
}

// clearSlot empties the slot of a change that is to be done from its beginning.
func (a *applier) clearSlot(c Change) error {
	slot := slotName(c)
	stat, err := a.root.staging.swap.Stat(slot)
	if errors.Is(err, fs.ErrNotExist) || a.slots[slot] {
		return nil
	}
	if err == nil {
		_, err = a.keepUnlessNew(slot, string(c.Path.Base()), stat, c)
	}
	return err
}

// keepUnlessNew empties a slot: new bytes go back to staging, anything else is a
// user's and is kept.
func (a *applier) keepUnlessNew(slot, base string, stat Stat, c Change) (kept string, err error) {
	swap := a.root.staging.swap
	isNew, err := a.has(swap, slot, stat, c)
	switch {
	case err != nil:
		return "", err
	case !isNew:
		return a.root.kept.keep(swap, slot, base, stat, &a.need)
	case c.Op == OpSymlink || c.Content == zsync.EmptyContent:
		return "", swap.Remove(slot)
	}
	return "", a.root.staging.adopt(slot, c.Content, c.Size)
}

// removedBefore finds out whether a removal was done: the name leads nowhere, or
// elsewhere while the old file is kept. parentErr is set when the directory itself
// is gone.
func (a *applier) removedBefore(dir Dir, name string, c *Change, parentErr error) (kept string, done bool) {
	var now Stat
	err := parentErr
	if err == nil {
		now, err = a.exact(dir, name)
	}
	gone := errors.Is(err, fs.ErrNotExist)
	switch {
	case err == nil && now.SameFile(*c.Old):
		c.Old = &now
		return "", false
	case err != nil && !gone:
		return "", false
	}
	kept, err = a.findKept(*c.Old)
	return kept, err == nil && (gone || kept != "")
}

// renamedBefore finds out whether a rename was done: the file is at its new path,
// or at one that later changes of the batch moved it to.
func (a *applier) renamedBefore(i int, c Change) (Stat, bool) {
	path := c.Path
	if stat, found := a.isAt(i, path, *c.Old); found {
		return stat, true
	}
	for _, later := range a.changes[i+1:] {
		rest, moved := strings.CutPrefix(string(path), string(later.From))
		if later.Op != OpRename || !moved || rest != "" && rest[0] != '/' {
			continue
		}
		path = later.Path + zsync.Path(rest)
		if stat, found := a.isAt(i, path, *c.Old); found {
			return stat, true
		}
	}
	return Stat{}, false
}

func (a *applier) isAt(i int, path zsync.Path, old Stat) (Stat, bool) {
	dir, name, err := a.parked(i, path)
	if err != nil {
		return Stat{}, false
	}
	now, err := a.exact(dir, name)
	if err != nil || !now.SameFile(old) {
		return Stat{}, false
	}
	a.touched(path, false)
	return now, true
}

// mkdirAgain takes a directory that is there for the one that was to be made.
func (a *applier) mkdirAgain(dir Dir, name string, c Change) error {
	now, err := a.exact(dir, name)
	if err != nil {
		return err
	}
	if now.Type != zsync.TypeDir {
		return ErrDiverged
	}
	if now.Mode == c.Mode {
		return nil
	}
	return dir.Chmod(name, c.Mode)
}

// findKept looks for a file among those kept last; "" when it is not there.
func (a *applier) findKept(old Stat) (string, error) {
	if a.found == nil {
		found, err := a.root.kept.newest(keptLookBack)
		if err != nil {
			return "", err
		}
		a.found = found
	}
	for _, file := range a.found[old.Inode] {
		if file.stat.SameFile(old) {
			return file.kept, nil
		}
	}
	return "", nil
}

// newest returns what was kept last, by inode.
func (v *versions) newest(count int) (map[uint64][]keptFile, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	groups, err := v.groups()
	if err != nil {
		return nil, err
	}
	found := map[uint64][]keptFile{}
	for i := len(groups) - 1; i >= 0 && count > 0; i-- {
		err := v.each(groups[i], func(dir Dir, kept, file string) error {
			stat, err := dir.Stat(file)
			found[stat.Inode] = append(found[stat.Inode], keptFile{kept: kept, stat: stat})
			count--
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return found, nil
}
