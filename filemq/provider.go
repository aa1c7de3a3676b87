package filemq

import (
	"fmt"
	"maps"
	"slices"
	"time"
)

// provider is the half of a session that serves.
type provider struct {
	purse    purse
	line     line
	requests map[uint32]*serving // by number; until every item is answered
	queue    queue               // those with items left to read
	queueMax int
	last     uint32 // highest number that the peer has used
	items    int    // accepted and not answered
	reading  int    // of these, reads that have not returned
	excess   int    // items over queueMax since the peer last kept to it
}

// serving is a request of the peer.
type serving struct {
	Gimme
	slots     []slot  // by index
	next      int     // the first item that is not yet being read
	left      int     // items to be answered
	filling   *bundle // takes the next small items
	cancelled bool    // only reads that have not returned are to be answered
}

// slot is what became of one item.
type slot struct {
	stage  stage
	bundle *bundle // from reading on
}

type stage uint8

const (
	queued  stage = iota
	reading       // credit is reserved, a Read is out
	held          // in the bundle, as data or as refused
	refused       // answered at once
)

func (t slot) answered() bool { return t.stage == refused || t.stage == held && t.bundle.sent }

func newProvider(windowMax int64, queueMax int) provider {
	return provider{
		purse:    purse{limit: windowMax},
		requests: make(map[uint32]*serving),
		queueMax: queueMax,
	}
}

// asked takes a GIMME.
func (s *Session) asked(now time.Time, c Gimme) error {
	p := &s.provider
	if c.Req <= p.last || c.Req == everyReq {
		return fmt.Errorf("%w: %d after %d", errRequest, c.Req, p.last)
	}
	s.wake(now)
	p.last = c.Req
	r := &serving{Gimme: c, slots: make([]slot, len(c.Items))}
	if denied := p.accept(r); len(denied) > 0 {
		s.send(now, Noez{Req: c.Req, Items: denied})
	}
	if p.excess > p.queueMax {
		return fmt.Errorf("%w: %d beside %d", errQueue, p.excess, p.items)
	}
	return nil
}

// accept queues what can be queued of r and returns the rest.
func (p *provider) accept(r *serving) (denied []NoezItem) {
	room := p.queueMax - p.items
	if len(p.requests) == RequestsMax {
		room = 0
	}
	full := 0
	for index, item := range r.Items {
		code := CodeSize
		switch {
		case item.Size == 0 || item.Size > ItemBytesMax:
		case r.left < room:
			r.left++
			continue
		default:
			code = CodeQueueFull
			full++
		}
		r.slots[index].stage = refused
		denied = append(denied, NoezItem{Index: uint16(index), Code: code})
	}
	p.excess += full
	if full == 0 {
		p.excess = 0
	}
	if r.left > 0 {
		p.enter(r)
	}
	return denied
}

func (p *provider) enter(r *serving) {
	p.requests[r.Req] = r
	p.items += r.left
	r.skipRefused()
	p.queue.push(r)
}

// earned takes a NOM, by which the line is measured.
func (s *Session) earned(now time.Time, c Nom) error {
	if err := s.provider.purse.earn(c); err != nil {
		return err
	}
	if s.provider.line.earned(now, int64(c.Credit)) && s.agreed.compress {
		s.send(now, Hugz{})
	}
	return nil
}

// orderReads reserves credit for items in the order of the queue and orders
// their reads. When the next one has to wait for credit, so do all others: a
// smaller item that overtook it would starve it.
func (s *Session) orderReads() {
	for s.Next() > 0 {
		s.orderRead(s.provider.queue.next())
	}
}

// orderRead orders the read of a request's next item, for which there is credit.
func (s *Session) orderRead(r *serving) {
	p := &s.provider
	item := &r.Items[r.next]
	if !p.purse.reserve(costOf(int(item.Size))) {
		panic("filemq: ordered a read without credit")
	}
	s.out.Reads = append(s.out.Reads, Read{
		Req: r.Req, Index: uint16(r.next), Space: r.Space, Of: r.Of,
		Hash: item.Hash, Lists: r.Lists, Offset: item.Offset, Size: item.Size,
	})
	r.plan(int(item.Size))
	p.reading++
	p.queue.picked()
	if r.next == len(r.slots) {
		p.queue.remove(r)
		p.line.idle = p.line.idle || p.queue.next() == nil
	}
}

// plan moves the next item to reading and gives it a place in a bundle: a large
// one in its own.
func (r *serving) plan(size int) {
	b := r.filling
	if size > bundledBytesMax || !b.takes(size) {
		b = &bundle{}
	}
	if size <= bundledBytesMax {
		r.filling = b
	}
	b.plan(size)
	r.slots[r.next] = slot{stage: reading, bundle: b}
	r.next++
	r.skipRefused()
}

func (r *serving) skipRefused() {
	for r.next < len(r.slots) && r.slots[r.next].stage == refused {
		r.next++
	}
}

// Supplied answers a Read with the item's data, which is copied: the caller may
// use the slice again. Data of another size than was asked for means that the
// file changed. An answer to what is not being read is ignored.
func (s *Session) Supplied(now time.Time, req uint32, index uint16, data []byte) {
	s.supplied(now, req, index, data, nil)
}

// Headroom is how many octets the frame of an item that travels alone has before the
// item's data: see [Session.SuppliedInPlace].
const Headroom = bukkitHeadBytes + bukkitItemBytes

