package store_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/zsync/zsync"
	"github.com/zsync/zsync/store"
	"github.com/zsync/zsync/store/crashfs"
)

// tree returns what the user sees, without the private directory.
func (r testRoot) tree() []string {
	var seen []string
	for _, path := range r.user.Paths("") {
		if !strings.HasPrefix(path, ".zsync") {
			seen = append(seen, path)
		}
	}
	return seen
}

// noneLeft makes sure that nothing waits in staging or swap.
func (r testRoot) noneLeft() {
	r.t.Helper()
	for _, path := range r.user.Paths(".zsync/tmp") {
		if strings.Count(path, "/") > 2 && !strings.HasSuffix(path, "/clock") {
			r.t.Errorf("%s is left", path)
		}
	}
}

func TestAFileIsPlacedWithItsModeAndTime(t *testing.T) {
	for _, data := range [][]byte{nil, []byte("hello"), made("large", 3<<20)} {
		r := newRoot(t)
		r.user.Mkdir("d")
		if len(data) > 0 {
			r.stage(data)
		}
		result := r.one(place("d/file", data, nil))
		must(t, result.Err)
		if stat := r.user.Stat("d/file"); stat != result.Stat || stat.Mode != 0o640 || stat.MtimeNS != placedNS {
			t.Errorf("stat is %+v, said to be %+v", stat, result.Stat)
		}
		if !bytes.Equal(r.user.Read("d/file"), data) {
			t.Error("other bytes")
		}
		r.noneLeft()
	}
}

func TestAReplacedFileIsKept(t *testing.T) {
	everyReplacement(t, func(t *testing.T, r testRoot) {
		r.user.Write("file", []byte("old"))
		r.stage([]byte("new"))
		old := r.old("file")
		result := r.one(place("file", []byte("new"), old))
		must(t, result.Err)
		if got := string(r.user.Read("file")); got != "new" {
			t.Errorf("the file holds %q", got)
		}
		if got := string(r.kept(result.Kept)); got != "old" || !result.KeptStat.SameFile(*old) {
			t.Errorf("kept %q in %q, %+v", got, result.Kept, result.KeptStat)
		}
		span := store.Span{Area: store.InVersions, Kept: result.Kept, Stat: *old}
		must(t, r.Read(span, 0, make([]byte, 3)))
		r.noneLeft()
	})
}

// everyReplacement runs a test on disks that can exchange names and on such as cannot.
func everyReplacement(t *testing.T, test func(t *testing.T, r testRoot)) {
	t.Run("exchange", func(t *testing.T) { test(t, newRoot(t)) })
	t.Run("two steps", func(t *testing.T) {
		r := newRoot(t)
		r.disk.ForbidExchange()
		test(t, r)
	})
	t.Run("links", func(t *testing.T) {
		r := newRoot(t)
		r.disk.ForbidFlags()
		test(t, r)
	})
}

func TestSymlinksArePlacedReplacedAndRemovedAsData(t *testing.T) {
	everyReplacement(t, func(t *testing.T, r testRoot) {
		link := store.Change{Op: store.OpSymlink, Path: "link", Target: "/etc/passwd", MtimeNS: placedNS}
		result := r.one(link)
		must(t, result.Err)
		if result.Stat.Type != zsync.TypeSymlink || result.Stat.MtimeNS != placedNS {
			t.Errorf("stat is %+v", result.Stat)
		}
		link.Target, link.Old = "elsewhere", &result.Stat
		result = r.one(link)
		must(t, result.Err)
		if got := string(r.user.Read("link")); got != "elsewhere" {
			t.Errorf("the link leads to %q", got)
		}
		if got := string(r.kept(result.Kept)); got != "/etc/passwd" {
			t.Errorf("kept %q", got)
		}
		r.stage([]byte("file"))
		result = r.one(place("link", []byte("file"), &result.Stat))
		must(t, result.Err)
		link.Old = &result.Stat
		result = r.one(link)
		must(t, result.Err)
		result = r.one(store.Change{Op: store.OpRemove, Path: "link", Old: &result.Stat})
		must(t, result.Err)
		if tree := r.tree(); tree != nil {
			t.Errorf("left: %v", tree)
		}
		r.noneLeft()
	})
}

