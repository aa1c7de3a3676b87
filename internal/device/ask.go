package device

import (
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"
)

const (
	// answerTime is how long a question or an order of a person may wait for a machine:
	// longer than any turn on a slow disk, and not for ever.
	answerTime = 30 * time.Second
	// statusTime is that of a status, which says who is busy instead.
	statusTime = 10 * time.Second
)

// call is something to be run between two turns of a loop, once.
type call struct {
	run     func()
	ran     chan struct{}
	claimed atomic.Bool // by the loop, which runs it, or by who gave it up
}

func (c *call) claim() bool { return c.claimed.CompareAndSwap(false, true) }

func (l *loop) queueCall(f func()) *call {
	c := &call{ran: make(chan struct{})}
	c.run = func() { f(); close(c.ran) }
	l.mutex.Lock()
	l.calls = append(l.calls, c)
	l.mutex.Unlock()
	l.rouse()
	return c
}

// Busy is the error of a question or an order that a part of the device did not come
// to in time: its turn takes so long, or hangs. Begun: it may still be carried out.
type Busy struct {
	Part  string
	Waits time.Duration
	Begun bool
}

// Error implements error with a sentence for a person.
func (b *Busy) Error() string {
	done := "nothing was done about this"
	if b.Begun {
		done = "whether this was done is not known"
	}
	return fmt.Sprintf("%s has been busy for %s and did not answer, %s: it takes in a large change, or the disk is very slow or hangs; "+
		"the files are as they are, try again in a while", b.Part, b.Waits, done)
}

// errEnded says that a loop has ended.
var errEnded = errors.New("it has ended")

// ask has a question answered between two turns of a loop. The error is errEnded or a
// [Busy]; after one, the question may still be run, so it writes only to what it
// returns.
func ask[T any](l *loop, most time.Duration, question func() T) (says T, err error) {
	answer := new(T)
	c := l.queueCall(func() { *answer = question() })
	late := time.NewTimer(most)
	defer late.Stop()
	select {
	case <-c.ran:
		return *answer, nil
	case <-l.done:
		return says, errEnded
	case <-late.C:
		return says, &Busy{Part: l.name, Waits: most, Begun: !l.giveUp(c)}
	}
}

// giveUp forgets a call, unless it has begun.
func (l *loop) giveUp(c *call) bool {
	if !c.claim() {
		return false
	}
	l.mutex.Lock()
	defer l.mutex.Unlock()
	l.calls = slices.DeleteFunc(l.calls, func(other *call) bool { return other == c })
	return true
}
