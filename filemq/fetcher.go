package filemq

import (
	"fmt"
	"maps"
	"slices"
	"time"
)

// fetcher is the half of a session that asks.
type fetcher struct {
	window    window
	requests  map[uint32]*request // by number; until every item is answered
	last      uint32              // number of the newest
	waiting   int                 // items that the peer has not answered
	stalledAt time.Time           // when the lack of answers becomes a stall
	stalls    int                 // in a row
}

// request is a Request that the peer has not answered in full. A cancelled one
// has been answered to the caller, but the peer's answers are still to come.
type request struct {
	Request
	number    uint32
	answered  []bool // by index
	left      int    // not answered
	cancelled bool
}

func newFetcher(windowBytes int64) fetcher {
	return fetcher{window: window{size: windowBytes}, requests: make(map[uint32]*request)}
}

// Room returns how many items may be asked for now; 0 while the session is not
// open.
func (s *Session) Room() int {
	f := &s.fetcher
	if s.state != open || len(f.requests) == RequestsMax || f.last == everyReq-1 {
		return 0
	}
	return s.agreed.queueMax - f.waiting
}

// RoomFor returns [Session.Room] for a request of that priority. What is not urgent
// leaves some, so that what is can be asked for at any time.
func (s *Session) RoomFor(prio uint8) int {
	room := s.Room()
	if prio <= priorityUrgent {
		return room
	}
	if len(s.fetcher.requests) >= RequestsMax-requestsKept {
		return 0
	}
	return max(0, room-itemsKept)
}

// MaySend reports whether the peer has credit for any item: if it sends none, that is
// its own doing, or the line's.
func (s *Session) MaySend() bool { return s.fetcher.window.outstanding() >= itemCostMax }

// Request asks the peer for q.Items and returns the number that the answers will
// carry. It is refused (ok false) when there is no [Session.Room] for all of
// them. A request that [Request] rules out is a bug of the caller: it panics.
func (s *Session) Request(now time.Time, q Request) (req uint32, ok bool) {
	q.check()
	if len(q.Items) > s.Room() {
		return 0, false
	}
	s.wake(now)
	f := &s.fetcher
	if f.waiting == 0 {
		f.stalledAt = now.Add(stalledAfter)
	}
	f.last++
	f.waiting += len(q.Items)
	f.requests[f.last] = &request{Request: q, number: f.last, answered: make([]bool, len(q.Items)), left: len(q.Items)}
	s.send(now, Gimme{
		Req: f.last, Prio: q.Prio, Compress: s.agreed.compress,
		Lists: q.Lists, Space: q.Space, Of: q.Of, Items: q.Items,
	})
	return f.last, true
}

// Cancel gives up a request: what was not answered is Missing at once. One that
// is not open is no fault: it may just have been answered.
func (s *Session) Cancel(now time.Time, req uint32) {
	if r := s.fetcher.requests[req]; r != nil && !r.cancelled {
		s.cancel(r, CodeCancelled)
		s.send(now, Nvm{Req: req})
	}
}

// Bump gives a request another priority. One that is not open is no fault.
func (s *Session) Bump(now time.Time, req uint32, prio uint8) {
	if prio > PriorityLowest {
		panic(fmt.Sprintf("filemq: priority %d", prio))
	}
	if r := s.fetcher.requests[req]; r != nil && !r.cancelled && r.Prio != prio {
		r.Prio = prio
		s.send(now, Bump{Req: req, Prio: prio})
	}
}

// Disposed gives back the credit of received items that have been stored or
// dropped: the Cost of their Got. Giving back more than came is a bug of the
// caller: it panics.
func (s *Session) Disposed(now time.Time, cost int64) {
	if s.state == open {
		s.fetcher.window.dispose(cost)
		s.proceed(now)
	}
}

// BadItem says that an item's data did not have its digest. The third bad item
// closes the session: the peer's disk or memory cannot be relied on.
func (s *Session) BadItem(now time.Time) {
	if s.state != open {
		return
	}
	s.counters.BadItems++
	if err := s.trusted(); err != nil {
		s.fail(now, err)
	}
}

func (s *Session) trusted() error {
	if s.counters.BadItems >= badItemsMax {
		return errBadItems
	}
	return nil
}

