package store_test

import (
	"fmt"
	"testing"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/store"
	"github.com/zsync/zsync/store/crashfs"
)

// TestRedoLeavesWhatAUserDidAfterTheCrash: between the crash and the redo, a user
// at the same disk writes every file anew.
func TestRedoLeavesWhatAUserDidAfterTheCrash(t *testing.T) {
	for name, s := range scenarios() {
		for kind, forbid := range renames {
			t.Run(name+", "+kind, func(t *testing.T) {
				t.Parallel()
				for at, crashed := 1, true; crashed; at++ {
					disk := crashfs.New(uint64(at))
					forbid(disk)
					r := openRoot(t, disk)
					s.prepare(r)
					changes := s.changes(r)
					begin := disk.Steps()
					disk.CrashAt(begin + at)
					r.Apply(changes, false)
					crashed = disk.Steps() >= begin+at
					r = openRoot(t, disk.Crash())
					written := r.writeEverything()
					results := r.Apply(changes, true)
					held := r.everyByte()
					for _, data := range written {
						if !held[data] {
							t.Fatalf("crash at %d: %q is lost", at, data)
						}
					}
					r.wantUsersInPlace(fmt.Sprintf("crash at %d", at), changes, results)
				}
			})
		}
	}
}

// writeEverything gives each file of the user's tree other bytes.
func (r testRoot) writeEverything() (written []string) {
	for _, path := range r.tree() {
		if r.user.Stat(path).Type == zsync.TypeFile {
			data := "user's " + path
			r.user.Write(path, []byte(data))
			written = append(written, data)
		}
	}
	return written
}

// wantUsersInPlace: nothing that the user wrote was replaced or removed, and where
// it stands in the way no change is said to be done.
func (r testRoot) wantUsersInPlace(where string, changes []store.Change, results []store.Result) {
	r.t.Helper()
	for i, c := range changes {
		if c.Op != store.OpPlace && c.Op != store.OpSymlink || results[i].Err != nil {
			continue
		}
		if got := string(r.user.Read(string(c.Path))); got != c.Target && content([]byte(got)) != c.Content {
			r.t.Fatalf("%s: %s is said to be placed, and holds %q", where, c.Path, got)
		}
	}
	for _, result := range results {
		if got := string(r.kept(result.Kept)); len(got) > 4 && got[:4] == "user" {
			r.t.Fatalf("%s: %q was taken from its place", where, got)
		}
	}
}

// What a user made of a mode since the last look, or between a crash and the redo, is
// reported as it was seen: who ordered the rename knows what to expect.
func TestARenameReportsTheModeThatItSaw(t *testing.T) {
	crash := func(r testRoot, changes []store.Change) { wantDone(t, r.Apply(changes, false)) }
	no := func(testRoot, []store.Change) {}
	for name, c := range map[string]struct {
		before, after func(testRoot, []store.Change)
		path, chmod   string
		redo          bool
	}{
		"a file, renamed before a crash":      {crash, no, "a", "b", true},
		"a file, not renamed before a crash":  {no, no, "a", "a", true},
		"a directory, renamed before a crash": {crash, no, "d", "b", true},
		"a directory, since the last look":    {no, no, "d", "d", false},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRoot(t)
			r.user.Write("a", []byte("a"))
			r.user.Write("d/file", []byte("file"))
			old := r.old(c.path)
			changes := []store.Change{{Op: store.OpRename, From: zsync.Path(c.path), Path: "b", Old: old}}
			c.before(r, changes)
			r.user.Chmod(c.chmod, 0o710)
			results := r.Apply(changes, c.redo)
			wantDone(t, results)
			want := r.user.Stat("b")
			if want.Mode != 0o710 {
				t.Errorf("the user's mode became %o", want.Mode)
			}
			if results[0].Stat != want {
				t.Errorf("reported %+v\nnot %+v", results[0].Stat, want)
			}
		})
	}
}
