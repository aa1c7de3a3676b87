package device

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/eventlog"
	"github.com/zsync/zsync/internal/kv"
	"github.com/zsync/zsync/security"
)

const (
	// confirmWait is how long the first own event after a start waits for some
	// peer to say that it does not know more of our writer than we do.
	confirmWait = 10 * time.Second
	// wantEvery is how often a device that is not yet a member asks to be.
	wantEvery = 3 * time.Second
)

const (
	bucketDevice   = "device"
	keyIncarnation = "incarnation"
	keyRestored    = "restored" // set with an incarnation that follows a loss
	keyLoss        = "loss"     // the Mark of the device's last loss; a space's is that which its incarnation follows
)

// space is what the circle and a folder have in common: a log, who is a member
// of it, and the exchange of it with the devices that are linked.
type space struct {
	id       zsync.SpaceID
	keys     *security.Keys
	draws    *draws
	author   eventlog.Author
	log      *eventlog.Log
	members  *security.Members
	exchange *eventlog.Exchange
	peers    map[zsync.DeviceID]security.Certificate // linked now, in this space's group
	tellers  *progress

	clocks    clocks
	began     began
	member    bool      // this device is one
	silent    bool      // own events are refused: none is tried
	waiting   bool      // for confirmation, before own events may be written
	confirmBy time.Time // when the first own event waits no longer
	wantAt    time.Time // when to ask for membership again
	out       []Effect
}

// spaceConfig is what a space is opened with.
type spaceConfig struct {
	id       zsync.SpaceID
	keys     *security.Keys
	cert     security.Certificate
	draws    *draws
	founding *Founding // nil: founded by another device
	kind     eventlog.Type
	entered  bool // the device was in it before
	loss     Mark // of the device, the last one
	verify   eventlog.Verify
}

// openSpace reads a space from its database, or begins an empty one.
func openSpace(tx kv.Tx, now time.Time, cfg spaceConfig) (s *space, err error) {
	s = &space{
		id: cfg.id, keys: cfg.keys, draws: cfg.draws,
		members: security.OpenMembers(tx),
		peers:   make(map[zsync.DeviceID]security.Certificate),
		tellers: newProgress(cfg.id, cfg.keys.Device()),
		clocks:  make(clocks),
	}
	if s.log, err = eventlog.Open(tx, cfg.id); err != nil {
		return nil, err
	}
	s.log.Expect(cfg.kind)
	founds := cfg.founding != nil && !s.log.HasGenesis()
	if founds {
		if err := s.found(tx, cfg, *cfg.founding); err != nil {
			return nil, err
		}
	}
	s.chooseAuthor(tx, cfg)
	if founds {
		if err := s.introduce(tx, cfg); err != nil {
			return nil, err
		}
	}
	s.log.VerifyWith(cfg.verify)
	s.exchange = eventlog.NewExchange(s.log, s.members, cfg.keys.Device())
	s.confirmBy = now.Add(confirmWait)
	s.member = s.right(tx) != security.RightNone
	for _, writer := range s.log.Forked(tx) {
		s.forked(writer)
	}
	s.begin(tx)
	return s, nil
}

func (s *space) forked(writer zsync.WriterID) {
	if device, known := s.log.Author(writer); known {
		s.offended(device, OffenceFork)
	}
}

// right returns what this device may do in the space.
func (s *space) right(tx kv.Tx) security.Right { return s.members.Right(tx, s.keys.Device()) }

// mayAppend reports whether own events may be written now: this device is a
// member, and its writer is known to be no fork of one that others have seen.
func (s *space) mayAppend(tx kv.Tx, now time.Time) bool {
	if s.silent || !s.log.HasGenesis() || s.right(tx) == security.RightNone {
		return false
	}
	return s.exchange.Confirmed() || !now.Before(s.confirmBy) || len(s.members.List(tx)) == 1 && !s.forgot(tx)
}

// forgot reports whether this device has lost the log and knows nobody but itself in
// the space: a founder has written the genesis again, and who else is a member it can
// only hear from those that it does not know to be members.
func (s *space) forgot(tx kv.Tx) bool {
	return tx.Get(bucketDevice, []byte(keyRestored)) != nil && len(s.members.List(tx)) == 1
}

// append writes one own event and pushes it to the peers after the commit.
func (s *space) append(tx kv.Tx, now time.Time, kind zsync.Kind, body []byte) (eventlog.Event, error) {
	ev, err := s.log.Append(tx, kind, body, wallMS(now), s.members)
	if err != nil {
		return eventlog.Event{}, err
	}
	if ev.Void {
		return ev, fmt.Errorf("%w: what this device says there counts for nobody", eventlog.ErrRefused)
	}
	s.exchange.Appended(tx, now, []eventlog.Event{ev})
	return ev, nil
}

// linked notes a peer in the space's group.
func (s *space) linked(tx kv.Tx, now time.Time, peer security.Certificate) {
	device := peer.Device()
	s.peers[device] = peer
	s.exchange.Linked(tx, now, device)
	s.tellers.linked(now, device)
	if s.right(tx) == security.RightNone {
		s.wantAt = now
	}
}