func TestABatchBuildsMovesAndRemovesATree(t *testing.T) {
	r := newRoot(t)
	r.stage([]byte("a"))
	r.stage([]byte("b"))
	results := r.Apply([]store.Change{
		{Op: store.OpMkdir, Path: "d", Mode: 0o755},
		{Op: store.OpMkdir, Path: "d/e", Mode: 0o700},
		place("d/e/a", []byte("a"), nil),
		place("d/b", []byte("b"), nil),
	}, false)
	wantDone(t, results)
	if stat := r.user.Stat("d/e"); stat.Mode != 0o700 || !stat.SameFile(results[1].Stat) {
		t.Errorf("directory: %+v, said to be %+v", stat, results[1].Stat)
	}
	dir := r.old("d/e")
	moved := r.Apply([]store.Change{
		{Op: store.OpRename, From: "d/e", Path: "f", Old: dir},
		{Op: store.OpAttr, Path: "f", Old: dir, Mode: 0o755},
		{Op: store.OpAttr, Path: "d/b", Old: &results[3].Stat, Mode: 0o600, MtimeNS: 5},
		{Op: store.OpRename, From: "d/b", Path: "f/b", Old: &results[3].Stat},
	}, false)
	wantDone(t, moved[:3])
	wantErr(t, moved[3].Err, store.ErrDiverged) // its Stat is that of before the third change
	if stat := r.user.Stat("d/b"); stat.Mode != 0o600 || stat.MtimeNS != 5 || stat != moved[2].Stat {
		t.Errorf("file: %+v", stat)
	}
	wantDone(t, r.Apply([]store.Change{
		{Op: store.OpRemove, Path: "f/a", Old: &results[2].Stat},
		{Op: store.OpRemove, Path: "d/b", Old: &moved[2].Stat},
		{Op: store.OpRmdir, Path: "f", Old: &moved[1].Stat},
		{Op: store.OpRmdir, Path: "d", Old: &results[0].Stat},
	}, false))
	if tree := r.tree(); tree != nil {
		t.Errorf("left: %v", tree)
	}
}

func wantDone(t *testing.T, results []store.Result) {
	t.Helper()
	for i, result := range results {
		if result.Err != nil {
			t.Errorf("change %d: %v", i, result.Err)
		}
	}
}

func TestTwoFilesTradeNamesThroughTheParkingPlace(t *testing.T) {
	r := newRoot(t)
	r.user.Write("a", []byte("A"))
	r.user.Write("b", []byte("B"))
	trade := []store.Change{
		{Op: store.OpRename, From: "a", Path: store.ParkedDir + "/1", Old: r.old("a")},
		{Op: store.OpRename, From: "b", Path: "a", Old: r.old("b")},
		{Op: store.OpRename, From: store.ParkedDir + "/1", Path: "b", Old: nil},
	}
	parked := r.Apply(trade[:2], false)
	wantDone(t, parked)
	trade[2].Old = &parked[0].Stat
	wantDone(t, r.Apply(trade[2:], false))
	if string(r.user.Read("a"))+string(r.user.Read("b")) != "BA" {
		t.Error("they did not trade")
	}
	first, second := parked[0].Stat, parked[1].Stat
	trade[0].Old, trade[1].Old, trade[2].Old = &first, &second, &first
	wantDone(t, r.Apply(trade, true))
}

func TestOneContentIsPlacedAtManyPathsOfABatch(t *testing.T) {
	r := newRoot(t)
	data := []byte("same")
	r.stage(data)
	var changes []store.Change
	for i := range 30 {
		changes = append(changes, place(zsync.Path(fmt.Sprintf("f%02d", i)), data, nil))
		changes = append(changes, place(zsync.Path(fmt.Sprintf("e%02d", i)), nil, nil))
	}
	wantDone(t, r.Apply(changes, false))
	for _, path := range r.tree() {
		if got := r.user.Read(path); string(got) != "same" && path[0] == 'f' || len(got) != 0 && path[0] == 'e' {
			t.Errorf("%s holds %q", path, got)
		}
	}
	r.noneLeft()
}

