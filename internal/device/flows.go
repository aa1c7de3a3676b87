package device

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/zsync/zsync"
)

// Limit is how fast data may go over links of one kind, each way; 0: no limit.
type Limit struct{ Up, Down Rate }

// Limits are those of a device: of its links within the networks that it is on, and
// of all others. Each is for all links of its kind together.
type Limits struct{ LAN, WAN Limit }

// Networks are the networks that this machine is on, tunnels apart. A device on one
// of them is near, and so is one on this machine.
type Networks []netip.Prefix

// reach is where the device at the other end of a connection is.
type reach uint8

const (
	distant reach = iota
	nearby
	reaches
)

// reachOf tells where an endpoint or an address is. What is not known is far.
func (n Networks) reachOf(endpoint string) reach {
	host := strings.TrimPrefix(endpoint, "tcp://")
	at, err := netip.ParseAddrPort(host)
	addr := at.Addr()
	if err != nil {
		addr, err = netip.ParseAddr(host)
	}
	if addr = addr.Unmap().WithZone(""); err != nil {
		return distant
	}
	holds := func(network netip.Prefix) bool { return network.Contains(addr) }
	if addr.IsLoopback() || addr.IsLinkLocalUnicast() || slices.ContainsFunc(n, holds) {
		return nearby
	}
	return distant
}

// of is the limit of links to devices there.
func (l Limits) of(r reach) Limit {
	if r == nearby {
		return l.LAN
	}
	return l.WAN
}

// What may be under way between the order to read something and its being handed to
// the sockets, for all sessions of a flow together: enough to keep disk, machines and
// sockets busy, and little enough that who comes with one photo does not wait long
// behind what others were given. However much others wait for, a session may have what
// the last two say: a disk that hangs holds up no other.
const (
	readBytesMax   = 8 << 20
	readItemsMax   = 2048
	readBytesLeast = 1 << 20
	readItemsLeast = 256
)

// flow is what goes one way over links that have a limit in common, or none.
type flow struct {
	bucket
	turns
	orders int       // given out
	wakeAt time.Time // when something that waits may go on; zero: nothing waits for time
}

// flows are all that goes one way. The sessions whose kind of link has no limit share
// one flow.
type flows [reaches + 1]flow

const unlimited = reaches

func (l *flows) of(s *session) *flow {
	if l[s.reach].rate > 0 {
		return &l[s.reach]
	}
	return &l[unlimited]
}

// pace shares out what goes over the transfer link: among the devices, and in time.
// Only data waits: which bytes are read for a peer, and which credit it is given to
// send more. What is said about data, and the whole ZRE link, never does.
type pace struct {
	limits   Limits
	networks Networks
	up, down flows
}

// limit sets the limits; what is being read counts.
func (t *transfers) limit(now time.Time, limits Limits) {
	t.pace.limits = limits
	for r := range reaches {
		flow := &t.pace.up[r]
		began := flow.rate == 0
		flow.set(now, limits.of(r).Up)
		t.pace.down[r].set(now, limits.of(r).Down)
		for _, s := range t.sorted() {
			if began && s.reach == r {
				flow.take(now, s.claimed)
			}
		}
	}
}

// on notes the networks that this machine is on now.
func (t *transfers) on(networks Networks) {
	t.pace.networks = networks
	for _, s := range t.sorted() {
		s.reach = networks.reachOf(s.address)
	}
}

// at notes the address of a session's other end.
func (t *transfers) at(s *session, address string) {
	s.address, s.reach = address, t.pace.networks.reachOf(address)
}

// reaches tells where a peer is, and the limit of links there. While there is no
// session with it, its endpoint tells.
func (t *transfers) reaches(p PeerStatus) (near bool, limit Limit) {
	r := t.pace.networks.reachOf(p.Endpoint)
	if s := t.openTo(p.Device); s != nil {
		r = s.reach
	}
	return r == nearby, t.pace.limits.of(r)
}

// sent notes what a session has sent.
func (p *pace) sent(now time.Time, s *session, frames [][]byte) {
	for _, frame := range frames {
		p.up.of(s).take(now, int64(len(frame)))
	}
}

// forget forgets a device that is gone.
func (p *pace) forget(device zsync.DeviceID) {
	for i := range p.up {
		p.up[i].forget(device)
		p.down[i].forget(device)
	}
}

// shareOut gives credit to the peers and orders reads for them, until nothing more
// may be under way.
func (t *transfers) shareOut(now time.Time) {
	t.giveCredit(now)
	for t.orderReads(now) {
	}
}

// deadline is when something that waits for time may go on.
func (p *pace) deadline() (next time.Time) {
	for i := range p.up {
		next = earliest(next, earliest(p.up[i].wakeAt, p.down[i].wakeAt))
	}
	return next
}

