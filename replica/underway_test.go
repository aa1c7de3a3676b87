package replica

import (
	"errors"
	"fmt"
	"testing"

	"github.com/zsync/zsync/internal/kv"
	"github.com/zsync/zsync/store"
)

// orders has a box learn what change does at another, and plan it, up to the order for
// the batch, which is held back.
func (b *box) orders(a *box, change func(u user)) (batch job) {
	b.t.Helper()
	ordered := b.rep.underWay.ordered
	b.hears(a, change)
	for turns := 0; b.rep.underWay.ordered == ordered; turns++ {
		if turns > 100 {
			b.t.Fatalf("no batch is ordered\n%s", b.state())
		}
		if !b.run() {
			b.pass(b.rep.Deadline())
		}
	}
	last := len(b.jobs) - 1
	batch, b.jobs = b.jobs[last], b.jobs[:last]
	return batch
}

func (b *box) hears(a *box, change func(u user)) {
	b.t.Helper()
	change(a.user())
	a.scan()
	b.learn(a, -1)
}

// ordersNothing makes sure that no batch is ordered when a box learns what change does
// at another, nor some time later.
func (b *box) ordersNothing(a *box, change func(u user)) {
	b.t.Helper()
	ordered := b.rep.underWay.ordered
	b.hears(a, change)
	for range 20 {
		for b.run() {
		}
		b.pass(b.now.Add(batchWait / 4))
	}
	if b.rep.underWay.ordered != ordered {
		b.t.Fatalf("a batch is ordered\n%s", b.state())
	}
}

// own counts the events that a box has logged itself.
func (b *box) own() (n int) {
	for i := range b.log {
		if b.log[i].Header.Writer[0] == b.letter {
			n++
		}
	}
	return n
}

func writes(path string) func(u user) {
	return func(u user) { u.write(path, "of "+path) }
}

// twoUnderWay are two orders of which none is carried out yet.
func twoUnderWay(t *testing.T) (a, b *box, batches []job) {
	t.Helper()
	a, b = pairOf(t, func(u user) { u.write("dir/base", "base") })
	batches = []job{
		b.orders(a, func(u user) { u.write("1", "one"); u.write("new/1", "one in a new directory") }),
		b.orders(a, func(u user) { u.write("dir/2", "two"); u.write("other/2", "two in a new directory") }),
	}
	if n := len(b.rep.underWay.batches); n != 2 {
		t.Fatalf("%d batches are under way\n%s", n, b.state())
	}
	return a, b, batches
}

func TestNewFilesAreOrderedWhileOthersAreUnderWayAndMayBeDoneFirst(t *testing.T) {
	for _, first := range []int{0, 1} {
		a, b, batches := twoUnderWay(t)
		n := len(b.log)
		b.jobs = append(b.jobs, batches[first], batches[1-first])
		sync(a, b)
		b.wantOps(n)
		wantSame(a, b)
	}
}

func TestNoMoreThanTwoBatchesAreUnderWay(t *testing.T) {
	a, b, batches := twoUnderWay(t)
	b.ordersNothing(a, writes("third"))
	b.jobs = append(b.jobs, batches...)
	sync(a, b)
	wantSame(a, b)
}

// intended counts the changes that a crash would find under way.
func (b *box) intended() (n int) {
	_ = b.db.View(func(tx kv.Tx) error {
		n = len(intents(tx))
		return nil
	})
	return n
}

// What is done of two batches when the power goes: neither, the first, the second, both;
// and both, where the outcome of the first, or of the second, is D by then.
func TestACrashWithTwoBatchesUnderWayEndsBoth(t *testing.T) {
	for _, c := range []struct{ done, heard []int }{
		{}, {done: []int{0}}, {done: []int{1}}, {done: []int{0, 1}}, {done: []int{1}, heard: []int{0}}, {done: []int{0}, heard: []int{1}},
	} {
		a, b, batches := twoUnderWay(t)
		for _, i := range c.heard {
			b.jobs = append(b.jobs, batches[i])
			b.run()
		}
		for _, i := range c.done {
			batches[i].do()
		}
		if n := b.intended(); n != 6-3*len(c.heard) {
			t.Fatalf("%v: %d changes are intended", c, n)
		}
		n := len(b.log)
		b.die()
		if names := b.names(); names != "1 dir dir/2 dir/base new new/1 other other/2" || b.intended() != 0 {
			t.Fatalf("%v: after the start there is %s and %d are intended", c, names, b.intended())
		}
		sync(a, b)
		b.wantOps(n)
		wantSame(a, b)
	}
}

func TestABatchThatFailedIsDoneAgainWhenTheOneBesideItIsEnded(t *testing.T) {
	failure := errors.New("input/output error")
	for _, c := range []struct {
		failing []int
		waits   bool // the other's outcome comes when the failed one could be done again
	}{{failing: []int{0}}, {failing: []int{1}}, {failing: []int{0}, waits: true}, {failing: []int{0, 1}}, {failing: []int{1, 0}}} {
		a, b := pairOf(t, func(u user) { u.write("base", "base") })
		batches := []job{b.orders(a, writes("1")), b.orders(a, writes("2"))}
		b.onApply = func(store.Change) error { return failure }
		for _, i := range c.failing {
			b.jobs = append(b.jobs, batches[i])
			b.run()
		}
		b.onApply = nil
		if c.waits {
			b.ordersNothing(a, func(u user) {})
		}
		if len(c.failing) == 1 {
			b.jobs = append(b.jobs, batches[1-c.failing[0]])
			b.run()
		}
		if n := b.intended(); n != len(c.failing) {
			t.Fatalf("%+v: %d changes are intended", c, n)
		}
		n := len(b.log)
		sync(a, b)
		b.wantOps(n)
		if b.intended() != 0 {
			t.Fatalf("%d changes are intended in the end", b.intended())
		}
		wantSame(a, b)
	}
}

