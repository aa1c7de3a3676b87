package zre

import (
	"slices"
	"time"
)

// sayHello begins our direction of a connection, or begins it again.
func (n *Node) sayHello(now time.Time, l *link) {
	l.said, l.sent, l.saidAt = true, 0, now
	n.counters.Hellos++
	hello := Command{
		ID: CommandHello, Endpoint: n.cfg.Endpoint, Groups: n.groups, Status: n.statusFor(l.key),
		Name: n.cfg.Name, Headers: n.headers,
	}
	if n.isConfined(l.key) {
		hello.Groups = nil
	}
	n.send(l, hello)
	if l.peer != nil {
		l.peer.helloSaid(now)
	}
}

// helloSaid sets the pause before the next HELLO to p: it doubles while they
// follow one another, and is short again after a quiet time. A HELLO that is to
// be answered is said again after it.
func (p *peer) helloSaid(now time.Time) {
	pause := min(2*p.helloPause, helloPauseMax)
	if now.Sub(p.helloAfter) > helloPauseMax {
		pause = helloPauseMin
	}
	p.helloPause, p.helloAfter, p.greetAt = pause, now.Add(pause), time.Time{}
	if p.resync {
		p.greetAt = p.helloAfter
	}
}

// greeted reads a HELLO, which came over l (nil: over a new incoming connection).
func (n *Node) greeted(now time.Time, c Conn, l *link, from Origin, hello Command) {
	uuid, ok := n.claimed(from, hello)
	if !ok || l != nil && l.heard && l.peer.uuid != uuid && !n.cfg.secure() {
		n.counters.Refused++
		return
	}
	p, fresh := n.meet(now, uuid, l, from, hello)
	if p == nil {
		n.counters.Refused++
		n.evict(c, uuid, from)
		return
	}
	if l == nil {
		l = n.accept(now, c, from, p)
	}
	first, notBefore := !l.heard, p.helloAfter
	if first && l.dialled() && l.said && p.roundTrip == 0 {
		n.measured(now, p, l.saidAt)
	}
	n.rebind(now, l, p)
	n.learn(p, hello, from, first)
	n.bind(p)
	n.hear(now, p, l)
	n.reply(now, p, l, first, fresh)
	n.hasten(now, p, notBefore)
	n.connectBack(now, p, notBefore)
	n.enter(now, p)
}

// claimed returns the UUID that a HELLO speaks for. On an incoming connection
// the routing id says it; on a dialled one only the header can. In secure mode
// the HELLO must name the very key that the connection proved.
func (n *Node) claimed(from Origin, hello Command) (UUID, bool) {
	uuid, fromIdentity := parseIdentity(from.Identity)
	text, fromHeader := header(hello.Headers, headerUUID)
	if fromHeader {
		named, err := ParseUUID(text)
		if err != nil || fromIdentity && named != uuid {
			return UUID{}, false
		}
		uuid = named
	}
	keyText, _ := header(hello.Headers, headerKey)
	switch {
	case !fromIdentity && !fromHeader, uuid.IsZero(), uuid == n.cfg.UUID:
		return UUID{}, false
	case n.cfg.secure() && keyText != z85(from.Key):
		return UUID{}, false
	case hello.Sequence != 1, len(hello.Groups) > n.cfg.GroupsMax:
		return UUID{}, false
	}
	return uuid, true
}

// evict hangs up an incoming connection whose routing id is the UUID of a peer
// that has another key: while it stands, that peer cannot use it.
func (n *Node) evict(c Conn, uuid UUID, from Origin) {
	named, ok := parseIdentity(from.Identity)
	if p := n.peer(uuid); ok && named == uuid && p != nil && p.key != from.Key {
		n.out.Hangup = append(n.out.Hangup, c)
	}
}

// meet returns the peer of that UUID, and whether it is new. Nil: the UUID is
// another key's, or was displaced by a later run of the same node, or there are
// too many peers. A new peer ends the earlier run that it displaces.
func (n *Node) meet(now time.Time, uuid UUID, l *link, from Origin, hello Command) (p *peer, fresh bool) {
	if p := n.peer(uuid); p != nil {
		if p.key != from.Key {
			return nil, false
		}
		return p, false
	}
	p = &peer{uuid: uuid, key: from.Key, since: now, confined: n.isConfined(from.Key)}
	if old := n.predecessor(from.Key, hello.Endpoint); old != nil {
		if slices.Contains(old.former, uuid) {
			n.twin(now, old)
			return nil, false
		}
		p.former = append(old.former, old.uuid)
		p.former = p.former[max(0, len(p.former)-formerPerPeer):]
		p.helloAfter, p.helloPause = old.helloAfter, old.helloPause
		n.exit(now, old, l)
	}
	if len(n.peers) >= n.cfg.PeersMax {
		return nil, false
	}
	at, _ := n.peerAt(uuid)
	n.peers = slices.Insert(n.peers, at, p)
	return p, true
}