func TestAContentThatCouldNotBePlacedAtOneOfTwoPathsIsPlacedThereLater(t *testing.T) {
	r := newRoot(t)
	data := []byte("same")
	r.user.Write("changed", []byte("old"))
	r.user.Write("also changed", []byte("old"))
	old, last := r.old("changed"), r.old("also changed")
	r.user.Chmod("changed", 0o600)
	r.stage(data)
	results := r.Apply([]store.Change{place("changed", data, old), place("also changed", data, last)}, false)
	wantErr(t, results[0].Err, store.ErrDiverged)
	must(t, results[1].Err)
	r.noneLeft()
	r.stage(data)
	must(t, r.one(place("changed", data, r.old("changed"))).Err)
	r.noneLeft()
}

func TestEachOperationRefusesADiskThatIsNotAsExpected(t *testing.T) {
	other := func(r testRoot, path string) *store.Stat {
		old := r.old(path)
		old.MtimeNS++
		return old
	}
	cases := map[string]func(r testRoot) store.Change{
		"mkdir over a file":                     func(testRoot) store.Change { return store.Change{Op: store.OpMkdir, Path: "file"} },
		"mkdir over a directory":                func(testRoot) store.Change { return store.Change{Op: store.OpMkdir, Path: "dir"} },
		"mkdir below nothing":                   func(testRoot) store.Change { return store.Change{Op: store.OpMkdir, Path: "missing/d"} },
		"mkdir below a link":                    func(testRoot) store.Change { return store.Change{Op: store.OpMkdir, Path: "link/d"} },
		"place over a file":                     func(testRoot) store.Change { return place("file", []byte("new"), nil) },
		"place over a directory":                func(testRoot) store.Change { return place("dir", []byte("new"), nil) },
		"place over a link":                     func(testRoot) store.Change { return place("link", []byte("new"), nil) },
		"place through a link":                  func(testRoot) store.Change { return place("link/new", []byte("new"), nil) },
		"place over another":                    func(r testRoot) store.Change { return place("file", []byte("new"), other(r, "file")) },
		"place over nothing":                    func(r testRoot) store.Change { return place("missing", []byte("new"), r.old("file")) },
		"place for a directory":                 func(r testRoot) store.Change { return place("dir", []byte("new"), r.old("dir")) },
		"symlink over a file":                   func(testRoot) store.Change { return store.Change{Op: store.OpSymlink, Path: "file", Target: "x"} },
		"rename from nothing":                   func(r testRoot) store.Change { return renaming("missing", "new", r.old("file")) },
		"rename another":                        func(r testRoot) store.Change { return renaming("file", "new", other(r, "file")) },
		"rename over a file":                    func(r testRoot) store.Change { return renaming("file", "dir/inner", r.old("file")) },
		"rename over a directory":               func(r testRoot) store.Change { return renaming("dir/sub", "dir2", r.old("dir/sub")) },
		"rename another directory":              func(r testRoot) store.Change { return renaming("dir", "new", r.old("dir2")) },
		"rename what is expected to be nothing": func(testRoot) store.Change { return renaming("file", "new", nil) },
		"remove nothing": func(r testRoot) store.Change {
			return store.Change{Op: store.OpRemove, Path: "missing", Old: r.old("file")}
		},
		"remove another": func(r testRoot) store.Change {
			return store.Change{Op: store.OpRemove, Path: "file", Old: other(r, "file")}
		},
		"remove a directory":        func(r testRoot) store.Change { return store.Change{Op: store.OpRemove, Path: "dir", Old: r.old("dir")} },
		"rmdir of a full directory": func(r testRoot) store.Change { return store.Change{Op: store.OpRmdir, Path: "dir", Old: r.old("dir")} },
		"rmdir of another":          func(r testRoot) store.Change { return store.Change{Op: store.OpRmdir, Path: "dir2", Old: r.old("dir")} },
		"rmdir of a file": func(r testRoot) store.Change {
			return store.Change{Op: store.OpRmdir, Path: "file", Old: r.old("file")}
		},
		"attributes of another": func(r testRoot) store.Change {
			return store.Change{Op: store.OpAttr, Path: "file", Old: other(r, "file"), Mode: 1}
		},
		"attributes of nothing": func(r testRoot) store.Change {
			return store.Change{Op: store.OpAttr, Path: "missing", Old: r.old("file")}
		},
	}
	for name, change := range cases {
		t.Run(name, func(t *testing.T) {
			r := newRoot(t)
			r.user.Write("file", []byte("user's"))
			r.user.Write("dir/inner", []byte("user's too"))
			r.user.Mkdir("dir/sub")
			r.user.Mkdir("dir2")
			r.user.Symlink("link", "dir")
			r.stage([]byte("new"))
			before := r.picture()
			result := r.one(change(r))
			wantErr(t, result.Err, store.ErrDiverged)
			if diff := cmp.Diff(before, r.picture()); diff != "" || result.Kept != "" {
				t.Errorf("the disk changed (-before +after), kept %q:\n%s", result.Kept, diff)
			}
			if staged := r.staged(); !slices.Equal(staged, []zsync.Digest{content([]byte("new"))}) {
				t.Errorf("staged: %v", staged)
			}
		})
	}
}

