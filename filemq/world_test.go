package filemq

import (
	"container/heap"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"time"
)

// world is two hosts and a connection between them, in virtual time. All that
// happens is an event on one heap, and all chance comes from one seed.
type world struct {
	t        reporter
	faults   faults
	random   *rand.Rand
	now      time.Time
	events   events
	sequence int
	link     int // number of the connection; events of an older one are void
	hosts    [2]*host
}

// faults say how the world treats its hosts. Chances are in 1,000.
type faults struct {
	latency, jitter time.Duration // one way
	kibibyte        time.Duration // that 1,024 octets occupy the line, each way
	disk            time.Duration // at most, for a read and for a write
	drops           int           // of the connection, in all
	budget          int           // of what follows, in all
	refuse          int           // a read
	corrupt         int           // the data of a read
	cancel, bump    int           // a request, at each turn of a host
}

type event struct {
	at       time.Time
	sequence int
	link     int
	act      func()
}

type events []event

func (e events) Len() int      { return len(e) }
func (e events) Swap(i, j int) { e[i], e[j] = e[j], e[i] }
func (e *events) Push(x any)   { *e = append(*e, x.(event)) }

func (e events) Less(i, j int) bool {
	return e[i].at.Before(e[j].at) || e[i].at.Equal(e[j].at) && e[i].sequence < e[j].sequence
}

func (e *events) Pop() any {
	last := (*e)[len(*e)-1]
	*e = (*e)[:len(*e)-1]
	return last
}

func newWorld(t reporter, seed uint64, f faults, cfg Config) *world {
	w := &world{t: t, faults: f, random: rand.New(rand.NewPCG(seed, 0)), now: time.Unix(1000, 0)}
	for i := range w.hosts {
		w.hosts[i] = newHost(w, cfg, i == 0)
	}
	w.hosts[0].peer, w.hosts[1].peer = w.hosts[1], w.hosts[0]
	return w
}

// data is what an item is made of; its first octets tell it from others.
func data(number uint64, size int) []byte {
	octets := make([]byte, max(size, 8))
	binary.BigEndian.PutUint64(octets, number)
	return octets[:size]
}

// item describes data(number, size): the number travels as the offset.
func item(number uint64, size int) Item {
	return Item{Hash: sha256.Sum256(data(number, size)), Offset: number, Size: uint32(size)}
}

func items(first uint64, count, size int) []Item {
	list := make([]Item, count)
	for i := range list {
		list[i] = item(first+uint64(i), size)
	}
	return list
}

func (w *world) after(delay time.Duration, act func()) {
	w.sequence++
	heap.Push(&w.events, event{w.now.Add(delay), w.sequence, w.link, act})
}

func (w *world) chance(inThousand int) bool { return w.random.IntN(1000) < inThousand }

// fault is chance, until the budget is spent: a world that never lets anything
// through proves nothing.
func (w *world) fault(inThousand int) bool {
	if w.faults.budget == 0 || !w.chance(inThousand) {
		return false
	}
	w.faults.budget--
	return true
}

func (w *world) upTo(limit time.Duration) time.Duration {
	return time.Duration(w.random.Int64N(int64(limit) + 1))
}

// connect begins a new connection; what was on the way on the old one is lost.
func (w *world) connect() {
	w.link++
	for _, h := range w.hosts {
		h.connection = connection{arrival: w.now, lineFree: w.now}
		h.session = NewSession(w.now, h.cfg, h.dials)
	}
	for _, h := range w.hosts {
		h.carryOut()
	}
	if w.faults.drops > 0 {
		w.faults.drops--
		w.after(w.upTo(2*time.Second), w.disconnect)
	}
}

// disconnect ends a connection, and both ends know; another follows.
func (w *world) disconnect() {
	for _, h := range w.hosts {
		h.session.Close(w.now, "connection lost")
		h.answered(h.session.Output())
	}
	w.after(time.Second, w.connect)
}

// run steps the world until done, or fails after limit of virtual time.
func (w *world) run(limit time.Duration, done func() bool) {
	w.t.Helper()
	end := w.now.Add(limit)
	if w.link == 0 {
		w.connect()
	}
	for !done() {
		if !w.step() || w.now.After(end) {
			w.t.Fatalf("not done at %v", w)
		}
	}
}

// rest lets everything that is on its way happen.
func (w *world) rest() {
	for len(w.events) > 0 {
		w.step()
	}
}

// step lets the next thing happen: an event, or a deadline of a session.
func (w *world) step() bool {
	waker := w.hosts[0]
	if d := w.hosts[1].session.Deadline(); !d.IsZero() && (waker.session.Deadline().IsZero() || d.Before(waker.session.Deadline())) {
		waker = w.hosts[1]
	}
	deadline := waker.session.Deadline()
	switch {
	case len(w.events) > 0 && (deadline.IsZero() || !deadline.Before(w.events[0].at)):
		e := heap.Pop(&w.events).(event)
		w.now = e.at
		if e.link == w.link {
			e.act()
		}
	case !deadline.IsZero():
		w.now = deadline
		waker.session.Advance(deadline)
		waker.carryOut()
	default:
		return false
	}
	return true
}

func (w *world) String() string {
	text := fmt.Sprintf("%v, connection %d", w.now.Sub(time.Unix(1000, 0)), w.link)
	for _, h := range w.hosts {
		text += fmt.Sprintf("; got %d of %d, %d wanted, closed %q", len(h.got), h.goal, len(h.wanted), h.closed)
	}
	return text
}

// reporter is what a testing.T and a rapid.T have in common here.
type reporter interface {
	Helper()
	Fatalf(format string, args ...any)
}
