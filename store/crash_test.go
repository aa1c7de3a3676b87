package store_test

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/zsync/zsync"
	"github.com/zsync/zsync/store"
	"github.com/zsync/zsync/store/crashfs"
)

// scenario is a batch on a disk, and what must be there when it is done.
type scenario struct {
	before  map[string]string // path -> bytes; a path that ends in / is a directory
	links   map[string]string
	staged  []string
	changes func(r testRoot) []store.Change
	after   map[string]string // what the user's paths hold at the end
	kept    []string          // the bytes that are no longer in the tree, but kept
	folds   bool              // the disk takes names for one that differ only in case
}

func scenarios() map[string]scenario {
	mkdir := func(path zsync.Path) store.Change { return store.Change{Op: store.OpMkdir, Path: path, Mode: 0o755} }
	remove := func(r testRoot, path string) store.Change {
		return store.Change{Op: store.OpRemove, Path: zsync.Path(path), Old: r.old(path)}
	}
	rmdir := func(r testRoot, path string) store.Change {
		return store.Change{Op: store.OpRmdir, Path: zsync.Path(path), Old: r.old(path)}
	}
	large := string(made("large", 1<<20+70_000))
	many := scenario{before: map[string]string{"d/": ""}, after: map[string]string{"d": ""}}
	for i := range 40 {
		many.staged = append(many.staged, fmt.Sprintf("small %d", i))
		many.after[fmt.Sprintf("d/f%d", i)] = many.staged[i]
	}
	many.changes = func(testRoot) (changes []store.Change) {
		for i, data := range many.staged {
			changes = append(changes, place(zsync.Path(fmt.Sprintf("d/f%d", i)), []byte(data), nil))
		}
		return changes
	}
	return map[string]scenario{
		"create": {
			staged: []string{"new", large},
			changes: func(testRoot) []store.Change {
				return []store.Change{place("a", []byte("new"), nil), place("b", []byte(large), nil)}
			},
			after: map[string]string{"a": "new", "b": large},
		},
		"replace": {
			before: map[string]string{"a": "old", "d/b": large},
			staged: []string{"new", "newer"},
			changes: func(r testRoot) []store.Change {
				return []store.Change{place("a", []byte("new"), r.old("a")), place("d/b", []byte("newer"), r.old("d/b"))}
			},
			after: map[string]string{"a": "new", "d": "", "d/b": "newer"},
			kept:  []string{"old", large},
		},
		"replace by the same bytes": {
			before:  map[string]string{"a": "same"},
			staged:  []string{"same"},
			changes: func(r testRoot) []store.Change { return []store.Change{place("a", []byte("same"), r.old("a"))} },
			after:   map[string]string{"a": "same"},
		},
		"remove": {
			before: map[string]string{"a": "old", "d/b": "other", "d/e/": ""},
			changes: func(r testRoot) []store.Change {
				return []store.Change{remove(r, "a"), remove(r, "d/b"), rmdir(r, "d/e"), rmdir(r, "d")}
			},
			after: map[string]string{},
			kept:  []string{"old", "other"},
		},
		"rename": {
			before: map[string]string{"a": "A", "d/b": "B", "e/": ""},
			changes: func(r testRoot) []store.Change {
				return []store.Change{renaming("a", "e/a", r.old("a")), renaming("d", "e/d", r.old("d"))}
			},
			after: map[string]string{"e": "", "e/a": "A", "e/d": "", "e/d/b": "B"},
		},
		"files and directories move into new directories": {
			before: map[string]string{"a": "A", "d/b": "B"},
			changes: func(r testRoot) []store.Change {
				return []store.Change{
					mkdir("n"), renaming("a", "n/a", r.old("a")), mkdir("n/m"), renaming("d", "n/m/d", r.old("d")),
				}
			},
			after: map[string]string{"n": "", "n/a": "A", "n/m": "", "n/m/d": "", "n/m/d/b": "B"},
		},
		"two files trade names": {
			before: map[string]string{"a": "A", "b": "B"},
			changes: func(r testRoot) []store.Change {
				return []store.Change{
					renaming("a", store.ParkedDir+"/1", r.old("a")),
					renaming("b", "a", r.old("b")),
					renaming(store.ParkedDir+"/1", "b", r.old("a")),
				}
			},
			after: map[string]string{"a": "B", "b": "A"},
		},
		"symlinks": {
			before: map[string]string{"b": "file"},
			links:  map[string]string{"a": "old"},
			changes: func(r testRoot) []store.Change {
				return []store.Change{
					{Op: store.OpSymlink, Path: "a", Target: "new", Old: r.old("a"), MtimeNS: placedNS},
					{Op: store.OpSymlink, Path: "b", Target: "new", Old: r.old("b"), MtimeNS: placedNS},
					{Op: store.OpSymlink, Path: "c", Target: "new", MtimeNS: placedNS},
				}
			},
			after: map[string]string{"a": "new", "b": "new", "c": "new"},
			kept:  []string{"old", "file"},
		},
		"a file becomes a directory and a directory a file": {
			before: map[string]string{"a": "old", "b/x": "inner"},
			staged: []string{"new", "newer"},
			changes: func(r testRoot) []store.Change {
				return []store.Change{
					remove(r, "a"), mkdir("a"), place("a/x", []byte("new"), nil),
					remove(r, "b/x"), rmdir(r, "b"), place("b", []byte("newer"), nil),
				}
			},
			after: map[string]string{"a": "", "a/x": "new", "b": "newer"},
			kept:  []string{"old", "inner"},
		},
		"attributes": {
			before: map[string]string{"a": "A", "d/": ""},
			changes: func(r testRoot) []store.Change {
				return []store.Change{
					{Op: store.OpAttr, Path: "a", Old: r.old("a"), Mode: 0o600, MtimeNS: placedNS},
					{Op: store.OpAttr, Path: "d", Old: r.old("d"), Mode: 0o700},
				}
			},
			after: map[string]string{"a": "A", "d": ""},
		},
		"one content many times, and empty files": {
			before: map[string]string{"b": "old"},
			staged: []string{"same"},
			changes: func(r testRoot) []store.Change {
				return []store.Change{
					place("a", []byte("same"), nil), place("b", []byte("same"), r.old("b")), place("c", []byte("same"), nil),
					place("e", nil, nil), place("f", nil, nil),
				}
			},
			after: map[string]string{"a": "same", "b": "same", "c": "same", "e": "", "f": ""},
			kept:  []string{"old"},
		},
		"files and directories are spelled otherwise on a disk that takes both for one": {
			folds:  true,
			before: map[string]string{"photo": "one", "d/a": "two", "\u00e9": "three"},
			changes: func(r testRoot) []store.Change {
				return []store.Change{
					renaming("photo", "Photo", r.old("photo")), renaming("d", "D", r.old("d")),
					renaming("\u00e9", "E\u0301", r.old("\u00e9")),
				}
			},
			after: map[string]string{"Photo": "one", "D": "", "D/a": "two", "E\u0301": "three"},
		},
		"a file gives its name to one that differs only in case": {
			folds:  true,
			before: map[string]string{"photo": "one", "d/": ""},
			staged: []string{"new"},
			changes: func(r testRoot) []store.Change {
				return []store.Change{
					renaming("photo", "photo~c1", r.old("photo")), place("Photo", []byte("new"), nil),
					renaming("d", "d~c1", r.old("d")), mkdir("D"),
				}
			},
			after: map[string]string{"photo~c1": "one", "Photo": "new", "D": "", "d~c1": ""},
		},
		"a batch of small files": many,
	}
}

