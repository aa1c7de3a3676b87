package device

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/filemq"
	"github.com/zsync/zsync/security"
	"github.com/zsync/zsync/zre"
)

const (
	// sessionsPerKeyMax bounds what one peer may open, without those beside others.
	sessionsPerKeyMax = 4
	// windowBytesMax is what a peer may have under way from here, in each session:
	// twice what a zsync device asks for.
	windowBytesMax = 16 << 20
	// firstTransferConn leaves the numbers below to incoming connections' drivers.
	firstTransferConn = 1
)

// transfers moves bytes between this device and those that are here: one session
// a device, opened by whichever side can, used by both. It takes items to fetch
// from the folders, gives each to a device that may have it, and to another when
// that one has not.
type transfers struct {
	self     zsync.DeviceID
	conns    zre.Conn
	sessions map[zre.Conn]*session
	routes   map[zsync.DeviceID]*route
	early    map[zsync.Key]time.Time // when the door was shut to those that are not here yet
	order    []*session              // sessions ascending by conn; nil: not known
	here     []zsync.DeviceID        // of routes, ascending; nil: not known
	queue    [8][]*batch             // by priority
	dial     []zre.Dial
	hangup   []zre.Conn
	out      []Effect
	stopping bool
	offences []Offended
	stirred  bool      // the queue or who is here has changed since the last pump
	helpAt   time.Time // when to see again whether one device can help another; zero: never

	receiving receiving
	pace      pace
}

// session is one connection of the transfer link.
type session struct {
	conn     zre.Conn
	peer     zsync.DeviceID
	key      zsync.Key
	dialled  bool
	open     bool
	beside   bool      // see lanes
	retired  time.Time // since when nothing more is asked of it; zero: never
	came     int64     // octets that have been answered since it owed nothing
	most     int64     // it may owe: see lanes
	fm       *filemq.Session
	requests map[uint32]*batch
	debt     debt
	offered  int64                          // what it owed after all that is queued was offered to it …
	full     bool                           // … and whether it took nothing more then
	pieces   map[zsync.SpaceID]*StagePieces // received in this turn
	lent     map[*byte]func()               // what to call when these frames are sent, by their first octet
	address  string                         // of its other end
	reach    reach
	claimed  int64 // what is being read for it, in octets, as its flow knows it
	ordered  int   // which order of its flow was the last for it
}

// batch is items of one content, or of many small ones, that are asked for
// together. An item with a zero Hash has been settled.
type batch struct {
	space zsync.SpaceID
	from  zsync.DeviceID
	stamp zsync.Stamp // who lacks nothing of a log with it has the items; zero: not known
	prio  uint8
	total int64
	items []Item
	of    zsync.Digest
	tried []zsync.DeviceID
	left  int    // items not settled
	req   uint32 // the number of the request
	twin  twin   // and of another device's, for some of them
}

func newTransfers(self zsync.DeviceID) *transfers {
	return &transfers{
		self: self, conns: firstTransferConn,
		sessions: make(map[zre.Conn]*session), routes: make(map[zsync.DeviceID]*route), early: make(map[zsync.Key]time.Time),
	}
}

// quit forgets a space: what it asked for and who has it.
func (t *transfers) quit(now time.Time, space zsync.SpaceID) {
	t.stirred = true
	for _, r := range t.routes {
		delete(r.spaces, space)
	}
	t.takeBack(now, space)
}

// fact takes what the transfer sockets saw.
func (t *transfers) fact(now time.Time, fact NetFact, trust *security.Trust) {
	s := t.sessions[fact.Conn]
	switch fact.Kind {
	case NetReceived:
		if s == nil {
			s = t.accept(now, fact, trust)
		}
		if s == nil || len(fact.Frames) != 1 {
			return
		}
		s.fm.Received(now, fact.Frames[0])
		t.receiving = receiving{release: fact.Release}
		t.settle(now, s)
		t.received(s)
	case NetClosed, NetBadKey:
		if s != nil {
			t.drop(now, s)
		}
	case NetPath:
		t.fares(fact)
	case NetOpened:
	}
}

// accept makes a session for a device that dialled us and greets. Whatever else
// comes on a connection without one was sent to a session that is over.
func (t *transfers) accept(now time.Time, fact NetFact, trust *security.Trust) *session {
	record, known := trust.ByKey(fact.Key)
	if !known || len(fact.Frames) != 1 || !filemq.Opens(fact.Frames[0]) || record.State != security.Paired && record.State != security.InCircle {
		return nil
	}
	beside, count := filemq.IsBeside(fact.Frames[0]), 0
	for _, s := range t.sessions {
		if s.key == fact.Key && s.beside == beside {
			count++
		}
	}
	if beside && count >= besideMax || !beside && count >= sessionsPerKeyMax {
		return nil
	}
	s := t.begin(now, fact.Conn, record, false, beside)
	t.at(s, fact.Address)
	return s
}

func (t *transfers) add(now time.Time, conn zre.Conn, record security.Record, dialled bool) *session {
	return t.begin(now, conn, record, dialled, false)
}

func (t *transfers) begin(now time.Time, conn zre.Conn, record security.Record, dialled, beside bool) *session {
	s := &session{
		conn: conn, peer: record.Device, key: record.Key, dialled: dialled, beside: beside, most: owedAtFirst,
		fm:       filemq.NewSession(now, sessionConfig(beside), dialled),
		requests: make(map[uint32]*batch), pieces: make(map[zsync.SpaceID]*StagePieces),
		lent: make(map[*byte]func()),
	}
	t.sessions[conn], t.order = s, nil
	return s
}

