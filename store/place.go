package store

import (
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/internal/failpoint"
)

// source is where the new bytes of a change lie before they get their name.
type source struct {
	dir    Dir
	name   string
	stat   Stat
	staged bool // it is the staging file of its content, whichever directory it is in
}

func (a *applier) place(i int, c Change) (Result, error) {
	dir, name, err := a.parent(i, c.Path)
	if err != nil {
		return Result{}, err
	}
	var kept string
	if a.redo {
		done, result, err := a.placedBefore(dir, name, &c)
		if done || err != nil {
			return result, err
		}
		kept = result.Kept
	}
	if c.Old != nil && c.Old.Type != zsync.TypeFile && c.Old.Type != zsync.TypeSymlink {
		return Result{}, fmt.Errorf("%w: only a file or a symlink is replaced", ErrDiverged)
	}
	if err := a.expect(dir, name, c.Old); err != nil {
		return Result{}, err
	}
	from, err := a.source(c)
	if err != nil {
		return Result{}, err
	}
	result, err := a.install(dir, name, from, c)
	if result.Kept == "" {
		result.Kept = kept
	}
	return result, err
}

// source finds the bytes of a change: in the slot that was made for it, in
// staging, or (symlinks and empty files) nowhere yet.
func (a *applier) source(c Change) (source, error) {
	fresh := c.Op == OpSymlink || c.Content == zsync.EmptyContent
	if !fresh && len(a.slots) == 0 { // as nearly always
		return a.stagedSource(c)
	}
	swap, slot := a.root.staging.swap, slotName(c)
	if fresh {
		if err := a.room.take(entryOctets); err != nil {
			return source{}, err
		}
	}
	switch {
	case c.Op == OpSymlink:
		if err := swap.Symlink(slot, c.Target); err != nil {
			a.root.swapped = false // what is in the way is looked after before the next batch
			return source{}, err
		}
	case a.slots[slot]:
		delete(a.slots, slot)
	case c.Content == zsync.EmptyContent:
		if err := swap.Write(slot, nil); err != nil {
			a.root.swapped = false // the name may have been made
			return source{}, err
		}
	default:
		return a.stagedSource(c)
	}
	stat, err := swap.Stat(slot)
	made := source{dir: swap, name: slot, stat: stat}
	if err != nil {
		err = errors.Join(err, a.giveBack(made, c))
	}
	return made, err
}

// stagedSource makes sure that all of a content is staged.
func (a *applier) stagedSource(c Change) (source, error) {
	staging := &a.root.staging
	dir, err := staging.where(c.Content)
	if err != nil {
		return source{}, fmt.Errorf("%w: %w", ErrGone, err)
	}
	name := c.Content.String()
	stat, err := dir.Stat(name)
	if err == nil && stat.Size != c.Size {
		err = fmt.Errorf("%d octets, not %d: %w", stat.Size, c.Size, ErrCorrupt)
	}
	if err == nil && !staging.holds(c.Content, 0, c.Size) {
		err = a.root.inspect(c.Content)
	}
	if errors.Is(err, fs.ErrNotExist) {
		staging.forget(c.Content)
	}
	if errors.Is(err, ErrCorrupt) || errors.Is(err, fs.ErrNotExist) {
		err = fmt.Errorf("%w: staging: %w", ErrGone, err)
	}
	return source{dir: dir, name: name, stat: stat, staged: true}, err
}

// install gives the new bytes their mode, their time and their name.
func (a *applier) install(dir Dir, name string, from source, c Change) (result Result, err error) {
	if from.stat, err = a.dressed(from, c); err != nil {
		return Result{}, errors.Join(err, a.giveBack(from, c))
	}
	if c.Old == nil {
		err = from.dir.Rename(from.name, dir, name, FromPrivate)
		if err != nil {
			err = errors.Join(err, a.giveBack(from, c))
		}
	} else {
		result.Kept, err = a.replace(dir, name, from, c)
	}
	if err != nil {
		return result, err
	}
	if from.staged {
		a.root.staging.forget(c.Content)
	}
	a.touched(c.Path, true)
	result.Stat, err = settled(dir, name, from.stat)
	return result, err
}

