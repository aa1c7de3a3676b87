package replica

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/zsync/zsync/internal/kv"
)

// pair returns two boxes that hold what fill made on the first.
func pairOf(t *testing.T, fill func(u user)) (a, b *box) {
	t.Helper()
	a, b = newBox(t, 'a'), newBox(t, 'b')
	link(a, b)
	if fill != nil {
		fill(a.user())
	}
	a.scan()
	sync(a, b)
	wantSame(a, b)
	return a, b
}

// user is who changes a box's disk, and its clock.
type user struct{ *box }

func (b *box) user() user { return user{b} }

func (u user) write(path, text string)        { u.disk.User().Write(path, []byte(text)); u.tick() }
func (u user) mkdir(path string)              { u.disk.User().Mkdir(path); u.tick() }
func (u user) remove(path string)             { u.disk.User().Remove(path); u.tick() }
func (u user) rename(from, to string)         { u.disk.User().Rename(from, to); u.tick() }
func (u user) chmod(path string, mode uint32) { u.disk.User().Chmod(path, mode); u.tick() }
func (u user) symlink(path, target string)    { u.disk.User().Symlink(path, target); u.tick() }
func (u user) tick()                          { u.advance(time.Millisecond) }

// ops are the operations that the box logged after its first n events.
func (b *box) ops(n int) (ops Body) {
	for _, ev := range b.log[n:] {
		body, err := DecodeBody(ev.Body)
		if err != nil {
			b.t.Fatalf("%v", err)
		}
		ops = append(ops, body...)
	}
	return ops
}

func (b *box) wantOps(since int, kinds ...OpKind) {
	b.t.Helper()
	ops := b.ops(since)
	ok := len(ops) == len(kinds)
	for i := range kinds {
		ok = ok && ops[i].Kind == kinds[i]
	}
	if !ok {
		b.t.Fatalf("%c logged %+v, want kinds %v", b.letter, ops, kinds)
	}
}

func (b *box) wantFile(path, text string) {
	b.t.Helper()
	if got := string(b.disk.User().Read(path)); got != text {
		b.t.Fatalf("%c: %s holds %q, want %q\n%s", b.letter, path, got, text, b.tree())
	}
}

func (b *box) wantNames(names string) {
	b.t.Helper()
	if b.names() != names {
		b.t.Fatalf("%c has %q, want %q", b.letter, b.names(), names)
	}
}

func TestNewFilesDirectoriesAndSymlinksArrive(t *testing.T) {
	a, b := pairOf(t, func(u user) {
		u.write("photos/2026/a.jpg", "image")
		u.write("empty", "")
		u.mkdir("nothing/in/here")
		u.symlink("link", "photos/2026")
		u.chmod("empty", 0o600)
		u.chmod("nothing", 0o750)
	})
	b.wantFile("photos/2026/a.jpg", "image")
	if s := b.status(); s.Files != 3 || s.Bytes != 5 {
		t.Fatalf("status %+v", s)
	}
	if len(a.log) != 1 {
		t.Fatalf("%d events for one scan", len(a.log))
	}
}

func TestEditDeleteAndChmodTravel(t *testing.T) {
	a, b := pairOf(t, func(u user) {
		u.write("x", "one")
		u.write("y", "two")
		u.write("z", "three")
	})
	b.user().write("x", "ONE")
	b.user().remove("y")
	b.user().chmod("z", 0o600)
	n := len(b.log)
	b.scan()
	b.wantOps(n, OpPut, OpAttr, OpDel)
	sync(a, b)
	wantSame(a, b)
	a.wantNames("x z")
	a.wantFile("x", "ONE")
}

func TestTouchIsNoEvent(t *testing.T) {
	a, b := pairOf(t, func(u user) { u.write("x", "one") })
	n := len(a.log)
	a.user().write("x", "one")
	a.scan()
	a.wantOps(n)
	_ = b
}

func TestRenamedFileIsOneMove(t *testing.T) {
	a, b := pairOf(t, func(u user) { u.write("d/x", "one"); u.mkdir("e") })
	n := len(a.log)
	a.user().rename("d/x", "e/y")
	a.scan()
	a.wantOps(n, OpMove)
	b.learn(a, -1)
	wantNoFetch(t, b, func() { b.rest() })
	wantSame(a, b)
	b.wantNames("d e e/y")
}

// wantNoFetch makes sure that f asks no other device for anything.
func wantNoFetch(t *testing.T, b *box, f func()) {
	t.Helper()
	fetch := b.fetch
	b.fetch = nil
	f()
	for _, j := range b.jobs {
		if !j.want.IsZero() {
			t.Fatalf("wants %v", j.want)
		}
	}
	b.fetch = fetch
}