// drop forgets a session; what was asked of it is asked elsewhere. Those beside it end
// with it.
func (t *transfers) drop(now time.Time, s *session) {
	if t.sessions[s.conn] != s {
		return
	}
	t.dropBeside(now, s)
	t.flush(s)
	delete(t.sessions, s.conn)
	t.order = nil
	for _, req := range slices.Sorted(maps.Keys(s.requests)) {
		t.requeue(s.requests[req], s.peer, false)
	}
	if r := t.routes[s.peer]; r != nil && t.openTo(s.peer) == nil {
		r.dialAt = now.Add(r.backoff)
		if s.peer.Compare(t.self) < 0 {
			r.dialAt = r.dialAt.Add(otherSideWait)
		}
		r.backoff = min(2*r.backoff, redialMax)
	}
}

// advance dials what is due, lets the sessions act on their deadlines and gives
// out what waits to be fetched.
func (t *transfers) advance(now time.Time) {
	for _, device := range t.devices() {
		r := t.routes[device]
		t.lane(now, device)
		if t.stopping || t.connecting(device) || now.Before(r.dialAt) {
			continue
		}
		t.conns++
		t.at(t.add(now, t.conns, r.record, true), r.endpoint)
		t.dial = append(t.dial, zre.Dial{Conn: t.conns, Endpoint: r.endpoint, Key: r.record.Key})
	}
	for _, s := range t.sorted() {
		s.fm.Advance(now)
		t.closeRetired(now, s)
		t.settle(now, s)
	}
	t.pump(now)
}

func (t *transfers) deadline() (next time.Time) {
	next = t.pace.deadline()
	for device, r := range t.routes {
		if !t.connecting(device) {
			next = earliest(next, r.dialAt)
		}
		next = earliest(next, t.laneDeadline(device))
	}
	for _, s := range t.sessions {
		next = earliest(next, s.fm.Deadline())
	}
	return earliest(next, t.helpAt)
}

// settle takes what a session has to say to us: what came, and what did not. What
// it has to say to its peer is collected in drain.
func (t *transfers) settle(now time.Time, s *session) {
	out := s.fm.Output()
	if out.Opened {
		s.open, t.stirred = true, true
		if r := t.routes[s.peer]; r != nil && s.beside {
			r.lanes.opened = now
		} else if r != nil {
			r.backoff = redialMin
		}
	}
	for _, got := range out.Got {
		t.got(now, s, got)
	}
	for _, missing := range out.Missing {
		t.missing(now, s, missing)
	}
	if out.Fault {
		t.offences = append(t.offences, Offended{s.peer, OffenceTransfer})
	}
	t.serve(now, s, out.Reads)
	t.pace.sent(now, s, out.Send)
	t.send(s, out.Send)
	if out.Closed != "" {
		t.drop(now, s)
		t.hangup = append(t.hangup, s.conn)
	}
}

// send puts frames on their way. Frames of a session keep their order.
func (t *transfers) send(s *session, frames [][]byte) {
	if len(frames) == 0 {
		return
	}
	orders := NetOrders{Send: make([]zre.Send, len(frames))}
	for i, frame := range frames {
		orders.Send[i] = zre.Send{Conn: s.conn, Frames: [][]byte{frame}, Done: s.lent[&frame[0]]}
	}
	clear(s.lent)
	t.out = append(t.out, Effect{Address{Part: Transfer}, orders})
}

// serve passes a peer's reads on to the folders that they are about.
func (t *transfers) serve(now time.Time, s *session, reads []filemq.Read) {
	if len(reads) == 0 {
		return
	}
	bySpace := make(map[zsync.SpaceID][]ReadPart)
	for _, q := range reads {
		bySpace[q.Space] = append(bySpace[q.Space], ReadPart{
			Req: q.Req, Index: q.Index, Of: q.Of, Hash: q.Hash, Lists: q.Lists, Offset: int64(q.Offset), Size: q.Size,
		})
	}
	for _, space := range slices.SortedFunc(maps.Keys(bySpace), zsync.SpaceID.Compare) {
		r := t.routes[s.peer]
		if r != nil && r.spaces[space] {
			for part := range portions(bySpace[space]) {
				t.out = append(t.out, Effect{Address{Part: Folder, Space: space}, Serve{Session: s.conn, Peer: s.peer, Reads: part}})
			}
			continue
		}
		for _, q := range bySpace[space] {
			s.fm.Refused(now, q.Req, q.Index, filemq.CodeAbsent)
		}
	}
}

// supplied hands a folder's answer to the session that asked.
func (t *transfers) supplied(now time.Time, in Supply) {
	s := t.sessions[in.Session]
	if s == nil {
		return
	}
	for _, part := range in.Parts {
		switch {
		case part.Code != 0:
			s.fm.Refused(now, part.Req, part.Index, part.Code)
		case part.Frame == nil:
			s.fm.Supplied(now, part.Req, part.Index, part.Data)
		case s.fm.SuppliedInPlace(now, part.Req, part.Index, part.Frame):
			s.lent[&part.Frame[0]] = part.Done
		}
	}
	t.settle(now, s)
}

// sorted returns the sessions, ascending by conn. The slice is never changed: who
// goes through it may add and drop sessions.
func (t *transfers) sorted() []*session {
	if t.order == nil {
		t.order = slices.SortedFunc(maps.Values(t.sessions), func(a, b *session) int { return cmp.Compare(a.conn, b.conn) })
	}
	return t.order
}

func (t *transfers) stop(now time.Time) {
	t.stopping = true
	for _, s := range t.sorted() {
		s.fm.Close(now, "going away")
		t.settle(now, s)
	}
}

func sortedSpaces(set map[zsync.SpaceID]bool) []zsync.SpaceID {
	return slices.SortedFunc(maps.Keys(set), zsync.SpaceID.Compare)
}
