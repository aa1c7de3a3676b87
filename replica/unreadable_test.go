package replica

import (
	"syscall"
	"testing"
	"time"

	"github.com/zsync/zsync"
)

// live does what there is to do until some time has passed.
func (b *box) live(long time.Duration) {
	b.t.Helper()
	for end := b.now.Add(long); ; {
		for b.run() {
		}
		due := b.rep.Deadline()
		if due.IsZero() || due.After(end) {
			b.pass(end)
			return
		}
		b.pass(due)
	}
}

// wantTriedAgain makes a path unreadable for a while: it is named, and read in the end.
func wantTriedAgain(t *testing.T, path zsync.Path) {
	t.Helper()
	a := newBox(t, 'a')
	a.rest()
	a.user().write("d/x", "one")
	a.failing = map[zsync.Path]error{path: syscall.EIO}
	a.rep.Hinted(a.now, nil, true)
	a.live(3 * time.Minute)
	if a.problem(path, "unreadable") == "" || a.status().Files != 0 {
		t.Fatalf("%+v", a.status())
	}
	a.failing = nil
	a.live(2 * time.Minute)
	if why := a.problem(path, "unreadable"); why != "" || a.status().Files != 1 {
		t.Fatalf("%q, %+v", why, a.status())
	}
}

func TestAFileThatCouldNotBeReadIsTriedAgain(t *testing.T) { wantTriedAgain(t, "d/x") }

func TestADirectoryThatCouldNotBeReadIsTriedAgain(t *testing.T) { wantTriedAgain(t, "d") }

func TestNothingIsSaidOfAFileThatCouldNotBeReadOnceItIsGone(t *testing.T) {
	a := newBox(t, 'a')
	a.rest()
	a.user().write("d/x", "one")
	a.failing = map[zsync.Path]error{"d/x": syscall.EIO}
	a.rep.Hinted(a.now, nil, true)
	a.live(time.Minute)
	a.user().remove("d")
	a.live(2 * time.Minute)
	a.rep.Hinted(a.now, nil, true)
	a.live(time.Minute)
	if p := a.status().Problems; len(p) != 0 {
		t.Fatalf("%+v", p)
	}
}

func TestAFileThatIsNeverReadIsTriedAtLeastOnceAMinuteButNotMore(t *testing.T) {
	a := newBox(t, 'a')
	a.rest()
	a.user().write("x", "one")
	a.failing = map[zsync.Path]error{"x": syscall.EIO}
	a.rep.Hinted(a.now, nil, true)
	a.live(2 * time.Minute)
	tries := a.hashes
	a.live(30 * time.Minute)
	if n := a.hashes - tries; n < 29 || n > 31 {
		t.Fatalf("%d tries in 30 minutes", n)
	}
}

// What is a file by now, placed by zsync itself, is not hashed: nothing reads it.
func TestNothingIsSaidOfADirectoryThatCouldNotBeReadOnceItIsAFile(t *testing.T) {
	a, b := pairOf(t, func(u user) { u.write("d/x", "one") })
	a.failing = map[zsync.Path]error{"d": syscall.EIO}
	a.rep.Hinted(a.now, nil, true)
	a.live(time.Minute)
	if a.problem("d", "unreadable") == "" {
		t.Fatalf("%+v", a.status())
	}
	b.user().remove("d")
	b.user().write("d", "a file")
	b.scan()
	a.learn(b, -1)
	a.live(time.Minute)
	a.failing = nil
	a.live(2 * time.Minute)
	a.wantFile("d", "a file")
	if p := a.status().Problems; len(p) != 0 || len(a.rep.scan.failed) != 0 {
		t.Errorf("%+v, %v", p, a.rep.scan.failed)
	}
}
