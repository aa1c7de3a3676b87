package device

import (
	"cmp"
	"crypto/sha256"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/filemq"
	"github.com/zsync/zsync/security"
	"github.com/zsync/zsync/store"
	"github.com/zsync/zsync/zre"
)

const (
	// otherSideWait is how long the higher device id leaves the dialling of the
	// transfer link to the lower one.
	otherSideWait = 2 * time.Second
	redialMin     = 500 * time.Millisecond
	redialMax     = 30 * time.Second
	// sessionsPerKeyMax bounds what one peer may open.
	sessionsPerKeyMax = 4
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
	queue    [8][]*batch // by priority
	dial     []zre.Dial
	hangup   []zre.Conn
	out      []Effect
	stopping bool
	stirred  bool // the queue or who is here has changed since the last pump

	receiving receiving
}

// route is a device that is here now and how to reach its transfer link.
type route struct {
	record   security.Record
	endpoint string
	spaces   map[zsync.SpaceID]bool // where its machine and ours are linked
	dialAt   time.Time
	backoff  time.Duration
}

// session is one connection of the transfer link.
type session struct {
	conn     zre.Conn
	peer     zsync.DeviceID
	key      zsync.Key
	dialled  bool
	open     bool
	fm       *filemq.Session
	requests map[uint32]*batch
	pieces   map[zsync.SpaceID]*StagePieces // received in this turn
}

// batch is items of one content, or of many small ones, that are asked for
// together. An item with a zero Hash has been settled.
type batch struct {
	space zsync.SpaceID
	from  zsync.DeviceID
	prio  uint8
	total int64
	items []Item
	of    zsync.Digest
	tried []zsync.DeviceID
	left  int // items not settled
}

func newTransfers(self zsync.DeviceID) *transfers {
	return &transfers{
		self: self, conns: firstTransferConn,
		sessions: make(map[zre.Conn]*session), routes: make(map[zsync.DeviceID]*route),
	}
}

// entered notes a trusted device that is here, with its transfer link.
func (t *transfers) entered(now time.Time, record security.Record, host string, port int) {
	endpoint := "tcp://" + host + ":" + strconv.Itoa(port)
	if r := t.routes[record.Device]; r != nil {
		r.endpoint, r.record = endpoint, record
		return
	}
	r := &route{record: record, endpoint: endpoint, spaces: make(map[zsync.SpaceID]bool), dialAt: now, backoff: redialMin}
	if record.Device.Compare(t.self) < 0 {
		r.dialAt = now.Add(otherSideWait)
	}
	t.routes[record.Device] = r
}

// exited notes that the device of a key is gone, and closes its sessions.
func (t *transfers) exited(now time.Time, key zsync.Key) {
	t.stirred = true
	for _, s := range t.sorted() {
		if s.key == key {
			t.drop(now, s)
			t.hangup = append(t.hangup, s.conn)
		}
	}
	for device, r := range t.routes {
		if r.record.Key == key {
			delete(t.routes, device)
		}
	}
}

// linked notes that a device and a folder here are linked, or no longer.
func (t *transfers) linked(device zsync.DeviceID, space zsync.SpaceID, on bool) {
	t.stirred = true
	if r := t.routes[device]; r != nil && on {
		r.spaces[space] = true
	} else if r != nil {
		delete(r.spaces, space)
	}
}

// quit forgets a space: what it asked for and who has it.
func (t *transfers) quit(space zsync.SpaceID) {
	t.stirred = true
	for _, r := range t.routes {
		delete(r.spaces, space)
	}
	for prio := range t.queue {
		t.queue[prio] = slices.DeleteFunc(t.queue[prio], func(b *batch) bool { return b.space == space })
	}
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
	case NetOpened:
	}
}

// receiving is the frame whose items are being taken. Its memory can be given
// back once all of them are on the disk, unless a list node in it went elsewhere.
type receiving struct {
	release func()
	space   zsync.SpaceID
	staged  int
	shared  bool
}

// received leaves it to the worker that writes the frame's items to give its
// memory back.
func (t *transfers) received(s *session) {
	r := t.receiving
	t.receiving = receiving{}
	if job := s.pieces[r.space]; job != nil && r.release != nil && r.staged > 0 && !r.shared {
		job.Release = append(job.Release, r.release)
	}
}

