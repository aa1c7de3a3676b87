package device

import (
	"slices"
	"time"

	"github.com/zsync/zsync/eventlog"
	"github.com/zsync/zsync/filemq"
)

// source is a device that is here, and a session with it, nil when none is open.
type source struct {
	route   *route
	session *session
}

func (t *transfers) sources() (all []source) {
	for _, device := range t.devices() {
		open := t.lanesOf(device)
		for _, s := range open {
			s.most = t.routes[device].lanes.owes(s, len(open))
			all = append(all, source{t.routes[device], s})
		}
		if open == nil {
			all = append(all, source{route: t.routes[device]})
		}
	}
	return all
}

// had notes the events of which a device was known to lack nothing.
func (t *transfers) had(in Had) {
	if r := t.routes[in.Device]; r != nil && r.spaces[in.Space] {
		r.had[in.Space] = in.Heads
		t.stirred = true
	}
}

// has reports whether a device is known to have what a batch is of: it wrote it, or
// has told that it lacked nothing of a later log.
func (in source) has(b *batch) bool {
	return in.route.record.Device == b.from || slices.ContainsFunc(in.route.had[b.space], func(h eventlog.Head) bool {
		return h.Writer == b.stamp.Writer && h.Seq >= b.stamp.Seq
	})
}

// mayHave reports whether it is of any use to ask a device for a batch.
func (in source) mayHave(b *batch) bool {
	return in.route.spaces[b.space] && !slices.Contains(b.tried, in.route.record.Device)
}

// pump gives what is queued to sessions that have room, the urgent first. It has
// nothing to do unless something was answered, or something has changed in the queue
// or in who is here.
func (t *transfers) pump(now time.Time) {
	if !t.stirred && !t.room() && (t.helpAt.IsZero() || now.Before(t.helpAt)) {
		return
	}
	t.stirred = false
	from := t.sources()
	for prio := range t.queue {
		var kept []*batch
		for i, b := range t.queue[prio] {
			if !hasRoom(from, uint8(prio)) {
				kept = append(kept, t.queue[prio][i:]...)
				break
			}
			if t.give(now, b, from); len(b.items) > 0 {
				kept = append(kept, b)
			}
		}
		t.queue[prio] = kept
	}
	t.help(now, from)
	for _, s := range t.sorted() { // those that are not in use, too: they look done else
		s.offered, s.full = s.debt.owed, s.isFull()
	}
}

// room reports whether a session has given so much since all that is queued was
// offered to it that it is worth while to offer it again, or takes requests again.
func (t *transfers) room() bool {
	for _, s := range t.sessions {
		if !s.open {
			continue
		}
		if owed := s.debt.owed; owed < s.offered && (owed == 0 || s.offered-owed >= s.step()/2) || s.full && !s.isFull() {
			return true
		}
	}
	return false
}

// isFull reports whether a session takes no request that is not urgent. What was taken
// back fills it, too, until the peer has answered, though nothing is owed for it.
func (s *session) isFull() bool { return s.fm.RoomFor(filemq.PriorityLowest) == 0 }

// hasRoom reports whether there is any use in offering anything. While no session is
// open there is: what everybody was asked for goes back.
func hasRoom(from []source, prio uint8) bool {
	open := false
	for _, in := range from {
		if in.session != nil && in.session.hasRoom(prio) {
			return true
		}
		open = open || in.session != nil
	}
	return !open
}

func (s *session) hasRoom(prio uint8) bool {
	return s.fm.RoomFor(prio) > 0 && (prio == prioUrgent || s.debt.owed == 0 || s.room(true)+owedUrgent > 0)
}

// give hands as much of a batch as there is room for to the devices that may
// have it. What every linked device was asked for goes back to the folder.
func (t *transfers) give(now time.Time, b *batch, from []source) {
	for len(b.items) > 0 {
		s, n, hopeless := b.choose(now, from)
		if hopeless {
			t.out = append(t.out, Effect{Address{Part: Folder, Space: b.space}, Unfetched{b.items}})
			b.items = nil
		}
		if s == nil || !t.request(now, s, b.first(n)) {
			return
		}
		b.items = b.items[n:]
	}
}

// choose returns the session to ask, and for how many of the items: of those that are
// known to have them, or else of all, the one that will have given them first, and of
// equals the author's. Who is slow is asked all the same, but owes little. hopeless:
// devices are linked, and each has been asked.
func (b *batch) choose(now time.Time, from []source) (best *session, n int, hopeless bool) {
	able, hopeless := b.able(now, from)
	var soonest time.Duration
	for _, in := range able {
		fits := in.session.fits(b, len(able) == 1)
		if fits == 0 {
			continue
		}
		eta := in.session.debt.eta(now, weigh(b.items[:fits]))
		if best == nil || eta < soonest || eta == soonest && in.route.record.Device == b.from {
			best, n, soonest = in.session, fits, eta
		}
	}
	return best, n, hopeless
}

// able returns who may be asked for a batch: those that are known to have it, while they
// answer, or else all.
func (b *batch) able(now time.Time, from []source) (able []source, hopeless bool) {
	linked, untried, sure := 0, 0, 0
	for _, in := range from {
		if in.route.spaces[b.space] {
			linked++
		}
		if !in.mayHave(b) {
			continue
		}
		untried++
		if in.session == nil {
			continue
		}
		if in.has(b) && !in.session.isSilent(now) {
			able = slices.Insert(able, sure, in)
			sure++
		} else {
			able = append(able, in)
		}
	}
	if sure > 0 {
		able = able[:sure]
	}
	return able, linked > 0 && untried == 0
}

// fits returns how many of a batch's items a session may be asked for now: a step's
// worth, or where it is alone in having them all that there is room for. What is urgent
// does not wait until it owes less.
func (s *session) fits(b *batch, alone bool) (n int) {
	free, count := s.room(alone), stepItems
	if b.prio <= prioSmall {
		free += owedUrgent
	}
	step, needed := s.step(), s.debt.owed == 0 || b.prio == prioUrgent
	if needed {
		free = max(free, step)
	}
	most := min(free, step)
	if alone {
		most, count = free, filemq.RequestItemsMax
	}
	count = min(count, len(b.items), s.fm.RoomFor(b.prio))
	weight := int64(0)
	for n < count && weight < most {
		weight += b.items[n].weight()
		n++
	}
	if n < count && weight < step/2 && !needed {
		return 0 // so little is not worth a request: more can be asked for in a moment
	}
	return n
}

// first returns a batch like b of its first n items.
func (b *batch) first(n int) *batch {
	first := *b
	first.items, first.left = slices.Clone(b.items[:n]), n
	return &first
}

// request asks a session for a batch, for which there is room.
func (t *transfers) request(now time.Time, s *session, b *batch) bool {
	q := filemq.Request{Space: b.space, Of: b.of, Lists: b.items[0].Lists, Prio: b.prio, Items: make([]filemq.Item, len(b.items))}
	for i, item := range b.items {
		q.Items[i] = filemq.Item{Hash: item.Hash, Offset: uint64(item.Offset), Size: item.Size}
	}
	req, ok := s.fm.Request(now, q)
	if ok {
		b.req = req
		s.requests[req] = b
		if s.debt.owed == 0 {
			s.came = 0
		}
		s.debt.asked(now, weigh(b.items))
	}
	return ok
}