func TestAFileWhoseCtimeAloneChangedIsLeftAlone(t *testing.T) {
	r := newRoot(t)
	r.stage([]byte("new"))
	r.user.Write("file", []byte("old"))
	old := r.old("file")
	r.user.Chmod("file", old.Mode) // a write within one tick of the clock leaves no other trace
	for _, c := range []store.Change{
		place("file", []byte("new"), old), renaming("file", "new", old),
		{Op: store.OpRemove, Path: "file", Old: old},
		{Op: store.OpAttr, Path: "file", Old: old},
	} {
		wantErr(t, r.one(c).Err, store.ErrDiverged)
	}
}

func renaming(from, to zsync.Path, old *store.Stat) store.Change {
	return store.Change{Op: store.OpRename, From: from, Path: to, Old: old}
}

// picture returns every path of the user's with what it holds and its Stat.
func (r testRoot) picture() map[string]string {
	picture := map[string]string{}
	for _, path := range r.tree() {
		stat := r.user.Stat(path)
		stat.CtimeNS = 0
		if stat.Type == zsync.TypeDir {
			stat.MtimeNS = 0
		}
		picture[path] = fmt.Sprintf("%q %+v", r.user.Read(path), stat)
	}
	return picture
}

func TestWhatIsNotStagedCannotBePlaced(t *testing.T) {
	r := newRoot(t)
	wantErr(t, r.one(place("file", []byte("missing"), nil)).Err, store.ErrGone)
	large := made("large", 3<<20)
	r.Stage(pieces(large)[:2])
	must(t, r.Flush())
	wantErr(t, r.one(place("file", large, nil)).Err, store.ErrGone)
	r.stage([]byte("other"))
	short := place("file", []byte("other"), nil)
	short.Size--
	wantErr(t, r.one(short).Err, store.ErrGone)
	if tree := r.tree(); tree != nil {
		t.Errorf("placed: %v", tree)
	}
}

func TestNothingIsPlacedBeforeItIsDurable(t *testing.T) {
	disk := crashfs.New(4)
	r := openRoot(t, disk)
	must(t, r.Stage(pieces([]byte("unflushed")))[0])
	must(t, r.one(place("file", []byte("unflushed"), nil)).Err)
	for range 10 {
		if got := string(disk.Crash().User().Read("file")); got != "unflushed" {
			t.Errorf("after a crash the file holds %q", got)
		}
	}
}

