package replica

import "testing"

// A device that has not fetched what others made must not take it for deleted by
// its user, whatever else it has to log.
func TestWhatWasNeverOnTheDiskIsNotDeleted(t *testing.T) {
	a, b := pairOf(t, func(u user) { u.write("old", "of both") })
	a.user().write("x", "of a")
	a.user().write("d/y", "of a too")
	a.scan()
	b.fetch = nil
	b.learn(a, -1)
	b.rest()
	b.wantNames("d old")
	n := len(b.log)
	b.user().write("z", "of b")
	b.user().remove("old")
	b.scan()
	b.wantOps(n, OpPut, OpDel)
	b.reopen()
	b.rest()
	b.wantOps(n, OpPut, OpDel)
	link(a, b)
	b.reopen() // asks for the contents again
	sync(a, b)
	wantSame(a, b)
	b.wantNames("d d/y x z")
}
