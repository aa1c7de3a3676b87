package replica

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/eventlog"
	"github.com/zsync/zsync/internal/kv"
)

// runOnly does the jobs that pick names, as long as there are any.
func (b *box) runOnly(pick func(j job) bool) {
	b.t.Helper()
	for {
		i := slices.IndexFunc(b.jobs, pick)
		if i < 0 {
			return
		}
		j := b.jobs[i]
		b.jobs = slices.Delete(b.jobs, i, i+1)
		fact, ready := j.do()
		if !ready {
			b.t.Fatalf("%c: a job is not ready", b.letter)
		}
		b.fact(fact)
	}
}

func (b *box) outstanding(kind string, live bool) (n int) {
	for _, j := range b.jobs {
		if j.kind == kind && j.live == live {
			n++
		}
	}
	return n
}

func isLive(j job) bool { return j.live }

// indexing returns a box that is in the middle of finding more files than may wait to
// be hashed, none of which is hashed yet.
func indexing(t *testing.T) *box {
	b := newBox(t, 'a')
	b.user().write("camera/old.jpg", "old")
	b.scan()
	for i := range 8 {
		b.user().mkdir(fmt.Sprint("films ", i))
	}
	b.scan()
	for i := range backlogMax + 4*hashesMax {
		b.user().write(fmt.Sprintf("films %d/%d", i%8, i), fmt.Sprint("film ", i))
	}
	b.rep.Hinted(b.now, nil, true)
	b.pass(b.now)
	b.runOnly(func(j job) bool { return j.kind == "list" })
	if n := b.outstanding("hash", false); n < hashesMax/16 || b.rep.scan.lane(false).backlog.count < backlogMax {
		t.Fatalf("%d orders to hash\n%s", n, b.state())
	}
	b.hashes = 0
	return b
}

func TestAPhotoIsHashedAndLoggedBeforeAllThatAScanFound(t *testing.T) {
	a := indexing(t)
	events := len(a.log)
	a.user().write("camera/2026/new.jpg", "new")
	a.rep.Hinted(a.now, []zsync.Path{"camera"}, false)
	for range 5 {
		a.pass(a.now.Add(settleFirst))
		a.runOnly(isLive)
	}
	if a.hashes != 1 {
		t.Errorf("%d files were hashed first", a.hashes)
	}
	if n := len(a.log) - events; n != 1 {
		t.Fatalf("%d events are logged\n%s", n, a.state())
	}
	a.wantOps(events, OpPut, OpPut) // the directory and the photo, and nothing else
	a.rest()
	if s := a.status(); !s.Idle || s.Files != 2+backlogMax+4*hashesMax {
		t.Errorf("in the end it is %+v", s)
	}
}

func TestADirectoryThatWaitsToBeReadIsReadFirstOnceAPersonIsAtWorkInIt(t *testing.T) {
	b := newBox(t, 'a')
	for i := range 2 * listsMax {
		b.user().mkdir(fmt.Sprintf("%03d", i))
	}
	b.scan()
	b.rep.Hinted(b.now, nil, true)
	b.pass(b.now)
	b.run() // the root; the others are ordered, or wait
	last := zsync.Path(fmt.Sprintf("%03d", 2*listsMax-1))
	b.user().write(string(last)+"/photo", "photo")
	b.rep.Hinted(b.now, []zsync.Path{last}, false)
	b.pass(b.now.Add(settleFirst))
	if n := b.outstanding("list", true); n != 1 {
		t.Fatalf("%d directories are read first\n%s", n, b.state())
	}
	b.rest()
	b.wantFile(string(last)+"/photo", "photo")
}

// drowned returns two boxes, the second of which has asked for all that it may and has
// got nothing yet of the many files of the first.
func drowned(t *testing.T) (a, b *box) {
	a, b = newBox(t, 'a'), newBox(t, 'b')
	a.user().write("camera/old.jpg", "old")
	a.scan()
	for i := range WantsMax + 100 {
		a.user().write(fmt.Sprint("films/", i), fmt.Sprint("film ", i))
	}
	a.scan()
	b.scan()
	b.learn(a, -1)
	b.workOff()
	if n := len(b.asked()); n != WantsMax {
		t.Fatalf("%d contents are asked for", n)
	}
	return a, b
}

// gets has a box get, at once, some of the contents that it has asked for.
func (b *box) gets(a *box, pick func(j job) bool) {
	b.t.Helper()
	b.fetch = a.serve
	var facts []func(tx kv.Tx)
	b.jobs = slices.DeleteFunc(b.jobs, func(j job) bool {
		if j.kind != "want" || !pick(j) {
			return false
		}
		fact, ready := j.do()
		if !ready {
			b.t.Fatalf("%c: nobody has it", b.letter)
		}
		facts = append(facts, fact)
		return true
	})
	b.fetch = nil
	b.fact(func(tx kv.Tx) {
		for _, fact := range facts {
			fact(tx)
		}
	})
}

// settles has two boxes get all that they lack.
func settles(a, b *box) {
	a.t.Helper()
	link(a, b)
	sync(a, b)
	wantSame(a, b)
}