// accept makes a session for a device that dialled us and greets. Whatever else
// comes on a connection without one was sent to a session that is over.
func (t *transfers) accept(now time.Time, fact NetFact, trust *security.Trust) *session {
	record, known := trust.ByKey(fact.Key)
	if !known || len(fact.Frames) != 1 || !filemq.Opens(fact.Frames[0]) || record.State != security.Paired && record.State != security.InCircle {
		return nil
	}
	count := 0
	for _, s := range t.sessions {
		if s.key == fact.Key {
			count++
		}
	}
	if count >= sessionsPerKeyMax {
		return nil
	}
	return t.add(now, fact.Conn, record, false)
}

func (t *transfers) add(now time.Time, conn zre.Conn, record security.Record, dialled bool) *session {
	s := &session{
		conn: conn, peer: record.Device, key: record.Key, dialled: dialled,
		fm:       filemq.NewSession(now, filemq.Config{}, dialled),
		requests: make(map[uint32]*batch), pieces: make(map[zsync.SpaceID]*StagePieces),
	}
	t.sessions[conn] = s
	return s
}

// drop forgets a session; what was asked of it is asked elsewhere.
func (t *transfers) drop(now time.Time, s *session) {
	t.flush(s)
	delete(t.sessions, s.conn)
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

// openTo returns the session in use with a device: of two, the one that the
// lower device id dialled.
func (t *transfers) openTo(device zsync.DeviceID) *session {
	var best *session
	for _, s := range t.sorted() {
		lowerDialled := s.dialled == (t.self.Compare(device) < 0)
		if s.peer == device && s.open && (best == nil || lowerDialled) {
			best = s
		}
	}
	return best
}

func (t *transfers) connecting(device zsync.DeviceID) bool {
	for _, s := range t.sessions {
		if s.peer == device {
			return true
		}
	}
	return false
}

// advance dials what is due, lets the sessions act on their deadlines and gives
// out what waits to be fetched.
func (t *transfers) advance(now time.Time) {
	for _, device := range t.devices() {
		r := t.routes[device]
		if t.stopping || t.connecting(device) || now.Before(r.dialAt) {
			continue
		}
		t.conns++
		t.add(now, t.conns, r.record, true)
		t.dial = append(t.dial, zre.Dial{Conn: t.conns, Endpoint: r.endpoint, Key: r.record.Key})
	}
	for _, s := range t.sorted() {
		s.fm.Advance(now)
		t.settle(now, s)
	}
	t.pump(now)
}

func (t *transfers) deadline() (next time.Time) {
	for device, r := range t.routes {
		if !t.connecting(device) {
			next = earliest(next, r.dialAt)
		}
	}
	for _, s := range t.sessions {
		next = earliest(next, s.fm.Deadline())
	}
	return next
}

// settle takes what a session has to say to us: what came, and what did not. What
// it has to say to its peer is collected in drain.
func (t *transfers) settle(now time.Time, s *session) {
	out := s.fm.Output()
	if out.Opened {
		s.open = true
		if r := t.routes[s.peer]; r != nil {
			r.backoff = redialMin
		}
	}
	for _, got := range out.Got {
		t.got(now, s, got)
	}
	for _, missing := range out.Missing {
		t.missing(s, missing)
	}
	t.serve(now, s, out.Reads)
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
		orders.Send[i] = zre.Send{Conn: s.conn, Frames: [][]byte{frame}}
	}
	t.out = append(t.out, Effect{Address{Part: Transfer}, orders})
}

