package replica

import (
	"strings"
	"testing"
	"time"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/internal/kv"
)

// hint says that the root changed, and has all done that can be done when it was quiet.
func (b *box) hint() {
	b.t.Helper()
	b.fact(func(tx kv.Tx) {
		b.rep.Hinted(b.now, []zsync.Path{""}, false)
		b.rep.Advance(tx, b.now)
	})
	b.pass(b.now.Add(settleFirst))
	for b.run() {
	}
}

func TestALargeFileThatMayBeOpenToWriteIsGivenTime(t *testing.T) {
	a := newBox(t, 'a')
	a.scan()
	a.user().write("large", strings.Repeat("x", largeBytes))
	a.hint()
	before := len(a.log)
	a.pass(a.now.Add(settleLarge - time.Millisecond))
	for a.run() {
	}
	if len(a.log) > before {
		t.Fatal("it was logged at once")
	}
	a.pass(a.now.Add(time.Millisecond))
	a.rest()
	if len(a.log) == before {
		t.Error("it was never logged")
	}
}

func TestALargeFileThatNobodyHasOpenIsHashedAtOnce(t *testing.T) {
	a := newBox(t, 'a')
	a.closed = true
	a.scan()
	a.user().write("large", strings.Repeat("x", largeBytes))
	began := a.now
	a.hint()
	for len(a.log) == 0 && a.now.Before(began.Add(settleLarge)) {
		a.pass(a.rep.Deadline())
		for a.run() {
		}
	}
	if len(a.log) == 0 || a.now.Sub(began) >= time.Second {
		t.Errorf("logged %d after %v", len(a.log), a.now.Sub(began))
	}
}