func TestPathsOutsideTheFolderAreRefused(t *testing.T) {
	r := newRoot(t)
	r.stage([]byte("x"))
	for _, path := range []zsync.Path{
		"", ".", "..", "../x", "a/../../x", "/x", ".zsync", ".zsync/id", ".ZSync/id", "a//b", "a/", ".zsync/parked/x", "a\x00b",
		zsync.Path(strings.Repeat("n", 256)),
	} {
		for _, c := range []store.Change{
			place(path, []byte("x"), nil), place(path, nil, nil),
			{Op: store.OpMkdir, Path: path},
			{Op: store.OpSymlink, Path: path, Target: "x"},
			{Op: store.OpRemove, Path: path, Old: &store.Stat{Type: zsync.TypeFile}},
		} {
			if result := r.one(c); result.Err == nil {
				t.Errorf("%s %q was done", c.Op, path)
			}
		}
	}
	r.user.Write("file", nil)
	for _, path := range []zsync.Path{".zsync/parked/../id2", ".zsync/parked/a/b", ".zsync/x", ".zsync/parked"} {
		if result := r.one(renaming("file", path, r.old("file"))); result.Err == nil {
			t.Errorf("renamed to %q", path)
		}
	}
}

func TestADiskThatFailsSaysSoAndLosesNothing(t *testing.T) {
	broken := errors.New("input/output error")
	everyReplacement(t, func(t *testing.T, r testRoot) {
		for at := 1; ; at++ {
			r := r.fresh()
			r.user.Write("replaced", []byte("old"))
			r.user.Write("removed", []byte("other"))
			r.stage([]byte("new"))
			r.stage([]byte("created"))
			begin := r.disk.Steps()
			r.disk.FailAt(begin+at, broken)
			changes := []store.Change{
				place("replaced", []byte("new"), r.old("replaced")),
				{Op: store.OpRemove, Path: "removed", Old: r.old("removed")},
				place("created", []byte("created"), nil),
			}
			results := r.Apply(changes, false)
			if r.disk.Steps() < begin+at {
				wantDone(t, results)
				return
			}
			told := slices.ContainsFunc(results, func(result store.Result) bool { return errors.Is(result.Err, broken) })
			held := r.everyByte()
			if !told || !held["old"] || !held["other"] {
				t.Fatalf("step %d: told %v, held %v", at, told, held)
			}
			if got := string(r.user.Read("replaced")); got != "old" && got != "new" && (got != "" || !held["old"]) {
				t.Fatalf("step %d: the file holds %q", at, got)
			}
		}
	})
}

func TestOnARealDiskABatchIsAppliedAndListed(t *testing.T) {
	for name, open := range map[string]func(string) (store.FS, error){"os": store.OpenOS, "portable": store.OpenPortable} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			disk, err := open(dir)
			must(t, err)
			root, err := store.Open(disk, store.Options{})
			must(t, err)
			defer root.Close()
			must(t, os.WriteFile(filepath.Join(dir, "old"), []byte("old"), 0o600))
			must(t, os.Chmod(filepath.Join(dir, "old"), 0o000))
			old := entry(t, root, "old").Stat
			for _, err := range root.Stage(append(pieces([]byte("new")), pieces(made("large", 2<<20))...)) {
				must(t, err)
			}
			must(t, root.Flush())
			results := root.Apply([]store.Change{
				{Op: store.OpMkdir, Path: "d", Mode: 0o777},
				place("d/large", made("large", 2<<20), nil),
				place("d/empty", nil, nil),
				place("old", []byte("new"), &old),
				{Op: store.OpSymlink, Path: "d/link", Target: "../old", MtimeNS: placedNS},
			}, false)
			wantDone(t, results)
			for i, path := range []string{"d", "d/large", "d/empty", "old", "d/link"} {
				info, err := os.Lstat(filepath.Join(dir, path))
				must(t, err)
				if info.Mode()&os.ModeSymlink == 0 && uint32(info.Mode().Perm()) != results[i].Stat.Mode {
					t.Errorf("%s has mode %v", path, info.Mode())
				}
			}
			got, err := os.ReadFile(filepath.Join(dir, ".zsync/versions", results[3].Kept))
			if os.Getuid() == 0 && (err != nil || string(got) != "old") {
				t.Errorf("kept %q, %v", got, err)
			}
			if listing := root.List("d"); len(listing.Entries) != 3 || listing.Entries[2].Target != "../old" {
				t.Errorf("listing: %+v", listing)
			}
			info, err := os.Stat(filepath.Join(dir, ".zsync"))
			if err != nil || info.Mode().Perm() != 0o700 {
				t.Errorf("the private directory: %v, %v", info.Mode(), err)
			}
		})
	}
}