// TestRedoMakesABatchWholeAfterACrashAtAnyStep cuts the power at every step of
// every scenario, looks at what several crashes would leave, and redoes the batch.
func TestRedoMakesABatchWholeAfterACrashAtAnyStep(t *testing.T) {
	for name, s := range scenarios() {
		for kind := range renames {
			t.Run(name+", "+kind, func(t *testing.T) {
				t.Parallel()
				for at, more := 1, true; more; at++ {
					for seed := range uint64(4) {
						more = s.crashAt(t, at, uint64(at)*4+seed, kind)
					}
				}
			})
		}
	}
}

// renames are the kinds of disks by what their Rename can do.
var renames = map[string]func(disk *crashfs.FS){
	"exchange": func(*crashfs.FS) {}, "two steps": (*crashfs.FS).ForbidExchange, "links": (*crashfs.FS).ForbidFlags,
}

// crashAt runs the scenario once, with the power cut at a step of Apply; false:
// the batch ended before that.
func (s scenario) crashAt(t *testing.T, at int, seed uint64, kind string) bool {
	disk := crashfs.New(seed)
	renames[kind](disk)
	if s.folds {
		disk.FoldNames()
	}
	exchange := kind == "exchange"
	r := openRoot(t, disk)
	s.prepare(r)
	changes := s.changes(r)
	begin := disk.Steps()
	disk.CrashAt(begin + at)
	results := r.Apply(changes, false)
	crashed := disk.Steps() >= begin+at
	if !crashed {
		wantDone(t, results)
	}
	where := fmt.Sprintf("crash at %d, seed %d", at, seed)
	r = openRoot(t, disk.Crash())
	s.wantWhole(t, where, r, exchange && crashed)
	if !crashed { // durable when Apply has returned
		s.wantDoneTree(t, where, r)
		s.wantAttributes(t, where, r, changes)
	}
	if seed%2 == 1 { // a second crash, while it is redone
		r.disk.CrashAt(r.disk.Steps() + 1 + at/2)
		r.Apply(changes, true)
		r = openRoot(t, r.disk.Crash())
		s.wantWhole(t, where+", and another", r, exchange)
	}
	results = r.Apply(changes, true)
	if lostNew(changes, results) { // with a directory that was new too
		for _, data := range s.staged {
			r.stage([]byte(data))
		}
		results = r.Apply(changes, true)
	}
	for i, result := range results {
		if result.Err != nil {
			t.Fatalf("%s: redo of change %d: %v\n%v", where, i, result.Err, r.user.Paths(""))
		}
	}
	s.wantDoneTree(t, where, r)
	s.wantAttributes(t, where, r, changes)
	s.wantKept(t, where, r, results)
	after := openRoot(t, r.disk.Crash())
	s.wantDoneTree(t, where+", redone, and another crash", after)
	return crashed
}

