package sim

import (
	"bytes"
	"errors"
	"slices"
	"time"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/internal/device"
	"github.com/zsync/zsync/zre"
)

const (
	latency       = 2 * time.Millisecond
	refusedAfter  = 100 * time.Millisecond // nothing listens there
	silentAfter   = 3 * time.Second        // nobody answers, or not to this key
	noticedAfter  = 300 * time.Millisecond // the other side is gone
	jumbledFor    = 50 * time.Millisecond
	firstIncoming = zre.Conn(1) << 32
)

var errNoAnswer = errors.New("sim: nobody answers")

// port is one of the two listening sockets of a node.
type port uint8

const (
	mailboxPort port = iota
	transferPort
)

// socket is one end of a connection.
type socket struct {
	node *Node
	port port
	conn zre.Conn
	peer *socket
	open bool
	last time.Time // when the latest message to here arrives: messages keep their order
}

// Cut makes two nodes unreachable for each other, or reachable again. What is
// connected breaks.
func (w *World) Cut(a, b *Node, cut bool) {
	w.cut[[2]int{min(a.index, b.index), max(a.index, b.index)}] = cut
	if cut {
		w.Fired[Partition]++
		a.breakConns(func(s *socket) bool { return s.peer.node == b })
	}
}

func (w *World) reachable(a, b *Node) bool {
	return b.alive && !b.Closed && !w.cut[[2]int{min(a.index, b.index), max(a.index, b.index)}]
}

// orders carries out what a node wants of its sockets.
func (n *Node) orders(p port, o device.NetOrders) {
	for _, dial := range o.Dial {
		n.dial(p, dial)
	}
	for _, send := range o.Send {
		if s := n.sockets[p][send.Conn]; s != nil {
			s.send(send.Frames)
		}
	}
	for _, conn := range o.Hangup {
		if s := n.sockets[p][conn]; s != nil {
			s.hangUp()
		}
	}
}

// dial makes both ends at once; messages sent before the other side has answered
// wait for it.
func (n *Node) dial(p port, d zre.Dial) {
	w := n.world
	here := &socket{node: n, port: p, conn: d.Conn}
	n.sockets[p][d.Conn] = here
	other := w.listening(d.Endpoint)
	switch {
	case other == nil || !w.reachable(n, other):
		w.after(refusedAfter, func() { here.drop(device.NetClosed) })
	case other.keys.Key() != d.Key:
		w.after(latency, func() { here.drop(device.NetBadKey) })
	case !other.admits(p, n.keys.Key()):
		other.post(device.Address{Part: device.Link}, device.Knocked{Key: n.keys.Key(), Address: n.host()})
		w.after(silentAfter, func() { here.drop(device.NetClosed) })
	default:
		here.connect(other)
	}
}

func (s *socket) connect(other *Node) {
	other.incoming++
	there := &socket{node: other, port: s.port, conn: firstIncoming + zre.Conn(other.incoming), peer: s, open: true}
	s.peer = there
	s.open = true
	other.sockets[s.port][there.conn] = there
	s.last = s.node.world.now.Add(2 * latency)
	there.last = s.last
	s.deliver(device.NetFact{Kind: device.NetOpened, Conn: s.conn})
}

func (w *World) listening(endpoint string) *Node {
	i := slices.IndexFunc(w.Nodes, func(n *Node) bool {
		return endpoint == n.endpoint(mailboxPort) || endpoint == n.endpoint(transferPort)
	})
	if i < 0 {
		return nil
	}
	return w.Nodes[i]
}

// send puts a message on its way. It is lost when the connection breaks first.
func (s *socket) send(frames [][]byte) {
	there := s.peer
	if !s.open || there == nil || !there.open {
		return
	}
	w := s.node.world
	if w.chance(w.Lossy) {
		w.Fired[Loss]++
		s.node.breakConns(func(each *socket) bool { return each == s })
		return
	}
	fact := device.NetFact{
		Kind: device.NetReceived, Conn: there.conn, Frames: frames, Address: s.node.host(),
	}
	if there.conn >= firstIncoming {
		fact.Key, fact.Identity = s.node.keys.Key(), s.node.identity(s.port)
	}
	there.deliver(reclaimed(fact))
	if w.chance(w.Echo) {
		w.Fired[Duplication]++
		there.deliver(reclaimed(fact))
	}
}

// reclaimed gives the frames memory of their own, which is filled with rubbish as
// soon as the receiver says that it needs it no more: in production it would hold
// the next message.
func reclaimed(fact device.NetFact) device.NetFact {
	fact.Frames = clone(fact.Frames)
	released := false
	fact.Release = func() {
		if released {
			panic("sim: the memory of a message was given back twice")
		}
		released = true
		for _, frame := range fact.Frames {
			for i := range frame {
				frame[i] = 0xdb
			}
		}
	}
	return fact
}

// chance draws only where there is one, so that a world without faults is the
// same whatever its other faults are.
func (w *World) chance(perMille int) bool { return perMille > 0 && w.random.IntN(1000) < perMille }

// deliver gives a fact to the node that the socket is of, after all earlier ones.
func (s *socket) deliver(fact device.NetFact) {
	w := s.node.world
	when := w.now.Add(latency + time.Duration(w.random.Int64N(int64(latency))))
	if when.Before(s.last) {
		when = s.last
	}
	if fact.Kind == device.NetReceived && w.chance(w.Jumble) {
		w.Fired[Reordering]++
		when = when.Add(time.Duration(w.random.Int64N(int64(jumbledFor))))
	} else {
		s.last = when
	}
	epoch := s.node.epoch
	w.at(when, func() {
		if s.node.epoch == epoch && s.open {
			s.node.fact(s.port, fact)
		}
	})
}

// drop takes the socket away and tells its node so.
func (s *socket) drop(kind device.NetKind) {
	n := s.node
	if n.sockets[s.port][s.conn] != s {
		return
	}
	delete(n.sockets[s.port], s.conn)
	s.open = false
	n.fact(s.port, device.NetFact{Kind: kind, Conn: s.conn, Err: errNoAnswer})
}

// hangUp takes the socket away at its own node's wish; the other end notices.
func (s *socket) hangUp() {
	delete(s.node.sockets[s.port], s.conn)
	s.open = false
	if there := s.peer; there != nil && there.open {
		s.node.world.after(noticedAfter, func() { there.drop(device.NetClosed) })
	}
}

// breakConns breaks the connections that match; both ends notice.
func (n *Node) breakConns(which func(*socket) bool) {
	for p := range n.sockets {
		for _, conn := range sortedConns(n.sockets[p]) {
			if s := n.sockets[p][conn]; s.peer != nil && which(s) {
				s.open = false
				s.hangUp()
				n.world.after(noticedAfter, func() { n.fact(s.port, device.NetFact{Kind: device.NetClosed, Conn: s.conn, Err: errNoAnswer}) })
			}
		}
	}
}

// admits is the gate: pending keys come no further than the mailbox.
func (n *Node) admits(p port, key zsync.Key) bool {
	return slices.Contains(n.admission.Trusted, key) || p == mailboxPort && slices.Contains(n.admission.Pending, key)
}

// clone gives the receiver octets of its own, as a network does.
func clone(frames [][]byte) [][]byte {
	out := make([][]byte, len(frames))
	for i, frame := range frames {
		out[i] = bytes.Clone(frame)
	}
	return out
}