func TestAPhotoIsAskedForAndPlacedThoughAllThatMayBeAskedForIsOnItsWay(t *testing.T) {
	a, b := drowned(t)
	a.user().write("camera/new.jpg", "new")
	a.scan()
	b.learn(a, -1)
	if n := b.outstanding("want", true); n != 1 {
		t.Fatalf("%d contents are asked for before the others\n%s", n, b.state())
	}
	few := 100
	b.gets(a, func(j job) bool { few--; return !j.live && few >= 0 })
	b.workOff()
	if b.rep.batch.sealed() || len(b.rep.batch.steps) == 0 {
		t.Fatalf("no batch is being filled\n%s", b.state())
	}
	b.gets(a, isLive)
	b.workOff() // no time passes
	b.runOnly(isLive)
	b.wantFile("camera/new.jpg", "new")
	if n := len(b.asked()); n < WantsMax-100 {
		t.Errorf("%d contents are asked for", n)
	}
	settles(a, b)
}

func TestAPhotoThatComesWhileABatchIsCarriedOutIsInTheNextOne(t *testing.T) {
	a, b := drowned(t)
	b.gets(a, func(job) bool { return true })
	b.workOff()
	b.runOnly(func(j job) bool { return j.kind == "flush" })
	if b.outstanding("apply", false) == 0 {
		t.Fatalf("no batch is under way\n%s", b.state())
	}
	a.user().write("camera/new.jpg", "new")
	a.scan()
	b.learn(a, -1)
	b.gets(a, isLive)
	if ready := b.rep.plan.ready; len(ready) > 0 && !b.rep.contents.urgentFor(ready[0]) && !b.rep.batch.urgent {
		t.Errorf("%d others are planned before it\n%s", len(ready), b.state())
	}
	for ordered := b.rep.underWay.ordered; b.rep.underWay.ordered == ordered; {
		if !b.run() {
			b.pass(b.rep.Deadline())
		}
	}
	batch := b.rep.underWay.batches[len(b.rep.underWay.batches)-1]
	if !batch.urgent {
		t.Errorf("the next batch is without it\n%s", b.state())
	}
	settles(a, b)
}

func TestADirectoryThatAPersonIsAtWorkInIsReadSoonThoughBatchesFollowOneAnother(t *testing.T) {
	a, b := pairOf(t, func(u user) { u.write("base", "base") })
	var began, found time.Time
	b.follow(a, func() {
		began = b.now
		b.user().write("mine", "written meanwhile")
		b.rep.Hinted(b.now, []zsync.Path{""}, false)
	}, func() bool {
		if b.own() > 0 && found.IsZero() {
			found = b.now
		}
		return !found.IsZero()
	})
	if took := found.Sub(began); took >= gapPatience {
		t.Errorf("it is logged after %s", took)
	}
}

func TestAsMuchAsIsLiveLeavesRoomForTheRest(t *testing.T) {
	a, b := drowned(t)
	for i := range 2 * liveWantsMax {
		a.user().write(fmt.Sprint("camera/", i), fmt.Sprint("photo ", i))
		a.rep.Hinted(a.now, []zsync.Path{"camera"}, false)
		if i%20 == 0 {
			a.rest()
			b.learn(a, -1)
		}
	}
	a.rest()
	b.learn(a, -1)
	b.workOff()
	if n := b.outstanding("want", true); n == 0 || n > liveWantsMax {
		t.Errorf("%d contents are asked for before the others", n)
	}
	if n := b.outstanding("want", false); n < WantsMax-liveWantsMax {
		t.Errorf("%d others are asked for", n)
	}
	settles(a, b)
}

func TestOfWhatIsHeardAtOnceTheNewestLittleIsLive(t *testing.T) {
	event := func(octets int) eventlog.Event { return eventlog.Event{Body: make([]byte, octets)} }
	for _, c := range []struct {
		bodies []int
		from   int
	}{
		{nil, 0},
		{[]int{10}, 0},
		{[]int{liveBytesMax}, 0},
		{[]int{liveBytesMax + 1}, 1},
		{[]int{200_000, 10, 20}, 1},
		{[]int{10, 20, 200_000}, 3},
		{[]int{liveBytesMax, 10, 20}, 1},
	} {
		var events []eventlog.Event
		for _, octets := range c.bodies {
			events = append(events, event(octets))
		}
		if from := liveFrom(events); from != c.from {
			t.Errorf("of %v those from %d on are live", c.bodies, from)
		}
	}
}

func TestWhatIsAskedForAtOnceIsTheSmallBeforeTheLargeAndTheNewestFirst(t *testing.T) {
	wants := []Want{
		{Size: 1, MtimeNS: 5},
		{Size: bulkBytes + 1, MtimeNS: 9},
		{Size: 1, MtimeNS: 7},
		{Size: 1, MtimeNS: 1, Urgent: true},
		{Size: 2, MtimeNS: 6},
	}
	slices.SortStableFunc(wants, Want.before)
	var order []int64
	for _, w := range wants {
		order = append(order, w.MtimeNS)
	}
	if !slices.Equal(order, []int64{1, 7, 6, 5, 9}) {
		t.Errorf("the order is %v", order)
	}
}

func TestAPhotoDoesNotWaitUntilALargeFileIsHashed(t *testing.T) {
	a := newBox(t, 'a')
	a.closed = true
	a.scan()
	hint := func() {
		a.rep.Hinted(a.now, []zsync.Path{""}, false)
		a.pass(a.now.Add(settleFirst))
		a.runOnly(func(j job) bool { return j.kind == "list" })
	}
	a.user().write("film", strings.Repeat("x", liveHashBytesMax+1))
	hint()
	if n := a.outstanding("hash", true) + a.outstanding("hash", false); n != 1 {
		t.Fatalf("%d orders to hash\n%s", n, a.state())
	}
	a.user().write("photo", "photo")
	hint()
	if n := a.outstanding("hash", true) + a.outstanding("hash", false); n != 2 {
		t.Errorf("%d orders to hash, with the photo\n%s", n, a.state())
	}
}
