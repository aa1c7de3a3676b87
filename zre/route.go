package zre

import (
	"cmp"
	"slices"
	"time"

	"github.com/zsync/zsync"
)

// route is a place to dial: one that the user named, that a beacon told of, or
// that a peer's HELLO advertises.
type route struct {
	endpoint string
	key      zsync.Key
	static   bool          // required: dialled until it is forgotten
	until    time.Time     // heard of in a beacon: dialled until then
	peer     *peer         // who turned out to live there: dialled while there is no connection to it
	link     *link         // the latest connection along it; nil: none
	dialedAt time.Time     // when that was
	retryAt  time.Time     // not dialled before that
	wait     time.Duration // the latest pause after a failure
}

// dialAt returns when the route is to be dialled next; zero: never.
func (r *route) dialAt() time.Time {
	connected := r.link != nil || r.peer != nil && r.peer.out != nil
	wanted := r.static || r.peer != nil || r.retryAt.Before(r.until)
	if connected || !wanted {
		return time.Time{}
	}
	return r.retryAt
}

// pause puts off the next dial: it doubles for attempts that led to nobody, and
// is as short as HELLOs to one peer may follow each other for lost connections.
func (r *route) pause(now time.Time, answered bool, cfg Config) {
	r.wait = min(max(2*r.wait, cfg.RedialMin), cfg.RedialMax)
	if answered {
		r.wait = 0
	}
	r.retryAt = now.Add(r.wait)
	if r.peer != nil {
		r.retryAt = later(r.retryAt, r.peer.helloAfter)
	}
}

// Require makes the node keep a connection to the peer at endpoint, which holds
// key (zero in plain mode): it dials now, and again with growing pauses, until
// [Node.Forget]. Requiring what is required already means "try now"; with
// another key it replaces the requirement. It undoes [Node.Drop] of the key.
func (n *Node) Require(now time.Time, endpoint string, key zsync.Key) {
	if n.stopped {
		return
	}
	n.restore(key)
	r, _ := n.required(now, endpoint, key)
	if r.link == nil {
		r.retryAt, r.wait = now, 0
	}
	n.dialDue(now)
}

// RequireNext is [Node.Require] for someone who does not know which of several
// keys answers at endpoint and tries one after the other: it keeps the pause that
// failures there have earned.
func (n *Node) RequireNext(now time.Time, endpoint string, key zsync.Key) {
	if n.stopped {
		return
	}
	n.restore(key)
	if r, before := n.required(now, endpoint, key); before != nil && r.link == nil {
		r.retryAt, r.wait = before.retryAt, before.wait
	}
	n.dialDue(now)
}

// required makes a requirement. It ends one of another key at the same endpoint,
// and returns that too.
func (n *Node) required(now time.Time, endpoint string, key zsync.Key) (r, before *route) {
	for _, r := range slices.Clone(n.routes) {
		if r.static && r.endpoint == endpoint && r.key != key {
			n.removeRoute(now, r)
			before = r
		}
	}
	r = n.routeTo(now, endpoint, key)
	r.static = true
	return r, before
}

// Forget ends a requirement. An attempt under way is given up; a connection
// that stands is left standing.
func (n *Node) Forget(now time.Time, endpoint string) {
	for _, r := range slices.Clone(n.routes) {
		if !r.static || r.endpoint != endpoint {
			continue
		}
		r.static = false
		if r.peer == nil {
			n.removeRoute(now, r)
		}
	}
}

// Drop withdraws trust from a key: its peer exits, its connections are hung up,
// incoming ones too, requirements of it end, and whatever comes from it is
// refused until [Node.Admit], [Node.Confine] or [Node.Require].
func (n *Node) Drop(now time.Time, key zsync.Key) {
	if !n.cfg.secure() || key.IsZero() {
		return
	}
	if at, found := slices.BinarySearchFunc(n.dropped, key, zsync.Key.Compare); !found {
		n.dropped = slices.Insert(n.dropped, at, key)
	}
	n.disconnect(now, key)
	n.forgetConfined(key)
	for _, r := range slices.Clone(n.routes) {
		if r.key == key {
			n.removeRoute(now, r)
		}
	}
}

// disconnect ends the peer of a key, and its connections.
func (n *Node) disconnect(now time.Time, key zsync.Key) {
	for _, l := range n.links {
		if l.key == key && !l.dialled() {
			n.out.Hangup = append(n.out.Hangup, l.conn)
		}
	}
	if p := n.peerWithKey(key); p != nil {
		n.exit(now, p, nil)
	}
	for _, l := range slices.Clone(n.links) {
		if l.key == key && l.said {
			n.hangup(now, l)
		}
	}
}

// Sighted tells of a beacon from an IP address. In secure mode the caller
// passes on only beacons of keys that it trusts. As a beacon proves nothing, a
// leaving one ends only a plain peer at once; a secure one is asked whether it
// is still there.
func (n *Node) Sighted(now time.Time, b Beacon, address string) {
	if n.stopped || b.UUID == n.cfg.UUID || b.Key.IsZero() == n.cfg.secure() || n.isDropped(b.Key) {
		return
	}
	switch p := n.peer(b.UUID); {
	case p != nil && b.Port == 0 && p.key == b.Key:
		n.leaving(now, p)
	case p == nil && b.Port >= beaconPortMin && address != "":
		n.sightedAt(now, joinEndpoint(address, b.Port), b.Key)
	}
}

