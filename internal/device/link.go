package device

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/security"
	"github.com/zsync/zsync/zre"
)

// The ZRE header by which zsync devices know each other: a version and the port
// of the transfer link.
const (
	headerZsync   = "X-ZSYNC"
	transferParam = "1;transfer="
)

// LinkConfig is what the link machine starts from.
type LinkConfig struct {
	Keys         *security.Keys
	Certificate  security.Certificate
	UUID         zre.UUID // random, new at each start
	Name         string
	Endpoint     string // of the ZRE mailbox, tcp://host:port
	TransferPort int
	Trust        *security.Trust
	Circle       zsync.SpaceID // zero: none yet
	Peers        []Peer        // static addresses
	Restored     bool          // the home is older than what this device has said, or a copy
	Limits       Limits
}

// LinkMachine is a device's one door to other devices: who is here (ZRE), who is
// trusted, pairing, and the sessions that move bytes. It never touches a
// database or a disk; what must be kept goes to home, what is about a space to
// the machine of that space.
type LinkMachine struct {
	cfg       LinkConfig
	node      *zre.Node
	trust     *security.Trust
	pairing   *security.Pairing
	circle    zsync.SpaceID
	spaces    map[zsync.SpaceID]bool // entered
	peers     map[zre.UUID]*peer
	transfers *transfers
	dials     map[zre.Conn]zre.Dial
	knocks    knocks
	offences  offences
	certs     allowances
	seeds     []*seed
	known     []zsync.Key // trusted or pending, ascending, as the gate and the node know it
	pending   bool        // some of them are
	hurryAt   time.Time   // when who is being paired is dialled again; zero: nobody is
	told      uint64      // revision of the trust that they and home know
	ignored   int64       // messages of devices that may not say them
	out       []Effect
}

// peer is a device as ZRE sees it now.
type peer struct {
	uuid     zre.UUID
	key      zsync.Key
	device   zsync.DeviceID // set once a machine was told of it
	host     string
	transfer int // port of its transfer link; 0: it has none
	evasive  bool
	groups   map[zsync.SpaceID]bool
	told     map[zsync.SpaceID]bool // spaces whose machine was told that it is linked
	twin     bool                   // it was told that its key is used twice
}

// NewLinkMachine starts dialling every device whose address is known.
func NewLinkMachine(now time.Time, cfg LinkConfig) (*LinkMachine, []Effect) {
	l := &LinkMachine{
		cfg: cfg, trust: cfg.Trust, circle: cfg.Circle,
		spaces: make(map[zsync.SpaceID]bool), peers: make(map[zre.UUID]*peer),
		dials: make(map[zre.Conn]zre.Dial), knocks: newKnocks(), certs: make(allowances),
		pairing: security.NewPairing(cfg.Certificate),
	}
	l.transfers = newTransfers(cfg.Keys.Device())
	l.transfers.limit(now, cfg.Limits)
	l.node = zre.NewNode(zre.Config{
		UUID: cfg.UUID, Name: cfg.Name, Endpoint: cfg.Endpoint, Key: cfg.Keys.Key(),
		Headers: []zre.Header{{Name: headerZsync, Value: transferParam + strconv.Itoa(cfg.TransferPort)}},
	})
	if cfg.Restored {
		l.offended(now, Offended{cfg.Keys.Device(), OffenceRestored})
	}
	l.pairing.SetCircle(now, cfg.Circle, security.Taken) // until home says how firmly it is held
	l.told = ^l.trust.Revision()
	l.trustChanged(now)
	for _, p := range cfg.Peers {
		l.dialPeer(now, p)
	}
	for _, record := range l.trust.Records() {
		for _, address := range record.Addresses {
			if record.State != security.Revoked {
				l.node.Require(now, endpointOf(address), record.Key)
			}
		}
	}
	l.drain(now)
	return l, l.take()
}

// Handle takes inputs in one turn.
func (l *LinkMachine) Handle(now time.Time, in []any) []Effect {
	for _, what := range in {
		l.receive(now, what)
	}
	l.node.Advance(now)
	l.pairing.Advance(now)
	l.trust.Expire(now)
	l.trustChanged(now)
	l.hurry(now)
	l.transfers.advance(now)
	l.drain(now)
	return l.take()
}

// Deadline is when a turn is next needed without an input.
func (l *LinkMachine) Deadline() time.Time {
	next := earliest(l.node.Deadline(), l.transfers.deadline())
	next = earliest(next, l.hurryAt)
	return earliest(next, earliest(l.pairing.Deadline(), l.trust.Deadline()))
}