// lostNew reports whether new bytes are gone that were to lie in a directory of
// the same batch: that they are fetched again is allowed.
func lostNew(changes []store.Change, results []store.Result) bool {
	return slices.ContainsFunc(changes, func(made store.Change) bool {
		return made.Op == store.OpMkdir && slices.ContainsFunc(results, func(result store.Result) bool {
			return errors.Is(result.Err, store.ErrGone)
		})
	})
}

func (s scenario) prepare(r testRoot) {
	for path, data := range s.before {
		if path[len(path)-1] == '/' {
			r.user.Mkdir(path[:len(path)-1])
		} else {
			r.user.Write(path, []byte(data))
		}
	}
	for path, target := range s.links {
		r.user.Symlink(path, target)
	}
	r.user.Settle()
	for _, data := range s.staged {
		r.stage([]byte(data))
	}
}

// wantWhole: after a crash and before anything is redone, every path holds all of
// the old bytes or all of the new, and no byte that was there is lost.
func (s scenario) wantWhole(t *testing.T, where string, r testRoot, always bool) {
	t.Helper()
	for _, path := range r.tree() {
		got := string(r.user.Read(path))
		if got != s.before[path] && got != s.links[path] && got != s.after[path] {
			t.Fatalf("%s: %s is torn: %d octets", where, path, len(got))
		}
	}
	held := r.everyByte()
	for path, data := range s.before {
		if path[len(path)-1] != '/' && !held[data] {
			t.Fatalf("%s: the bytes of %s are lost", where, path)
		}
	}
	for path, data := range s.after {
		was, had := s.before[path]
		_, hadLink := s.links[path]
		if always && (had || hadLink) && data != "" && was != "" && r.user.Stat(path) == (store.Stat{}) && s.replacesOnly() {
			t.Fatalf("%s: %s leads nowhere", where, path)
		}
	}
}

// replacesOnly: no path of the scenario is ever meant to lead nowhere.
func (s scenario) replacesOnly() bool {
	for path := range s.before {
		if _, stays := s.after[path]; !stays {
			return false
		}
	}
	return len(s.kept) > 0
}

func (s scenario) wantDoneTree(t *testing.T, where string, r testRoot) {
	t.Helper()
	got := map[string]string{}
	for _, path := range r.tree() {
		got[path] = string(r.user.Read(path))
	}
	if diff := cmp.Diff(s.after, got); diff != "" {
		t.Fatalf("%s: tree (-want +got):\n%s", where, diff)
	}
}

