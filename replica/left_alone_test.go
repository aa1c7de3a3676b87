package replica

import (
	"fmt"
	"testing"
	"time"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/internal/kv"
	"github.com/zsync/zsync/store"
	"github.com/zsync/zsync/store/crashfs"
)

func TestWhatARestoredBackupLacksIsNotDeletedElsewhere(t *testing.T) {
	a, b := pairOf(t, func(u user) { u.write("old.jpg", "january"); u.write("d/edit.txt", "january") })
	a.user().write("new.jpg", "february")
	a.user().write("d/edit.txt", "february")
	a.scan()
	sync(a, b)
	wantSame(a, b)
	a.root.Close()
	a.disk = crashfs.New(99)
	a.user().write("old.jpg", "january")
	a.user().write("d/edit.txt", "january")
	err := a.db.Update(func(tx kv.Tx) error {
		rep, err := Open(tx, a.cfg)
		if err == nil {
			rep.ForgetDisk(tx)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if d := a.records(); len(d) > 0 {
		t.Fatalf("D has %+v", d)
	}
	a.start()
	sync(a, b)
	wantSame(a, b)
	for _, x := range []*box{a, b} {
		x.wantFile("new.jpg", "february")
		if all := x.contents(); !all["february"] {
			t.Fatalf("%c has lost the edit:\n%s", x.letter, x.tree())
		}
	}
}

func TestNothingIsConcludedWhileTheRootIsLost(t *testing.T) {
	a, _ := pairOf(t, func(u user) { u.write("2019/a.jpg", "a"); u.write("2019/b.jpg", "b") })
	a.fact(func(tx kv.Tx) {
		a.rep.rootLost(a.now)
		a.rep.Advance(tx, a.now)
	})
	n := len(a.log)
	a.user().remove("2019/a.jpg")
	a.user().remove("2019/b.jpg")
	a.rep.Hinted(a.now, []zsync.Path{"2019"}, false)
	for a.rep.lost && len(a.log) == n {
		if !a.run() {
			a.pass(a.now.Add(100 * time.Millisecond))
		}
	}
	if a.rep.lost {
		t.Fatalf("logged %+v", a.ops(n))
	}
}

func TestWhatWasFoundBeforeTheRootWasLostIsFoundAgain(t *testing.T) {
	a, b := pairOf(t, func(u user) { u.write("x", "one") })
	a.user().write("x", "two")
	a.user().write("y", "three")
	a.finds("y")
	a.rep.rootLost(a.now)
	if len(a.rep.findings.at) > 0 {
		t.Fatal("what was found waits to be logged")
	}
	sync(a, b)
	wantSame(a, b)
	b.wantFile("y", "three")
}

// finds makes a finding of a file that is not logged yet.
func (b *box) finds(path zsync.Path) {
	b.t.Helper()
	err := b.db.Update(func(tx kv.Tx) error {
		b.rep.hashed(tx, &task{}, b.hash(store.HashJob{Path: path, Old: b.disk.User().Stat(string(path))}), 0)
		return nil
	})
	if err != nil || b.rep.findings.at[path] == nil {
		b.t.Fatalf("%s is not found: %v", path, err)
	}
}

func TestYoungFileIsHashedAgainBeforeItIsReplaced(t *testing.T) {
	for name, change := range map[string]func(u user){
		"replaced": func(u user) { u.write("x", "remote edit") },
		"renamed":  func(u user) { u.rename("x", "y") },
		"removed":  func(u user) { u.remove("x") },
	} {
		t.Run(name, func(t *testing.T) {
			a, b := pairOf(t, func(u user) { u.write("x", "base") })
			a.user().write("x", "edit1")
			a.rep.Hinted(a.now, []zsync.Path{""}, false)
			n := len(a.log)
			for len(a.log) == n {
				if !a.run() {
					a.pass(a.rep.Deadline())
				}
			}
			b.learn(a, -1)
			b.rest()
			change(b.user())
			b.scan()
			a.applied = nil
			a.learn(b, -1)
			for {
				young := false
				for _, d := range a.records() {
					young = young || d.young
				}
				if !young {
					break
				}
				if len(a.applied) > 0 {
					t.Fatalf("while it was young: %q", a.applied)
				}
				if !a.run() {
					a.pass(a.rep.Deadline())
				}
			}
			sync(a, b)
			wantSame(a, b)
		})
	}
}

func TestThePrivateDirectoryOfAFolderWithinIsLeftAlone(t *testing.T) {
	a, b := pairOf(t, func(u user) { u.write("2019/a.jpg", "a") })
	a.user().write("2019/.zsync/id", "inner folder's id")
	a.scan()
	sync(a, b)
	b.wantNames("2019 2019/a.jpg")
	a.wantFile("2019/.zsync/id", "inner folder's id")
}

// Another program may have logged what zsync never does.
func TestAPrivateNameInTheLogIsNotMade(t *testing.T) {
	a, b := pairOf(t, func(u user) { u.write("2019/a.jpg", "a"); u.write("2019/sub/id", "evil") })
	n := len(a.log)
	a.user().rename("2019/sub", "2019/ssssss")
	a.scan()
	for i := n; i < len(a.log); i++ {
		body, err := DecodeBody(a.log[i].Body)
		if err != nil {
			t.Fatal(err)
		}
		for j := range body {
			if body[j].Name == "ssssss" {
				body[j].Name = zsync.PrivateDir
			}
		}
		a.log[i].Body = EncodeBody(body)
	}
	c := newBox(t, 'c')
	link(a, c)
	c.learn(a, -1)
	b.learn(a, -1)
	for _, x := range []*box{b, c} {
		x.rest()
		if s := x.status(); !s.Idle || len(s.Problems) == 0 || s.Problems[0].Code != "private" {
			t.Fatalf("%c: status %+v\n%s", x.letter, s, x.state())
		}
	}
	c.wantNames("2019 2019/a.jpg")
	b.wantNames("2019 2019/a.jpg 2019/sub 2019/sub/id")
}

func TestWhatIsFoundInADirectoryThatABatchRenamesIsFoundInItsNewPlace(t *testing.T) {
	a, b := pairOf(t, func(u user) { u.write("A/f", "in A"); u.write("B/f", "in B") })
	for _, names := range [][2]string{{"A", "T"}, {"B", "A"}, {"T", "B"}} {
		b.user().rename(names[0], names[1])
		b.scan()
	}
	a.learn(b, -1)
	for !a.rep.underWay.any() {
		if !a.run() {
			a.pass(a.rep.Deadline())
		}
	}
	a.user().write("A/f", "in A, edited")
	a.finds("A/f")
	sync(a, b)
	wantSame(a, b)
	a.wantFile("A/f", "in B")
	a.wantFile("B/f", "in A, edited")
}

func TestARenameToANameThatIsLeftAloneIsNoDeletion(t *testing.T) {
	for _, to := range []string{"d/x.part", "e/x.part", "bad\xff", "e/.zsync"} {
		t.Run(fmt.Sprintf("%q", to), func(t *testing.T) {
			a, b := pairOf(t, func(u user) { u.write("d/x", "one"); u.mkdir("e") })
			n := len(a.log)
			a.user().rename("d/x", to)
			a.scan()
			a.rep.Hinted(a.now, []zsync.Path{"d"}, false)
			a.rest()
			a.wantOps(n)
			named := false
			for _, p := range a.status().Problems {
				named = named || p.Code == "renamed" && p.Path == "d/x"
			}
			if !named {
				t.Fatalf("problems %+v", a.status().Problems)
			}
			a.user().remove(to)
			a.scan()
			a.wantOps(n, OpDel)
			sync(a, b)
			wantSame(a, b)
			b.wantNames("d e")
		})
	}
}

func TestADirectoryRenamedToAnIgnoredNameIsNoDeletion(t *testing.T) {
	a, b := pairOf(t, func(u user) { u.write("d/x", "one") })
	n := len(a.log)
	a.user().rename("d", "d.part")
	a.scan()
	a.wantOps(n)
	a.user().rename("d.part", "d")
	a.scan()
	a.wantOps(n)
	if p := a.status().Problems; len(p) > 0 {
		t.Fatalf("problems %+v", p)
	}
	wantSame(a, b)
}
