package sim

import (
	"container/heap"
	"crypto/ed25519"
	"crypto/sha256"
	"fmt"
	"io"
	"math/rand/v2"
	"time"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/internal/device"
	"github.com/zsync/zsync/store"
)

// start is when every world begins.
var start = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// Carry carries out one disk order, as the workers of internal/disk do.
type Carry func(root *store.Root, space zsync.SpaceID, order any, post func(device.Address, any))

// World is some devices, the network between them, and the time.
type World struct {
	Nodes []*Node
	// Tear varies what power cuts leave of a disk, and nothing else.
	Tear uint64
	// Lossy is how many of a thousand messages break the connection that they are
	// on and are lost with all that is under way on it, Echo how many come twice.
	Lossy, Echo int
	// Jumble is how many of a thousand messages come later than those behind them.
	Jumble int
	// Sticks is how many devices, the first ones, have a disk that takes names for one
	// that differ only in capital letters, and refuses some.
	Sticks int
	// Fired counts what went wrong, by kind.
	Fired map[Fault]int
	// Skew is how far a device's clock may be off, either way; each start draws anew.
	Skew time.Duration
	// Trace, where set, is told of everything that happens.
	Trace io.Writer

	now    time.Time
	events eventHeap
	count  uint64
	random *rand.Rand
	carry  Carry
	cut    map[[2]int]bool // pairs of nodes that cannot reach each other
	failed error
	judged map[[sha256.Size]byte]bool // by key, text and signature
}

// NewWorld returns a world in which nothing has happened yet. The seed decides
// everything that will.
func NewWorld(seed uint64, carry Carry) *World {
	return &World{
		now: start, random: rand.New(rand.NewPCG(seed, 0x73696d)), carry: carry, cut: make(map[[2]int]bool),
		Fired: make(map[Fault]int), judged: make(map[[sha256.Size]byte]bool),
	}
}

// verify is [ed25519.Verify], which is asked once about what all devices hear.
func (w *World) verify(key ed25519.PublicKey, text, signature []byte) bool {
	all := make([]byte, 0, len(key)+len(signature)+len(text))
	all = append(append(append(all, key...), signature...), text...) // the first two are of a fixed length
	of := sha256.Sum256(all)
	good, judged := w.judged[of]
	if !judged {
		good = ed25519.Verify(key, text, signature)
		w.judged[of] = good
	}
	return good
}

// Now returns the virtual time.
func (w *World) Now() time.Time { return w.now }

// event is something that is going to happen.
type event struct {
	at    time.Time
	order uint64 // of two at one time, the first planned is first
	do    func()
}

type eventHeap []event

func (h eventHeap) Len() int { return len(h) }
func (h eventHeap) Less(i, j int) bool {
	return h[i].at.Before(h[j].at) || h[i].at.Equal(h[j].at) && h[i].order < h[j].order
}
func (h eventHeap) Swap(i, j int) { h[i], h[j] = h[j], h[i] }
func (h *eventHeap) Push(x any)   { *h = append(*h, x.(event)) }
func (h *eventHeap) Pop() any {
	last := (*h)[len(*h)-1]
	*h = (*h)[:len(*h)-1]
	return last
}

// at plans something.
func (w *World) at(t time.Time, do func()) {
	w.count++
	heap.Push(&w.events, event{t, w.count, do})
}

// after plans something in a while, give or take half of it.
func (w *World) after(d time.Duration, do func()) {
	w.at(w.now.Add(d/2+time.Duration(w.random.Int64N(int64(d)+1))), do)
}

// Run lets the time pass. It returns the first error that a device met which no
// device should.
func (w *World) Run(d time.Duration) error {
	end := w.now.Add(d)
	for len(w.events) > 0 && w.failed == nil && !w.events[0].at.After(end) {
		next := heap.Pop(&w.events).(event)
		w.now = next.at
		next.do()
	}
	if w.failed == nil {
		w.now = end
	}
	return w.failed
}

// RunUntil lets the time pass until done says so, asked every 100 ms, and fails
// when that takes longer than the limit.
func (w *World) RunUntil(limit time.Duration, done func() error) error {
	end := w.now.Add(limit)
	for {
		why := done()
		if why == nil {
			return nil
		}
		if w.now.After(end) {
			return fmt.Errorf("after %s: %w", limit, why)
		}
		if err := w.Run(100 * time.Millisecond); err != nil {
			return err
		}
	}
}

// fail ends the run.
func (w *World) fail(err error) {
	if w.failed == nil {
		w.failed = err
	}
}