func (s *space) unlinked(now time.Time, in Unlinked) {
	device := in.Device
	delete(s.peers, device)
	delete(s.clocks, device)
	s.exchange.Unlinked(now, device)
	heard := in.Heard
	if heard.IsZero() {
		heard = now
	}
	s.tellers.unlinked(heard, device)
}

// heard takes a log message of this space. What it merged is returned for the
// fold.
func (s *space) heard(tx kv.Tx, now time.Time, m Heard) (eventlog.Merged, error) {
	from := m.From.Device()
	switch {
	case m.Type == typeWant:
		return eventlog.Merged{}, s.admit(tx, now, m.From)
	case m.Type == typeProgress:
		s.tellers.received(now, from, m.Body)
		s.tellers.retain(func(device zsync.DeviceID) bool { return s.members.Right(tx, device) != security.RightNone })
		return eventlog.Merged{}, nil
	case m.Type == eventlog.MessageNak:
		s.refused(from, eventlog.NakOf(m.Body))
		return eventlog.Merged{}, nil
	case s.log.HasGenesis() && s.right(tx) != security.RightNone && s.members.Right(tx, from) == security.RightNone && !s.forgot(tx):
		s.say(from, eventlog.MessageNak, eventlog.EncodeNak(s.id, eventlog.NakNotMember))
		return eventlog.Merged{}, nil
	}
	merged, err := s.exchange.Received(tx, now, from, m.Type, m.Body)
	switch {
	case errors.Is(err, eventlog.ErrMalformed):
		s.offended(from, OffenceMessage) // nothing of it was taken
		err = nil
	case errors.Is(err, eventlog.ErrNotLinked): // it was said before the link ended
		err = nil
	}
	if merged.Bad > 0 {
		s.offended(from, OffenceEvents)
	}
	for _, writer := range merged.Forked {
		s.forked(writer)
	}
	if err == nil && (s.exchange.OwnBehind() || s.log.OwnForked()) {
		s.lost()
		s.reincarnate(tx, true)
		s.begin(tx)
	}
	s.recognize(tx, merged.Fresh)
	if m.Type == eventlog.MessageHeads {
		s.clocks.pushed(now, from, merged.Fresh)
	}
	return merged, err
}

// refused asks to be a member where this device is not known to be one. Whoever lost
// the log, or went back in it, and has admitted others since, hears nobody else: not
// even those who could tell it who they are.
func (s *space) refused(by zsync.DeviceID, why uint64) {
	if why == eventlog.NakNotMember {
		s.say(by, typeWant, encodeWant(s.id))
	}
}

// admit makes a device of the circle that asks for it a member, where this
// device may do so. The link lets nobody ask but devices of the circle.
func (s *space) admit(tx kv.Tx, now time.Time, who security.Certificate) error {
	if s.right(tx) != security.RightAdmin || s.members.Right(tx, who.Device()) != security.RightNone || !s.mayAppend(tx, now) {
		return nil
	}
	_, err := s.append(tx, now, zsync.KindMember, security.AddBody(security.RightAdmin, who))
	return err
}

// advance acts on the deadlines of the space.
func (s *space) advance(tx kv.Tx, now time.Time) {
	s.exchange.Advance(tx, now)
	if s.right(tx) != security.RightNone || s.wantAt.IsZero() || now.Before(s.wantAt) {
		return
	}
	s.wantAt = now.Add(wantEvery)
	for _, device := range s.linkedDevices() {
		s.say(device, typeWant, encodeWant(s.id))
	}
}

func (s *space) linkedDevices() []zsync.DeviceID {
	devices := make([]zsync.DeviceID, 0, len(s.peers))
	for device := range s.peers {
		devices = append(devices, device)
	}
	slices.SortFunc(devices, zsync.DeviceID.Compare)
	return devices
}

// deadline is when advance is next needed, apart from the waiting to append.
func (s *space) deadline(member bool) time.Time {
	next := s.exchange.Deadline()
	if !member {
		next = earliest(next, s.wantAt)
	}
	return earliest(next, s.tellers.deadline())
}

func (s *space) say(to zsync.DeviceID, kind uint8, body []byte) {
	s.emit(Address{Part: Link}, Say{Space: s.id, To: to, Type: kind, Body: body})
}

func (s *space) emit(to Address, what any) { s.out = append(s.out, Effect{to, what}) }

// collect moves what the exchange and the progress have to say into out.
func (s *space) collect(now time.Time, mine line) {
	said := s.exchange.Output()
	for _, m := range said.Shout {
		s.say(zsync.DeviceID{}, m.Type, m.Body)
	}
	for _, m := range said.Whisper {
		s.say(m.To, m.Type, m.Body)
	}
	s.tellers.level(mine.Applied, s.log.Heads)
	for _, m := range s.tellers.report(now, mine) {
		s.say(m.To, typeProgress, m.Body)
	}
}

// take returns the effects collected and forgets them.
func (s *space) take() []Effect {
	out := s.out
	s.out = nil
	return out
}

func wallMS(t time.Time) uint64 { return uint64(max(0, t.UnixMilli())) }

// earliest returns the earlier of two deadlines, zero meaning never.
func earliest(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}