// Alone reports whether an item of size octets travels in a frame of its own.
func Alone(size int) bool { return size > bundledBytesMax }

// SuppliedInPlace is [Session.Supplied] with data that lies Headroom octets into frame.
// Where the item travels alone, and as it is, the frame itself is sent, and reported
// to be: then it belongs to whoever takes it from [Output]. Else the data was copied.
func (s *Session) SuppliedInPlace(now time.Time, req uint32, index uint16, frame []byte) (sent bool) {
	return s.supplied(now, req, index, frame[Headroom:], frame)
}

func (s *Session) supplied(now time.Time, req uint32, index uint16, data, frame []byte) (inPlace bool) {
	r := s.provider.returned(req, index)
	switch {
	case r == nil:
	case r.cancelled:
		s.refuse(now, r, index, CodeCancelled)
	case len(data) != int(r.Items[index].Size):
		s.refuse(now, r, index, CodeChanged)
	default:
		inPlace = s.pack(now, r, index, data, frame)
	}
	s.proceed(now)
	return inPlace
}

// Refused answers a Read with the reason why there is no data. An answer to what
// is not being read is ignored; a code that cannot travel is a bug of the caller:
// it panics.
func (s *Session) Refused(now time.Time, req uint32, index uint16, code Code) {
	if code == 0 || code >= CodeBad {
		panic(fmt.Sprintf("filemq: code %d does not travel", code))
	}
	if r := s.provider.returned(req, index); r != nil {
		s.refuse(now, r, index, code)
	}
	s.proceed(now)
}

// returned ends a read; nil: there is none.
func (p *provider) returned(req uint32, index uint16) *serving {
	r := p.requests[req]
	if r == nil || int(index) >= len(r.slots) || r.slots[index].stage != reading {
		return nil
	}
	r.slots[index].stage = held
	r.slots[index].bundle.pending--
	p.reading--
	return r
}

func (s *Session) refuse(now time.Time, r *serving, index uint16, code Code) {
	s.provider.purse.release(costOf(int(r.Items[index].Size)))
	b := r.slots[index].bundle
	b.refused = append(b.refused, NoezItem{Index: index, Code: code})
	s.sendComplete(now, r, b)
}

func (s *Session) pack(now time.Time, r *serving, index uint16, data, frame []byte) (inPlace bool) {
	item := BukkitItem{Index: index, Data: data}
	if r.Compress && s.agreed.compress && s.provider.line.slow {
		item.Data, item.Compressed = s.zip.pack(r.Of, data)
	}
	b := r.slots[index].bundle
	if inPlace = frame != nil && b.planned == 1 && !item.Compressed; inPlace {
		b.putInPlace(r.Req, item, frame)
	} else {
		b.put(r.Req, item, len(data))
	}
	s.sendComplete(now, r, b)
	return inPlace
}

// sendComplete sends b once all its reads are back.
func (s *Session) sendComplete(now time.Time, r *serving, b *bundle) {
	if b.pending > 0 {
		return
	}
	if b.count > 0 {
		s.sendFrame(now, b.sealed())
		s.provider.purse.spend(b.cost)
		s.provider.line.carried(now, b.cost, b.octets)
		s.counters.SentItems += uint64(b.count)
		s.counters.SentBytes += uint64(b.octets)
	}
	if len(b.refused) > 0 {
		s.send(now, Noez{Req: r.Req, Items: b.refused})
	}
	b.sent, b.frame = true, nil
	s.provider.answered(r, b.planned)
}

func (p *provider) answered(r *serving, items int) {
	p.items -= items
	r.left -= items
	if r.left == 0 {
		delete(p.requests, r.Req)
	}
}

// withdrawn takes an NVM. A request that is not open may just have been answered.
func (s *Session) withdrawn(now time.Time, c Nvm) {
	numbers := []uint32{c.Req}
	if c.Req == everyReq {
		numbers = slices.Sorted(maps.Keys(s.provider.requests))
	}
	for _, number := range numbers {
		r := s.provider.requests[number]
		if r == nil || r.cancelled {
			continue
		}
		if dropped := s.provider.cancel(r); len(dropped) > 0 {
			s.send(now, Noez{Req: number, Items: dropped})
		}
	}
}

// cancel gives up what of r was not sent, and returns it. Reads that are under
// way take memory, so they keep their credit and their place in the count until
// they return, and are answered then.
func (p *provider) cancel(r *serving) (dropped []NoezItem) {
	p.queue.remove(r)
	r.cancelled = true
	late := &bundle{}
	for index := range r.slots {
		slot := &r.slots[index]
		switch {
		case slot.answered():
			continue
		case slot.stage == reading:
			late.plan(0)
			slot.bundle = late
			continue
		case slot.stage == held:
			p.purse.release(slot.bundle.cost)
			slot.bundle.cost = 0
		}
		slot.stage = refused
		dropped = append(dropped, NoezItem{Index: uint16(index), Code: CodeCancelled})
	}
	p.answered(r, len(dropped))
	return dropped
}

// bump takes a BUMP. A request that is not waiting may just have been answered.
func (p *provider) bump(c Bump) {
	r := p.requests[c.Req]
	if r == nil || r.cancelled || r.next == len(r.slots) || r.Prio == c.Prio {
		return
	}
	p.queue.remove(r)
	r.Prio = c.Prio
	p.queue.push(r)
}
