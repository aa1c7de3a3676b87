package zeromq

import (
	"context"
	"fmt"

	"github.com/zsync/zsync/internal/device"
	"github.com/zsync/zsync/zre"
)

// Network is a Link as a device's loops know it.
type Network struct {
	*Link
	facts chan []device.NetFact
}

// Gate is a Context as a device's loops know it.
type Gate struct {
	context *Context
	knocks  chan device.Knocked
}

var (
	_ device.Network    = (*Network)(nil)
	_ device.Gatekeeper = (*Gate)(nil)
)

// NewNetwork returns the link in the words of package device.
func NewNetwork(l *Link) *Network {
	return &Network{Link: l, facts: make(chan []device.NetFact)}
}

// Run is [Link.Run]. Facts that nobody takes once the context has ended are
// dropped, so it returns also when its reader stopped first.
func (n *Network) Run(ctx context.Context) error {
	ctx, stop := context.WithCancel(ctx)
	translated := make(chan struct{})
	go func() {
		defer close(translated)
		n.translate(ctx)
	}()
	err := n.Link.Run(ctx)
	stop()
	<-translated
	return err
}

// translate ends when the link's own facts do.
func (n *Network) translate(ctx context.Context) {
	defer close(n.facts)
	for batch := range n.Link.Facts() {
		select {
		case n.facts <- n.factsOf(batch):
		case <-ctx.Done():
		}
	}
}

func (n *Network) factsOf(batch []Fact) []device.NetFact {
	facts := make([]device.NetFact, len(batch))
	for i, f := range batch {
		facts[i] = device.NetFact{
			Kind: kindOf(f.Kind), Conn: zre.Conn(f.Conn), Key: f.Key, Address: f.Address, Identity: f.Identity,
			Frames: f.Frames, Err: f.Err, Release: n.release(f.Frames), Path: device.Path(f.Path),
		}
	}
	return facts
}

func kindOf(kind FactKind) device.NetKind {
	switch kind {
	case Received:
		return device.NetReceived
	case Opened:
		return device.NetOpened
	case Closed:
		return device.NetClosed
	case BadKey:
		return device.NetBadKey
	case Fared:
		return device.NetPath
	}
	panic(fmt.Sprintf("zeromq: fact of kind %d", kind))
}

// Facts returns what happened on the link, in batches. It is closed when Run
// returns.
func (n *Network) Facts() <-chan []device.NetFact { return n.facts }

// Do carries out orders; it never blocks.
func (n *Network) Do(o device.NetOrders) {
	orders := Orders{
		Dial: make([]Dial, len(o.Dial)), Send: make([]Send, len(o.Send)), Hangup: make([]uint64, len(o.Hangup)),
	}
	for i, d := range o.Dial {
		orders.Dial[i] = Dial{Conn: uint64(d.Conn), Endpoint: d.Endpoint, Key: d.Key, Identity: d.Identity}
	}
	for i, s := range o.Send {
		orders.Send[i] = Send{Conn: uint64(s.Conn), Frames: s.Frames, Done: s.Done}
	}
	for i, c := range o.Hangup {
		orders.Hangup[i] = uint64(c)
	}
	n.Link.Do(orders)
}

// NewGate returns the context's door in the words of package device.
func NewGate(c *Context) *Gate {
	g := &Gate{context: c, knocks: make(chan device.Knocked)}
	go g.translate()
	return g
}

// translate ends when the context is closed, also when nobody takes the knocks.
func (g *Gate) translate() {
	for attempt := range g.context.Attempts() {
		select {
		case g.knocks <- device.Knocked{Key: attempt.Key, Address: attempt.Address}:
		case <-g.context.doorDone:
		}
	}
}

// Admit replaces the list of who may connect.
func (g *Gate) Admit(who device.Admission) {
	g.context.SetRevoked(who.Revoked)
	g.context.SetTrusted(who.Trusted) // before the next, so that who becomes trusted is let in at all times
	g.context.SetPending(who.Pending)
}

// Knocks returns who was turned away. It is never closed.
func (g *Gate) Knocks() <-chan device.Knocked { return g.knocks }

// worthReleasing is the size from which a frame's memory is worth giving back, in
// octets.
const worthReleasing = 64 << 10

// release gives the memory of a large frame back to the link's pool.
func (n *Network) release(frames [][]byte) func() {
	if len(frames) != 1 || len(frames[0]) < worthReleasing {
		return nil
	}
	return func() { n.Recycle(frames[0]) }
}
