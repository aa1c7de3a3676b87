package replica

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/internal/kv"
	"github.com/zsync/zsync/store"
)

// rewrite changes a file's bytes and leaves its size and mtime as they were.
func (u user) rewrite(path, text string) {
	was := u.disk.User().Stat(path).MtimeNS
	u.write(path, text)
	u.disk.User().Touch(path, was)
	u.tick()
}

func TestAnEditThatKeepsSizeAndMtimeIsFoundBehindAChmod(t *testing.T) {
	a, b := pairOf(t, func(u user) { u.write("x", "one") })
	a.pass(a.now.Add(10 * time.Second)) // it is not young any more
	a.scan()
	a.user().rewrite("x", "two")
	a.user().chmod("x", 0o600)
	a.scan()
	sync(a, b)
	wantSame(a, b)
	b.wantFile("x", "two")
	if mode := b.disk.User().Stat("x").Mode; mode != 0o600 {
		t.Errorf("mode %o", mode)
	}
}

func TestAnEditThatKeepsSizeAndMtimeIsFoundBehindARename(t *testing.T) {
	a, b := pairOf(t, func(u user) { u.write("x", "one") })
	a.pass(a.now.Add(10 * time.Second))
	a.scan()
	a.user().rewrite("x", "two")
	a.user().rename("x", "y")
	n := len(a.log)
	a.scan()
	a.wantOps(n, OpMove, OpPut)
	sync(a, b)
	wantSame(a, b)
	b.wantFile("y", "two")
}

// problem returns what a box says under a code; "" is nothing.
func (b *box) problem(path zsync.Path, code string) string {
	for _, p := range b.status().Problems {
		if p.Path == path && p.Code == code {
			return p.Why
		}
	}
	return ""
}

func TestAFullDiskIsNoReasonToForgetAKeptVersionNorToFetchIt(t *testing.T) {
	a, b := pairOf(t, func(u user) { u.write("x", "one") })
	a.user().write("x", "two")
	a.scan()
	sync(a, b) // "one" is kept on b
	a.user().write("y", "one")
	a.scan()
	b.learn(a, -1)
	full := true
	b.onCopy = func() error {
		if full {
			return fmt.Errorf("copy: %w", store.ErrReserve)
		}
		return nil
	}
	wantNoFetch(t, b, func() {
		for range 20 {
			b.run()
		}
		if why := b.problem("", "space"); !strings.Contains(why, "make room there") {
			t.Errorf("said %q", why)
		}
		full = false
		b.rest()
	})
	b.wantFile("y", "one")
	if why := b.problem("", "space"); why != "" {
		t.Errorf("still says %q", why)
	}
}

func TestAFetchThatWorksEndsTheProblemThatOneDidNot(t *testing.T) {
	a, b := pairOf(t, nil)
	a.user().write("x", "one")
	a.scan()
	fetch := b.fetch
	b.fetch = nil
	b.learn(a, -1)
	b.rest()
	b.fact(func(tx kv.Tx) {
		b.rep.Staged(tx, b.now, content("one"), fmt.Errorf("nobody has it"))
		b.rep.Advance(tx, b.now)
	})
	if b.problem("", "fetch") == "" {
		t.Fatal("no problem")
	}
	b.jobs, b.fetch = nil, fetch
	b.pass(b.now.Add(2 * time.Second))
	sync(a, b)
	wantSame(a, b)
	if why := b.problem("", "fetch"); why != "" {
		t.Errorf("still says %q", why)
	}
}

func TestPartsOfAContentThatNobodyWantsAreGivenUpAfterTheFirstScan(t *testing.T) {
	a, _ := pairOf(t, func(u user) { u.write("x", "one") })
	var unstaged []zsync.Digest
	err := a.db.Update(func(tx kv.Tx) error {
		rep, err := Open(tx, a.cfg)
		if err != nil {
			return err
		}
		a.rep, a.jobs = rep, nil
		rep.Start(tx, a.now, nil, []zsync.Digest{{7}})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	out := a.rep.Output()
	if len(out.Unstage) > 0 {
		t.Fatal("before anything was looked at")
	}
	a.onUnstage = func(content zsync.Digest) { unstaged = append(unstaged, content) }
	a.take(out)
	a.rest()
	if !slices.Equal(unstaged, []zsync.Digest{{7}}) {
		t.Errorf("unstaged %v", unstaged)
	}
}

func TestAFolderWithinTheFolderIsLeftToItself(t *testing.T) {
	a, b := pairOf(t, func(u user) { u.write("in/x", "one"); u.write("in/deep/y", "two"); u.write("z", "three") })
	b.user().write("in/.zsync/id", "0123456789abcdef0123456789abcdef")
	b.user().write("in/own", "own")
	b.user().remove("in/deep/y")
	a.user().write("in/x", "ONE")
	a.user().write("in/new", "new")
	scanAll(a, b)
	wantRest(a, b)
	if b.problem("in", "nested") == "" {
		t.Errorf("problems %+v", b.status().Problems)
	}
	b.wantFile("in/x", "one")
	a.wantFile("in/deep/y", "two")
	b.user().remove("in/.zsync")
	scanAll(a, b)
	wantSame(a, b)
	if why := b.problem("in", "nested"); why != "" {
		t.Errorf("still says %q", why)
	}
	a.wantFile("in/own", "own")
	b.wantFile("in/x", "ONE")
	b.wantFile("in/deep/y", "two")
}
