package store_test

import (
	"fmt"
	"testing"

	"github.com/zsync/zsync/store"
	"github.com/zsync/zsync/store/crashfs"
)

// lockedRoot is a folder with directories that their owner may not write to, and a
// batch that changes what is in them.
func lockedRoot(t *testing.T, seed uint64) (testRoot, []store.Change) {
	t.Helper()
	disk := crashfs.New(seed)
	disk.EnforceModes()
	r := openRoot(t, disk)
	r.user.Write("d/e/old", []byte("old"))
	r.user.Mkdir("to")
	for _, path := range []string{"d/e", "d"} {
		r.user.Chmod(path, 0o555)
	}
	r.user.Settle()
	r.stage([]byte("new"))
	return r, []store.Change{
		place("d/e/new", []byte("new"), nil),
		{Op: store.OpRemove, Path: "d/e/old", Old: r.old("d/e/old")},
		renaming("d", "to/d", r.old("d")),
	}
}

func TestADirectoryThatIsLockedHasItsModeAgainAfterABatch(t *testing.T) {
	r, changes := lockedRoot(t, 1)
	results := r.Apply(changes, false)
	wantDone(t, results)
	r.wantLocked(t, "done")
	if results[2].Stat.Mode != 0o555 {
		t.Errorf("the one that moved is said to have mode %o", results[2].Stat.Mode)
	}
	if left := r.user.Paths(".zsync/unlocked"); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}

func TestAfterACrashADirectoryThatWasUnlockedIsLockedAgain(t *testing.T) {
	for at := 1; ; at++ {
		r, changes := lockedRoot(t, uint64(at))
		begin := r.disk.Steps()
		r.disk.CrashAt(begin + at)
		r.Apply(changes, false)
		crashed := r.disk.Steps() >= begin+at
		r = openRoot(t, r.disk.Crash())
		r.wantLocked(t, fmt.Sprintf("crash at %d", at))
		if left := r.user.Paths(".zsync/unlocked"); len(left) > 0 {
			t.Fatalf("crash at %d: left: %v", at, left)
		}
		r.Apply(changes, true)
		r.wantLocked(t, fmt.Sprintf("crash at %d, redone", at))
		if !crashed {
			return
		}
	}
}

func TestAChmodOfTheUserIsNotTakenBackByAnOldRecord(t *testing.T) {
	r, changes := lockedRoot(t, 3)
	done := 0
	r.disk.OnStep(func(_ int, call string) {
		if call == "chmod e" {
			done++
		}
		if done == 2 { // about to be locked again
			r.user.Chmod("to/d/e", 0o711)
			r.disk.CrashAt(r.disk.Steps() + 1)
			done++
		}
	})
	r.Apply(changes, false)
	r.user.Settle()
	r = openRoot(t, r.disk.Crash())
	if mode := r.user.Stat("to/d/e").Mode; mode != 0o711 {
		t.Errorf("mode %o", mode)
	}
}

func (r testRoot) wantLocked(t *testing.T, where string) {
	t.Helper()
	for _, path := range []string{"d", "d/e", "to/d", "to/d/e"} {
		if stat := r.user.Stat(path); stat != (store.Stat{}) && stat.Mode != 0o555 {
			t.Errorf("%s: %s has mode %o", where, path, stat.Mode)
		}
	}
}
