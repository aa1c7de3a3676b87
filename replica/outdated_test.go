package replica

import (
	"testing"

	"github.com/zsync/zsync/internal/kv"
)

// sealed returns two boxes, and the job that lets the second carry out a batch of what
// change does at the first: it has planned the batch and waits for a flush.
func sealed(t *testing.T, change func(u user)) (a, b *box, flush []job) {
	t.Helper()
	a, b = pairOf(t, func(u user) { u.write("file", "old") })
	return a, b, b.seal(a, change)
}

// seal has a box learn what change does at another, and plan it, up to the flush.
func (b *box) seal(a *box, change func(u user)) (flush []job) {
	b.t.Helper()
	change(a.user())
	a.user().write("new", "makes the batch wait for a flush")
	a.scan()
	b.learn(a, -1)
	b.run() // the content
	b.pass(b.rep.Deadline())
	flush, b.jobs = b.jobs, nil
	if len(flush) != 1 || b.rep.batch.state != batchFlushing {
		b.t.Fatalf("%d jobs where the flush was to be\n%s", len(flush), b.state())
	}
	return flush
}

// applyUnheard has the flush done and then the batch, of which nobody hears.
func (b *box) applyUnheard(flush []job) {
	b.t.Helper()
	b.jobs = flush
	b.run()
	if len(b.jobs) != 1 {
		b.t.Fatalf("%d jobs where the batch was to be\n%s", len(b.jobs), b.state())
	}
	b.jobs[0].do()
}

// die has a box stop and start again, with what was under way.
func (b *box) die() {
	b.t.Helper()
	if err := b.root.Close(); err != nil {
		b.t.Fatalf("%c: %v", b.letter, err)
	}
	b.start()
	b.rest()
}

// writeLike writes over a file and leaves it its size and times, but for the ctime.
func (u user) writeLike(path, text string) {
	mtime := u.disk.User().Stat(path).MtimeNS
	u.write(path, text)
	u.disk.User().Touch(path, mtime)
	u.tick()
}

func TestAFileEditedAfterItsRemovalWasPlannedIsNotTakenForRemovedByIt(t *testing.T) {
	a, b, flush := sealed(t, func(u user) { u.remove("file") })
	b.user().writeLike("file", "new")
	b.scan()
	b.applyUnheard(flush)
	b.user().remove("file")
	b.die()
	sync(a, b)
	wantSame(a, b)
	a.wantNames("new")
}

func TestAFileEditedAfterItsRenameWasPlannedKeepsTheEditWhereItIsRenamedAfterACrash(t *testing.T) {
	a, b, flush := sealed(t, func(u user) { u.rename("file", "moved") })
	b.user().writeLike("file", "new")
	b.scan()
	b.jobs = flush
	b.run() // the order, which is not carried out before the crash
	b.die()
	sync(a, b)
	wantSame(a, b)
	a.wantNames("moved new")
	a.wantFile("moved", "new")
}

// A person renames a file just when it is about to be removed, and deletes it while
// the device is off.
func TestAFileRenamedAwayFromItsRemovalAndDeletedAroundACrashIsDeletedForAll(t *testing.T) {
	a, b, flush := sealed(t, func(u user) { u.remove("file") })
	b.user().rename("file", "renamed")
	b.rep.Hinted(b.now, nil, true)
	b.fact(func(tx kv.Tx) { b.rep.Advance(tx, b.now) })
	b.run() // the listing
	b.jobs = append(b.jobs, flush...)
	if len(b.jobs) != 2 {
		t.Fatalf("%d jobs where the hash and the flush were to be\n%s", len(b.jobs), b.state())
	}
	flush[0].do()
	b.fact(func(tx kv.Tx) { b.rep.Flushed(tx, b.now, nil) })
	b.jobs = append(b.jobs[:1], b.jobs[2:]...)
	b.run() // the hash: the rename is logged
	if !b.rep.underWay.any() {
		t.Fatalf("no batch under way\n%s", b.state())
	}
	b.user().remove("renamed")
	b.die()
	sync(a, b)
	wantSame(a, b)
	a.wantNames("new")
}

func TestAFileMadeInADirectoryThatIsToBeRemovedAndDeletedAroundACrashIsDeletedForAll(t *testing.T) {
	a, b := pairOf(t, func(u user) { u.mkdir("dir") })
	flush := b.seal(a, func(u user) { u.remove("dir") })
	b.user().write("dir/file", "made")
	b.scan()
	b.applyUnheard(flush)
	b.user().remove("dir/file")
	b.user().remove("dir")
	b.die()
	sync(a, b)
	wantSame(a, b)
	a.wantNames("new")
}