// orderReads orders reads in every flow, and reports whether there were any: some are
// refused at once, and others can be ordered.
func (t *transfers) orderReads(now time.Time) (some bool) {
	for i := range t.pace.up {
		flow := &t.pace.up[i]
		ordered := flow.order(now, t.in(&t.pace.up, flow))
		for _, s := range ordered {
			t.settle(now, s)
		}
		some = some || len(ordered) > 0
	}
	return some
}

// in returns the sessions of a flow.
func (t *transfers) in(all *flows, flow *flow) (sessions []*session) {
	for _, s := range t.sorted() {
		if all.of(s) == flow {
			sessions = append(sessions, s)
		}
	}
	return sessions
}

// order orders reads in turns, and returns for whom.
func (l *flow) order(now time.Time, sessions []*session) (ordered []*session) {
	octets, items := int64(0), 0
	for _, s := range sessions {
		l.claim(now, s)
		octets, items = octets+s.fm.Reserved(), items+s.fm.Reading()
	}
	for l.wakeAt = (time.Time{}); ; {
		s := l.next(sessions, octets >= readBytesMax || items >= readItemsMax)
		switch {
		case s == nil:
			return ordered
		case !l.opens(now):
			l.wakeAt = l.opensAt()
			return ordered
		}
		cost := s.fm.Next()
		s.fm.Order()
		l.orders++
		s.ordered = l.orders
		l.claim(now, s)
		l.give(s.peer, fare(cost))
		octets, items = octets+cost, items+1
		if !slices.Contains(ordered, s) {
			ordered = append(ordered, s)
		}
	}
}

// claim counts what a session has being read as gone through, until it is sent and
// counts as that, or comes to nothing.
func (l *flow) claim(now time.Time, s *session) {
	if reserved := s.fm.Reserved(); reserved != s.claimed {
		l.take(now, reserved-s.claimed)
		s.claimed = reserved
	}
}

// next returns the session that it is the turn of, nil where none waits that may have
// something. full: only those may that have next to nothing yet. Sessions of one device
// have turns of their own.
func (l *flow) next(sessions []*session, full bool) (best *session) {
	for _, s := range sessions {
		enough := s.fm.Reserved() >= readBytesLeast || s.fm.Reading() >= readItemsLeast
		if full && enough || s.fm.Next() == 0 {
			continue
		}
		if best == nil || cmp.Or(cmp.Compare(l.stands(s.peer), l.stands(best.peer)), cmp.Compare(s.ordered, best.ordered)) < 0 {
			best = s
		}
	}
	return best
}

// giveCredit gives back the credit of what is on the disk, no faster than the limit.
// Who was asked for nothing needs none, and would hold what others can use.
func (t *transfers) giveCredit(now time.Time) {
	for i := range t.pace.down {
		flow := &t.pace.down[i]
		var owed []owing
		for _, s := range t.in(&t.pace.down, flow) {
			if credit := s.fm.Owed(); credit > 0 && (flow.rate == 0 || s.fm.Asking()) {
				owed = append(owed, owing{s, credit})
			}
		}
		flow.divide(now, owed, func(s *session, credit int64) { s.fm.Grant(now, credit) })
	}
}

// owing is a session that is owed credit.
type owing struct {
	*session
	credit int64
}

// divide gives sessions all that they are owed or, where that is more than may be
// received, the same to each, but none more than it is owed.
func (l *flow) divide(now time.Time, owed []owing, give func(*session, int64)) {
	l.wakeAt = time.Time{}
	slices.SortStableFunc(owed, func(a, b owing) int { return cmp.Compare(a.credit, b.credit) })
	for i, o := range owed {
		if !l.opens(now) {
			l.wakeAt = l.opensAt()
			return
		}
		credit := o.credit
		if l.rate > 0 {
			credit = min(credit, l.has()/int64(len(owed)-i))
			l.shut = credit < o.credit && i == len(owed)-1
		}
		if credit > 0 {
			l.take(now, credit)
			give(o.session, credit)
		}
	}
	if l.shut {
		l.wakeAt = l.opensAt()
	}
}

// A portion is what one worker reads in one go. The others read meanwhile, and what
// comes next does not wait for more than that.
const (
	portionBytes = 1 << 20
	portionItems = 256
)

// portions cuts reads into portions, in their order.
func portions(reads []ReadPart) func(yield func([]ReadPart) bool) {
	return func(yield func([]ReadPart) bool) {
		for len(reads) > 0 {
			n, octets := 0, 0
			for n < min(len(reads), portionItems) && (n == 0 || octets+int(reads[n].Size) <= portionBytes) {
				octets += int(reads[n].Size)
				n++
			}
			if !yield(reads[:n:n]) {
				return
			}
			reads = reads[n:]
		}
	}
}