func TestWhatRestsOnABatchUnderWayWaitsForIt(t *testing.T) {
	for _, c := range []struct {
		what          string
		first, second func(u user)
	}{
		{"a file in a new directory", func(u user) { u.mkdir("new") }, writes("new/file")},
		{"the same bytes", func(u user) { u.write("1", "same") }, func(u user) { u.write("2", "same") }},
		{"a rename", writes("1"), func(u user) { u.rename("base", "renamed") }},
		{"a deletion", writes("1"), func(u user) { u.remove("base") }},
		{"an edit", writes("1"), writes("base")},
		{"an edit of what is new", writes("1"), func(u user) { u.write("1", "edited") }},
		{"a new file after a rename", func(u user) { u.rename("base", "renamed") }, writes("base")},
		{"a new file after a deletion", func(u user) { u.remove("base") }, writes("other")},
		{"a rename of what is new", writes("1"), func(u user) { u.rename("1", "2") }},
	} {
		t.Run(c.what, func(t *testing.T) {
			a, b := pairOf(t, func(u user) { u.write("base", "base") })
			first := b.orders(a, c.first)
			b.ordersNothing(a, c.second)
			n := len(b.log)
			b.jobs = append(b.jobs, first)
			sync(a, b)
			b.wantOps(n)
			wantSame(a, b)
		})
	}
}

func TestWhatIsToHaveTheNameOfWhatABatchUnderWayMakesWaitsForIt(t *testing.T) {
	a, b := pairOf(t, func(u user) { u.write("base", "base") })
	first := b.orders(a, writes("1"))
	b.ordersNothing(a, func(u user) { u.rename("1", "2") })
	b.ordersNothing(a, func(u user) { u.write("1", "another") })
	b.jobs = append(b.jobs, first)
	sync(a, b)
	wantSame(a, b)
	b.wantFile("1", "another")
	b.wantFile("2", "of 1")
}

// step takes one step and returns the order for a batch that came of it, which is held
// back.
func (b *box) step(step func()) (held []job) {
	ordered := b.rep.underWay.ordered
	if step(); b.rep.underWay.ordered > ordered {
		last := len(b.jobs) - 1
		held, b.jobs = b.jobs[last:], b.jobs[:last]
	}
	return held
}

// follow has batches that make new files follow one another without a gap, but for one
// that the Replica leaves, until what is begun meanwhile has happened.
func (b *box) follow(a *box, begin func(), happened func() bool) {
	b.t.Helper()
	held := []job{b.orders(a, writes("0"))}
	began, most, idle := b.now, 1, 0
	begin()
	for i := 1; !happened(); i++ {
		if b.now.Sub(began) > 3*gapPatience {
			b.t.Fatalf("it does not happen\n%s", b.state())
		}
		before := b.rep.underWay.ordered
		held = append(held, b.step(func() { b.hears(a, writes(fmt.Sprint(i))) })...)
		held = append(held, b.step(func() { b.pass(b.now.Add(gapPatience / 10)) })...)
		for len(b.jobs) > 0 {
			held = append(held, b.step(func() { b.run() })...)
		}
		most = max(most, len(held))
		if idle++; b.rep.underWay.ordered > before {
			idle = 0
		}
		if len(held) == 2 || len(held) > 0 && idle > 5 {
			b.jobs, held = append(b.jobs, held[0]), held[1:]
			held = append(held, b.step(func() { b.run() })...)
		}
	}
	if most < 2 {
		b.t.Fatalf("no batches followed one another")
	}
	b.jobs = append(b.jobs, held...)
	sync(a, b)
	wantSame(a, b)
}

func TestBatchesThatFollowOneAnotherLetDirectoriesBeReadAfterASecond(t *testing.T) {
	a, b := pairOf(t, func(u user) { u.write("base", "base") })
	b.follow(a, func() {
		b.user().write("mine", "written meanwhile")
		b.rep.Hinted(b.now, nil, true)
	}, func() bool { return b.own() > 0 })
}

func TestBatchesThatFollowOneAnotherLetOtherChangesBeMadeAfterASecond(t *testing.T) {
	for what, change := range map[string]func(u user){
		"an edit":    func(u user) { u.write("base", "edited") },
		"a deletion": func(u user) { u.remove("base") },
		"a rename":   func(u user) { u.rename("base", "renamed") },
	} {
		t.Run(what, func(t *testing.T) {
			a, b := pairOf(t, func(u user) { u.write("base", "base") })
			was := b.disk.User().Stat("base")
			b.follow(a, func() { b.hears(a, change) }, func() bool { return b.disk.User().Stat("base") != was })
		})
	}
}
