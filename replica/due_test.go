package replica

import (
	"testing"
	"time"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/internal/kv"
	"github.com/zsync/zsync/store"
)

// wantDueLater gives the Replica a turn and fails where it asks for another at once:
// whoever steps it would do nothing else.
func (b *box) wantDueLater() {
	b.t.Helper()
	b.fact(func(tx kv.Tx) { b.rep.Advance(tx, b.now) })
	if due := b.rep.Deadline(); !due.IsZero() && !due.After(b.now) {
		b.t.Fatalf("%c had its turn and was due %s ago\n%s", b.letter, b.now.Sub(due), b.state())
	}
}

// halfFetched returns a box that has heard of two files and has the content of the
// first alone, in a batch that waits for the second; failed says that this one could
// not be had.
func halfFetched(t *testing.T) (b *box, failed func(err error)) {
	t.Helper()
	a, b := pairOf(t, nil)
	a.user().write("two", "second")
	a.user().write("one", "first") // the newest goes first
	a.scan()
	b.fetch = nil
	b.learn(a, -1)
	one, two := b.jobs[0].want, b.jobs[1].want
	b.fetch = func(content zsync.Digest) ([]byte, bool) {
		if content != one {
			return nil, false
		}
		return a.serve(one)
	}
	b.run()
	b.wantDueLater()
	return b, func(err error) {
		b.jobs = b.jobs[1:]
		b.fact(func(tx kv.Tx) { b.rep.Staged(tx, b.now, two, err) })
	}
}

func (b *box) wait(d time.Duration) {
	b.advance(d)
	b.now = b.now.Add(d)
}

func TestADeviceWhoseDiskIsFullIsAtRestWhileABatchWaits(t *testing.T) {
	b, failed := halfFetched(t)
	failed(store.ErrNoSpace)
	b.wait(batchWait)
	b.wantDueLater()
	b.fetch = nil
	b.pass(b.rep.Deadline())
	for b.run() {
	}
	b.wantNames("one")
}

func TestAFileThatFailedIsNotLookedAtWhileABatchIsUnderWay(t *testing.T) {
	b, failed := halfFetched(t)
	failed(store.ErrCorrupt)
	b.wait(batchWait)
	b.wantDueLater() // the batch is being flushed
	b.wait(2 * restFirst)
	b.wantDueLater()
}