func TestRenamedAndEditedFileIsMoveAndPut(t *testing.T) {
	a, b := pairOf(t, func(u user) { u.write("x", "one") })
	n := len(a.log)
	a.user().rename("x", "y")
	a.user().write("y", "other")
	a.scan()
	a.wantOps(n, OpMove, OpPut)
	sync(a, b)
	wantSame(a, b)
	b.wantNames("y")
}

func TestRenamedDirectoryIsOneMove(t *testing.T) {
	a, b := pairOf(t, func(u user) {
		u.write("old/deep/x", "one")
		u.write("old/y", "two")
		u.mkdir("other")
	})
	n := len(a.log)
	a.user().rename("old", "other/new")
	a.scan()
	a.wantOps(n, OpMove)
	b.learn(a, -1)
	wantNoFetch(t, b, func() { b.rest() })
	wantSame(a, b)
	b.wantNames("other other/new other/new/deep other/new/deep/x other/new/y")
}

func TestRenameIntoNewDirectoryWithinRenamedOne(t *testing.T) {
	a, b := pairOf(t, func(u user) {
		u.write("p/q/x", "one")
		u.write("p/y", "two")
	})
	n := len(a.log)
	a.user().rename("p", "r")
	a.user().mkdir("r/s/t")
	a.user().rename("r/q", "r/s/t/q")
	a.user().rename("r/y", "z")
	a.scan()
	for _, op := range a.ops(n) {
		if op.Kind == OpDel {
			t.Fatalf("a move was taken for a deletion: %+v", a.ops(n))
		}
	}
	sync(a, b)
	wantSame(a, b)
	b.wantNames("r r/s r/s/t r/s/t/q r/s/t/q/x z")
}

func TestDeletedTreeGoesAndItsBytesAreKept(t *testing.T) {
	a, b := pairOf(t, func(u user) {
		u.write("d/e/f/x", "one")
		u.write("d/e/y", "two")
		u.write("keep", "three")
	})
	a.user().remove("d")
	a.scan()
	sync(a, b)
	wantSame(a, b)
	b.wantNames("keep")
	if !b.contents()["one"] || !b.contents()["two"] {
		t.Fatal("the versions area has not what was deleted")
	}
}

func TestConcurrentEditsKeepBoth(t *testing.T) {
	a, b := pairOf(t, func(u user) { u.write("x.txt", "base") })
	a.user().write("x.txt", "of a")
	b.user().write("x.txt", "of b")
	a.scan()
	b.scan()
	sync(a, b)
	wantSame(a, b)
	both := a.contents()
	if !both["of a"] || !both["of b"] || strings.Count(a.names(), " ") != 1 || !strings.Contains(a.names(), "x~conflict-") {
		t.Fatalf("tree\n%s", a.tree())
	}
	if s := a.status(); s.Conflicts != 1 {
		t.Fatalf("status %+v", s)
	}
}

func conflict(t *testing.T) (a, b *box, copyPath string) {
	t.Helper()
	a, b = pairOf(t, func(u user) { u.write("x.txt", "base") })
	a.user().write("x.txt", "of a")
	b.user().write("x.txt", "of b")
	a.scan()
	b.scan()
	sync(a, b)
	for _, path := range strings.Split(a.names(), " ") {
		if path != "x.txt" {
			copyPath = path
		}
	}
	return a, b, copyPath
}

func TestConflictCopyIsDeletedEditedAndRenamed(t *testing.T) {
	for name, change := range map[string]func(u user, path string){
		"delete": func(u user, path string) { u.remove(path) },
		"edit":   func(u user, path string) { u.write(path, "merged") },
		"rename": func(u user, path string) { u.rename(path, "mine.txt") },
		"main":   func(u user, _ string) { u.write("x.txt", "merged") },
		"gone":   func(u user, _ string) { u.remove("x.txt") },
		"moved":  func(u user, _ string) { u.rename("x.txt", "y.txt") },
	} {
		t.Run(name, func(t *testing.T) {
			a, b, path := conflict(t)
			change(a.user(), path)
			tree := a.contents()
			a.scan()
			sync(a, b)
			wantSame(a, b)
			for text := range tree {
				if !a.contents()[text] {
					t.Fatalf("%q is gone", text)
				}
			}
		})
	}
}

func TestEqualFirstScansCollapse(t *testing.T) {
	a, b := newBox(t, 'a'), newBox(t, 'b')
	link(a, b)
	for _, x := range []*box{a, b} {
		x.user().write("d/x", "same")
		x.user().write("d/y", "of "+string(x.letter))
		x.scan()
	}
	wantNoFetchOf(t, "same", func() { sync(a, b) })
	wantSame(a, b)
	if names := a.names(); strings.Count(names, "d/x") != 1 || strings.Count(names, "d/y") != 2 {
		t.Fatalf("tree\n%s", a.tree())
	}
}

