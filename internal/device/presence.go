package device

import (
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/eventlog"
	"github.com/zsync/zsync/security"
	"github.com/zsync/zsync/zre"
)

// event takes one event of the ZRE node.
func (l *LinkMachine) event(now time.Time, e zre.Event) {
	switch e.Kind {
	case zre.Enter:
		l.entered(now, e)
	case zre.Exit:
		l.exited(now, e)
	case zre.Join:
		l.joined(e, true)
	case zre.Leave:
		l.joined(e, false)
	case zre.Whisper, zre.Shout:
		l.heard(now, e)
	case zre.Evasive, zre.Recovered:
		if p := l.peers[e.Peer]; p != nil {
			p.evasive = e.Kind == zre.Evasive
		}
	case zre.Resumed:
		l.resumed(e.Peer)
	case zre.Twin:
		l.twin(now, e.Peer)
	}
}

func (l *LinkMachine) entered(now time.Time, e zre.Event) {
	p := &peer{
		uuid: e.Peer, key: e.Key, host: hostOf(e.Endpoint, e.Address),
		transfer: transferPort(e.Headers),
		groups:   make(map[zsync.SpaceID]bool), told: make(map[zsync.SpaceID]bool),
	}
	l.peers[e.Peer] = p
	l.pairing.Linked(now, e.Key)
	l.introduce(now)
}

func (l *LinkMachine) exited(now time.Time, e zre.Event) {
	p := l.peers[e.Peer]
	if p == nil {
		return
	}
	delete(l.peers, e.Peer)
	for _, space := range sortedSpaces(p.told) {
		l.unlink(p, space, e.Heard)
	}
	l.pairing.Unlinked(now, p.key)
	l.transfers.exited(now, p.key)
}

// resumed lets the machines compare notes with a peer again: messages may have
// been lost, both ways.
func (l *LinkMachine) resumed(id zre.UUID) {
	p := l.peers[id]
	if p == nil {
		return
	}
	record, trusted := l.trusted(p.key)
	for _, space := range sortedSpaces(p.told) {
		if trusted {
			l.emit(l.machineOf(space), Linked{record.Cert, space})
		}
	}
}

// twin notes that a device runs twice at a time, and tells the one that is connected:
// the other one is not listened to.
func (l *LinkMachine) twin(now time.Time, id zre.UUID) {
	p := l.peers[id]
	if p == nil {
		return
	}
	l.misdeed(now, p.key, OffenceClone)
	spaces := sortedSpaces(p.told)
	if p.twin || len(spaces) == 0 {
		return
	}
	p.twin = true
	l.node.Whisper(now, id, encodeMessage(eventlog.MessageNak, eventlog.EncodeNak(spaces[0], eventlog.NakTwin)))
}

// joined notes that a peer is in the group of a space, or no longer.
func (l *LinkMachine) joined(e zre.Event, in bool) {
	p := l.peers[e.Peer]
	space, ok := spaceOf(e.Group)
	if p == nil || !ok {
		return
	}
	if in {
		p.groups[space] = true
	} else {
		delete(p.groups, space)
		l.unlink(p, space, time.Time{})
	}
	l.link(p)
}

// introduce tells each machine of the devices that have become known to it, and
// opens the transfer link to them.
func (l *LinkMachine) introduce(now time.Time) {
	for _, p := range l.sortedPeers() {
		l.link(p)
		if record, trusted := l.trusted(p.key); trusted && p.transfer != 0 {
			l.transfers.entered(now, record, p.host, p.transfer)
		}
	}
}

// link tells the machine of each space that p is in, once, that p is linked.
func (l *LinkMachine) link(p *peer) {
	record, trusted := l.trusted(p.key)
	if !trusted {
		return
	}
	for _, space := range sortedSpaces(p.groups) {
		if l.spaces[space] && !p.told[space] {
			p.told[space], p.device = true, record.Device
			l.transfers.linked(record.Device, space, true)
			l.emit(l.machineOf(space), Linked{record.Cert, space})
		}
	}
}

