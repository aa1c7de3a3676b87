package replica

import (
	"testing"

	"github.com/zsync/zsync/eventlog"
	"github.com/zsync/zsync/internal/kv"
)

// What takes an order back is carried out before the orders of the same turn, so such an
// order would stand: the content would come to a device that has no use for it.
func TestWhatIsWantedAndGivenUpInOneTurnIsNotOrdered(t *testing.T) {
	a, b := pairOf(t, nil)
	from := len(a.log)
	a.user().write("x", "one")
	a.scan()
	until := len(a.log)
	a.user().remove("x")
	a.scan()
	err := b.db.Update(func(tx kv.Tx) error {
		for _, events := range [][]eventlog.Event{a.log[from:until], a.log[until:]} {
			if err := b.rep.Fold(tx, events); err != nil {
				return err
			}
			b.rep.Advance(tx, b.now)
		}
		return nil
	})
	if out := b.rep.Output(); err != nil || len(out.Want) > 0 || len(out.Unwant) > 0 {
		t.Fatalf("%v: wants %v, takes back %v", err, out.Want, out.Unwant)
	}
}
