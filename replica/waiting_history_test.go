package replica

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/zsync/zsync/internal/kv"
	"github.com/zsync/zsync/store/crashfs"
)

// stir lets a box work for some seconds: one that waits may not come to rest.
func stir(b *box) {
	for end := b.now.Add(10 * time.Second); b.now.Before(end); {
		if !b.run() {
			due := b.rep.Deadline()
			if due.IsZero() || due.After(end) {
				due = end
			}
			b.pass(due)
		}
	}
}

// allow tells a box whether it may log, or may soon.
func allow(b *box, may, soon bool) {
	b.rep.SetAuthor(may, soon)
	b.fact(func(kv.Tx) {})
}

// What a member has found while it waits, or while it was none, is logged in the end as
// it is by then, whatever users, peers and power did meanwhile, and nothing is lost.
func TestWhatAWaitingMemberLogsInTheEndIsWhatItsDiskHas(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newHouseholdOn(t, 2, true, func(_ int, disk *crashfs.FS) {
			if rapid.Bool().Draw(t, "stick") {
				stick(disk)
			}
		})
		w.names, w.dirs = "abAB", "dDe"
		a, b := w.boxes[0], w.boxes[1]
		a.order, b.order = nil, nil
		for range rapid.IntRange(1, 6).Draw(t, "before") {
			w.use(a)
		}
		a.scan()
		sync(a, b)
		for range rapid.IntRange(1, 25).Draw(t, "steps") {
			switch w.roll(9, "step") {
			case 0:
				w.use(a)
				a.scan()
			case 1:
				b.learn(a, -1)
				stir(b)
			case 2, 3:
				b.rep.Hinted(b.now, nil, true)
				stir(b)
			case 4:
				may := w.roll(3, "may") == 0
				allow(b, may, !may && w.roll(4, "soon") > 0)
				stir(b)
			case 5:
				w.cutPower(b)
			default:
				w.use(b)
			}
		}
		b.rep.Hinted(b.now, nil, true)
		stir(b)
		allow(b, true, false)
		stir(b)
		b.rest()
		w.end()
	})
}
