package device

import (
	"fmt"
	"testing"
	"time"

	"github.com/zsync/zsync/internal/kv"
	"github.com/zsync/zsync/store"
)

// aging is one copy whose versions are counted up by hand.
type aging struct {
	t    *testing.T
	w    *twoCopies
	c    *testCopy
	next uint64
}

// tick has the copy's machine take a turn after a time, and returns the numbers
// that it asks to be pruned below; the answers are that names are gone.
func (a *aging) tick(after time.Duration, gone int) (before []uint64) {
	a.t.Helper()
	a.w.now = a.w.now.Add(after)
	in := []any{Applied{}}
	if a.next > 1 {
		in = []any{Applied{Results: []store.Result{{Kept: fmt.Sprintf("%06d/%09d~x", (a.next-1)/1000, a.next-1)}}}}
	}
	for {
		effects, err := a.c.machine.Handle(a.w.now, in)
		must(a.t, err)
		in = nil
		for _, e := range effects {
			if order, ok := e.What.(PruneVersions); ok {
				before = append(before, order.Before)
				n := min(gone, store.PrunedMax)
				gone -= n
				in = append(in, Pruned{Gone: make([]string, n), Next: a.next})
			}
		}
		if in == nil {
			return before
		}
	}
}

func newAging(t *testing.T) *aging {
	w := newTwoCopies(t)
	w.run(time.Minute)
	return &aging{t: t, w: w, c: w.copies[0], next: 1}
}

func TestVersionsArePrunedAfterThirtyDaysOfRunningTime(t *testing.T) {
	a := newAging(t)
	var asked []uint64
	for hour := range 24 * 32 {
		a.next = uint64(hour) + 1
		asked = append(asked, a.tick(time.Hour, 0)...)
		if hour == 24*10 { // a start in between forgets no more than the hour at hand
			must(t, a.c.root.Close())
			a.w.open(a.c)
		}
	}
	if n := len(asked); n != 24*32 {
		t.Fatalf("asked %d times in %d hours", n, 24*32)
	}
	for hour, before := range asked {
		// Of the first hour only what is after the minute of the fixture, and of a start
		// nothing that was not counted.
		if young := uint64(max(0, hour+1-24*30+1)); before > young || hour > 24*31 && before+3 < young {
			t.Fatalf("in hour %d all below %d are to go", hour, before)
		}
	}
	marks := 0
	must(t, a.c.db.View(func(tx kv.Tx) error {
		eachRan(tx, func(time.Duration, uint64) bool { marks++; return true })
		return nil
	}))
	if marks > 24*30+2 {
		t.Errorf("%d hours are remembered", marks)
	}
}

func TestAnIdleCopyWritesNothingForHours(t *testing.T) {
	a := newAging(t)
	a.next = 5
	a.tick(time.Hour, 0)
	a.next = 0
	commits := 0
	a.c.db.Commit = func() error { commits++; return nil }
	for range 5 {
		if asked := a.tick(time.Hour, 0); len(asked) != 1 {
			t.Fatalf("asked %d times", len(asked))
		}
	}
	if commits > 0 {
		t.Errorf("%d commits", commits)
	}
	a.tick(time.Hour, 0)
	if commits != 1 {
		t.Errorf("the hours are not counted: %d commits", commits)
	}
}

func TestAClockThatJumpsMakesNoVersionOld(t *testing.T) {
	a := newAging(t)
	a.next = 100
	for _, jump := range []time.Duration{time.Hour, 75 * 365 * 24 * time.Hour, -75 * 365 * 24 * time.Hour, time.Hour} {
		for _, before := range a.tick(jump, 0) {
			if before != 0 {
				t.Errorf("after %s all below %d are to go", jump, before)
			}
		}
	}
	if asked := a.tick(time.Hour, 0); len(asked) != 1 {
		t.Errorf("after the clock was set back it asks %d times an hour", len(asked))
	}
}

func TestPruningGoesOnUntilNothingIsLeftToPrune(t *testing.T) {
	a := newAging(t)
	if asked := a.tick(time.Hour, 2*store.PrunedMax+5); len(asked) != 3 {
		t.Errorf("asked %d times", len(asked))
	}
}