func (s scenario) wantAttributes(t *testing.T, where string, r testRoot, changes []store.Change) {
	t.Helper()
	for _, c := range changes {
		stat := r.user.Stat(string(c.Path))
		switch c.Op {
		case store.OpPlace:
			if stat.Mode != c.Mode || stat.MtimeNS != c.MtimeNS {
				t.Fatalf("%s: %s has %+v", where, c.Path, stat)
			}
		case store.OpAttr:
			if stat.Mode != c.Mode || stat.Type == zsync.TypeFile && stat.MtimeNS != c.MtimeNS {
				t.Fatalf("%s: %s has %+v", where, c.Path, stat)
			}
		}
	}
}

// wantKept: what is no longer in the tree is where the results say.
func (s scenario) wantKept(t *testing.T, where string, r testRoot, results []store.Result) {
	t.Helper()
	var kept []string
	for _, result := range results {
		if result.Kept != "" {
			kept = append(kept, string(r.kept(result.Kept)))
		}
	}
	for _, data := range s.kept {
		if !slices.Contains(kept, data) {
			t.Fatalf("%s: %.20q is not said to be kept, but %.100q are; there is %v", where, data, kept, r.user.Paths(".zsync/versions"))
		}
	}
	for _, path := range r.user.Paths(".zsync/tmp/swap") {
		if path != ".zsync/tmp/swap/clock" {
			t.Fatalf("%s: %s is left", where, path)
		}
	}
}

// TestWithoutItsIntentsABatchLosesNothingEither: the database that remembered the
// batch is lost with the power; the next batch looks after what it left.
func TestWithoutItsIntentsABatchLosesNothingEither(t *testing.T) {
	for name, s := range scenarios() {
		for kind, forbid := range renames {
			t.Run(name+", "+kind, func(t *testing.T) {
				t.Parallel()
				for at := 1; ; at++ {
					disk := crashfs.New(uint64(at))
					forbid(disk)
					if s.folds {
						disk.FoldNames()
					}
					r := openRoot(t, disk)
					s.prepare(r)
					begin := disk.Steps()
					disk.CrashAt(begin + at)
					r.Apply(s.changes(r), false)
					crashed := disk.Steps() >= begin+at
					r = openRoot(t, disk.Crash())
					wantDone(t, r.Apply([]store.Change{{Op: store.OpMkdir, Path: "another", Mode: 0o755}}, false))
					r.user.Remove("another")
					where := fmt.Sprintf("crash at %d", at)
					s.wantWhole(t, where, r, false)
					held := r.everyByte()
					for _, data := range s.staged {
						if !held[data] {
							t.Fatalf("%s: staged bytes are lost", where)
						}
					}
					_, err := r.Staged()
					must(t, err)
					if !crashed {
						return
					}
				}
			})
		}
	}
}

// TestACrashWhileStagingOrOpeningLeavesAFolderThatOpens cuts the power at every
// step of the first open, of staging and of a flush.
func TestACrashWhileStagingOrOpeningLeavesAFolderThatOpens(t *testing.T) {
	for at, more := 1, true; more; at++ {
		for seed := range uint64(4) {
			disk := crashfs.New(uint64(at)*4 + seed)
			disk.User().Write("file", []byte("user's"))
			disk.User().Settle()
			disk.CrashAt(at)
			root, err := store.Open(disk, store.Options{})
			if err == nil {
				root.Stage(append(pieces(made("small", 9000)), pieces(made("large", 2<<20))...))
				_ = root.Flush()
			}
			more = disk.Steps() >= at
			r := openRoot(t, disk.Crash())
			_, err = r.Staged()
			must(t, err)
			if err == nil && root != nil && r.Identity().ID != root.Identity().ID {
				t.Fatalf("crash at %d: the folder has another id", at)
			}
			if !bytes.Equal(r.user.Read("file"), []byte("user's")) {
				t.Fatalf("crash at %d: the user's file is lost", at)
			}
			r.stage(made("small", 9000))
			must(t, r.one(place("placed", made("small", 9000), nil)).Err)
			if !bytes.Equal(r.user.Read("placed"), made("small", 9000)) {
				t.Fatalf("crash at %d: other bytes", at)
			}
		}
	}
}