// twin tells that an earlier run of a peer said HELLO, though it had been displaced. A
// device that was started again has no such run any more.
func (n *Node) twin(now time.Time, p *peer) {
	if p.entered && now.Sub(p.since) >= twinAfter {
		n.tell(p, Event{Kind: Twin})
	}
}

// accept remembers an incoming connection of p. Of very many it lets the oldest
// that is not in use go.
func (n *Node) accept(now time.Time, c Conn, from Origin, p *peer) *link {
	var incoming []*link
	for _, l := range n.linksOf(p) {
		if !l.dialled() && l != p.out {
			incoming = append(incoming, l)
		}
	}
	if len(incoming) >= linksPerPeer {
		n.forget(now, incoming[0])
	}
	return n.addLink(&link{conn: c, key: from.Key, address: from.Address, open: true})
}

// rebind notes that p said HELLO on l. Up to now l may have been taken for
// another peer's, whose endpoint looked the same.
func (n *Node) rebind(now time.Time, l *link, p *peer) {
	was := l.peer
	l.peer, l.heard, l.got, l.answered = p, true, 1, true
	if l.dialled() {
		l.route.peer = p
	}
	if was != nil && was != p && was.out == l {
		n.settle(now, was)
	}
}

// learn takes over what a HELLO says of its sender. The first one on a second
// connection may be older than what was said on the other since.
func (n *Node) learn(p *peer, hello Command, from Origin, first bool) {
	p.name, p.endpoint, p.headers, p.address = hello.Name, hello.Endpoint, hello.Headers, from.Address
	_, reads := header(hello.Headers, headerDuplex)
	p.duplex = reads && n.cfg.duplex()
	if first && p.entered && p.duplex && !p.resync && int8(hello.Status-p.status) < 0 {
		return
	}
	p.status = hello.Status
	groups := slices.Clone(hello.Groups)
	slices.Sort(groups)
	n.regroup(p, slices.Compact(groups))
}

// reply sees to it that p's HELLO is met by ours. On a connection that works
// both ways each side says HELLO once, whichever it then uses. A HELLO that was
// not asked for, on a connection where p had said it before, means that p lost
// its place in what we say.
func (n *Node) reply(now time.Time, p *peer, l *link, first, fresh bool) {
	asked := p.resync
	if asked {
		p.resync, p.greetAt = false, time.Time{}
	}
	if p.duplex && !l.said {
		n.sayHello(now, l)
	}
	n.settle(now, p)
	if p.out != nil {
		p.out.answered = true
	}
	switch {
	case fresh:
	case asked:
		n.tell(p, Event{Kind: Resumed})
	case !first || !p.duplex:
		n.answer(now, p)
	}
}

// answer says HELLO to a ready peer that said it out of the blue. Two nodes that
// both do so go on for ever, so after a recent HELLO a PING goes first: a peer
// that answers it has heard us, and needs no other.
func (n *Node) answer(now time.Time, p *peer) {
	switch {
	case p.out == nil: // the HELLO on the connection being made will do
	case !now.Before(p.helloAfter):
		n.greet(now, p)
	case p.greetAt.IsZero():
		p.greetAt = p.helloAfter
		n.ping(now, p)
	}
}

// lose notes that something p said was lost: it is asked to begin again, by a
// HELLO, as soon as the pause between two of them allows.
func (n *Node) lose(now time.Time, p *peer) {
	p.resync = true
	p.greetAt = later(now, p.helloAfter)
	if due(now, p.greetAt) {
		n.greet(now, p)
	}
}

// greet says HELLO again. Where we dialled, a new connection carries it: the
// old one may be dead without knowing. The answer to a duplex peer goes where
// it listens.
func (n *Node) greet(now time.Time, p *peer) {
	p.greetAt = time.Time{}
	if !p.resync {
		n.tell(p, Event{Kind: Resumed})
	}
	switch {
	case p.out == nil: // its route is being dialled
	case p.out.dialled() && (p.resync || !p.duplex):
		p.greetAt = now.Add(answerWait)
		n.dial(now, p.out.route)
	default:
		n.sayHello(now, p.out)
	}
}