func (n *Node) sightedAt(now time.Time, endpoint string, key zsync.Key) {
	if !n.hasRoom(now, endpoint, key) {
		n.counters.Refused++
		return
	}
	n.routeTo(now, endpoint, key).until = now.Add(n.cfg.Expired)
	n.dialDue(now)
}

func (n *Node) routeIndex(endpoint string, key zsync.Key) (int, bool) {
	return slices.BinarySearchFunc(n.routes, route{endpoint: endpoint, key: key}, func(r *route, o route) int {
		return cmp.Or(cmp.Compare(r.endpoint, o.endpoint), r.key.Compare(o.key))
	})
}

// hasRoom reports whether a route that others told of may be made. Required ones
// always may: the user named them.
func (n *Node) hasRoom(now time.Time, endpoint string, key zsync.Key) bool {
	n.pruneRoutes(now)
	_, known := n.routeIndex(endpoint, key)
	return known || len(n.routes) < 2*n.cfg.PeersMax
}

// routeTo finds or makes a route; in secure mode the key says whom it leads to.
func (n *Node) routeTo(now time.Time, endpoint string, key zsync.Key) *route {
	at, found := n.routeIndex(endpoint, key)
	if !found {
		r := &route{endpoint: endpoint, key: key, retryAt: now}
		if !key.IsZero() {
			r.peer = n.peerWithKey(key)
		}
		n.routes = slices.Insert(n.routes, at, r)
	}
	return n.routes[at]
}

// removeRoute hangs up whatever was dialled along r and forgets it.
func (n *Node) removeRoute(now time.Time, r *route) {
	n.routes = slices.DeleteFunc(n.routes, func(o *route) bool { return o == r })
	for _, l := range slices.Clone(n.links) {
		if l.route == r {
			n.hangup(now, l)
			n.broke(now, l)
		}
	}
}

// dialDue dials every route whose time has come.
func (n *Node) dialDue(now time.Time) {
	for _, r := range n.routes {
		if due(now, r.dialAt()) {
			n.dial(now, r)
		}
	}
}

// dial makes a new connection along r, unless one is being made. An older one
// stays in use until the new one opens.
func (n *Node) dial(now time.Time, r *route) {
	if r.link != nil && !r.link.open {
		return
	}
	n.lastConn++
	r.dialedAt = now
	host, _, _ := splitEndpoint(r.endpoint)
	r.link = n.addLink(&link{
		conn: n.lastConn, route: r, key: r.key, address: host, peer: r.peer, hangupAt: now.Add(dialWait),
	})
	n.counters.Dials++
	n.out.Dial = append(n.out.Dial, Dial{
		Conn: n.lastConn, Endpoint: r.endpoint, Key: r.key, Identity: n.cfg.UUID.identity(),
	})
}

// hasten ends the pauses of the routes to a peer who has just said HELLO and
// cannot be answered: it is there, and waits. Two nodes whose long pauses never
// met would otherwise take turns in giving each other up.
func (n *Node) hasten(now time.Time, p *peer, notBefore time.Time) {
	for _, r := range n.routes {
		if r.peer == p && p.out == nil {
			soon := later(later(now, notBefore), r.dialedAt.Add(helloPauseMin))
			r.retryAt = sooner(r.retryAt, soon)
		}
	}
	n.dialDue(now)
}

// connectBack dials the peer where it says that it can be found, if nothing of
// ours leads there yet. A duplex peer that can be spoken to on the connection it
// dialled is not dialled when that is the one to be used anyway, and only once
// when it is not: it may well sit behind a router that lets nothing in.
func (n *Node) connectBack(now time.Time, p *peer, notBefore time.Time) {
	if p.confined || p.out != nil && (!p.duplex || !n.isBelow(p)) {
		return
	}
	endpoint, ok := reachable(p.endpoint, p.address, n.cfg.secure())
	if !ok || n.leads(now, p, endpoint) || !n.hasRoom(now, endpoint, p.key) {
		return
	}
	r := n.routeTo(now, endpoint, p.key)
	r.peer, r.retryAt = p, later(r.retryAt, notBefore)
	if due(now, r.retryAt) {
		n.dial(now, r)
	}
}

// leads reports whether a route to p exists that makes another to endpoint
// needless. Advertised places where p no longer is are forgotten on the way.
func (n *Node) leads(now time.Time, p *peer, endpoint string) bool {
	for _, r := range slices.Clone(n.routes) {
		switch {
		case r.peer != p:
		case r.static || r.endpoint == endpoint || r.link != nil && r.link.open:
			return true
		default:
			n.removeRoute(now, r)
		}
	}
	return false
}

// bind finds out which routes lead to p, now that p has said who it is. In
// secure mode their keys tell. In plain mode the endpoint does; a route given
// by host name leads to p if the port is the same.
func (n *Node) bind(p *peer) {
	seen, _ := reachable(p.endpoint, p.address, n.cfg.secure())
	for _, r := range n.routes {
		leads := r.key == p.key
		if !n.cfg.secure() {
			leads = r.endpoint == p.endpoint || r.endpoint == seen || sameNamedPort(r.endpoint, seen)
		}
		if r.peer == nil && leads {
			r.peer = p
			if r.link != nil {
				r.link.peer = p
			}
		}
	}
}

// pruneRoutes forgets the routes that nothing speaks for any more, once the
// pause that they have to keep is over.
func (n *Node) pruneRoutes(now time.Time) {
	n.routes = slices.DeleteFunc(n.routes, func(r *route) bool {
		return !r.static && r.peer == nil && r.link == nil && !now.Before(r.until) && !now.Before(r.retryAt)
	})
}
