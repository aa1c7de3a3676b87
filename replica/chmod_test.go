package replica

import "testing"

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
	b.rest()
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
