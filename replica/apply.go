package replica

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"time"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/internal/kv"
	"github.com/zsync/zsync/store"
)

// Start begins a run: what a crash left under way is redone first, then
// everything is scanned. staged are the contents that are whole in staging,
// unfinished those that are there in part: of both, those that no node wants are given
// up after the first full scan.
func (r *Replica) Start(tx kv.Tx, now time.Time, staged, unfinished []zsync.Digest) {
	r.now = now
	r.contents.unfinished = unfinished
	for _, digest := range staged {
		r.stage(digest)
	}
	if steps := intents(tx); len(steps) > 0 {
		r.batch.redo, r.batch.state, r.batch.steps = true, batchReady, steps
		r.applyWhenQuiet(tx, now)
	}
	r.lookAtHidden(tx) // for their problems
	r.scan.startFull(now, r.cfg.ScanEvery)
	r.work(tx, now)
}

// Applied answers Output.Apply for the batch of that number. What was done becomes D,
// in the transaction that forgets the intents.
func (r *Replica) Applied(tx kv.Tx, now time.Time, number uint64, results []store.Result) {
	r.now = now
	done := r.underWay.end(number, len(results))
	if done == nil {
		return
	}
	r.plan.awaited()
	if err := unsure(results, done.redo); err != nil {
		r.redoLater(now, done, err)
		r.work(tx, now)
		return
	}
	if !r.batch.redo {
		r.problems.clear("", "apply")
	}
	outcome := &outcome{replica: r, tx: tx, now: now}
	for i := range done.steps {
		if results[i].Err == nil {
			outcome.carry(&done.steps[i].change)
		}
		outcome.take(&done.steps[i], results[i])
	}
	used := r.usedContents(done.steps, results)
	r.forgetIntents(tx, done)
	for i := range done.steps {
		if !done.steps[i].isUndo() {
			r.settle(tx, done.steps[i].key.node)
		}
	}
	for _, node := range done.dropped {
		r.plan.lower(node)
	}
	for _, content := range used {
		r.contents.again(r, content)
	}
	if outcome.done > 0 {
		r.plan.wake()
	}
	r.markStale(done.steps)
	r.undo(tx, now, outcome.strays)
	r.work(tx, now)
}

// unsure returns why a batch may or may not have been done. It is done for sure,
// but for single changes, when one of them was: the store makes all durable
// together or reports none as done.
func unsure(results []store.Result, again bool) (why error) {
	for i := range results {
		switch err := results[i].Err; {
		case err == nil:
			return nil
		case errors.Is(err, store.ErrRoot):
			if again && why == nil { // nothing was done now, but before
				why = err
			}
		case isDiverged(err), errors.Is(err, store.ErrNoSpace), errors.Is(err, store.ErrMount),
			errors.Is(err, store.ErrCorrupt), errors.Is(err, fs.ErrPermission), errors.Is(err, store.ErrUnfit):
		case why == nil:
			why = err
		}
	}
	return why
}

// redoLater has the batch done again, in the way that finds out what was done of
// it. Its intents stay; until then nothing is scanned, since what the batch moved
// would look as if the user had.
func (r *Replica) redoLater(now time.Time, again *batch, why error) {
	if r.batch.mends() {
		again.steps = append(r.batch.steps, again.steps...)
		again.dropped = append(r.batch.dropped, again.dropped...)
		again.delay = max(r.batch.delay, again.delay)
	} else {
		r.abandonBatch()
	}
	again.delay = min(max(2*again.delay, restFirst), restMax)
	again.state, again.redo, again.notBefore = batchReady, true, now.Add(again.delay)
	r.batch = *again
	r.problems.set("", "apply", store.Explain(why))
}

// Trouble notes why something could not be done that is not for this package to do,
// or with nil that it could be.
func (r *Replica) Trouble(path zsync.Path, code string, why error) {
	if why == nil {
		r.problems.clear(path, code)
		return
	}
	r.problems.set(path, code, store.Explain(why))
}

// undo takes back, before anything else is ordered or looked at, what went where it
// does not belong. Where that waits for what is under way, or for what is to be done
// again, it is written down until then.
func (r *Replica) undo(tx kv.Tx, now time.Time, strays []store.Change) {
	if len(strays) == 0 {
		return
	}
	if !r.batch.mends() {
		r.abandonBatch()
	}
	for _, change := range slices.Backward(strays) {
		r.batch.steps = append(r.batch.steps, step{change: change})
	}
	r.batch.state = batchReady
	if r.applyWhenQuiet(tx, now); r.batch.mends() {
		r.writeAgain(tx)
	}
}

// usedContents notes and returns which staging files a batch took, or did not
// find.
func (r *Replica) usedContents(steps []step, results []store.Result) (used []zsync.Digest) {
	for i := range steps {
		c, err := &steps[i].change, results[i].Err
		if c.Op == store.OpPlace && (err == nil || errors.Is(err, store.ErrGone)) && r.contents.has(c.Content) {
			delete(r.contents.staged, c.Content)
			used = append(used, c.Content)
		}
	}
	return used
}

// markStale discards what is being hashed under a name that was given to
// something else meanwhile, and what was found there.
func (r *Replica) markStale(steps []step) {
	for i := range steps {
		c := &steps[i].change
		if c.Op == store.OpRename && steps[i].after != nil && steps[i].after.kind == zsync.TypeDir {
			r.findElsewhere(c.From)
		}
		for path, t := range r.scan.tasks {
			if below(path, c.Path) || c.From != "" && below(path, c.From) {
				t.stale = true
			}
		}
	}
}

// findElsewhere drops what was found in a directory that was renamed: it waits
// under a name that another directory may have by now. It is found again under the
// new one, in the same round, since what was moved there is missing elsewhere.
func (r *Replica) findElsewhere(dir zsync.Path) {
	var dirs []zsync.Path
	for path, f := range r.findings.at {
		if below(path, dir) {
			dirs = append(dirs, path.Dir())
			r.findings.remove(f)
		}
	}
	for path := range r.scan.held {
		if below(path, dir) {
			dirs = append(dirs, path.Dir())
			delete(r.scan.held, path)
		}
	}
	maps.DeleteFunc(r.scan.fresh, func(path zsync.Path, _ bool) bool { return below(path, dir) })
	slices.Sort(dirs)
	for _, dir := range slices.Compact(dirs) {
		for _, name := range r.scan.namesOf(r.now, dir) {
			r.scan.enqueue(name)
		}
	}
}

// below reports whether path is dir or lies in it.
func below(path, dir zsync.Path) bool {
	return path == dir || len(path) > len(dir) && path[len(dir)] == '/' && path[:len(dir)] == dir
}

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
