package replica

import (
	"time"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/internal/kv"
	"github.com/zsync/zsync/store"
)

// flushAheadMin is how many contents make a flush worth while that no batch waits
// for yet: while one batch is applied, what was staged for the next is flushed.
const flushAheadMin = batchChangesMax

// flushes knows which staged contents would survive a crash. Each content has the
// number of the flush that comes next after it was staged.
type flushes struct {
	next    uint64 // the number of the next flush to be ordered
	durable uint64 // what has a lower number is durable
	ordered bool   // flush next-1 is under way
	waiting int    // contents that have the number next
}

// stage notes that a content is whole and verified in staging.
func (r *Replica) stage(content zsync.Digest) {
	r.contents.staged[content] = r.flushes.next
	r.flushes.waiting++
}

// mustFlush reports whether a step places what is not durable yet. What is not in
// staging any more will not be found there.
func (r *Replica) mustFlush(s *step) bool {
	if s.change.Op != store.OpPlace || s.change.Content == zsync.EmptyContent {
		return false
	}
	flush, staged := r.contents.staged[s.change.Content]
	return staged && flush >= r.flushes.durable
}

func (r *Replica) orderFlush() {
	if f := &r.flushes; !f.ordered {
		f.ordered, f.waiting = true, 0
		f.next++
		r.out.Flush = true
	}
}

// flushAhead makes what is staged durable while a batch is being applied, so that
// the next one need not wait for it.
func (r *Replica) flushAhead() {
	if r.underWay.any() && r.flushes.waiting >= flushAheadMin {
		r.orderFlush()
	}
}

// Flushed answers Output.Flush: what was staged before it survives a crash now.
func (r *Replica) Flushed(tx kv.Tx, now time.Time, err error) {
	r.now = now
	f := &r.flushes
	f.ordered = false
	if err == nil {
		f.durable = f.next
		r.problems.clear("", "flush")
	} else {
		r.problems.set("", "flush", store.Explain(err))
	}
	if r.batch.state == batchFlushing {
		if err != nil {
			r.abandonBatch()
			r.plan.sleep(now)
		} else {
			r.flushOrApply(tx, now)
		}
	}
	r.work(tx, now)
}

// flushOrApply goes on with a batch that is full: all that it places must be
// durable first.
func (r *Replica) flushOrApply(tx kv.Tx, now time.Time) {
	for i := range r.batch.steps {
		if r.mustFlush(&r.batch.steps[i]) {
			r.batch.state = batchFlushing
			r.orderFlush()
			return
		}
	}
	r.batch.state = batchReady
	r.applyWhenQuiet(tx, now)
}
