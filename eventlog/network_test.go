package eventlog

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/internal/kv"
)

var start = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// network is devices that exchange one space in virtual time.
type network struct {
	t       tester
	now     time.Time
	nodes   []*node
	links   map[[2]int]bool // both directions are kept
	packets []packet
	sent    int           // number of the next packet
	drop    func() bool   // loses a packet
	double  func() bool   // delivers a packet twice
	delay   func() int    // of a packet, milliseconds
	script  io.Writer     // what is delivered, when not nil
	octets  int           // sent so far
	counts  map[uint8]int // packets sent so far, by type
}

type node struct {
	*replica
	exchange    *Exchange
	incarnation byte
	fresh       int // events that Received returned
}

type packet struct {
	at       time.Time
	number   int
	from, to int
	msgType  uint8
	body     []byte
}

func join(t tester, all ...*replica) *network {
	n := &network{
		t: t, now: start, links: make(map[[2]int]bool), counts: make(map[uint8]int),
		drop: func() bool { return false }, double: func() bool { return false }, delay: func() int { return 10 },
	}
	for _, r := range all {
		n.nodes = append(n.nodes, &node{replica: r, exchange: NewExchange(r.log, folk{}, r.id.device())})
	}
	return n
}

// step runs one turn of a device and sends what it wants sent after the commit.
func (n *network) step(i int, f func(tx kv.Tx, x *Exchange) error) {
	n.t.Helper()
	d := n.nodes[i]
	d.do(func(tx kv.Tx) error { return f(tx, d.exchange) })
	out := d.exchange.Output()
	for _, m := range out.Whisper {
		to := slices.IndexFunc(n.nodes, func(o *node) bool { return o.id.device() == m.To })
		n.post(i, to, m)
	}
	for _, m := range out.Shout {
		for to := range n.nodes {
			if to != i {
				n.post(i, to, m)
			}
		}
	}
}

func (n *network) post(from, to int, m Message) {
	if !n.links[[2]int{from, to}] {
		return
	}
	n.octets += len(m.Body)
	n.counts[m.Type]++
	if len(m.Body) > messageBytesMax {
		n.t.Fatalf("message of %d octets", len(m.Body))
	}
	if n.drop() {
		return
	}
	for copies := 0; copies == 0 || copies == 1 && n.double(); copies++ {
		at := n.now.Add(time.Duration(n.delay()) * time.Millisecond)
		n.sent++
		n.packets = append(n.packets, packet{at, n.sent, from, to, m.Type, m.Body})
	}
}

func (n *network) link(a, b int) {
	if n.links[[2]int{a, b}] || a == b {
		return
	}
	n.links[[2]int{a, b}], n.links[[2]int{b, a}] = true, true
	for _, pair := range [][2]int{{a, b}, {b, a}} {
		n.step(pair[0], func(tx kv.Tx, x *Exchange) error {
			x.Linked(tx, n.now, n.nodes[pair[1]].id.device())
			return nil
		})
	}
}

func (n *network) unlink(a, b int) {
	if !n.links[[2]int{a, b}] {
		return
	}
	delete(n.links, [2]int{a, b})
	delete(n.links, [2]int{b, a})
	n.packets = slices.DeleteFunc(n.packets, func(p packet) bool { return p.from == a && p.to == b || p.from == b && p.to == a })
	n.nodes[a].exchange.Unlinked(n.now, n.nodes[b].id.device())
	n.nodes[b].exchange.Unlinked(n.now, n.nodes[a].id.device())
}

// write appends an event as a hasty device would: with a new incarnation where
// its writer is known to be forked or behind, but without waiting to find out.
func (n *network) write(i int, text string) {
	n.step(i, func(tx kv.Tx, x *Exchange) error {
		d := n.nodes[i]
		if d.log.OwnForked() || x.OwnBehind() {
			d.incarnation++
			d.log.Use(d.id.author(d.log.Space(), d.incarnation))
		}
		e, err := d.log.Append(tx, zsync.KindFS, []byte(text), uint64(n.now.UnixMilli()), folk{})
		if err == nil {
			x.Appended(tx, n.now, []Event{e})
		}
		return err
	})
}

