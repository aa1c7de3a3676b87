package replica

import (
	"fmt"
	"io/fs"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/internal/kv"
	"github.com/zsync/zsync/store"
)

// unstageable lets a box learn of a file whose bytes its disk does not take.
func unstageable(t *testing.T, why error) (a, b *box) {
	a, b = pairOf(t, nil)
	a.user().write("x", "one")
	a.scan()
	fetch := b.fetch
	b.fetch = nil
	b.learn(a, -1)
	b.rest()
	b.fact(func(tx kv.Tx) {
		b.rep.Staged(tx, b.now, content("one"), why)
		b.rep.Advance(tx, b.now)
	})
	b.jobs, b.fetch = nil, fetch
	return a, b
}

func TestWhyNamesTheDiskThatDoesNotTakeWhatIsMissing(t *testing.T) {
	for code, err := range map[string]error{
		"space": store.ErrReserve, "disk": fmt.Errorf("create: %w", syscall.EROFS),
	} {
		a, b := unstageable(t, fmt.Errorf("store: stage: %w", err))
		if reason := b.why("x"); reason.Code != code || !strings.Contains(reason.Why, "goes on by itself") {
			t.Errorf("%v: it says %+v", err, reason)
		}
		if b.problem("", code) == "" {
			t.Errorf("%v: no problem %q", err, code)
		}
		b.pass(b.now.Add(restMax))
		sync(a, b)
		wantSame(a, b)
		if problems := b.status().Problems; len(problems) != 0 {
			t.Errorf("%v: it still says %+v", err, problems)
		}
	}
}

// toStick lets a learn of what a writes, onto a disk that refuses one path, and has
// some time pass: no rest, since what is refused is tried for ever.
func toStick(t *testing.T, path zsync.Path, why error, fill func(u user)) (a, b *box) {
	a, b = pairOf(t, nil)
	b.onApply = func(c store.Change) error {
		if c.Path == path {
			return fmt.Errorf("store: %w", why)
		}
		return nil
	}
	fill(a.user())
	a.scan()
	b.learn(a, -1)
	b.user().write("of-the-stick", "new")
	b.rep.Hinted(b.now, []zsync.Path{""}, false)
	for range 20 {
		for b.run() {
		}
		b.pass(b.now.Add(time.Second))
	}
	return a, b
}

func TestWhatADiskCannotHoldKeepsNothingElseWaiting(t *testing.T) {
	a, b := toStick(t, "link", store.ErrUnfit, func(u user) { u.symlink("link", "x") })
	a.user().write("x", "one")
	a.scan()
	b.learn(a, -1)
	for range 20 {
		for b.run() {
		}
		b.pass(b.now.Add(time.Second))
	}
	b.wantFile("x", "one")
	if reason := b.why("link"); reason.Code != "apply" || !strings.Contains(reason.Why, "cannot hold such a thing") {
		t.Errorf("it says %+v", reason)
	}
	if reason := b.why("of-the-stick"); reason.Code != CodeInSync {
		t.Errorf("what was written there: %+v", reason)
	}
	a.learn(b, -1)
	if reason := a.why("link"); reason.Code != CodeInSync {
		t.Errorf("on the device that wrote it: %+v", reason)
	}
}

func TestANameThatADiskGivesToAnotherFileIsToldOfAndNothingIsLogged(t *testing.T) {
	_, b := toStick(t, "case", fs.ErrExist, func(u user) {
		u.write("Case", "one")
		u.write("case", "two")
	})
	b.wantFile("Case", "one")
	if reason := b.why("case"); reason.Code != "apply" || !strings.Contains(reason.Why, "capital letters") {
		t.Errorf("it says %+v", reason)
	}
	if n := len(b.log); b.why("of-the-stick").Code != CodeInSync || n == 0 {
		t.Errorf("what was written there: %+v", b.why("of-the-stick"))
	}
	logged := len(b.log)
	for range 20 {
		for b.run() {
		}
		b.pass(b.now.Add(10 * time.Second))
	}
	if len(b.log) != logged {
		t.Errorf("%d events more while nobody did anything", len(b.log)-logged)
	}
}

func TestWhatCouldNotBeReadIsNoProblemOnceAnotherHasItsName(t *testing.T) {
	for what, another := range map[string]func(a, b *box){
		"of another device": func(a, b *box) {
			a.user().write("x", "of a")
			a.scan()
			b.learn(a, -1)
			for len(b.rep.underWay.batches) == 0 {
				if !b.run() {
					b.pass(b.now.Add(batchWait))
				}
			}
			b.run()
		},
		"a symlink": func(_, b *box) { b.user().symlink("x", "elsewhere") },
		"a file, where it was in a directory": func(_, b *box) {
			b.user().remove("dir/x")
			b.user().remove("dir")
			b.user().write("dir", "a file")
		},
	} {
		a, b := pairOf(t, func(u user) { u.write("base", "base") })
		b.failing = map[zsync.Path]error{"x": store.ErrNoSpace, "dir/x": store.ErrNoSpace}
		b.user().write("x", "of b")
		b.user().write("dir/x", "of b, too")
		b.rep.Hinted(b.now, nil, true)
		for b.pass(b.now.Add(restFirst / 2)); len(b.status().Problems) < 2; {
			b.run()
		}
		b.failing = nil
		b.user().remove("x")
		another(a, b)
		sync(a, b)
		wantSame(a, b)
		if problems := b.status().Problems; len(problems) > 0 {
			t.Errorf("%s: %v", what, problems)
		}
	}
}