func TestADirectoryThatItsOwnerMayNotWriteToIsWrittenToAllTheSame(t *testing.T) {
	if os.Getuid() == 0 {
		t.Skip("root may write everywhere")
	}
	dir := t.TempDir()
	root := benchRoot(t, dir)
	for _, err := range root.Stage(pieces([]byte("new"))) {
		must(t, err)
	}
	results := root.Apply([]store.Change{
		{Op: store.OpMkdir, Path: "d", Mode: 0o555},
		{Op: store.OpMkdir, Path: "d/e", Mode: 0o555},
		place("d/e/file", []byte("new"), nil),
		{Op: store.OpMkdir, Path: "d/f", Mode: 0o755},
	}, false)
	wantDone(t, results)
	moved := root.Apply([]store.Change{renaming("d/e/file", "d/file", &results[2].Stat)}, false)
	wantDone(t, moved)
	for _, path := range []string{"d", "d/e"} {
		info, err := os.Stat(filepath.Join(dir, path))
		must(t, err)
		if info.Mode().Perm() != 0o555 {
			t.Errorf("%s has mode %v", path, info.Mode())
		}
	}
	wantDone(t, root.Apply([]store.Change{
		{Op: store.OpRemove, Path: "d/file", Old: &moved[0].Stat},
		{Op: store.OpRmdir, Path: "d/e", Old: &results[1].Stat},
		{Op: store.OpAttr, Path: "d", Old: &results[0].Stat, Mode: 0o755},
	}, false))
	info, err := os.Stat(filepath.Join(dir, "d"))
	if err != nil || info.Mode().Perm() != 0o755 {
		t.Errorf("d has mode %v, %v", info.Mode(), err)
	}
}

// TestDirectoriesStayOpenWhileAChangeUsesThem: a rename uses two, and a batch more
// than are kept open.
func TestDirectoriesStayOpenWhileAChangeUsesThem(t *testing.T) {
	dir := t.TempDir()
	root := benchRoot(t, dir)
	const dirs, files = 20, 150
	var changes []store.Change
	for d := range dirs {
		must(t, os.Mkdir(filepath.Join(dir, fmt.Sprintf("d%02d", d)), 0o755))
	}
	for i := range files {
		name := fmt.Sprintf("d00/f%03d", i)
		must(t, os.WriteFile(filepath.Join(dir, name), []byte(name), 0o644))
		changes = append(changes, renaming(zsync.Path(name), zsync.Path(fmt.Sprintf("d%02d/g%03d", i%dirs, i)), nil))
	}
	for i, entry := range root.List("d00").Entries {
		changes[i].Old = &entry.Stat
	}
	for round := range 3 { // apart, together again, and within one directory
		results := root.Apply(changes, false)
		wantDone(t, results)
		for i, c := range changes {
			got, err := os.ReadFile(filepath.Join(dir, string(c.Path)))
			if err != nil || string(got) != fmt.Sprintf("d00/f%03d", i) {
				t.Fatalf("%s holds %q, %v", c.Path, got, err)
			}
			changes[i] = renaming(c.Path, zsync.Path(fmt.Sprintf("d00/h%d-%03d", round, i)), &results[i].Stat)
		}
	}
}
