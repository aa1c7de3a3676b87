package device

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/zsync/zsync/store"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// clockwork is a machine that writes its turns down. An input that is a Duration
// sets its deadline, an error ends it; anything else comes back as an effect.
type clockwork struct {
	mutex  sync.Mutex // the loop turns it while a test looks
	taken  []turnTaken
	due    time.Time
	passed []any
}

// turns and effects return what there was so far.
func (c *clockwork) turns() []turnTaken {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	return slices.Clone(c.taken)
}

func (c *clockwork) effects() []any {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	return slices.Clone(c.passed)
}

func (c *clockwork) deliver(effects []Effect) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	for _, e := range effects {
		c.passed = append(c.passed, e.What)
	}
}

type turnTaken struct {
	at time.Time
	in int
}

func (c *clockwork) Handle(now time.Time, in []any) (out []Effect, err error) {
	c.mutex.Lock()
	c.taken = append(c.taken, turnTaken{now, len(in)})
	c.mutex.Unlock()
	if !c.due.IsZero() && !now.Before(c.due) {
		c.due = time.Time{}
	}
	for _, what := range in {
		switch what := what.(type) {
		case time.Duration:
			c.due = now.Add(what)
		case error:
			return out, what // of which nobody must hear
		default:
			out = append(out, Effect{What: what})
		}
	}
	return out, nil
}

func (c *clockwork) Deadline() time.Time { return c.due }

// inBubble runs a loop on a clockwork until do is done, and returns how it ended.
func inBubble(t *testing.T, do func(l *loop, c *clockwork)) (ended error) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		c := &clockwork{}
		l := newLoop(c, time.Now, c.deliver)
		ctx, cancel := context.WithCancel(t.Context())
		result := make(chan error, 1)
		go func() { result <- l.run(ctx) }()
		synctest.Wait()
		do(l, c)
		cancel()
		ended = <-result
		<-l.done
	})
	return ended
}

