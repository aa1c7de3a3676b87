package replica

import (
	"errors"
	"testing"
	"time"

	"github.com/zsync/zsync/store"
)

var errDisk = errors.New("input/output error")

// astrayPair are two boxes, of which the second has two batches to carry out. Each
// makes a directory, whose name a user gives to another one just before, and a file
// in it: which lands in the user's. One of them may be spared.
func astrayPair(t *testing.T, spared bool) (a, b *box, batches []job) {
	t.Helper()
	a, b = pairOf(t, func(u user) { u.write("mine1/m1", "mine 1"); u.write("mine2/m2", "mine 2") })
	batches = []job{b.orders(a, writes("new1/f1")), b.orders(a, writes("new2/f2"))}
	if n := len(b.rep.underWay.batches); n != 2 {
		t.Fatalf("%d batches are under way\n%s", n, b.state())
	}
	b.user().rename("mine1", "new1")
	if !spared {
		b.user().rename("mine2", "new2")
	}
	return a, b, batches
}

// does carries out a job and tells what became of it; refused: none of it can be done.
func (b *box) does(j job, refused error) {
	b.t.Helper()
	b.onApply = func(store.Change) error { return refused }
	fact, _ := j.do()
	b.onApply = nil
	b.fact(fact)
}

func TestWhatWentAstrayIsTakenBackWhateverBecomesOfTheBatchBesideIt(t *testing.T) {
	for _, c := range []struct {
		beside string
		spared bool
		happen func(b *box, first, second job)
	}{
		{"goes astray too", false, func(b *box, first, second job) {
			b.does(first, nil)
			b.does(second, nil)
		}},
		{"fails afterwards", true, func(b *box, first, second job) {
			b.does(first, nil)
			b.does(second, errDisk)
		}},
		{"failed before", true, func(b *box, first, second job) {
			b.does(second, errDisk)
			b.does(first, nil)
		}},
		{"is under way when the power goes", true, func(b *box, first, _ job) {
			b.does(first, nil)
			b.die()
		}},
		{"is done when the power goes", true, func(b *box, first, second job) {
			b.does(first, nil)
			second.do()
			b.die()
		}},
		{"goes astray too before the power goes", false, func(b *box, first, second job) {
			b.does(first, nil)
			b.does(second, nil)
			b.die()
		}},
		{"fails before the power goes", true, func(b *box, first, second job) {
			b.does(first, nil)
			b.does(second, errDisk)
			b.die()
		}},
		{"had failed when the power goes", true, func(b *box, first, second job) {
			b.does(second, errDisk)
			b.does(first, nil)
			b.die()
		}},
	} {
		t.Run(c.beside, func(t *testing.T) {
			a, b, batches := astrayPair(t, c.spared)
			n := len(b.log)
			c.happen(b, batches[0], batches[1])
			b.scan()
			moved := []OpKind{OpMove, OpMove}
			if c.spared {
				moved = moved[:1]
			}
			b.wantOps(n, moved...) // and nothing of what went into what was moved
			sync(a, b)
			wantSame(a, b)
			if b.intended() != 0 {
				t.Fatalf("%d changes are intended in the end", b.intended())
			}
		})
	}
}

// A disk that takes long for one batch lets the other one, which failed, wait: until
// the first is done, and not for a time that has passed.
func TestABatchThatIsToBeDoneAgainAndMayNotYetIsNoReasonToWakeUp(t *testing.T) {
	a, b := pairOf(t, func(u user) { u.write("base", "base") })
	batches := []job{b.orders(a, writes("1")), b.orders(a, writes("2"))}
	b.does(batches[0], errDisk)
	b.pass(b.now.Add(restFirst))
	if due := b.rep.Deadline(); !due.After(b.now) {
		t.Fatalf("it wakes up at %v, which is %v ago", due, b.now.Sub(due))
	}
	if b.problem("", "apply") == "" {
		t.Fatal("nothing tells of the failure")
	}
	b.does(batches[1], nil)
	sync(a, b)
	wantSame(a, b)
}

func TestAFailureIsToldOfUntilWhatFailedIsDone(t *testing.T) {
	a, b := pairOf(t, func(u user) { u.write("base", "base") })
	batches := []job{b.orders(a, writes("1")), b.orders(a, writes("2"))}
	b.does(batches[0], errDisk)
	b.does(batches[1], nil)
	if b.problem("", "apply") == "" {
		t.Fatal("nothing tells of the failure")
	}
	sync(a, b)
	wantSame(a, b)
	if why := b.problem("", "apply"); why != "" {
		t.Fatalf("it still says %q", why)
	}
}

// A change is taken out of a batch because a user is at the file: it is made later, also
// where that batch and the one beside it fail.
func TestWhatWasTakenOutOfABatchThatFailedIsMadeLater(t *testing.T) {
	for _, failing := range [][]int{{0, 1}, {1, 0}} {
		a, b := pairOf(t, func(u user) { u.write("base", "base") })
		first, reading := b.ordersWithout(a, "x")
		batches := []job{first, b.orders(a, writes("2"))}
		for _, i := range failing {
			b.does(batches[i], errDisk)
		}
		b.jobs = append(b.jobs, reading)
		sync(a, b)
		wantSame(a, b)
	}
}

// ordersWithout has a box order a batch that makes "1", and not what it was to make at
// path: a user has written something there that is being read, and has removed it since.
func (b *box) ordersWithout(a *box, path string) (batch, reading job) {
	b.t.Helper()
	b.hears(a, func(u user) { u.write("1", "of 1"); u.write(path, "of "+path) })
	for turns := 0; b.rep.batch.state != batchFlushing; turns++ {
		if turns > 100 {
			b.t.Fatalf("no batch is flushed\n%s", b.state())
		}
		if !b.run() {
			b.pass(b.rep.Deadline())
		}
	}
	flush := b.jobs
	b.jobs = nil
	b.user().write(path, "of a user")
	b.rep.Hinted(b.now, nil, true)
	b.pass(b.now.Add(time.Millisecond))
	b.run()
	if len(b.rep.scan.tasks) != 1 {
		b.t.Fatalf("it is not being read\n%s", b.state())
	}
	reading = b.jobs[len(b.jobs)-1]
	b.user().remove(path)
	b.jobs = flush
	b.run()
	if n := len(b.rep.underWay.batches); n != 1 || len(b.rep.underWay.batches[0].steps) != 1 {
		b.t.Fatalf("%d batches are under way\n%s", n, b.state())
	}
	batch, b.jobs = b.jobs[len(b.jobs)-1], b.jobs[:len(b.jobs)-1]
	return batch, reading
}
