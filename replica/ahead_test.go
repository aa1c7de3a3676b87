package replica

import (
	"fmt"
	"slices"
	"testing"

	"github.com/zsync/zsync/internal/kv"
)

// asked returns which contents a box has asked for and not got.
func (b *box) asked() (wants []job) {
	return slices.DeleteFunc(slices.Clone(b.jobs), func(j job) bool { return j.want.IsZero() })
}

// workOff has a box go on as far as it can by itself.
func (b *box) workOff() {
	for range 20 {
		b.fact(func(tx kv.Tx) { b.rep.Advance(tx, b.now) })
	}
}

func TestContentsForTheNextBatchAreAskedForWhileOneIsCarriedOut(t *testing.T) {
	const more = 500
	a, b := newBox(t, 'a'), newBox(t, 'b')
	for i := range WantsMax + more {
		a.user().write(fmt.Sprint(i), fmt.Sprint("text ", i))
	}
	a.scan()
	a.rest()
	b.scan()
	b.rest()
	b.learn(a, -1)
	b.workOff()
	wants := b.asked()
	if len(wants) != WantsMax {
		t.Fatalf("%d contents are asked for", len(wants))
	}
	b.jobs = slices.DeleteFunc(b.jobs, func(j job) bool { return !j.want.IsZero() })
	b.fact(func(tx kv.Tx) {
		for _, w := range wants {
			b.rep.Staged(tx, b.now, w.want, nil)
		}
	})
	b.workOff()
	if b.rep.batch.state != batchFlushing {
		t.Fatalf("the batch is in state %d", b.rep.batch.state)
	}
	if n := len(b.asked()); n != more {
		t.Errorf("%d contents are asked for while the first ones are on their way into the tree, not %d", n, more)
	}
}
