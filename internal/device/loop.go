package device

import (
	"context"
	"sync"
	"time"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/internal/meter"
)

// turnInputsMax is how many inputs one turn takes, so that a commit serves many
// and none waits long.
const turnInputsMax = 256

// turnHeardMax is how many messages of one device one turn takes: what the others
// say, and what the disk has done, does not wait behind a flood.
const turnHeardMax = 32

// turnWeightMax is how much one turn takes of what takes long, as weight counts it:
// about 20 ms of work. Whoever asks between two turns waits no longer, however many
// directories have been read meanwhile.
const turnWeightMax = 8192

// What weighs as much as an entry of a directory, which weighs 1: of a file that was
// hashed, and is logged too, an eighth; of the log so many octets, some 100 of which
// are an operation.
const (
	hashedWeight = 8
	heardOctets  = 64
)

// weight is how long an input takes a folder's machine, about.
func weight(what any) int {
	switch in := what.(type) {
	case Listed:
		return len(in.Listing.Entries)
	case Hashed:
		return hashedWeight * len(in.Results)
	case Heard:
		return len(in.Body) / heardOctets
	}
	return 0
}

// machine is what a loop steps. The four machines differ in what they are told,
// not in how they are run.
type machine interface {
	Handle(now time.Time, in []any) ([]Effect, error)
	Deadline() time.Time
}

// loop runs one machine in one goroutine. Whoever has something for the machine
// posts it; the loop hands over what has gathered, and passes the effects on.
type loop struct {
	name    string // as a person is told of it
	machine machine
	clock   func() time.Time
	deliver func([]Effect)
	turns   *meter.Stage // counts the turns; nil: nobody does
	merges  *meter.Stage // of them, those that took in events of other devices, of which …
	merged  func() int64 // … the machine has taken so many

	// The queue has a lock, not a channel, because a poster must never wait: the
	// machines post to each other in a ring. What fills it is bounded elsewhere, by
	// credit and by the number of orders that a machine has outstanding; what other
	// devices say is bounded here.
	mutex sync.Mutex
	queue []any
	heard map[zsync.Key]int // octets of the messages in queue, by who said them
	calls []*call
	wake  chan struct{}
	done  chan struct{}
}

func newLoop(m machine, clock func() time.Time, deliver func([]Effect)) *loop {
	return &loop{
		machine: m, clock: clock, deliver: deliver,
		heard: make(map[zsync.Key]int),
		wake:  make(chan struct{}, 1), done: make(chan struct{}),
	}
}

// heardBytesMax is how much that one device said may wait for a machine. Devices
// that keep to the log's credit stay far below; what is above is lost, as on a
// broken connection.
const heardBytesMax = 64 << 20

// heardCostBytes is what a message takes beside its octets, in octets: so many of
// the shortest wait as fit, too.
const heardCostBytes = 1 << 10

func costOf(said Heard) int { return len(said.Body) + heardCostBytes }

// post puts an input in the queue; it never blocks. It reports whether the input
// was taken: what a device says too much is not.
func (l *loop) post(what any) bool {
	l.mutex.Lock()
	defer l.rouse()
	defer l.mutex.Unlock()
	if said, ok := what.(Heard); ok {
		if l.heard[said.From.Curve]+costOf(said) > heardBytesMax {
			return false
		}
		l.heard[said.From.Curve] += costOf(said)
	}
	l.queue = append(l.queue, what)
	return true
}

// taken notes that inputs have left the queue.
func (l *loop) taken(in []any) {
	for _, what := range in {
		said, ok := what.(Heard)
		if !ok {
			continue
		}
		if l.heard[said.From.Curve] -= costOf(said); l.heard[said.From.Curve] == 0 {
			delete(l.heard, said.From.Curve)
		}
	}
}

// hand posts an input and waits for a turn, so that who brings much is slowed down
// and what waits is not much more than one of it.
func (l *loop) hand(what any) {
	l.post(what)
	l.call(func() {})
}

// call runs f between two turns, and returns when it has run or the loop ended.
func (l *loop) call(f func()) bool {
	c := l.queueCall(f)
	select {
	case <-c.ran:
		return true
	case <-l.done:
		return false
	}
}

// ended reports whether the loop runs no more.
func (l *loop) ended() bool {
	select {
	case <-l.done:
		return true
	default:
		return false
	}
}

func (l *loop) rouse() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// run steps the machine until the context ends or a turn fails.
func (l *loop) run(ctx context.Context) error {
	defer close(l.done)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		more, err := l.turn()
		if err != nil {
			return err
		}
		if more {
			continue
		}
		timer.Reset(l.untilDeadline())
		select {
		case <-ctx.Done():
			return nil
		case <-l.wake:
		case <-timer.C:
		}
	}
}

// turn runs the calls that wait and, where there are inputs or the deadline has
// come, steps the machine once. more: inputs are left.
func (l *loop) turn() (more bool, err error) {
	l.mutex.Lock()
	in, calls := l.next(), l.calls
	more, l.calls = len(l.queue) > 0, nil
	l.taken(in)
	l.mutex.Unlock()

	for _, c := range calls {
		if c.claim() {
			c.run()
		}
	}
	if len(in) == 0 && l.untilDeadline() > 0 {
		return more, nil
	}
	effects, err := l.handle(in)
	if err != nil {
		return false, err
	}
	l.deliver(effects)
	return more, nil
}

// handle steps the machine and counts the turn. Which part of it took how long, only
// the machine could tell, and that knows no clock.
func (l *loop) handle(in []any) ([]Effect, error) {
	var before int64
	if l.merged != nil {
		before = l.merged()
	}
	began := l.clock()
	effects, err := l.machine.Handle(began, in)
	took := l.clock().Sub(began)
	l.turns.Add(int64(len(in)), 0, took)
	if l.merged != nil && l.merged() > before {
		l.merges.Add(l.merged()-before, 0, took)
	}
	return effects, err
}

// next takes from the queue what the next turn is about: what came first, but of
// each device no more than its share, and no more than one turn has time for.
func (l *loop) next() (in []any) {
	shares := make(map[zsync.Key]int)
	var passed []any
	i := 0
	for weighs := 0; i < len(l.queue) && len(in) < turnInputsMax && weighs < turnWeightMax; i++ {
		what := l.queue[i]
		if said, ok := what.(Heard); ok {
			if shares[said.From.Curve]++; shares[said.From.Curve] > turnHeardMax {
				passed = append(passed, what)
				continue
			}
		}
		in = append(in, what)
		weighs += weight(what)
	}
	if l.queue = l.queue[i:]; len(passed) > 0 {
		l.queue = append(passed, l.queue...)
	}
	if len(l.queue) == 0 {
		l.queue = nil
	}
	return in
}

// longestSleep bounds a wait, so that a clock that was set is noticed.
const longestSleep = 10 * time.Second

func (l *loop) untilDeadline() time.Duration {
	deadline := l.machine.Deadline()
	if deadline.IsZero() {
		return longestSleep
	}
	return min(max(0, deadline.Sub(l.clock())), longestSleep)
}

// linkLoop gives the link the shape of the machines that can fail, and gives back
// the memory of what was read for a session once that has taken it.
type linkLoop struct{ *LinkMachine }

func (l linkLoop) Handle(now time.Time, in []any) ([]Effect, error) {
	effects := l.LinkMachine.Handle(now, in)
	for _, what := range in {
		if supply, ok := what.(Supply); ok && supply.Release != nil {
			supply.Release()
		}
	}
	return effects, nil
}
