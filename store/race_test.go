package store_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/store"
	"github.com/zsync/zsync/store/crashfs"
)

// TestAUserWhoIsFasterLosesNothing has a user act right before each step of a
// change, and looks for the bytes of both.
func TestAUserWhoIsFasterLosesNothing(t *testing.T) {
	acts := map[string]func(u crashfs.User){
		"writes":   func(u crashfs.User) { u.Write("d/file", []byte("user's")) },
		"replaces": func(u crashfs.User) { u.Replace("d/file", []byte("user's")) },
		"renames":  func(u crashfs.User) { u.Write("d/file", []byte("user's")); u.Rename("d/file", "d/other") },
		"moves directory": func(u crashfs.User) {
			u.Write("d/file", []byte("user's"))
			u.Rename("d", "moved")
			u.Symlink("d", "moved")
		},
	}
	changes := map[string]func(r testRoot) store.Change{
		"place new": func(testRoot) store.Change { return place("d/file", []byte("new"), nil) },
		"place":     func(r testRoot) store.Change { return place("d/file", []byte("new"), r.old("d/file")) },
		"symlink": func(r testRoot) store.Change {
			return store.Change{Op: store.OpSymlink, Path: "d/file", Target: "t", Old: r.old("d/file")}
		},
		"remove": func(r testRoot) store.Change {
			return store.Change{Op: store.OpRemove, Path: "d/file", Old: r.old("d/file")}
		},
		"rename": func(r testRoot) store.Change { return renaming("d/file", "d/renamed", r.old("d/file")) },
		"set attribute": func(r testRoot) store.Change {
			return store.Change{Op: store.OpAttr, Path: "d/file", Old: r.old("d/file"), Mode: 0o600, MtimeNS: 7}
		},
	}
	for actName, act := range acts {
		for name, change := range changes {
			t.Run(name+" while a user "+actName, func(t *testing.T) {
				everyReplacement(t, func(t *testing.T, r testRoot) { raceAtEachStep(t, r, act, change) })
			})
		}
	}
}

func raceAtEachStep(t *testing.T, r testRoot, act func(crashfs.User), change func(testRoot) store.Change) {
	steps := 1
	for at := 1; at <= steps; at++ {
		r := r.fresh()
		r.user.Mkdir("d")
		if change(r).Old != nil {
			r.user.Write("d/file", []byte("old"))
		}
		r.stage([]byte("new"))
		c := change(r)
		begin, before := r.disk.Steps(), ""
		r.disk.OnStep(func(step int, call string) {
			if step == begin+at && before == "" {
				before = call
				act(r.user)
			}
		})
		result := r.one(c)
		r.disk.OnStep(nil)
		if before == "" {
			return
		}
		steps = at + 1
		if !r.everyByte()["user's"] {
			t.Fatalf("step %d: the user's bytes are lost; result %+v", at, result)
		}
		if r.user.Stat("d").Type == zsync.TypeDir && r.user.Stat("d/other") == (store.Stat{}) && string(r.user.Read("d/file")) != "user's" {
			t.Fatalf("step %d: the user's file is not where it was; result %+v", at, result)
		}
		if result.Err == nil && c.Op == store.OpPlace {
			r.wantSeen(at, before, c, result)
		}
	}
}

// wantSeen: what is said to be placed is there, or a scan sees that it changed.
func (r testRoot) wantSeen(at int, before string, c store.Change, result store.Result) {
	r.t.Helper()
	now := r.user.Stat(string(c.Path))
	if now.Unchanged(result.Stat) && string(r.user.Read(string(c.Path))) != "new" {
		r.t.Fatalf("step %d: the user's change is hidden: %+v", at, result)
	}
	if r.user.Stat("d").Type == zsync.TypeSymlink && !strings.HasPrefix(before, "sync") {
		r.t.Fatalf("step %d, %s: placed in a directory that was moved away: %+v", at, before, result)
	}
}

// fresh returns another root like r.
func (r testRoot) fresh() testRoot {
	disk := crashfs.New(1)
	if err := tryExchange(r.disk); errors.Is(err, errors.ErrUnsupported) {
		disk.ForbidExchange()
	}
	if !knowsFlags(r.t, r.disk) {
		disk.ForbidFlags()
	}
	return openRoot(r.t, disk)
}

func knowsFlags(t testing.TB, disk *crashfs.FS) bool {
	t.Helper()
	dir, err := disk.Dir("")
	must(t, err)
	must(t, dir.Write("probe", nil))
	err = dir.Rename("probe", dir, "renamed", store.NoReplace)
	disk.User().Remove("probe")
	disk.User().Remove("renamed")
	return err == nil
}

func tryExchange(disk *crashfs.FS) error {
	dir, err := disk.Dir("")
	if err != nil {
		return err
	}
	return dir.Rename(".", dir, ".", store.Exchange)
}

// everyByte returns what every file below the root holds.
func (r testRoot) everyByte() map[string]bool {
	held := map[string]bool{}
	for _, path := range r.user.Paths("") {
		held[string(r.user.Read(path))] = true
	}
	return held
}

// TestOnARealDiskASwappedParentIsNotFollowed moves a directory out of the folder
// and puts a symlink in its place, before and after it is opened.
func TestOnARealDiskASwappedParentIsNotFollowed(t *testing.T) {
	for _, after := range []bool{false, true} {
		for name, open := range map[string]func(string) (store.FS, error){"os": store.OpenOS, "portable": store.OpenPortable} {
			t.Run(fmt.Sprintf("%s, after it is opened %v", name, after), func(t *testing.T) {
				dir, outside, target := t.TempDir(), t.TempDir(), t.TempDir()
				must(t, os.Mkdir(filepath.Join(dir, "d"), 0o755))
				real, err := open(dir)
				must(t, err)
				disk := &swapping{FS: real, after: after, swap: func() {
					must(t, os.Rename(filepath.Join(dir, "d"), filepath.Join(outside, "d")))
					must(t, os.Symlink(target, filepath.Join(dir, "d")))
				}}
				root, err := store.Open(disk, store.Options{})
				must(t, err)
				defer root.Close()
				result := root.Apply([]store.Change{place("d/file", nil, nil)}, false)[0]
				wantErr(t, result.Err, store.ErrDiverged)
				if disk.swap != nil {
					t.Error("nothing was swapped")
				}
				if entries, err := os.ReadDir(target); err != nil || len(entries) > 0 {
					t.Errorf("the symlink was followed: %v, %v", entries, err)
				}
			})
		}
	}
}

// swapping is a disk on which d is swapped when it is first opened.
type swapping struct {
	store.FS
	after bool
	swap  func()
}

func (s *swapping) Dir(path string) (store.Dir, error) {
	if path != "d" || s.swap == nil {
		return s.FS.Dir(path)
	}
	swap := s.swap
	s.swap = nil
	if !s.after {
		swap()
	}
	dir, err := s.FS.Dir(path)
	if s.after {
		swap()
	}
	return dir, err
}
