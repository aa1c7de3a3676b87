package zeromq

import (
	"sync"

	zmq "github.com/pebbe/zmq4"
)

// inbox is what other goroutines leave for the one that owns the sockets. The
// mutex does what a channel could not: it never blocks them, bounds the orders
// for each connection, and fences the wake socket, which they share.
type inbox struct {
	attention chan struct{} // for a loop that waits for its reader, not in poll

	mu       sync.Mutex
	bell     *zmq.Socket // the sending end of the link's wake socket; nil once stopped
	rung     bool
	begun    bool
	orders   []Orders
	waiting  map[uint64]int // octets for each connection in orders
	overfull []uint64       // connections whose orders were dropped
	calls    []func()
	arrivals []arrival
}

// delivery is the inbox's content, taken out at once.
type delivery struct {
	orders   []Orders
	overfull []uint64
	calls    []func()
}

// open makes the pair of sockets and returns the end that is polled.
func (b *inbox) open(l *Link) (*zmq.Socket, error) {
	b.attention = make(chan struct{}, 1)
	b.waiting = map[uint64]int{}
	heard, err := l.newSocket(zmq.PAIR)
	if err != nil {
		return nil, err
	}
	endpoint := "inproc://wake-" + l.name
	if err := heard.Bind(endpoint); err != nil {
		return nil, err
	}
	if b.bell, err = l.context.zmq.NewSocket(zmq.PAIR); err != nil {
		b.bell = nil
		return nil, err
	}
	return heard, b.bell.Connect(endpoint)
}

// begin claims the sockets for one user: true for the first call only.
func (b *inbox) begin() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	first := !b.begun
	b.begun = true
	return first
}

func (b *inbox) stop() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.bell != nil {
		_ = b.bell.Close()
		b.bell = nil
	}
	b.orders, b.calls, b.arrivals = nil, nil, nil
}

func (b *inbox) order(o Orders) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.bell == nil {
		return
	}
	kept := o.Send[:0:0]
	for _, s := range o.Send {
		size := 0
		for _, frame := range s.Frames {
			size += len(frame)
		}
		if b.waiting[s.Conn] += size; b.waiting[s.Conn] > queueBytesMax {
			b.overfull = append(b.overfull, s.Conn)
			continue
		}
		kept = append(kept, s)
	}
	o.Send = kept
	b.orders = append(b.orders, o)
	b.ring()
}

func (b *inbox) post(f func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.bell == nil {
		return
	}
	b.calls = append(b.calls, f)
	b.ring()
}

// ring wakes the loop wherever it waits, once until it has taken what is here.
func (b *inbox) ring() {
	if b.rung {
		return
	}
	b.rung = true
	_, _ = b.bell.SendBytes([]byte{0}, zmq.DONTWAIT) // no room: others are on their way and do as well
	select {
	case b.attention <- struct{}{}:
	default:
	}
}

// arrive needs no bell: it matters when something of the connection is read, or
// something is sent.
func (b *inbox) arrive(a arrival) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.bell != nil {
		b.arrivals = append(b.arrivals, a)
	}
}

func (b *inbox) take() delivery {
	b.mu.Lock()
	defer b.mu.Unlock()
	d := delivery{orders: b.orders, overfull: b.overfull, calls: b.calls}
	b.orders, b.overfull, b.calls, b.rung = nil, nil, nil, false
	clear(b.waiting)
	return d
}

func (b *inbox) takeArrivals() []arrival {
	b.mu.Lock()
	defer b.mu.Unlock()
	taken := b.arrivals
	b.arrivals = nil
	return taken
}
