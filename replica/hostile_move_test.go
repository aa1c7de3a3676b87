package replica

import (
	"crypto/sha256"
	"testing"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/eventlog"
)

// TestDirectoriesThatAHostileDeviceMovesIntoThemselvesStayOnEveryDisk is row 13 of
// the merge table with disks. The moves come with the highest stamps there are.
func TestDirectoriesThatAHostileDeviceMovesIntoThemselvesStayOnEveryDisk(t *testing.T) {
	const names = "d d/e d/e/g d/f q q/h"
	a, b := pairOf(t, func(u user) { u.write("d/f", "f"); u.write("d/e/g", "g"); u.write("q/h", "h") })
	hostile, late := newBox(t, 'x'), newBox(t, 'c')
	hostile.learn(a, -1)
	d, q := a.rep.tree.derivedID(zsync.NodeID{}, "d"), a.rep.tree.derivedID(zsync.NodeID{}, "q")
	e := a.rep.tree.derivedID(d, "e")
	hostile.asserts(
		move(d, d, "d").dir(), // into itself
		move(e, e, "e").dir(),
		move(d, e, "d").dir(), // and into what is in it
		move(q, q, "q").dir(),
		edit(q, q, "q").dir(), // an edit's hint is no place
	)
	link(a, b, late)
	for _, x := range []*box{a, b, late} {
		x.learn(hostile, -1)
		x.rest()
		x.wantNames(names)
	}
	sync(a, b, late)
	wantSame(a, b, late)

	// They are directories as before: they are renamed, filled and deleted.
	a.user().rename("d", "q/d")
	a.scan()
	sync(a, b, late)
	wantSame(a, b, late)
	late.wantNames("q q/d q/d/e q/d/e/g q/d/f q/h")
	late.user().write("q/d/e/new", "new")
	late.scan()
	b.user().remove("q/h")
	b.scan()
	sync(a, b, late)
	wantSame(a, b, late)
	a.wantNames("q q/d q/d/e q/d/e/g q/d/e/new q/d/f")
}

// asserts logs what no scan would: a device that says it is believed to be a member.
func (b *box) asserts(ops ...Op) {
	b.t.Helper()
	h := b.header()
	body := EncodeBody(Body(ops))
	if _, err := DecodeBody(body); err != nil {
		b.t.Fatalf("%v", err)
	}
	h.BodyHash = sha256.Sum256(body)
	b.keep(eventlog.Event{ID: eventID(h), Header: h, Author: zsync.DeviceID{b.letter, 0xde}, Body: body})
}