// serve passes a peer's reads on to the folders that they are about.
func (t *transfers) serve(now time.Time, s *session, reads []filemq.Read) {
	bySpace := make(map[zsync.SpaceID][]ReadPart)
	for _, q := range reads {
		bySpace[q.Space] = append(bySpace[q.Space], ReadPart{
			Req: q.Req, Index: q.Index, Of: q.Of, Hash: q.Hash, Lists: q.Lists, Offset: int64(q.Offset), Size: q.Size,
		})
	}
	for _, space := range slices.SortedFunc(maps.Keys(bySpace), zsync.SpaceID.Compare) {
		r := t.routes[s.peer]
		if r != nil && r.spaces[space] {
			t.out = append(t.out, Effect{Address{Part: Folder, Space: space}, Serve{Session: s.conn, Peer: s.peer, Reads: bySpace[space]}})
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
		if part.Code != 0 {
			s.fm.Refused(now, part.Req, part.Index, part.Code)
		} else {
			s.fm.Supplied(now, part.Req, part.Index, part.Data)
		}
	}
	t.settle(now, s)
}

// got takes one item that came. List nodes are checked here and go to the folder;
// bytes go to the disk workers, who check them as they write.
func (t *transfers) got(now time.Time, s *session, got filemq.Got) {
	b, item := s.take(got.Req, got.Index)
	if b == nil {
		s.fm.Disposed(now, got.Cost)
		return
	}
	if !item.Lists {
		t.receiving.shared = t.receiving.shared || t.receiving.staged > 0 && t.receiving.space != b.space
		t.receiving.space = b.space
		t.receiving.staged++
		s.stage(b, item, got)
		return
	}
	t.receiving.shared = true
	s.fm.Disposed(now, got.Cost)
	if sha256.Sum256(got.Data) != item.Hash {
		s.fm.BadItem(now)
		t.requeue(b.with(item), s.peer, true)
		return
	}
	t.out = append(t.out, Effect{Address{Part: Folder, Space: b.space}, GotNodes{
		Of: item.Of, Nodes: []store.ListNode{{Hash: item.Hash, Data: got.Data}},
	}})
}

// stage adds an item to what goes to the disk at the end of the turn.
func (s *session) stage(b *batch, item Item, got filemq.Got) {
	job := s.pieces[b.space]
	if job == nil {
		job = &StagePieces{Session: s.conn, Peer: s.peer}
		s.pieces[b.space] = job
	}
	piece := store.Piece{Content: item.Of, Size: b.total, Hash: item.Hash, Offset: item.Offset, Data: got.Data}
	if item.Of.IsZero() {
		piece.Content, piece.Size = item.Hash, int64(item.Size)
	}
	job.Pieces = append(job.Pieces, piece)
	job.Cost += got.Cost
}

// missing takes an item that the peer has not, or not now.
func (t *transfers) missing(s *session, m filemq.Missing) {
	b, item := s.take(m.Req, m.Index)
	if b != nil && m.Code != filemq.CodeCancelled {
		t.requeue(b.with(item), s.peer, m.Code < filemq.CodeStalled && m.Code != filemq.CodeQueueFull)
	}
}

// disposed returns credit for data that is on the disk or was dropped.
func (t *transfers) disposed(now time.Time, in Disposed) {
	if s := t.sessions[in.Session]; s != nil {
		s.fm.Disposed(now, in.Cost)
		for range in.Bad {
			s.fm.BadItem(now)
		}
		t.settle(now, s)
	}
	for _, item := range in.Lost {
		t.requeue(&batch{space: in.Space, prio: prioNormal, total: in.Total, of: item.Of, items: []Item{item}}, in.Peer, !in.Peer.IsZero())
	}
}

// take settles one item of a request and returns it with its batch.
func (s *session) take(req uint32, index uint16) (*batch, Item) {
	b := s.requests[req]
	if b == nil || int(index) >= len(b.items) {
		return nil, Item{}
	}
	item := b.items[index]
	if item.Hash.IsZero() {
		return nil, Item{}
	}
	b.items[index] = Item{}
	if b.left--; b.left == 0 {
		delete(s.requests, req)
	}
	return b, item
}

// with returns a batch like b of one item.
func (b *batch) with(item Item) *batch {
	one := *b
	one.items = []Item{item}
	return &one
}

func (t *transfers) sorted() []*session {
	return slices.SortedFunc(maps.Values(t.sessions), func(a, b *session) int { return cmp.Compare(a.conn, b.conn) })
}

func (t *transfers) devices() []zsync.DeviceID {
	return slices.SortedFunc(maps.Keys(t.routes), zsync.DeviceID.Compare)
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
