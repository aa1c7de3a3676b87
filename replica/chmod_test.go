package replica

import (
	"errors"
	"testing"
)

// renaming returns two boxes of which the first has renamed a directory and a file;
// the second has been ordered to, and has not begun.
func renaming(t *testing.T) (a, b *box) {
	t.Helper()
	a, b = pairOf(t, func(u user) {
		u.write("d/e/file", "in it")
		u.write("file", "beside it")
		u.mkdir("f")
	})
	a.user().rename("d", "f/d")
	a.user().rename("file", "f/file")
	a.scan()
	b.learn(a, -1)
	if len(b.jobs) != 1 {
		t.Fatalf("%d jobs", len(b.jobs))
	}
	return a, b
}

func TestAChmodJustBeforeARenameFromElsewhereTravels(t *testing.T) {
	a, b := renaming(t)
	b.user().chmod("d", 0o700)
	b.scan()
	sync(a, b)
	wantSame(a, b)
	if mode := a.disk.User().Stat("f/d").Mode; mode != 0o700 {
		t.Errorf("f/d has mode %o\n%s", mode, a.tree())
	}
}

func TestAChmodBetweenABatchCutShortAndItsRedoTravels(t *testing.T) {
	a, b := renaming(t)
	b.jobs[0].do() // and nobody hears of it
	b.user().chmod("f/d", 0o700)
	b.user().chmod("f/file", 0o600)
	if err := b.root.Close(); err != nil {
		t.Fatal(err)
	}
	b.start()
	b.rest()
	sync(a, b)
	wantSame(a, b)
	for path, want := range map[string]uint32{"f/d": 0o700, "f/file": 0o600} {
		if mode := a.disk.User().Stat(path).Mode; mode != want {
			t.Errorf("%s has mode %o\n%s", path, mode, a.tree())
		}
	}
}

func TestAChmodThatFailedBeforeARenameIsTriedAgain(t *testing.T) {
	a, b := pairOf(t, func(u user) { u.write("d/file", "in it") })
	link := b.fetch
	b.fetch = nil
	a.user().chmod("d", 0o770)
	a.user().write("new", "keeps the batch open")
	a.scan()
	b.learn(a, -1)
	a.user().rename("d", "e")
	a.scan()
	a.user().mkdir("d") // for which the other is put out of the way
	a.scan()
	b.learn(a, -1)
	b.disk.Trouble(func(call string, _ bool) error {
		if call == "chmod" {
			return errors.New("input/output error")
		}
		return nil
	})
	b.pass(b.now.Add(batchWait))
	if len(b.jobs) != 2 {
		t.Fatalf("%d jobs where the fetch and the batch were to be\n%s", len(b.jobs), b.state())
	}
	b.run()
	b.disk.Trouble(nil)
	b.fetch = link
	b.rest()
	sync(a, b)
	wantSame(a, b)
}

// TestAChmodTakenBackBeforeARenameFromElsewhereTravels has the rename planned before
// the first of two chmods was logged, so what it expects is what the second made.
func TestAChmodTakenBackBeforeARenameFromElsewhereTravels(t *testing.T) {
	a, b := pairOf(t, func(u user) { u.write("d/file", "in it") })
	link := b.fetch
	b.fetch = nil
	a.user().rename("d", "e")
	a.user().write("new", "keeps the batch open")
	a.scan()
	b.learn(a, -1)
	b.user().chmod("d", 0o770)
	b.rep.Hinted(b.now, nil, true)
	b.pass(b.now)
	for b.run() {
	}
	b.user().chmod("d", 0o755)
	b.pass(b.now.Add(batchWait))
	for b.run() {
	}
	b.fetch = link
	b.rest()
	sync(a, b)
	wantSame(a, b)
}
