package replica

import (
	"strings"
	"testing"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/internal/kv"
)

// What a file held before it was renamed and edited is on its author's disk no more,
// so nothing may bring it back: everybody would wait for it.
func TestWhatAFileHeldBeforeItWasRenamedAndEditedNeverComesBack(t *testing.T) {
	a, b := pairOf(t, func(u user) { u.write("file", "old") })
	for _, text := range []string{"one", "other"} { // the later of which wins over a's edit
		b.user().write("file", text)
		b.scan()
	}
	a.user().rename("file", "moved")
	a.user().write("moved", "edited")
	n := len(a.log)
	a.scan()
	a.wantOps(n, OpMove, OpPut)
	a.learn(b, -1)
	a.rest()
	a.wantFile("moved", "other")
	for name := range strings.FieldsSeq(a.names()) { // the conflict copy, and then the file where it was not renamed
		if name != "moved" {
			a.user().remove(name)
		}
	}
	a.scan()
	b.user().remove("file")
	b.scan()
	sync(a, b)
	wantSame(a, b)
	a.wantNames("")
}

// A file that was renamed before its rival came is a conflict copy by now. Who edits it
// or deletes it has ended what he renamed, too: it may be on no other disk.
func TestWhatWasRenamedAndIsAConflictCopyNowEndsWithIt(t *testing.T) {
	for _, edited := range []bool{true, false} {
		a, b := pairOf(t, func(user) {})
		a.user().write("file", "mine")
		a.scan()
		for _, text := range []string{"one", "theirs"} { // the later of which wins over a's
			b.user().write("file", text)
			b.scan()
		}
		a.user().rename("file", "moved")
		a.scan()
		a.learn(b, -1)
		a.rest()
		a.wantFile("moved", "theirs")
		names := strings.Fields(a.names())
		if len(names) != 2 {
			t.Fatalf("a has %q", names)
		}
		want := ""
		if a.user().remove(names[1]); edited {
			a.user().write(names[1], "mine, edited")
			want = names[1]
		}
		a.scan()
		b.user().remove("file") // which has heard of neither
		b.scan()
		sync(a, b)
		wantSame(a, b)
		a.wantNames(want)
	}
}

// late has b's user rename a file, and a batch that makes a directory in its place be
// carried out while the file is hashed under its new name.
func late(t *testing.T, to string) (a, b *box) {
	t.Helper()
	a, b = pairOf(t, func(u user) { u.write("file", "old"); u.mkdir("dir") })
	flush := b.seal(a, func(u user) { u.remove("file"); u.mkdir("file") })
	b.user().rename("file", to)
	b.rep.Hinted(b.now, nil, true)
	b.fact(func(tx kv.Tx) { b.rep.Advance(tx, b.now) })
	for b.rep.scan.tasks[zsync.Path(to)] == nil {
		b.run()
	}
	hash := b.jobs
	b.jobs = flush
	b.run()
	b.run()
	if len(hash) != 1 || len(b.jobs) != 0 {
		t.Fatalf("%d and %d jobs where the hash alone was to be left\n%s", len(hash), len(b.jobs), b.state())
	}
	b.jobs = hash
	b.rest()
	return a, b
}

func TestAFileRenamedJustBeforeADirectoryTakesItsPlaceIsNotTakenForTheDirectory(t *testing.T) {
	for _, to := range []string{"moved", "dir/moved"} {
		a, b := late(t, to)
		b.wantOps(len(a.log), OpPut, OpDel) // of the file
		sync(a, b)
		wantSame(a, b)
		a.wantFile(to, "old")
	}
}

func TestADirectoryThatTookThePlaceOfAFileWhileItWasMissedIsNotDeleted(t *testing.T) {
	a, b := pairOf(t, func(u user) { u.write("file", "old"); u.mkdir("dir/inner") })
	flush := b.seal(a, func(u user) { u.remove("file"); u.mkdir("file") })
	b.user().remove("file")
	b.rep.Hinted(b.now, nil, true)
	b.fact(func(tx kv.Tx) { b.rep.Advance(tx, b.now) })
	b.run() // the root is listed
	b.jobs = append(flush, b.jobs...)
	b.run()
	b.run() // dir is listed, and what is in it waits for the batch
	if len(b.rep.scan.missing) != 1 || !b.rep.underWay.any() {
		t.Fatalf("no batch while the file is missed\n%s", b.state())
	}
	b.rest()
	b.wantOps(len(a.log))
	sync(a, b)
	wantSame(a, b)
	a.wantNames("dir dir/inner file new")
}

// TestWhatTakesTheNameOfARenamedFileBeforeThatIsLoggedIsAnother has a rename, the edit
// that came with it and what took the old name wait for one event.
func TestWhatTakesTheNameOfARenamedFileBeforeThatIsLoggedIsAnother(t *testing.T) {
	for _, text := range []string{"another", "the first"} {
		a, b := pairOf(t, func(u user) { u.write("old", "the first") })
		a.fact(func(kv.Tx) { a.rep.SetAuthor(false, true) })
		a.user().rename("old", "new")
		a.user().write("new", "edited since")
		a.scan()
		a.user().write("old", text)
		a.scan()
		a.fact(func(tx kv.Tx) {
			a.rep.SetAuthor(true, false)
			a.rep.Advance(tx, a.now)
		})
		a.rest()
		sync(a, b)
		want := "new: edited since; old: " + text
		got := "new: " + string(b.disk.User().Read("new")) + "; old: " + string(b.disk.User().Read("old"))
		if got != want {
			t.Errorf("the other has %s, want %s\n%s", got, want, b.tree())
		}
	}
}
