package replica

import (
	"fmt"
	"strings"
	"syscall"
	"testing"

	"github.com/zsync/zsync/internal/kv"
	"github.com/zsync/zsync/store"
)

// unstageable lets a box learn of a file whose bytes its disk does not take.
func unstageable(t *testing.T, why error) (a, b *box) {
	a, b = pairOf(t, nil)
	a.user().write("x", "one")
	a.scan()
	fetch := b.fetch
	b.fetch = nil
	b.learn(a, -1)
	b.rest()
	b.fact(func(tx kv.Tx) {
		b.rep.Staged(tx, b.now, content("one"), why)
		b.rep.Advance(tx, b.now)
	})
	b.jobs, b.fetch = nil, fetch
	return a, b
}

func TestWhyNamesTheDiskThatDoesNotTakeWhatIsMissing(t *testing.T) {
	for code, err := range map[string]error{
		"space": store.ErrReserve, "disk": fmt.Errorf("create: %w", syscall.EROFS),
	} {
		a, b := unstageable(t, fmt.Errorf("store: stage: %w", err))
		if reason := b.why("x"); reason.Code != code || !strings.Contains(reason.Why, "goes on by itself") {
			t.Errorf("%v: it says %+v", err, reason)
		}
		if b.problem("", code) == "" {
			t.Errorf("%v: no problem %q", err, code)
		}
		b.pass(b.now.Add(restMax))
		sync(a, b)
		wantSame(a, b)
		if problems := b.status().Problems; len(problems) != 0 {
			t.Errorf("%v: it still says %+v", err, problems)
		}
	}
}
