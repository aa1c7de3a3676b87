package replica

import "testing"

func TestWhatWasMovedIntoWhatIsIgnoredByWhoDidNotKnowIsWhereItWasAgain(t *testing.T) {
	a, b := pairOf(t, func(u user) { u.write("d/e/r.y", "one"); u.mkdir("e"); u.write("p", "two") })
	c := newBox(t, 'c')
	link(a, b, c)
	sync(a, b, c)
	b.user().rename("d/e/r.y", "e/r.y")
	b.user().rename("p", "e/p.y")
	b.scan() // which logs the moves, before it hears of the pattern
	a.ignore("e/*.y")
	scanAll(a, b, c)
	wantRest(a, b, c)
	for _, x := range []*box{a, b, c} {
		x.wantFile("d/e/r.y", "one")
		x.wantFile("p", "two")
	}
	a.wantNames("d d/e d/e/r.y e p")
	b.wantNames("d d/e d/e/r.y e e/p.y e/r.y p") // where its user put them, too
	c.wantNames("d d/e d/e/r.y e p")
	a.ignore("-e/*.y")
	scanAll(a, b, c)
	wantSame(a, b, c)
}

func TestAFileWhoseNameIsTakenIsNotMovedBackWithoutEnd(t *testing.T) {
	a, b := pairOf(t, func(u user) { u.write("p", "one") })
	a.ignore("*.x")
	a.ignore("!q.x")
	scanAll(a, b)
	a.user().write("q.x", "two")
	a.scan()
	b.user().rename("p", "q.x") // which is shown under a name that is ignored
	b.scan()
	scanAll(a, b)
	wantRest(a, b)
	if all := b.contents(); !all["one"] || !all["two"] {
		t.Fatalf("%s", b.tree())
	}
}

func TestAFileThatIsMovedOutOfWhatIsIgnoredArrivesThoughAConflictCopyOfItWasThereToo(t *testing.T) {
	a, b := pairOf(t, func(u user) { u.write("d/q", "one") })
	a.user().write("d/q", "of a")
	b.user().write("d/q", "of b")
	scanAll(a, b)
	wantSame(a, b)
	b.user().rename("d/q", "p")
	b.scan()
	a.ignore("d/")
	scanAll(a, b)
	wantRest(a, b)
	if a.synced() != b.synced() || a.synced() == "" {
		t.Fatal(trees([]*box{a, b}))
	}
}

func TestADirectoryThatWasMovedIntoWhatIsIgnoredIsWhereItWasAgain(t *testing.T) {
	a, b := pairOf(t, func(u user) { u.write("d/e/x", "one"); u.write("d/y", "two") })
	b.user().mkdir("archive")
	b.user().rename("d", "archive/d")
	b.scan()
	a.ignore("archive/")
	scanAll(a, b)
	wantRest(a, b)
	for _, x := range []*box{a, b} {
		x.wantFile("d/e/x", "one")
		x.wantFile("d/y", "two")
	}
	a.user().write("d/y", "three")
	scanAll(a, b)
	wantRest(a, b)
	b.wantFile("d/y", "three")
	b.wantFile("archive/d/y", "two")
}

func TestWhatWasEditedWhereItIsIgnoredComesFromThereWhenItIsMovedBack(t *testing.T) {
	a, b := pairOf(t, func(u user) { u.write("d/r", "one"); u.mkdir("e") })
	b.user().rename("d/r", "e/r")
	b.scan()
	b.user().write("e/r", "edited") // which no other device has
	b.scan()
	a.ignore("e/r")
	a.fetch = nil // as yet
	a.learn(b, -1)
	a.rest()
	b.learn(a, -1)
	b.rest()
	link(a, b)
	scanAll(a, b)
	wantRest(a, b)
	for _, x := range []*box{a, b} {
		x.wantFile("d/r", "edited")
	}
}