// unlink is the opposite of link. The key may be trusted no longer; heard is when it
// spoke last, zero: now.
func (l *LinkMachine) unlink(p *peer, space zsync.SpaceID, heard time.Time) {
	if !p.told[space] {
		return
	}
	delete(p.told, space)
	l.transfers.linked(p.device, space, false)
	l.emit(l.machineOf(space), Unlinked{p.device, space, heard})
}

// heard takes a message. A device whose key was only typed may send nothing but
// its certificate; what others say goes to the machine of the space it is about.
func (l *LinkMachine) heard(now time.Time, e zre.Event) {
	kind, body, ok := splitMessage(e.Content)
	p := l.peers[e.Peer]
	if !ok || p == nil {
		l.ignored++
		return
	}
	if kind == typeCert {
		if l.certs.take(now, p.key) {
			l.pairing.ReceivedCert(now, p.key, body)
		} else {
			l.ignored++
		}
		return
	}
	record, trusted := l.trusted(p.key)
	space, named := eventlog.SpaceOf(body)
	if !trusted || !named || !l.spaces[space] || e.Kind == zre.Shout && e.Group != groupOf(space) {
		l.ignored++
		return
	}
	if kind == typeWant && record.State != security.InCircle {
		l.ignored++
		return
	}
	if kind == eventlog.MessageNak && eventlog.NakOf(body) == eventlog.NakTwin {
		l.offended(now, Offended{record.Device, OffenceTwin}) // its word: anybody who is trusted can say so
		return
	}
	l.emit(l.machineOf(space), Heard{From: record.Cert, Type: kind, Body: body})
}

func (l *LinkMachine) enter(now time.Time, space zsync.SpaceID) {
	l.spaces[space] = true
	l.transfers.takeBack(now, space) // a machine that was here before asked for it
	l.node.Join(now, groupOf(space))
	for _, p := range l.sortedPeers() {
		l.link(p)
	}
}

func (l *LinkMachine) quit(now time.Time, space zsync.SpaceID) {
	delete(l.spaces, space)
	l.node.Leave(now, groupOf(space))
	for _, p := range l.peers {
		delete(p.told, space)
	}
	l.transfers.quit(now, space)
}

func (l *LinkMachine) machineOf(space zsync.SpaceID) Address {
	if space == l.circle {
		return Address{Part: Home}
	}
	return Address{Part: Folder, Space: space}
}

// trusted returns the record of a key whose owner has proved itself.
func (l *LinkMachine) trusted(key zsync.Key) (security.Record, bool) {
	record, known := l.trust.ByKey(key)
	return record, known && (record.State == security.Paired || record.State == security.InCircle)
}

// transferPort reads the header of a zsync device; 0 for others.
func transferPort(headers []zre.Header) int {
	for _, h := range headers {
		if port, ok := strings.CutPrefix(h.Value, transferParam); ok && h.Name == headerZsync {
			if n, err := strconv.ParseUint(port, 10, 16); err == nil {
				return int(n)
			}
		}
	}
	return 0
}

// hostOf returns where a peer can be dialled: the host of its endpoint, or the
// address that it was seen at where the endpoint names none that leads there.
func hostOf(endpoint, seen string) string {
	host := strings.TrimPrefix(endpoint, "tcp://")
	if i := strings.LastIndexByte(host, ':'); i >= 0 {
		host = host[:i]
	}
	host = strings.Trim(host, "[]")
	addr, err := netip.ParseAddr(host)
	if seen != "" && (err != nil || addr.IsUnspecified() || addr.IsLoopback() && !isLoopback(seen)) {
		host = seen
	}
	if strings.Contains(host, ":") {
		return "[" + host + "]"
	}
	return host
}

func isLoopback(text string) bool {
	addr, err := netip.ParseAddr(text)
	return err == nil && addr.IsLoopback()
}
