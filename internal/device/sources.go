package device

import (
	"maps"
	"slices"
	"time"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/filemq"
)

// fetch queues items that a folder wants.
func (t *transfers) fetch(in Fetch) {
	prio := min(in.Prio, uint8(len(t.queue)-1))
	t.stirred = true
	for of, items := range byContent(in.Items) {
		t.queue[prio] = append(t.queue[prio], &batch{
			space: in.Space, from: in.From, stamp: in.Stamp, prio: prio, total: in.Total, items: items, of: of,
		})
	}
}

// unfetch takes back what was asked of some contents, from the queue and from the
// peers: what a peer has yet to answer would be asked of another one when it does not.
func (t *transfers) unfetch(now time.Time, in Unfetch) {
	contents := make(map[zsync.Digest]bool, len(in.Contents))
	for _, content := range in.Contents {
		contents[content] = true
	}
	t.forgo(now, in.Space, func(i Item) bool { return contents[i.content()] })
}

// takeBack takes back all that was asked of a space: its machine begins anew, and asks
// for what it wants by itself.
func (t *transfers) takeBack(now time.Time, space zsync.SpaceID) {
	t.forgo(now, space, func(Item) bool { return true })
	for _, s := range t.sorted() {
		s.fm.Lost(now, space) // what it reads for others, too
	}
}

func (t *transfers) forgo(now time.Time, space zsync.SpaceID, unwanted func(Item) bool) {
	for prio := range t.queue {
		for _, b := range t.queue[prio] {
			if b.space == space {
				b.items = slices.DeleteFunc(b.items, unwanted)
			}
		}
		t.queue[prio] = slices.DeleteFunc(t.queue[prio], func(b *batch) bool { return len(b.items) == 0 })
	}
	for _, s := range t.sorted() {
		for _, req := range slices.Sorted(maps.Keys(s.requests)) {
			if s.requests[req].space == space {
				s.forgo(now, req, unwanted)
			}
		}
	}
}

// forgo settles items of a request that nobody waits for any more. Where none is left
// the peer hears of it.
func (s *session) forgo(now time.Time, req uint32, unwanted func(Item) bool) {
	b := s.requests[req]
	for i, item := range b.items {
		if !item.Hash.IsZero() && unwanted(item) {
			s.take(req, uint16(i))
		}
	}
	if b.left == 0 {
		s.fm.Cancel(now, req)
	}
}

// requeue puts what is left of a batch back at the head of its queue; with tried,
// for others than the device that had it. What another device was asked for as well is
// left to that one.
func (t *transfers) requeue(b *batch, peer zsync.DeviceID, tried bool) {
	left := &batch{space: b.space, from: b.from, stamp: b.stamp, prio: b.prio, total: b.total, of: b.of, tried: b.tried}
	_, twin := t.twin(b)
	for _, item := range b.items {
		if !item.Hash.IsZero() && !twin.holds(item) {
			left.items = append(left.items, item)
		}
	}
	if twin != nil && tried {
		twin.tried = append(slices.Clone(twin.tried), peer)
	}
	if len(left.items) == 0 {
		return
	}
	t.stirred = true
	if tried {
		left.tried = append(slices.Clone(b.tried), peer)
	}
	if head := t.queue[b.prio]; len(head) > 0 && head[0].joins(left) {
		head[0].items = append(head[0].items, left.items...)
		return
	}
	t.queue[b.prio] = slices.Insert(t.queue[b.prio], 0, left)
}

// joins reports whether two batches differ in their items alone.
func (b *batch) joins(o *batch) bool {
	return b.space == o.space && b.from == o.from && b.stamp == o.stamp && b.total == o.total && b.of == o.of &&
		slices.Equal(b.tried, o.tried) && len(b.items) < filemq.RequestItemsMax
}

// byContent groups items by the content that they are pieces of, keeping their
// order; whole contents are one group.
func byContent(items []Item) func(yield func(zsync.Digest, []Item) bool) {
	return func(yield func(zsync.Digest, []Item) bool) {
		for len(items) > 0 {
			n := 1
			for n < len(items) && items[n].Of == items[0].Of && items[n].Lists == items[0].Lists {
				n++
			}
			if !yield(items[0].Of, slices.Clone(items[:n])) {
				return
			}
			items = items[n:]
		}
	}
}

// content returns the content that an item is, or is a piece of.
func (i Item) content() zsync.Digest {
	if i.Of.IsZero() {
		return i.Hash
	}
	return i.Of
}

// drain moves orders and effects of this turn into the link's.
func (t *transfers) drain(now time.Time, l *LinkMachine) {
	t.pump(now)
	t.shareOut(now)
	for _, s := range t.sorted() {
		t.settle(now, s)
		t.flush(s)
	}
	if len(t.dial)+len(t.hangup) > 0 {
		l.emit(Address{Part: Transfer}, NetOrders{Dial: t.dial})
	}
	l.out = append(l.out, t.out...)
	if len(t.hangup) > 0 {
		l.emit(Address{Part: Transfer}, NetOrders{Hangup: t.hangup})
	}
	for _, offended := range t.offences {
		l.offences.note(now, offended)
	}
	t.dial, t.hangup, t.out, t.offences = nil, nil, nil, nil
}

// flush hands what a session received in this turn to the disk workers.
func (t *transfers) flush(s *session) {
	if len(s.pieces) == 0 {
		return
	}
	for _, space := range sortedSpaces(spacesOf(s.pieces)) {
		t.out = append(t.out, Effect{Address{Part: Disk, Space: space}, *s.pieces[space]})
	}
	clear(s.pieces)
}

func spacesOf(pieces map[zsync.SpaceID]*StagePieces) map[zsync.SpaceID]bool {
	set := make(map[zsync.SpaceID]bool, len(pieces))
	for space := range pieces {
		set[space] = true
	}
	return set
}
