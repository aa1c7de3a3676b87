package replica

import (
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/internal/kv"
	"github.com/zsync/zsync/store"
)

// outcome takes in the results of one batch.
type outcome struct {
	replica *Replica
	tx      kv.Tx
	now     time.Time
	done    int
	strays  []store.Change
}

func (o *outcome) take(s *step, result store.Result) {
	r := o.replica
	if result.Err != nil {
		o.failed(s, result.Err)
		return
	}
	o.done++
	if s.isUndo() {
		return
	}
	r.problems.clear(s.change.Path, "apply")
	r.problems.clear(s.change.Path, CodeDamaged)
	before := r.disk.get(o.tx, s.key)
	if result.Kept != "" && before != nil {
		o.kept(before, result)
	}
	if s.after == nil {
		o.removed(before, &s.change)
		return
	}
	after := s.after.clone()
	after.stat = result.Stat
	if s.change.Op == store.OpRename {
		o.keepMode(after, before, &s.change)
	}
	path, found := r.disk.path(o.tx, after.place)
	anew := s.made || s.key != after.key
	if !found || path != s.change.Path || anew && !o.makeRoom(after) {
		o.stray(s, result.Stat)
		return
	}
	if s.key != after.key {
		r.disk.drop(o.tx, s.key)
	}
	if in := r.disk.at(o.tx, after.place); in != nil && in.key != after.key {
		r.scan.hintSoon(o.now, "") // where put will have displaced it to
	}
	r.disk.put(o.tx, after)
	delete(r.scan.missing, after.key) // what the round did not find was something else
	if s.change.Op == store.OpRename && after.kind == zsync.TypeDir {
		r.scan.rename(o.now, s.change.From, s.change.Path)
	}
}

// removed is for what was to be removed and is there no more. D forgets it, unless D
// has come to know it otherwise or elsewhere since the batch was planned: then somebody
// else removed that, if it is gone at all, which a scan shall find.
func (o *outcome) removed(before *onDisk, c *store.Change) {
	if before == nil {
		return
	}
	path, known := o.replica.disk.pathOf(o.tx, before)
	if known && path == c.Path && before.stillAs(*c.Old) {
		o.replica.forget(o.tx, before)
		return
	}
	o.replica.scan.hintSoon(o.now, c.Path.Dir())
	o.replica.scan.hintSoon(o.now, path.Dir())
}

// keepMode is for what was renamed, which leaves its mode as it is. The one that it was
// seen with is what D knows by now: it may have come to know another than the rename
// was planned with. Any other is the user's, who was faster, or that of an earlier change
// of the batch which is not known to be done, and a scan shall find it.
func (o *outcome) keepMode(after, before *onDisk, c *store.Change) {
	known := c.Old.Mode
	if before != nil {
		after.mode, known = before.mode, before.stat.Mode
	}
	if after.stat.Mode != known {
		after.stat.Mode = known
		o.replica.scan.hintSoon(o.now, c.Path.Dir())
	}
}

// stray is what was done in another directory than the one meant: the change that
// was to put this one there failed, and a user's is there instead.
func (o *outcome) stray(s *step, stat store.Stat) {
	change := store.Change{Op: store.OpRemove, Path: s.change.Path, Old: &stat}
	switch {
	case s.change.Op == store.OpRename:
		change.Op, change.From, change.Path = store.OpRename, s.change.Path, s.change.From
	case s.change.Op == store.OpMkdir:
		change.Op = store.OpRmdir
	case !s.made:
		o.replica.scan.hintSoon(o.now, s.change.Path.Dir())
		return
	}
	o.strays = append(o.strays, change)
}

// carry follows what went astray through a later rename of the same batch.
func (o *outcome) carry(c *store.Change) {
	if c.Op != store.OpRename {
		return
	}
	for i := range o.strays {
		for _, path := range []*zsync.Path{&o.strays[i].Path, &o.strays[i].From} {
			if *path != "" && below(*path, c.From) {
				*path = c.Path + (*path)[len(c.From):]
			}
		}
	}
}

// makeRoom is for what came under a key that D has something under: either the
// scan was faster and has found it already; or a file that was to leave this role
// before was gone, and the next scan shall find out where it went; or D came to
// know the directory elsewhere, and then this one is another.
func (o *outcome) makeRoom(after *onDisk) bool {
	d := &o.replica.disk
	in := d.get(o.tx, after.key)
	switch {
	case in == nil || in.place == after.place && in.kind == after.kind && in.content == after.content:
		return true
	case in.kind == zsync.TypeDir:
		return false
	}
	d.drop(o.tx, in.key)
	if len(in.dots) > 0 {
		in = in.clone()
		in.key.copy = in.dots[0]
		d.displace(o.tx, in)
		o.replica.scan.hintSoon(o.now, "")
	}
	return true
}

// kept remembers where the old bytes went. When somebody who had the file open
// wrote to it meanwhile, they are a version that no log knows, until it is brought
// back into the tree.
func (o *outcome) kept(before *onDisk, result store.Result) {
	if before.stat.SameFile(result.KeptStat) {
		putKept(o.tx, before, result.Kept)
	}
	o.replica.scrub.kept(before, result.Kept)
}

// failed notes why a change was not done. Where the disk was not as D said, a
// scan finds out how it is.
func (o *outcome) failed(s *step, err error) {
	r, c := o.replica, &s.change
	if errors.Is(err, store.ErrRoot) {
		r.rootLost(o.now)
		return
	}
	if !s.isUndo() {
		r.plan.rest(o.now, s.key.node)
	}
	if isDiverged(err) {
		r.scan.hintSoon(o.now, c.Path.Dir())
		if c.From != "" {
			r.scan.hintSoon(o.now, c.From.Dir())
		}
		if c.Op == store.OpRmdir {
			r.scan.hintSoon(o.now, c.Path)
		}
		o.keepDir(s)
		o.tellTaken(s, err)
		return
	}
	r.problems.set(c.Path, "apply", store.Explain(err))
	if errors.Is(err, store.ErrNoSpace) {
		r.plan.sleep(o.now)
	}
}

// tellTaken tells of a name that a look at the disk did not find and that was still
// not to be had the second time: a disk that knows no capital letters gives it to
// another file, or takes no such name. Nothing is done about it but to try again.
func (o *outcome) tellTaken(s *step, err error) {
	c := &s.change
	fresh := c.Old == nil && (c.Op == store.OpPlace || c.Op == store.OpMkdir || c.Op == store.OpSymlink)
	if fresh && !s.isUndo() && o.replica.plan.rests[s.key.node].delay > restFirst {
		o.replica.problems.set(c.Path, "apply", fmt.Sprintf("the disk of this folder has that name for something else, "+
			"perhaps one that differs only in capital letters, or takes no such name; the other devices have it (%v)", err))
	}
}

// keepDir leaves a directory that cannot be removed the second time: it holds
// something that zsync leaves alone, or a scan would have found it.
func (o *outcome) keepDir(s *step) {
	r := o.replica
	if s.change.Op != store.OpRmdir || r.plan.rests[s.key.node].delay <= restFirst {
		return
	}
	if d := r.disk.get(o.tx, s.key); d != nil {
		d = d.clone()
		d.kept = true
		r.disk.put(o.tx, d)
	}
}

// isDiverged reports whether err only says that the disk is another than D says.
func isDiverged(err error) bool {
	for _, target := range []error{store.ErrDiverged, store.ErrChanged, store.ErrGone, fs.ErrNotExist, fs.ErrExist} {
		if errors.Is(err, target) {
			return true
		}
	}
	return false
}
