package replica

import (
	"errors"
	"testing"
	"time"

	"github.com/zsync/zsync/internal/kv"
	"github.com/zsync/zsync/store"
)

func TestNothingIsSaidOfAFetchThatFailedOnceNobodyWantsIt(t *testing.T) {
	for code, failure := range map[string]error{"fetch": errors.New("cannot be put down"), "space": store.ErrNoSpace} {
		a, b := pairOf(t, nil)
		a.user().write("x", "one")
		a.scan()
		b.fetch = nil
		b.learn(a, -1)
		b.rest()
		b.fact(func(tx kv.Tx) { b.rep.Staged(tx, b.now, content("one"), failure) })
		if b.problem("", code) == "" {
			t.Fatalf("nothing says %s", code)
		}
		a.user().remove("x")
		a.scan()
		b.learn(a, -1)
		b.live(time.Minute)
		if why := b.problem("", code); why != "" {
			t.Errorf("%s: %s", code, why)
		}
	}
}
