package device

import (
	"maps"
	"slices"
	"time"

	"github.com/zsync/zsync/filemq"
	"github.com/zsync/zsync/zre"
)

// At the end of a transfer, when nothing is queued any more, the devices that are done
// help those that are not: what a slow one owes still is asked of a fast one, too. The
// first answer counts, and whoever has not answered by then hears that it need not.

const (
	// helpAfter is what a device must need at least for what it owes, and helpGain how
	// many times as long as the other would, for that to be worth while: what is on
	// its way already comes twice.
	helpAfter = 500 * time.Millisecond
	helpGain  = 2
	// helpSilent is how long a device may answer nothing before others, even some of
	// which nobody knows whether they have it, are asked.
	helpSilent = 2 * time.Second
	// helpEvery is the time between two looks while one waits for another.
	helpEvery = 250 * time.Millisecond
)

// twin names the request by which another device was asked for items of a batch.
type twin struct {
	conn zre.Conn
	req  uint32
}

// twin returns the batch that shares items with b, nil if there is none.
func (t *transfers) twin(b *batch) (*session, *batch) {
	s := t.sessions[b.twin.conn]
	if s == nil {
		return nil, nil
	}
	return s, s.requests[b.twin.req]
}

// holds reports whether a batch, which may be nil, waits for an item.
func (b *batch) holds(item Item) bool { return b != nil && slices.Contains(b.items, item) }

// help has each session that has room, though everything was offered to it, asked for
// some of what another owes.
func (t *transfers) help(now time.Time, from []source) {
	t.helpAt = time.Time{}
	for _, helper := range from {
		if helper.session == nil || helper.session.spare() == 0 {
			continue
		}
		for _, slow := range from {
			if slow.session != nil && slow.route != helper.route && slow.session.debt.owed > 0 {
				t.relieve(now, helper, slow)
			}
		}
	}
}

// relieve asks helper for what slow was asked for last, and for more as long as it has
// room and will be the first to have it. Where it will not be, that is looked at again;
// while slow lacks credit, too, since that is our own disk's doing.
func (t *transfers) relieve(now time.Time, helper, slow source) {
	behind := slow.session.debt.owed // and before what is looked at
	if !slow.session.fm.MaySend() {
		slow.session.debt.excuse(now)
		t.helpAt = now.Add(helpEvery)
		return
	}
	silent := slow.session.isSilent(now)
	for _, req := range slices.Backward(slices.Sorted(maps.Keys(slow.session.requests))) {
		b := slow.session.requests[req]
		if _, twin := t.twin(b); twin != nil || !helper.mayHave(b) {
			continue
		}
		t.helpAt = now.Add(helpEvery)
		if !silent && !helper.has(b) {
			continue
		}
		part := b.last(helper.session)
		weight := weigh(part.items)
		if len(part.items) == 0 || !silent && !isSooner(helper.session.debt.eta(now, weight), slow.session.debt.eta(now, behind-slow.session.debt.owed)) {
			return
		}
		part.twin = twin{slow.session.conn, req}
		if !t.request(now, helper.session, part) {
			return
		}
		b.twin = twin{helper.session.conn, part.req}
		behind -= weight
	}
}

func isSooner(eta, late time.Duration) bool { return late >= helpAfter && late >= helpGain*eta }

// isSilent reports whether a device has not answered for a while, though it could.
func (s *session) isSilent(now time.Time) bool {
	return s.debt.owed > 0 && s.fm.MaySend() && now.Sub(s.debt.heard) >= helpSilent
}

// spare returns how much a helper may be asked for at a time.
func (s *session) spare() int64 {
	switch step := s.step(); {
	case s.fm.RoomFor(filemq.PriorityLowest) == 0:
		return 0
	case s.debt.owed > 0 && s.room(false) < step:
		return 0
	default:
		return step
	}
}

// last returns a batch of the last items of b that are still to come, as many as fit a
// session in one step.
func (b *batch) last(s *session) *batch {
	part := *b
	part.items = nil
	free, count := s.spare(), stepItems
	if free == 0 {
		return &part
	}
	count = min(count, s.fm.RoomFor(filemq.PriorityLowest))
	for _, item := range slices.Backward(b.items) {
		if item.Hash.IsZero() {
			continue
		}
		if free -= item.weight(); len(part.items) == count || free < 0 && len(part.items) > 0 {
			break
		}
		part.items = append(part.items, item)
	}
	slices.Reverse(part.items)
	part.left = len(part.items)
	return &part
}

// settleTwin takes an item that has come from one device off what another was asked
// for, too. Where nothing is left, that one hears of it.
func (t *transfers) settleTwin(now time.Time, b *batch, item Item) {
	s, other := t.twin(b)
	at := -1
	if other != nil {
		at = slices.Index(other.items, item)
	}
	if at < 0 {
		return
	}
	if s.take(b.twin.req, uint16(at)); other.left == 0 {
		s.fm.Cancel(now, b.twin.req)
	}
}