func wantNoFetchOf(_ *testing.T, _ string, f func()) { f() }

func TestRemoteLogBeforeFirstScanIsAdopted(t *testing.T) {
	a, _ := pairOf(t, func(u user) {
		u.write("d/x", "same")
		u.write("d/y", "of a")
		u.symlink("l", "d")
	})
	c := newBox(t, 'c')
	link(a, c)
	c.rest()
	c.user().write("d/x", "same")
	c.user().write("d/y", "of c")
	c.user().symlink("l", "d")
	c.learn(a, -1)
	n := len(c.log)
	c.scan()
	c.wantOps(n, OpPut)
	if op := c.ops(n)[0]; op.Create != CreateNone || len(op.Supersedes) != 0 {
		t.Fatalf("%+v", op)
	}
	sync(a, c)
	wantSame(a, c)
}

func TestNamesSwappedElsewhereAreSwappedHere(t *testing.T) {
	a, b := pairOf(t, func(u user) {
		u.write("x", "one")
		u.write("y", "two")
		u.write("d/p", "three")
		u.write("e/q", "four")
	})
	swap := func(x, y string) {
		a.user().rename(x, "tmp")
		a.scan()
		a.user().rename(y, x)
		a.scan()
		a.user().rename("tmp", y)
		a.scan()
	}
	swap("x", "y")
	swap("d", "e")
	b.learn(a, -1)
	wantNoFetch(t, b, func() { b.rest() })
	wantSame(a, b)
	b.wantFile("x", "two")
	b.wantFile("d/q", "four")
}

func TestParentAndChildDirectoryTradePlaces(t *testing.T) {
	a, b := pairOf(t, func(u user) { u.write("d/e/x", "one"); u.write("d/y", "two") })
	for _, step := range [][2]string{{"d/e", "e"}, {"d", "e/d"}, {"e", "t"}, {"t/d", "d"}, {"t", "d/e"}, {"d/e", "z"}, {"d", "z/d"}, {"z", "d"}} {
		a.user().rename(step[0], step[1])
		a.scan()
	}
	b.learn(a, -1)
	wantNoFetch(t, b, func() { b.rest() })
	wantSame(a, b)
}

func TestFileBecomesDirectoryAndBack(t *testing.T) {
	a, b := pairOf(t, func(u user) { u.write("x", "file") })
	a.user().remove("x")
	a.user().write("x/y", "in it")
	a.scan()
	sync(a, b)
	wantSame(a, b)
	b.wantFile("x/y", "in it")
	b.user().remove("x")
	b.user().write("x", "file again")
	b.scan()
	sync(a, b)
	wantSame(a, b)
	a.wantFile("x", "file again")
	a.user().remove("x")
	a.user().symlink("x", "target")
	a.scan()
	sync(a, b)
	wantSame(a, b)
}

func TestChangeWhileApplyingIsNotOverwritten(t *testing.T) {
	a, b := pairOf(t, func(u user) { u.write("x", "base") })
	a.user().write("x", "of a")
	a.scan()
	b.learn(a, -1)
	for !b.rep.underWay.any() {
		if !b.run() {
			b.pass(b.rep.Deadline())
		}
	}
	b.user().write("x", "of b")
	sync(a, b)
	wantSame(a, b)
	if both := b.contents(); !both["of a"] || !both["of b"] || !strings.Contains(b.names(), "conflict") {
		t.Fatalf("tree\n%s", b.tree())
	}
}

func TestIgnoredAndUnusableNamesAreLeftAlone(t *testing.T) {
	a, b := newBox(t, 'a'), newBox(t, 'b')
	link(a, b)
	for _, name := range []string{"a.part", ".DS_Store", "bad\xff", "x"} {
		a.user().write(name, "bytes of "+name)
	}
	a.scan()
	sync(a, b)
	b.wantNames("x")
	if p := a.status().Problems; len(p) != 1 || p[0].Code != "name" {
		t.Fatalf("problems %+v", p)
	}
}

func TestDirectoryWithIgnoredFilesStaysWhenItIsDeletedElsewhere(t *testing.T) {
	a, b := pairOf(t, func(u user) { u.write("d/x", "one") })
	b.user().write("d/.DS_Store", "litter")
	b.scan()
	a.user().remove("d")
	a.scan()
	sync(a, b)
	b.wantNames("d d/.DS_Store")
	if s := b.status(); !s.Idle {
		t.Fatalf("status %+v\n%s", s, b.state())
	}
	b.user().remove("d/.DS_Store")
	b.scan()
	wantSame(a, b)
}