// receive is the switch from an input to the one method that it is for.
func (l *LinkMachine) receive(now time.Time, what any) {
	switch in := what.(type) {
	case MailboxFacts:
		for _, fact := range in {
			l.mailbox(now, fact)
		}
	case TransferFacts:
		for _, fact := range in {
			l.transfers.fact(now, fact, l.trust)
		}
	case Say:
		l.say(now, in)
	case Enter:
		l.enter(now, in.Space)
	case Quit:
		l.quit(now, in.Space)
	case Fetch:
		l.transfers.fetch(in)
	case Had:
		l.transfers.had(in)
	case Unfetch:
		l.transfers.unfetch(now, in)
	case Supply:
		l.transfers.supplied(now, in)
	case Disposed:
		l.transfers.disposed(now, in)
	case Limits:
		l.transfers.limit(now, in)
	case Networks:
		l.transfers.on(in)
	case Pair:
		l.pair(now, in)
	case Peer:
		l.dialPeer(now, in)
	case CircleIs:
		l.circleIs(now, in)
	case Knocked:
		l.knocked(now, in)
	case Woke:
		l.woke(now)
	case Retry, AskProgress:
		l.retry(now)
	case Offended:
		l.offended(now, in)
	case Stop:
		l.node.Stop(now)
		l.transfers.stop(now)
	}
}

// mailbox hands a fact of the ZRE sockets to the node.
func (l *LinkMachine) mailbox(now time.Time, fact NetFact) {
	switch fact.Kind {
	case NetReceived:
		malformed := l.node.Counters().Malformed
		l.node.Received(now, fact.Conn, zre.Origin{Key: fact.Key, Address: fact.Address, Identity: fact.Identity}, fact.Frames)
		if l.node.Counters().Malformed > malformed {
			l.misdeed(now, fact.Key, OffenceMessage)
		}
		if l.pending {
			l.settle(now) // what it says next counts, if this proved who it is
		}
	case NetOpened:
		l.opened(fact.Conn)
		l.node.Opened(now, fact.Conn)
	case NetBadKey, NetClosed:
		if dial, dialled := l.dials[fact.Conn]; dialled && fact.Kind == NetBadKey {
			l.knocks.badKey(now, dial)
		}
		l.closed(fact.Conn)
		l.node.Closed(now, fact.Conn, fact.Err)
	}
}

func (l *LinkMachine) say(now time.Time, in Say) {
	content := encodeMessage(in.Type, in.Body)
	if in.To.IsZero() && !l.strangerIn(in.Space) {
		l.node.Shout(now, groupOf(in.Space), content)
		return
	}
	for _, p := range l.sortedPeers() {
		record, known := l.trust.ByKey(p.key)
		if known && p.told[in.Space] && (in.To.IsZero() || record.Device == in.To) {
			l.node.Whisper(now, p.uuid, content)
		}
	}
}

// strangerIn reports whether a device that has not proved itself calls itself a
// member of the space's group: then nothing may be shouted there.
func (l *LinkMachine) strangerIn(space zsync.SpaceID) bool {
	for _, p := range l.peers {
		if p.groups[space] && !p.told[space] {
			return true
		}
	}
	return false
}

// drain carries what the machines within the link have to say outward, until
// none of them has anything more.
func (l *LinkMachine) drain(now time.Time) {
	l.settle(now)
	l.transfers.drain(now, l)
}

func (l *LinkMachine) settle(now time.Time) {
	for l.drainNode(now) || l.drainPairing(now) || l.dialSeeds(now) {
	}
}

func (l *LinkMachine) drainNode(now time.Time) bool {
	out := l.node.Output()
	orders := NetOrders{Dial: out.Dial, Send: out.Send, Hangup: out.Hangup}
	for _, dial := range out.Dial {
		l.dials[dial.Conn] = dial
	}
	for _, conn := range out.Hangup {
		l.closed(conn)
	}
	if len(orders.Dial)+len(orders.Send)+len(orders.Hangup) > 0 {
		l.emit(Address{Part: Mailbox}, orders)
	}
	for _, event := range out.Events {
		l.event(now, event)
	}
	return len(out.Events) > 0
}

func (l *LinkMachine) emit(to Address, what any) { l.out = append(l.out, Effect{to, what}) }

func (l *LinkMachine) take() []Effect {
	out := l.out
	l.out = nil
	return out
}

func (l *LinkMachine) sortedPeers() []*peer {
	return slices.SortedFunc(maps.Values(l.peers), func(a, b *peer) int {
		return slices.Compare(a.uuid[:], b.uuid[:])
	})
}

// endpointOf turns what a person types into what a socket takes.
func endpointOf(address string) string {
	if strings.HasPrefix(address, "tcp://") {
		return address
	}
	return "tcp://" + address
}