// dressed sets mode and mtime of the new bytes while nobody else can see them.
func (a *applier) dressed(from source, c Change) (Stat, error) {
	stat := from.stat
	if c.Op == OpPlace && stat.Mode != c.Mode {
		if err := from.dir.Chmod(from.name, c.Mode); err != nil {
			return stat, err
		}
		stat.Mode = c.Mode
	}
	if stat.MtimeNS != c.MtimeNS {
		if err := from.dir.SetMtime(from.name, c.MtimeNS); err != nil {
			return stat, err
		}
		stat.MtimeNS = c.MtimeNS
	}
	if a.root.coarse { // what the disk made of them
		return from.dir.Stat(from.name)
	}
	return stat, nil
}

// settled returns the Stat of what was placed. Where a user was faster and has
// changed it already, it is the Stat that was placed, which the disk no longer
// has: so the next scan sees a change.
func settled(dir Dir, name string, placed Stat) (Stat, error) {
	now, err := dir.Stat(name)
	if err != nil {
		return Stat{}, err
	}
	same := now
	same.MtimeNS = placed.MtimeNS
	rounded := now.MtimeNS <= placed.MtimeNS && placed.MtimeNS-now.MtimeNS < int64(2*time.Second)
	if same.SameFile(placed) && rounded { // file systems keep times down to 1 ns, 100 ns, 1 s or 2 s
		return now, nil
	}
	return placed, nil
}

// replace lets the new bytes and the old ones trade places, so that the name leads
// to the ones or the others at any instant, and then keeps the old ones.
func (a *applier) replace(dir Dir, name string, from source, c Change) (kept string, err error) {
	swap, slot := a.root.staging.swap, slotName(c)
	if from.name != slot {
		if err := from.dir.Rename(from.name, swap, slot, IntoPrivate); err != nil {
			return "", err
		}
		from.dir, from.name = swap, slot
	}
	err = swap.Rename(slot, dir, name, Exchange)
	if errors.Is(err, errors.ErrUnsupported) {
		return a.replaceInTwoSteps(dir, name, from, c)
	}
	if err != nil {
		return "", errors.Join(err, a.giveBack(from, c))
	}
	failpoint.Reach(failpoint.Exchange)
	kept, err = a.root.kept.keep(swap, slot, name, *c.Old, &a.need)
	if err != nil {
		err = errors.Join(err, a.takeBack(dir, name, from, c))
	}
	return kept, err
}

// takeBack ends a trade that went wrong: what lies in the slot is not what was
// expected, or cannot be kept. It is put where it came from. What is found in
// exchange is the new file, unless a user has written to that already.
func (a *applier) takeBack(dir Dir, name string, from source, c Change) error {
	a.root.swapped = false // whatever stays behind in swap is somebody's
	err := from.dir.Rename(from.name, dir, name, Exchange)
	if errors.Is(err, fs.ErrNotExist) { // the user has removed the new one
		return from.dir.Rename(from.name, dir, name, FromPrivate)
	}
	if err != nil {
		return err
	}
	a.touched(c.Path, false)
	now, err := from.dir.Stat(from.name)
	if err != nil || !now.SameFile(from.stat) {
		return err
	}
	return a.giveBack(from, c)
}

// replaceInTwoSteps is replace for file systems that cannot exchange. Between the
// steps the name leads nowhere; after a crash there, redo takes the second.
func (a *applier) replaceInTwoSteps(dir Dir, name string, from source, c Change) (kept string, err error) {
	kept, err = a.root.kept.keep(dir, name, name, *c.Old, &a.need)
	if err == nil {
		err = from.dir.Rename(from.name, dir, name, FromPrivate)
	}
	if err != nil {
		err = errors.Join(err, a.giveBack(from, c))
	}
	return kept, err
}

// giveBack returns new bytes that were not placed to where they were. Where that
// fails they are looked after before the next batch.
func (a *applier) giveBack(from source, c Change) (err error) {
	switch {
	case from.dir != a.root.staging.swap:
		return nil // never left its shelf
	case !from.staged:
		err = from.dir.Remove(from.name)
	default:
		var shelf Dir
		if shelf, err = a.root.staging.where(c.Content); err == nil {
			err = from.dir.Rename(from.name, shelf, c.Content.String(), IntoPrivate)
		}
	}
	if err != nil {
		a.root.swapped = false
	}
	return err
}