// restart opens a device's database again, or an older one.
func (n *network) restart(i int, store *kv.Memory) {
	d := n.nodes[i]
	for j := range n.nodes {
		n.unlink(i, j)
	}
	d.store = store
	d.reopen()
	d.exchange = NewExchange(d.log, folk{}, d.id.device())
}

// run lets virtual time pass.
func (n *network) run(long time.Duration) {
	n.t.Helper()
	end := n.now.Add(long)
	for turns := 0; ; turns++ {
		if turns > 200_000 {
			n.t.Fatal("the devices never come to rest")
		}
		next, which := n.next()
		if next.IsZero() || next.After(end) {
			n.now = end
			return
		}
		if next.After(n.now) {
			n.now = next
		}
		if which >= 0 {
			n.step(which, func(tx kv.Tx, x *Exchange) error {
				x.Advance(tx, n.now)
				return nil
			})
			if d := n.nodes[which].exchange.Deadline(); !d.IsZero() && !d.After(n.now) {
				n.t.Fatalf("deadline %v has passed and Advance left it", d.Sub(start))
			}
			continue
		}
		n.deliver()
	}
}

// next returns when something happens, and to which device; -1 for a packet.
func (n *network) next() (next time.Time, which int) {
	which = -1
	if len(n.packets) > 0 {
		next = slices.MinFunc(n.packets, comparePackets).at
	}
	for i, d := range n.nodes {
		if at := d.exchange.Deadline(); !at.IsZero() && (next.IsZero() || at.Before(next)) {
			next, which = at, i
		}
	}
	return next, which
}

func comparePackets(a, b packet) int {
	return cmp.Or(a.at.Compare(b.at), cmp.Compare(a.number, b.number))
}

func (n *network) deliver() {
	p := slices.MinFunc(n.packets, comparePackets)
	n.packets = slices.DeleteFunc(n.packets, func(o packet) bool { return o.number == p.number })
	if n.script != nil {
		_, _ = fmt.Fprintf(n.script, "%8v %s to %s: %d %x\n",
			n.now.Sub(start), n.nodes[p.from].id.name, n.nodes[p.to].id.name, p.msgType, p.body)
	}
	n.step(p.to, func(tx kv.Tx, x *Exchange) error {
		m, err := x.Received(tx, n.now, n.nodes[p.from].id.device(), p.msgType, p.body)
		n.nodes[p.to].fresh += len(m.Fresh)
		if m.Bad > 0 {
			n.t.Errorf("%d bad envelopes", m.Bad)
		}
		return err
	})
}

// linkAll links every pair.
func (n *network) linkAll() {
	for a := range n.nodes {
		for b := range a {
			n.link(a, b)
		}
	}
}

// agree fails the test unless all devices hold the same.
func (n *network) agree() {
	n.t.Helper()
	first := n.nodes[0]
	for _, d := range n.nodes[1:] {
		if d.log.Frontier() != first.log.Frontier() {
			n.t.Errorf("%s and %s have other frontiers:\n%v\n%v", d.id.name, first.id.name, d.log.Heads(), first.log.Heads())
		}
		if !slices.Equal(d.meaning(), first.meaning()) {
			n.t.Errorf("%s and %s have other events", d.id.name, first.id.name)
		}
	}
}

// nothingWaits fails the test if an event is parked still. Where databases were
// restored one may be: with its past it can have been lost to everyone.
func (n *network) nothingWaits() {
	n.t.Helper()
	for _, d := range n.nodes {
		if waiting := len(d.log.parking.waiting); waiting > 0 {
			n.t.Errorf("%d events are parked at %s: %+v", waiting, d.id.name, d.log.parking.waiting)
		}
	}
}
