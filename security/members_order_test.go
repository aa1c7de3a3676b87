package security

import (
	"encoding/binary"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/internal/kv"
)

// event is one event of a drawn history, and the places of the events that
// must have come before it.
type event struct {
	h      zsync.Header
	id     zsync.EventID
	author zsync.DeviceID
	body   []byte
	prev   int // -1: none
	after  []int
}

// cast is who may appear in a history: each device with two certificates.
type cast struct {
	devices []zsync.DeviceID
	certs   []Certificate
}

func newCast(t fataler) cast {
	var c cast
	for _, name := range []string{"laptop", "box", "phone", "tablet"} {
		keys := keysOf(t, name)
		c.devices = append(c.devices, keys.Device())
		c.certs = append(c.certs, keys.Certify(name, 1), keys.Certify("new "+name, 2))
	}
	return c
}

// history draws events of honest and of hostile devices: who names what as its
// membership frontier is left to chance, and so is whether it has any right.
func history(t *rapid.T, c cast) []event {
	events := []event{{
		h:      zsync.Header{Kind: zsync.KindGenesis, Seq: 1, Writer: zsync.WriterID{0}},
		id:     zsync.EventID{1},
		author: c.devices[0],
		prev:   -1,
	}}
	heads := map[zsync.WriterID]int{{0}: 0}
	for place := range rapid.IntRange(1, 24).Draw(t, "events") {
		place++
		who := rapid.IntRange(0, 2*len(c.devices)-1).Draw(t, "writer")
		if rapid.Bool().Draw(t, "founder") {
			who = 0 // else hardly anything has a right
		}
		writer := zsync.WriterID{byte(who)}
		e := event{author: c.devices[who%len(c.devices)], prev: -1}
		binary.BigEndian.PutUint16(e.id[:], uint16(place)+1<<8)
		if head, found := heads[writer]; found {
			e.prev, e.after = head, []int{head}
			e.h.Seq = events[head].h.Seq
		}
		heads[writer] = place
		e.h.Seq++
		e.h.Writer, e.h.Space = writer, zsync.SpaceID{9}
		for _, named := range rapid.SliceOfNDistinct(rapid.IntRange(0, place-1), 0, min(3, place), rapid.ID).Draw(t, "auth") {
			e.h.Auth = append(e.h.Auth, events[named].id)
			e.after = append(e.after, named)
		}
		e.after = append(e.after, rapid.IntRange(0, (place-1)/2).Draw(t, "dep"))
		e.h.Kind = zsync.KindFS
		if rapid.IntRange(0, 3).Draw(t, "kind") > 0 {
			e.h.Kind, e.body = zsync.KindMember, memberBody(t, c)
		}
		events = append(events, e)
	}
	return events
}

func memberBody(t *rapid.T, c cast) []byte {
	certs := rapid.SliceOfN(rapid.SampledFrom(c.certs), 1, 3).Draw(t, "added")
	body := AddBody(rapid.SampledFrom([]Right{RightAdmin, RightFull}).Draw(t, "right"), certs...)
	if rapid.IntRange(0, 7).Draw(t, "spoilt") == 0 {
		body = body[1:]
	}
	return body
}

// anyOrder draws an order in which every event comes after its past.
func anyOrder(t *rapid.T, events []event) []int {
	var order []int
	for len(order) < len(events) {
		var ready []int
		for i, e := range events {
			came := func(before int) bool { return slices.Contains(order, before) }
			if !came(i) && !slices.ContainsFunc(e.after, func(b int) bool { return !came(b) }) {
				ready = append(ready, i)
			}
		}
		order = append(order, rapid.SampledFrom(ready).Draw(t, "next"))
	}
	return order
}

// judged delivers events in an order, a few in each transaction, and returns the
// judgement of each and the state left.
func judged(t *rapid.T, events []event, order []int) (verdicts []bool, state []string) {
	store := kv.NewMemory()
	verdicts = make([]bool, len(events))
	for batch := range slices.Chunk(order, rapid.IntRange(1, 5).Draw(t, "batch")) {
		err := store.Update(func(tx kv.Tx) error {
			m := OpenMembers(tx)
			for _, i := range batch {
				e := events[i]
				verdicts[i] = m.Admit(tx, e.h, e.id, e.author, e.body)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return verdicts, dump(t, store, bucketMembers)
}

// defined returns the judgement of each event by the definition: from the whole
// history at once, whose events stand in a causal order, with no fold.
func defined(events []event) []bool {
	d := definition{events: events, admitted: make([]bool, len(events))}
	for place, e := range events {
		right := RightNone
		for _, p := range d.past(d.frontier(place)) {
			for _, a := range d.adds(p) {
				if a.Device == e.author && right != RightAdmin {
					right = a.Right
				}
			}
		}
		_, err := DecodeMemberBody(e.body)
		switch e.h.Kind {
		case zsync.KindGenesis:
			d.admitted[place] = true
		case zsync.KindMember:
			d.admitted[place] = right == RightAdmin && err == nil
		default:
			d.admitted[place] = right != RightNone
		}
	}
	return d.admitted
}

type definition struct {
	events   []event
	admitted []bool // of those before the one in hand
}

// adds returns whom an event adds: nobody, unless it is an admitted one about
// membership.
func (d definition) adds(place int) []Member {
	e := d.events[place]
	if e.h.Kind == zsync.KindGenesis {
		return []Member{{Device: e.author, Right: RightAdmin}}
	}
	if e.h.Kind != zsync.KindMember || !d.admitted[place] {
		return nil
	}
	added, _ := DecodeMemberBody(e.body)
	return added
}

func (d definition) frontier(place int) (frontier []int) {
	e := d.events[place]
	for _, id := range e.h.Auth {
		frontier = append(frontier, slices.IndexFunc(d.events, func(o event) bool { return o.id == id }))
	}
	switch {
	case len(frontier) > 0 || e.prev < 0:
		return frontier
	case d.adds(e.prev) != nil:
		return []int{e.prev}
	}
	return d.frontier(e.prev)
}

// past closes a frontier over the admitted membership events.
func (d definition) past(frontier []int) (past []int) {
	for next := frontier; len(next) > 0; next = next[1:] {
		if p := next[0]; d.adds(p) != nil && !slices.Contains(past, p) {
			past = append(past, p)
			next = slices.Concat(next, d.frontier(p))
		}
	}
	return past
}

// F1: what is admitted, and who is a member in the end, is the same for every
// order in which a space's events can arrive, and is what the rule says.
func TestJudgementIsTheSameForEveryOrderOfArrival(t *testing.T) {
	c := newCast(t)
	rapid.Check(t, func(t *rapid.T) {
		events := history(t, c)
		verdicts, state := judged(t, events, anyOrder(t, events))
		again, other := judged(t, events, anyOrder(t, events))
		if !slices.Equal(verdicts, again) {
			t.Fatalf("judged %v and %v", verdicts, again)
		}
		if !slices.Equal(state, other) {
			t.Fatalf("left %v and %v", state, other)
		}
		if want := defined(events); !slices.Equal(verdicts, want) {
			t.Fatalf("judged %v, defined %v", verdicts, want)
		}
	})
}