func TestAMachineIsTurnedAtItsDeadlineAndNotBefore(t *testing.T) {
	err := inBubble(t, func(l *loop, c *clockwork) {
		begin := time.Now()
		l.post(3 * time.Second)
		synctest.Wait()
		time.Sleep(2999 * time.Millisecond)
		synctest.Wait()
		if len(c.turns()) != 1 {
			t.Errorf("%d turns before the deadline", len(c.turns()))
		}
		time.Sleep(time.Millisecond)
		synctest.Wait()
		if got := c.turns(); len(got) != 2 || !got[1].at.Equal(begin.Add(3*time.Second)) || got[1].in != 0 {
			t.Errorf("turns %v after the deadline", got)
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		if len(c.turns()) != 2 {
			t.Errorf("%d turns, though nothing was due", len(c.turns())-2)
		}
	})
	if err != nil {
		t.Error(err)
	}
}

func TestADeadlineFarAwayIsMetThroughSeveralSleeps(t *testing.T) {
	_ = inBubble(t, func(l *loop, c *clockwork) {
		begin := time.Now()
		l.post(time.Minute)
		synctest.Wait()
		time.Sleep(61 * time.Second)
		synctest.Wait()
		if got := c.turns(); len(got) != 2 || !got[1].at.Equal(begin.Add(time.Minute)) {
			t.Errorf("turns %v", got)
		}
	})
}

func TestWhatGathersIsHandedOverInTurnsOfLimitedSize(t *testing.T) {
	const posts = 2*turnInputsMax + 100
	_ = inBubble(t, func(l *loop, c *clockwork) {
		l.call(func() { // nothing is turned meanwhile
			for i := range posts {
				l.post(i)
			}
		})
		synctest.Wait()
		var sizes []int
		for _, turn := range c.turns() {
			sizes = append(sizes, turn.in)
		}
		if !slices.Equal(sizes, []int{turnInputsMax, turnInputsMax, 100}) {
			t.Errorf("turns of %v", sizes)
		}
		for i, what := range c.effects() {
			if what != i {
				t.Fatalf("effect %d is %v: the order was lost", i, what)
			}
		}
		if len(c.effects()) != posts {
			t.Errorf("%d effects of %d", len(c.effects()), posts)
		}
	})
}

func TestATurnTakesNoMoreThanItHasTimeForSoThatNobodyWaitsLong(t *testing.T) {
	listed := Listed{store.Listing{Entries: make([]store.Entry, 1000)}}
	huge := Listed{store.Listing{Entries: make([]store.Entry, 5*turnWeightMax)}}
	hashed := Hashed{make([]store.Hashed, 256)}
	heard := Heard{Body: make([]byte, 512<<10)}
	for name, test := range map[string]struct {
		what  any
		turns []int
	}{
		"directories":      {listed, []int{9, 9, 9, 9, 4}},
		"a huge directory": {huge, slices.Repeat([]int{1}, 40)},
		"hashed files":     {hashed, slices.Repeat([]int{4}, 10)},
		"events":           {heard, slices.Repeat([]int{1}, 40)},
		"small things":     {Flushed{}, []int{40}},
	} {
		_ = inBubble(t, func(l *loop, c *clockwork) {
			l.call(func() { // nothing is turned meanwhile
				for range 40 {
					l.post(test.what)
				}
			})
			synctest.Wait()
			var sizes []int
			for _, turn := range c.turns() {
				sizes = append(sizes, turn.in)
			}
			if !slices.Equal(sizes, test.turns) {
				t.Errorf("%s: turns of %v, want %v", name, sizes, test.turns)
			}
		})
	}
}

func TestACallRunsBetweenTwoTurnsAndWakesNobody(t *testing.T) {
	_ = inBubble(t, func(l *loop, c *clockwork) {
		ran := false
		if !l.call(func() { ran = true }) || !ran {
			t.Error("the call did not run")
		}
		if len(c.turns()) != 0 {
			t.Error("the call made the machine turn")
		}
	})
}

func TestACallDoesNotKeepADeadlineWaiting(t *testing.T) {
	_ = inBubble(t, func(l *loop, c *clockwork) {
		l.post(10 * time.Millisecond)
		for range 20 {
			time.Sleep(time.Millisecond)
			l.call(func() {})
		}
		synctest.Wait()
		if len(c.turns()) != 2 {
			t.Errorf("%d turns", len(c.turns()))
		}
	})
}

func TestAnErrorEndsTheLoopAndFreesWhoCalls(t *testing.T) {
	broken := errors.New("the database is gone")
	err := inBubble(t, func(l *loop, c *clockwork) {
		var freed atomic.Bool
		l.post("before")
		synctest.Wait()
		l.post(broken)
		<-l.done
		go func() { freed.Store(!l.call(func() { t.Error("a call ran after the end") })) }()
		synctest.Wait()
		if !freed.Load() {
			t.Error("a call waits for a loop that has ended")
		}
		l.post("after") // is dropped, and nobody waits
		synctest.Wait()
		if !slices.Equal(c.effects(), []any{"before"}) {
			t.Errorf("effects %v", c.effects())
		}
	})
	if !errors.Is(err, broken) {
		t.Errorf("ended with %v", err)
	}
}

func TestNothingOfATurnThatFailedIsDelivered(t *testing.T) {
	broken := errors.New("the database is gone")
	_ = inBubble(t, func(l *loop, c *clockwork) {
		l.call(func() {
			l.post("with it")
			l.post(broken)
		})
		<-l.done
		if len(c.effects()) != 0 {
			t.Errorf("effects %v", c.effects())
		}
	})
}

func TestPostNeverBlocks(t *testing.T) {
	_ = inBubble(t, func(l *loop, _ *clockwork) {
		l.call(func() {
			for i := range 100_000 {
				l.post(i)
			}
		})
	})
}

func TestTheEndOfTheContextEndsTheLoopWithoutAnError(t *testing.T) {
	if err := inBubble(t, func(*loop, *clockwork) {}); err != nil {
		t.Error(err)
	}
}