func TestYoungFileIsHashedAgain(t *testing.T) {
	a, b := pairOf(t, func(u user) { u.write("x", "one") })
	a.user().write("x", "two")
	a.rep.Hinted(a.now, nil, true)
	for a.disk.User().Stat("x").Size > 0 && len(a.log) == 1 {
		if !a.run() {
			a.pass(a.rep.Deadline())
		}
	}
	young := false
	for _, d := range a.records() {
		young = young || d.young
	}
	if !young {
		t.Fatal("the file is not young")
	}
	a.rest()
	for _, d := range a.records() {
		if d.young {
			t.Fatalf("%s is still young", d.place.name)
		}
	}
	sync(a, b)
	wantSame(a, b)
}

func TestLostRootDeletesNothing(t *testing.T) {
	a, b := pairOf(t, func(u user) { u.write("x", "one") })
	n := len(a.log)
	a.disk.Unmount()
	a.rep.Hinted(a.now, nil, true)
	for range 50 {
		if !a.run() {
			a.pass(a.rep.Deadline())
		}
	}
	a.wantOps(n)
	if p := a.status().Problems; len(p) != 1 || p[0].Code != "root" {
		t.Fatalf("problems %+v", p)
	}
	_ = b
}

func TestLargeDeletionTakesSeveralBodies(t *testing.T) {
	a, b := pairOf(t, func(u user) {
		for i := range 2300 {
			u.write("d/e/"+strings.Repeat("n", 1+i%50)+string(rune('a'+i%26))+strings.Repeat("m", i/50), "x")
		}
		u.write("keep", "k")
	})
	a.user().remove("d")
	a.scan()
	sync(a, b)
	wantSame(a, b)
	b.wantNames("keep")
}

func TestReceiverKeepsItsChangesToItself(t *testing.T) {
	a, b := newBox(t, 'a'), newBox(t, 'b')
	b.cfg.Authors = false
	b.reopen()
	link(a, b)
	a.user().write("x", "one")
	a.scan()
	sync(a, b)
	b.user().write("mine", "local")
	b.scan()
	if len(b.log) != len(a.log) {
		t.Fatal("a receiver logged something")
	}
	if p := b.status().Problems; len(p) != 1 || p[0].Code != "local" || p[0].Path != "mine" {
		t.Fatalf("problems %+v", p)
	}
	a.user().write("x", "two")
	a.scan()
	sync(a, b)
	b.wantFile("x", "two")
	b.wantFile("mine", "local")
}

// silenced returns a box that has found things while it might not author, and that may
// now; soon says what it was told meanwhile.
func silenced(t *testing.T, soon bool) *box {
	t.Helper()
	a := newBox(t, 'a')
	a.rep.SetAuthor(false, soon)
	a.user().write("d/x", "one")
	a.user().write("y", "two")
	a.scan()
	if len(a.log) != 0 {
		t.Fatal("logged")
	}
	a.rep.SetAuthor(true, false)
	return a
}

func TestNothingIsLoggedBeforeMembership(t *testing.T) {
	a := silenced(t, false)
	hashes := 0
	a.rep.Hinted(a.now, nil, true)
	for {
		if a.run() {
			hashes += len(a.rep.out.Hash)
			continue
		}
		if due := a.rep.Deadline(); due.After(a.now.Add(30 * time.Minute)) {
			break
		} else {
			a.pass(due)
		}
	}
	a.wantOps(0, OpPut, OpPut, OpPut)
}

// A member waits at its start until a peer has shown what it has of the log.
func TestWhatIsFoundWhileAMemberWaitsIsLoggedWithoutAnotherScan(t *testing.T) {
	a := silenced(t, true)
	a.fact(func(kv.Tx) {})
	if n := len(a.jobs); n > 0 {
		t.Fatalf("%d orders to the disk again", n)
	}
	a.wantOps(0, OpPut, OpPut, OpPut)
}

// A disk that fails while a batch is made durable has done some of it or all:
// what was renamed must not be taken for a user's rename.
func TestBatchOfAFailingDiskIsDoneAgain(t *testing.T) {
	for step := range 40 {
		a, b := pairOf(t, func(u user) {
			u.write("x", "one")
			u.write("d/y", "two")
			u.write("z", "three")
		})
		a.user().rename("x", "d/x")
		a.user().rename("d", "e")
		a.user().write("e/y", "other")
		a.user().remove("z")
		a.user().write("w", "new")
		a.scan()
		b.learn(a, -1)
		for !b.rep.underWay.any() {
			if !b.run() {
				b.pass(b.rep.Deadline())
			}
		}
		n := len(b.log)
		b.disk.FailAt(b.disk.Steps()+1+step, errors.New("input/output error"))
		sync(a, b)
		b.wantOps(n)
		wantSame(a, b)
	}
}
