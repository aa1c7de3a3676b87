package zre

import (
	"cmp"
	"slices"
	"time"

	"github.com/zsync/zsync"
)

// peer is another node from its first HELLO on.
type peer struct {
	uuid   UUID
	key    zsync.Key // bound to the UUID for as long as the peer lasts; zero in plain mode
	former []UUID    // of earlier runs that this one displaced: they do not come back
	since  time.Time // its first HELLO

	// What its HELLO, and its JOINs and LEAVEs since, said.
	name     string
	endpoint string
	address  string // where that HELLO came from
	headers  []Header
	groups   []string // ascending
	status   uint8    // of its groups
	duplex   bool     // it reads the connections it dials, and we do

	out     *link // where it is spoken to; nil: nowhere at the moment
	entered bool  // the application knows of it
	resync  bool  // something was lost; its next HELLO makes it good

	greetAt    time.Time     // when to say HELLO again; zero: no need
	helloAfter time.Time     // no HELLO is repeated before
	helloPause time.Duration // the latest pause between two

	heardAt  time.Time // when it spoke last
	expireAt time.Time // when it has been silent for too long
	pingAt   time.Time // when to ask whether it is there
	pings    int       // asked since it was last heard
	evasive  bool      // the application knows of its silence

	confined bool // its key is: nobody is told of its groups, and it not of ours
	missed   bool // it changed its groups meanwhile

	roundTrip time.Duration // the latest measured; 0: none yet
	measureAt time.Time     // when to measure anew, if nothing has until then
	pingedAt  time.Time     // when the oldest PING that waits for its answer was sent; zero: not to be measured by
	unponged  int           // PINGs that wait for an answer on the connection in use
}

func (p *peer) in(group string) bool {
	if p.confined {
		return false
	}
	_, found := slices.BinarySearch(p.groups, group)
	return found
}

func (p *peer) state() State {
	switch {
	case !p.entered || p.out == nil:
		return Connecting
	case p.evasive:
		return Silent
	}
	return Ready
}

// Peers returns all peers, and the required endpoints whose owner is not among
// them, ordered by UUID, then endpoint.
func (n *Node) Peers() []Peer {
	var all []Peer
	for _, p := range n.peers {
		line := Peer{
			UUID: p.uuid, Key: p.key, Name: p.name, State: p.state(), Link: n.linkKind(p),
			RoundTrip: p.roundTrip, Heard: p.heardAt, Endpoint: p.endpoint,
		}
		if !p.confined {
			line.Groups = slices.Clone(p.groups)
		}
		all = append(all, line)
	}
	for _, r := range n.routes {
		if r.static && r.peer == nil {
			all = append(all, Peer{Key: r.key, State: Connecting, Link: LinkRequired, Endpoint: r.endpoint})
		}
	}
	slices.SortStableFunc(all, func(a, b Peer) int { return cmp.Or(a.UUID.Compare(b.UUID), cmp.Compare(a.Endpoint, b.Endpoint)) })
	return all
}

func (n *Node) linkKind(p *peer) LinkKind {
	required := func(r *route) bool { return r.static && r.peer == p }
	if p.out == nil && slices.ContainsFunc(n.routes, required) {
		return LinkRequired
	}
	return p.out.kind()
}

func (n *Node) peer(uuid UUID) *peer {
	if at, found := n.peerAt(uuid); found {
		return n.peers[at]
	}
	return nil
}

func (n *Node) peerAt(uuid UUID) (int, bool) {
	return slices.BinarySearchFunc(n.peers, uuid, func(p *peer, uuid UUID) int { return p.uuid.Compare(uuid) })
}

func (n *Node) peerWithKey(key zsync.Key) *peer {
	for _, p := range n.peers {
		if p.key == key {
			return p
		}
	}
	return nil
}

// predecessor returns the peer whom a newcomer displaces: in secure mode the
// one with its key, in plain mode the one that advertised the same endpoint.
func (n *Node) predecessor(key zsync.Key, endpoint string) *peer {
	if n.cfg.secure() {
		return n.peerWithKey(key)
	}
	for _, p := range n.peers {
		if p.endpoint == endpoint && endpoint != "" {
			return p
		}
	}
	return nil
}

// enter tells the application of a peer that can be spoken to.
func (n *Node) enter(now time.Time, p *peer) {
	if p.entered || p.out == nil {
		return
	}
	p.entered = true
	if p.roundTrip == 0 {
		p.measureAt = now.Add(n.cfg.Evasive)
	}
	n.tell(p, Event{Kind: Enter, Endpoint: p.endpoint, Address: p.address, Headers: p.headers})
	n.tellGroups(p)
}

func (n *Node) tellGroups(p *peer) {
	for _, group := range p.groups {
		if p.in(group) {
			n.tell(p, Event{Kind: Join, Group: group})
		}
	}
}

// exit ends a peer. The connection keep, over which its successor introduced
// itself, is spared, and so are attempts along required routes: who will answer
// them is open.
func (n *Node) exit(now time.Time, p *peer, keep *link) {
	n.tell(p, Event{Kind: Exit, Heard: p.heardAt})
	for _, group := range p.groups {
		if p.in(group) {
			n.endWave(group)
		}
	}
	for _, l := range n.linksOf(p) {
		if l == keep || l.dialled() && !l.open && l.route.static {
			l.peer, l.heard = nil, false
			continue
		}
		n.hangup(now, l)
	}
	for _, r := range n.routes {
		if r.peer == p {
			r.peer, r.until = nil, time.Time{}
		}
	}
	if at, found := n.peerAt(p.uuid); found {
		n.peers = slices.Delete(n.peers, at, at+1)
	}
}

// regroup makes groups, ascending, the peer's groups and tells the difference.
func (n *Node) regroup(p *peer, groups []string) {
	was := p.groups
	if p.groups = groups; p.confined {
		return
	}
	for _, group := range was {
		if !p.in(group) {
			n.endWave(group)
			n.tell(p, Event{Kind: Leave, Group: group})
		}
	}
	for _, group := range groups {
		if _, found := slices.BinarySearch(was, group); !found {
			n.tell(p, Event{Kind: Join, Group: group})
		}
	}
}
