package zeromq

import (
	"sync"
	"time"

	"github.com/zsync/zsync"
)

// Attempt is a stranger that was not let in. The same stranger is told of at
// most once a second.
type Attempt struct {
	// Key is what the stranger proved to hold; zero when it came to nothing
	// before that: no ZMTP, a wrong idea of our key, or no answer.
	Key zsync.Key
	// Address is its IP address; empty when it came and went so fast that the
	// system no longer knew.
	Address string
	// Revoked is set for a key that was trusted once; others are unknown.
	Revoked bool
	// Count is how often it tried since it was last told of, this time included.
	Count int
}

// attempts coalesces what strangers do, and bounds what they can make us
// remember. It is used by the door's goroutine and those of the links.
type attempts struct {
	out chan Attempt

	mu    sync.Mutex
	known map[stranger]*tally
	crowd map[string]*tally // all attempts from one address
	shut  bool
}

type stranger struct {
	key     zsync.Key
	address string
}

type tally struct {
	count int
	since time.Time
}

func newAttempts() *attempts {
	return &attempts{
		out:   make(chan Attempt, attemptsQueued),
		known: map[stranger]*tally{},
		crowd: map[string]*tally{},
	}
}

func (a *attempts) add(attempt Attempt) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.shut {
		return
	}
	now := time.Now()
	crowd := remember(a.crowd, attempt.Address)
	if now.Sub(crowd.since) >= attemptEvery {
		*crowd = tally{since: now}
	}
	crowd.count++

	t := remember(a.known, stranger{attempt.Key, attempt.Address})
	t.count++
	if now.Sub(t.since) < attemptEvery {
		return
	}
	attempt.Count = t.count
	select {
	case a.out <- attempt:
		*t = tally{since: now}
	default: // nobody listens: the count goes into the next one
	}
}

// close tells the reader that there will be no more.
func (a *attempts) close() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.shut {
		a.shut = true
		close(a.out)
	}
}

// crowded reports whether so many attempts came from address within the last
// second that new connections from there are not worth a handshake.
func (a *attempts) crowded(address string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	t, ok := a.crowd[address]
	return ok && t.count >= strangersASecond && time.Since(t.since) < attemptEvery
}

// remember returns the tally of k. When too many are known all are forgotten:
// that costs a count, never memory.
func remember[K comparable](known map[K]*tally, k K) *tally {
	t, ok := known[k]
	if !ok {
		if len(known) >= attemptsKnown {
			clear(known)
		}
		t = &tally{}
		known[k] = t
	}
	return t
}
