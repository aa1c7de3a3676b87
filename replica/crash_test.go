package replica

import (
	"testing"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/eventlog"
	"github.com/zsync/zsync/internal/kv"
)

// busyPair returns two boxes, of which the second has everything to apply that a
// batch can hold, conflicts and swaps among it.
func busyPair(t *testing.T) (a, b *box) {
	t.Helper()
	a, b = pairOf(t, func(u user) {
		u.write("edited", "one")
		u.write("moved", "two")
		u.write("gone", "three")
		u.write("tree/of/files", "four")
		u.write("p", "five")
		u.write("q", "six")
		u.write("both", "base")
	})
	u := a.user()
	u.write("edited", "ONE")
	u.rename("moved", "tree/moved")
	u.remove("gone")
	u.write("both", "of a")
	u.write("new/dir/file", "seven")
	u.symlink("link", "p")
	a.scan()
	for _, step := range [][2]string{{"p", "t"}, {"q", "p"}, {"t", "q"}, {"tree", "forest"}} {
		u.rename(step[0], step[1])
		a.scan()
	}
	b.user().write("both", "of b")
	b.scan()
	return a, b
}

func TestCommitFailsAnywhereAndNothingIsLost(t *testing.T) {
	for n := range 60 {
		a, b := busyPair(t)
		left := n
		b.db.Commit = func() error {
			if left--; left == -1 {
				return errCrash
			}
			return nil
		}
		sync(a, b)
		b.db.Commit = nil
		sync(a, b)
		wantSame(a, b)
		wantBoth(t, b)
		if left >= 0 {
			return // there were no more
		}
	}
}

func TestPowerFailsAtAnyStepAndNothingIsLost(t *testing.T) {
	for n := range 400 {
		a, b := busyPair(t)
		b.learn(a, -1)
		cut := crashAt(t, b, n)
		sync(a, b)
		wantSame(a, b)
		wantBoth(t, b)
		if !cut {
			return
		}
	}
	t.Fatal("the batch never ends")
}

func wantBoth(t *testing.T, b *box) {
	t.Helper()
	if all := b.contents(); !all["of a"] || !all["of b"] {
		t.Fatalf("tree\n%s", b.tree())
	}
}

// What a user made of the mode of something that a batch has renamed, between a
// crash and the redo, is the user's: it is logged, and not taken for all that the
// disk can keep of the mode that the file had.
func TestAChmodBetweenACrashAndTheRedoArrives(t *testing.T) {
	for _, name := range []string{"file", "dir"} {
		a, b := pairOf(t, func(u user) { u.write("file", "text"); u.write("dir/in", "in") })
		a.user().rename(name, "renamed")
		a.scan()
		crashed := false
		b.db.Commit = func() error {
			if crashed || b.disk.User().Stat("renamed").Inode == 0 {
				return nil
			}
			crashed = true
			b.user().chmod("renamed", 0o710)
			return errCrash
		}
		sync(a, b)
		sync(a, b)
		wantSame(a, b)
		if mode := a.disk.User().Stat("renamed").Mode; !crashed || mode != 0o710 {
			t.Errorf("crashed %t: the other device has mode %o for what was %s", crashed, mode, name)
		}
	}
}

// A rebased device logs all that it has in the new space, from what it knows: it
// reads no file.
func TestRebaseHashesNothingAndDeletesNothing(t *testing.T) {
	a, b := pairOf(t, func(u user) {
		u.write("d/x", "one")
		u.write("y", "two")
		u.symlink("l", "y")
	})
	old := a.db.Image()
	a.db = kv.NewMemory()
	_ = old.View(func(from kv.Tx) error {
		return a.db.Update(func(to kv.Tx) error {
			ExportCache(from, to)
			return nil
		})
	})
	a.log, a.has, a.cfg.Space = nil, map[zsync.EventID]bool{}, zsync.SpaceID{1}
	a.noHash = true
	a.reopen()
	a.rest()
	a.wantOps(0, OpPut, OpPut, OpPut, OpPut)
	if a.tree() != b.tree() {
		t.Fatalf("tree\n%s", a.tree())
	}
}

// When a writer is cut, what its devices and others have of it on their disks is
// logged anew.
func TestVoidedVersionsAreLoggedAnew(t *testing.T) {
	a, b := pairOf(t, func(u user) { u.write("x", "one"); u.write("d/old", "o") })
	a.user().write("x", "two")
	a.user().write("d/new", "n")
	a.user().write("e/f/file", "deep")
	n := len(a.log)
	a.scan()
	sync(a, b)
	wantSame(a, b)
	void(n, a, b)
	sync(a, b)
	wantSame(a, b)
	a.wantFile("e/f/file", "deep")
	a.wantFile("d/new", "n")
	if all := a.contents(); !all["one"] || !all["two"] {
		t.Fatalf("tree\n%s", a.tree())
	}
}

// void has the writers cut that logged what the logs of some boxes hold from n on.
func void(n int, boxes ...*box) {
	for _, box := range boxes {
		for i := n; i < len(box.log); i++ {
			box.log[i].Void = true
		}
		box.deaths++ // a new writer
		box.fact(func(tx kv.Tx) {
			err := box.rep.Refold(tx, func(yield func(eventlog.Event) bool) {
				for _, ev := range box.log {
					if !yield(ev) {
						return
					}
				}
			})
			if err != nil {
				box.t.Fatalf("%c: refold: %v", box.letter, err)
			}
		})
	}
}
