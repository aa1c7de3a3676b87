package replica

import (
	"slices"
	"time"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/internal/kv"
	"github.com/zsync/zsync/store"
)

const (
	// underWayMax is how many batches are ordered at once: while the disk carries out
	// one, the outcome of the one before becomes D.
	underWayMax = 2
	// gapPatience is how long directories that are to be read, and changes that are to go
	// alone, wait for batches that follow one another without a gap.
	gapPatience = time.Second
)

// underWay are the batches whose intents are committed and whose changes are ordered,
// the oldest first. More than one only make what was not there, each in directories
// that D has or that it makes itself: so none rests on another, and what becomes of
// one says nothing of the others.
type underWay struct {
	batches []*batch
	ordered uint64    // batches, since the start
	since   time.Time // there is no gap between them
	gap     bool      // there is one now, and directories have not had their turn
}

// any reports whether the outcome of a batch is awaited.
func (u *underWay) any() bool { return len(u.batches) > 0 }

// touches reports whether a batch under way holds a change of the node.
func (u *underWay) touches(node uint64) bool {
	return slices.ContainsFunc(u.batches, func(b *batch) bool { return b.touches(node) })
}

// allows reports whether a change that makes after has nothing to do with what is
// under way.
func (u *underWay) allows(change *store.Change, after *onDisk) bool {
	return !slices.ContainsFunc(u.batches, func(b *batch) bool {
		_, slot := b.slots[after.place]
		uses := change.Op == store.OpPlace && change.Content != zsync.EmptyContent && b.placed[change.Content]
		return slot || uses
	})
}

// end takes out the batch of that number and so many steps; nil: there is none.
func (u *underWay) end(number uint64, steps int) *batch {
	i := slices.IndexFunc(u.batches, func(b *batch) bool { return b.number == number && len(b.steps) == steps })
	if i < 0 {
		return nil
	}
	b := u.batches[i]
	u.batches = slices.Delete(u.batches, i, i+1)
	u.gap = !u.any()
	return b
}

// mayList reports whether directories may be read now: not while a batch is carried
// out, and not before one that is to set right what was done. Before any other that is
// ready, once.
func (r *Replica) mayList() bool {
	if r.underWay.any() || r.batch.mends() {
		return false
	}
	return !r.batch.ready() || r.underWay.gap
}

// mayFill reports whether changes may be added to the batch now: beside what is under
// way only if all of that is of the kind that stands alone, and as long as what is of
// another kind can wait. Where a disk takes several names for one, that cannot be told
// from the names.
func (r *Replica) mayFill(now time.Time) bool {
	if r.batch.sealed() {
		return false
	}
	alone := func(b *batch) bool { return b.mixed || b.mends() }
	beside := !r.disk.nature.Folds() && !r.plan.needsGap(now) && !slices.ContainsFunc(r.underWay.batches, alone)
	return !r.underWay.any() || beside
}

// needsGap reports whether a change that is to go alone has waited for long.
func (p *planner) needsGap(now time.Time) bool {
	return !p.alone.IsZero() && !now.Before(p.alone.Add(gapPatience))
}

// mayGo reports whether the batch may be ordered beside what is under way. It was
// filled so that it can; but one that sets something right goes alone, and neither
// directories that are to be read nor changes that are to go alone wait for ever.
func (r *Replica) mayGo(now time.Time) bool {
	u := &r.underWay
	if !u.any() {
		return true
	}
	patience := gapPatience
	if len(r.scan.soon) > 0 {
		patience = livePatience
	}
	needed := len(r.scan.queue) > 0 && !now.Before(u.since.Add(patience)) || r.plan.needsGap(now)
	return !r.batch.mends() && len(u.batches) < underWayMax && !needed
}

// add puts a change into the batch, as [batch.add] does, unless it has to wait for
// what is under way.
func (t *turn) add(change store.Change, before, after *onDisk) bool {
	r := t.replica
	if r.underWay.any() {
		if before != nil && r.plan.alone.IsZero() {
			r.plan.alone = t.now
		}
		if before != nil || !r.underWay.allows(&change, after) {
			return false
		}
	}
	if !r.batch.add(t.now, change, before, after) {
		return false
	}
	r.batch.urgent = r.batch.urgent || t.urgent
	return true
}

// send orders the changes of the batch. The next one is filled from now on.
func (r *Replica) send(tx kv.Tx, now time.Time) {
	u, sent := &r.underWay, r.batch
	changes := make([]store.Change, len(sent.steps))
	for i := range sent.steps {
		changes[i] = sent.steps[i].change
	}
	if u.any() {
		last := u.batches[len(u.batches)-1]
		sent.intents = last.intents + uint32(len(last.steps))
	} else {
		dropIntents(tx) // those of a batch that is done again: it may have been several
		sent.intents, u.since = 0, now
	}
	putIntents(tx, sent.intents, sent.steps)
	u.ordered++
	sent.number = u.ordered
	u.batches = append(u.batches, &sent)
	r.batch = newBatch()
	r.out.Apply = append(r.out.Apply, Batch{Number: sent.number, Changes: changes, Redo: sent.redo, Urgent: sent.urgent})
}

// forgetIntents ends the intents of a batch whose outcome is D now.
func (r *Replica) forgetIntents(tx kv.Tx, done *batch) {
	if r.underWay.any() || r.batch.mends() {
		dropSomeIntents(tx, done.intents, len(done.steps))
		return
	}
	dropIntents(tx)
}

// writeAgain writes down all that a crash is to end: what is under way, and after it
// what waits to set right what was done.
func (r *Replica) writeAgain(tx kv.Tx) {
	dropIntents(tx)
	place := uint32(0)
	for _, b := range append(slices.Clip(r.underWay.batches), &r.batch) {
		b.intents = place
		putIntents(tx, place, b.steps)
		place += uint32(len(b.steps))
	}
}