// delivered takes a BUKKIT: nothing of one that exceeds the credit.
func (s *Session) delivered(now time.Time, c Bukkit) error {
	var cost int64
	for _, item := range c.Items {
		if item.Compressed && !s.agreed.compress {
			return errCompressed
		}
		cost += s.fetcher.costOf(c.Req, item)
	}
	if !s.fetcher.window.receive(cost) {
		return fmt.Errorf("%w: %d of %d", errOverdrawn, cost, s.fetcher.window.outstanding())
	}
	s.fetcher.stalls = 0
	for _, item := range c.Items {
		r, err := s.answered(now, c.Req, item.Index)
		if err != nil {
			return err
		}
		s.take(r, item)
	}
	return s.trusted()
}

// costOf returns what an item costs that came in answer to a request.
func (f *fetcher) costOf(req uint32, item BukkitItem) int64 {
	if r := f.requests[req]; r != nil && int(item.Index) < len(r.Items) {
		return r.costOf(item)
	}
	return costOf(len(item.Data))
}

func (r *request) costOf(item BukkitItem) int64 {
	return costOf(max(len(item.Data), int(r.Items[item.Index].Size)))
}

// take hands an item on, unless nobody wants it any more or it is not what was
// asked for: then its credit goes back at once.
func (s *Session) take(r *request, item BukkitItem) {
	cost := r.costOf(item)
	if r.cancelled {
		s.fetcher.window.dispose(cost)
		return
	}
	wanted := r.wanted(item.Index)
	data, ok := s.zip.unpack(item, int(wanted.Item.Size))
	if !ok {
		s.fetcher.window.dispose(cost)
		s.counters.BadItems++
		s.out.Missing = append(s.out.Missing, Missing{Wanted: wanted, Code: CodeBad})
		return
	}
	s.counters.ReceivedItems++
	s.counters.ReceivedBytes += uint64(len(item.Data))
	s.out.Got = append(s.out.Got, Got{Wanted: wanted, Data: data, Cost: cost})
}

// denied takes a NOEZ.
func (s *Session) denied(now time.Time, c Noez) error {
	for _, item := range c.Items {
		r, err := s.answered(now, c.Req, item.Index)
		if err != nil {
			return err
		}
		if !r.cancelled {
			s.out.Missing = append(s.out.Missing, Missing{Wanted: r.wanted(item.Index), Code: item.Code})
		}
	}
	return nil
}

// answered settles one item of a request. Each is answered once.
func (s *Session) answered(now time.Time, req uint32, index uint16) (*request, error) {
	f := &s.fetcher
	r := f.requests[req]
	if r == nil || int(index) >= len(r.answered) || r.answered[index] {
		return nil, fmt.Errorf("%w: request %d, item %d", errAnswer, req, index)
	}
	r.answered[index] = true
	r.left--
	f.waiting--
	f.stalledAt = now.Add(stalledAfter)
	if r.left == 0 {
		delete(f.requests, req)
	}
	return r, nil
}

// stalled is reached when nothing was answered for a minute. While the peer has
// too little credit that is this end's own doing, or its disk's.
func (s *Session) stalled(now time.Time) {
	f := &s.fetcher
	f.stalledAt = now.Add(stalledAfter)
	if !s.MaySend() {
		return
	}
	f.stalls++
	if f.stalls == stallsMax {
		s.fail(now, errStalled)
		return
	}
	s.cancelAll(CodeStalled)
	s.send(now, Nvm{Req: everyReq})
}

func (s *Session) cancelAll(code Code) {
	for _, number := range slices.Sorted(maps.Keys(s.fetcher.requests)) {
		s.cancel(s.fetcher.requests[number], code)
	}
}

// cancel answers to the caller what the peer has not answered.
func (s *Session) cancel(r *request, code Code) {
	if r.cancelled {
		return
	}
	r.cancelled = true
	for index, answered := range r.answered {
		if !answered {
			s.out.Missing = append(s.out.Missing, Missing{Wanted: r.wanted(uint16(index)), Code: code})
		}
	}
}

func (q *Request) check() {
	if len(q.Items) == 0 || len(q.Items) > RequestItemsMax || q.Prio > PriorityLowest || q.Lists && q.Of.IsZero() {
		panic(fmt.Sprintf("filemq: impossible request of %d items at priority %d", len(q.Items), q.Prio))
	}
}

func (r *request) wanted(index uint16) Wanted {
	return Wanted{
		Req: r.number, Index: index,
		Space: r.Space, Of: r.Of, Lists: r.Lists, Item: r.Items[index],
	}
}
