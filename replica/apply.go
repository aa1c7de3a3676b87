package replica

import (
	"errors"
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
