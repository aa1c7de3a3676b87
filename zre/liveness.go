package zre

import (
	"slices"
	"time"
)

// Advance acts on every deadline that has passed.
func (n *Node) Advance(now time.Time) {
	if n.stopped {
		return
	}
	for _, l := range slices.Clone(n.links) {
		if due(now, l.hangupAt) {
			n.hangup(now, l)
			n.broke(now, l)
		}
	}
	for _, p := range slices.Clone(n.peers) {
		n.advancePeer(now, p)
	}
	n.pruneRoutes(now)
	n.dialDue(now)
}

func (n *Node) advancePeer(now time.Time, p *peer) {
	if due(now, p.expireAt) {
		n.exit(now, p, nil)
		return
	}
	if due(now, p.pingAt) {
		n.missed(now, p)
	}
	if due(now, p.greetAt) {
		n.greet(now, p)
	}
	if due(now, p.measureAt) {
		n.measure(now, p)
	}
}

// Deadline returns when [Node.Advance] is next needed; zero: never, unless
// something happens.
func (n *Node) Deadline() time.Time {
	var next time.Time
	for _, l := range n.links {
		next = sooner(next, l.hangupAt)
	}
	for _, p := range n.peers {
		next = sooner(sooner(next, p.expireAt), sooner(sooner(p.pingAt, p.greetAt), p.measureAt))
	}
	for _, r := range n.routes {
		next = sooner(next, r.dialAt())
	}
	return next
}

// hear notes that p spoke on l. A duplex peer speaks where we speak to it; if it
// is only heard elsewhere, our connection may be dead, so silence is counted
// there, while anything keeps the peer from expiring.
func (n *Node) hear(now time.Time, p *peer, l *link) {
	l.heardAt, p.heardAt = now, now
	p.expireAt = now.Add(n.cfg.Expired)
	if p.duplex && p.out != nil && p.out != l {
		return
	}
	p.pingAt, p.pings = now.Add(n.cfg.Evasive), 0
	if p.evasive {
		p.evasive = false
		n.tell(p, Event{Kind: Recovered})
	}
}

// missed asks a silent peer whether it is there: the first time quietly, since
// every idle pair gets that far, then it counts as evasive. 36/ZRE calls for the
// PING, Zyre for repeating it; unlike Zyre we tell of it only once.
//
// Half-way to its expiry the peer gets a new HELLO, on a new connection where we
// dial: connections die without a word when a machine sleeps or moves, and Zyre
// expels without one. Not earlier: a PING-OK can wait for long behind a large
// message on a slow line, which a new connection would cut off.
func (n *Node) missed(now time.Time, p *peer) {
	p.pings++
	p.pingAt = now.Add(n.cfg.Evasive / pingsPerSpan)
	n.ping(now, p)
	if p.pings > 1 {
		if !p.evasive {
			p.evasive = true
			n.tell(p, Event{Kind: Evasive})
		}
		n.turn(now, p)
	}
	if !p.resync && due(now, p.expireAt.Add(-n.cfg.Expired/2)) {
		n.lose(now, p)
	}
}

// turn gives up a connection that is silent while the peer speaks on another.
func (n *Node) turn(now time.Time, p *peer) {
	if !p.duplex || p.out == nil {
		return
	}
	for _, l := range n.linksOf(p) {
		if l.open && l.heardAt.After(p.out.heardAt) {
			dead := p.out
			n.hangup(now, dead)
			n.broke(now, dead)
			return
		}
	}
}

// leaving acts on a beacon that says that p is leaving.
func (n *Node) leaving(now time.Time, p *peer) {
	if !n.cfg.secure() {
		n.exit(now, p, nil)
		return
	}
	p.expireAt = sooner(p.expireAt, now.Add(n.cfg.Evasive))
	n.ping(now, p)
}

// ping asks a peer to answer. The round trip is measured by a PING before which
// no other waits: answers come in the order of the questions, and have no number.
func (n *Node) ping(now time.Time, p *peer) {
	if p.out == nil {
		return
	}
	if p.unponged++; p.unponged == 1 {
		p.pingedAt = now
	}
	n.send(p.out, Command{ID: CommandPing})
}

// ponged notes the answer to a PING.
func (n *Node) ponged(now time.Time, p *peer) {
	p.unponged = max(0, p.unponged-1)
	if !p.pingedAt.IsZero() {
		n.measured(now, p, p.pingedAt)
		p.pingedAt = time.Time{}
	}
}

// measured notes that what was said at since has been answered.
func (n *Node) measured(now time.Time, p *peer, since time.Time) {
	p.roundTrip = max(now.Sub(since), 1) // 0 is for not known
	p.measureAt = now.Add(n.cfg.Expired)
}

// measure asks a peer that is never silent, and so is never asked whether it is
// there.
func (n *Node) measure(now time.Time, p *peer) {
	p.measureAt = now.Add(n.cfg.Expired)
	if p.unponged == 0 {
		n.ping(now, p)
	}
}

// due reports whether a deadline has passed; the zero time never does.
func due(now, at time.Time) bool { return !at.IsZero() && !now.Before(at) }

// sooner returns the earlier of two deadlines, of which zero is none.
func sooner(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// later returns the later of two times.
func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
