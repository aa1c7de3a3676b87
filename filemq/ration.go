package filemq

import (
	"maps"
	"slices"
	"time"

	"github.com/zsync/zsync"
)

// A rationed session does by itself all but what takes of something that several
// sessions share: it orders no read, and gives no credit back. Who runs it does
// that with the methods below, in the turns and at the rate that it finds right.
// What was said to the peer already is kept to: credit is never taken back.

// Next returns the cost in credit of the next item that can be read for the peer;
// 0: there is none, or the peer has to give credit first.
func (s *Session) Next() (cost int64) {
	r := s.provider.queue.next()
	if r == nil {
		return 0
	}
	if cost = costOf(int(r.Items[r.next].Size)); cost > s.provider.purse.left {
		return 0
	}
	return cost
}

// Order orders the read of the item that [Session.Next] told of: it is in the next
// Output. There must be one, or it panics.
func (s *Session) Order() {
	if s.Next() == 0 {
		panic("filemq: ordered a read of nothing")
	}
	s.orderRead(s.provider.queue.next())
}

// Reserved returns the cost of the items that are being read for the peer, or wait
// with others to be sent.
func (s *Session) Reserved() (cost int64) { return s.provider.purse.reserved }

// Reading returns how many reads have not been answered.
func (s *Session) Reading() int { return s.provider.reading }

// Lost refuses the reads under way of a space, whose answers may not come: the peer
// may ask again.
func (s *Session) Lost(now time.Time, space zsync.SpaceID) {
	for _, number := range slices.Sorted(maps.Keys(s.provider.requests)) {
		r := s.provider.requests[number]
		for index := range r.slots {
			if r.Space == space && r.slots[index].stage == reading {
				s.Refused(now, number, uint16(index), CodeQueueFull)
			}
		}
	}
}

// Asking reports whether the peer has yet to answer something.
func (s *Session) Asking() bool { return s.fetcher.waiting > 0 }

// Owed returns how much credit can be given to the peer: nothing before a quarter
// of the window is free.
func (s *Session) Owed() (credit int64) {
	if s.state != open {
		return 0
	}
	return s.fetcher.window.owed()
}

// Grant gives credit to the peer: 1 to what is Owed, or it panics.
func (s *Session) Grant(now time.Time, credit int64) {
	if credit <= 0 || credit > s.Owed() {
		panic("filemq: granted credit that is not owed")
	}
	s.send(now, s.fetcher.window.grant(credit))
	s.fetcher.stalledAt = now.Add(stalledAfter)
}
