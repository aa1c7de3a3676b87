package zre

import (
	"cmp"
	"slices"
	"time"

	"github.com/zsync/zsync"
)

// link is one connection. Each direction of it begins with a HELLO of sequence
// 1; what comes before that is of an earlier life and is ignored.
type link struct {
	conn     Conn
	route    *route    // that was dialled; nil: incoming
	key      zsync.Key // whose it is proved to be; zero in plain mode
	address  string    // the IP address of its other end, if known
	peer     *peer     // whom it leads to, if known yet
	open     bool      // what is sent now arrives, unless it breaks
	answered bool      // dialled: the peer has shown that it knows of it
	said     bool      // our HELLO is under way on it
	saidAt   time.Time // since then
	sent     uint16    // the sequence of our latest command
	heard    bool      // the peer's HELLO was read from it, and no gap since
	got      uint16    // the sequence of the peer's latest command
	heardAt  time.Time // when that was
	hangupAt time.Time // zero: it stands
}

func (l *link) dialled() bool { return l.route != nil }

func (l *link) kind() LinkKind {
	switch {
	case l == nil:
		return LinkNone
	case !l.dialled():
		return LinkIncoming
	case l.route.static:
		return LinkRequired
	case !l.route.until.IsZero():
		return LinkSighted
	}
	return LinkIncoming
}

func (n *Node) link(c Conn) *link {
	if at, found := n.linkAt(c); found {
		return n.links[at]
	}
	return nil
}

func (n *Node) linkAt(c Conn) (int, bool) {
	return slices.BinarySearchFunc(n.links, c, func(l *link, c Conn) int { return cmp.Compare(l.conn, c) })
}

// linksOf returns the connections that lead to p, in a slice of its own.
func (n *Node) linksOf(p *peer) []*link {
	var of []*link
	for _, l := range n.links {
		if l.peer == p {
			of = append(of, l)
		}
	}
	return of
}

func (n *Node) addLink(l *link) *link {
	at, _ := n.linkAt(l.conn)
	n.links = slices.Insert(n.links, at, l)
	return l
}

// send numbers a command and sends it. Without a connection it is lost, which
// is all right: the HELLO on the next one says what it would have said.
func (n *Node) send(l *link, c Command) {
	if l == nil {
		return
	}
	if !l.said {
		panic("zre: a command before the HELLO")
	}
	l.sent++
	c.Sequence = l.sent
	n.out.Send = append(n.out.Send, Send{Conn: l.conn, Frames: c.Frames()})
}

// Opened tells that a dialled connection has completed its handshake.
func (n *Node) Opened(now time.Time, c Conn) {
	l := n.link(c)
	if l == nil || l.open {
		return
	}
	l.open, l.hangupAt = true, time.Time{}
	p := l.peer
	if p != nil && p.out != nil && n.prefers(p, p.out, l) {
		n.hangup(now, l)
		return
	}
	if p != nil && p.duplex && p.out != nil && p.out.dialled() {
		p.resync = true // the peer's ROUTER has dropped the older one, with all that was under way
	}
	n.sayHello(now, l)
	if p == nil {
		l.hangupAt = now.Add(answerWait)
		return
	}
	l.answered = !p.resync
	n.settle(now, p)
	n.enter(now, p)
}

// Closed tells that a dialled connection was lost or never came to be, or that
// an incoming one is gone. Why is for the driver's own report.
func (n *Node) Closed(now time.Time, c Conn, why error) {
	l := n.link(c)
	if l == nil {
		return
	}
	n.forget(now, l)
	n.broke(now, l)
}

// broke deals with what rested on a connection that is no more. Losing it is no
// Exit: that takes silence, or a GOODBYE.
func (n *Node) broke(now time.Time, l *link) {
	p := l.peer
	switch {
	case p == nil:
		return
	case !p.duplex && !l.dialled() && l.heard && !p.resync:
		n.lose(now, p) // where it spoke to us; it may have expelled us
		return
	case p.out != l:
		return
	}
	n.settle(now, p)
	if p.out != nil {
		n.lose(now, p)
		return
	}
	if !l.dialled() || l.route.link == nil {
		p.resync = true // else a new one is under way, and this one made room for it
	}
	n.connectBack(now, p, p.helloAfter)
	n.dialDue(now)
}

// hangup closes a dialled connection and forgets it; an incoming one is only
// forgotten. Whoever was spoken to on it has to be settled anew.
func (n *Node) hangup(now time.Time, l *link) {
	if l.dialled() {
		n.out.Hangup = append(n.out.Hangup, l.conn)
	}
	n.forget(now, l)
}

func (n *Node) forget(now time.Time, l *link) {
	if at, found := n.linkAt(l.conn); found {
		n.links = slices.Delete(n.links, at, at+1)
	}
	if l.dialled() && l.route.link == l {
		l.route.link = nil
		l.route.pause(now, l.answered, n.cfg)
	}
}

// settle picks the connection on which p is spoken to, says HELLO where that
// has not been said, and lets go of those dialled ones that are not needed.
func (n *Node) settle(now time.Time, p *peer) {
	var best *link
	for _, l := range n.links {
		if l.peer == p && l.open && (p.duplex || l.dialled()) && (best == nil || n.prefers(p, l, best)) {
			best = l
		}
	}
	if p.out != best {
		p.pingedAt, p.unponged = time.Time{}, 0
	}
	if p.out = best; best == nil {
		return
	}
	best.hangupAt = time.Time{}
	if !best.said {
		n.sayHello(now, best)
	}
	for _, l := range n.linksOf(p) {
		if l != best && l.dialled() {
			n.release(now, l, best)
		}
	}
}

// release lets go of a connection that best took the place of. If we dialled
// both, the peer's ROUTER has dropped it already (36/ZRE asks for
// ROUTER_HANDOVER), or would drop best when it opens; otherwise the peer may be
// about to speak on it.
func (n *Node) release(now time.Time, l, best *link) {
	switch {
	case !l.open && (!best.dialled() || l.route == best.route):
		// It is a try to do better than best; when it opens, settle compares them.
	case best.dialled():
		n.hangup(now, l)
	case l.hangupAt.IsZero():
		l.hangupAt = now.Add(redundantWait)
	}
}

// prefers reports whether a is to be used rather than b to speak to p. Both
// ends of two connections come to the same choice: the one that the node with
// the lower key dialled, and the newer one where one node dialled both.
func (n *Node) prefers(p *peer, a, b *link) bool {
	if a.dialled() != b.dialled() {
		return a.dialled() == (!p.duplex || n.isBelow(p))
	}
	return a.conn > b.conn
}

func (n *Node) isBelow(p *peer) bool {
	return cmp.Or(n.cfg.Key.Compare(p.key), n.cfg.UUID.Compare(p.uuid)) < 0
}
