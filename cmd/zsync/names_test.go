package main

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/internal/control"
)

// oddNames are names that some program somewhere gets wrong. All of them travel.
var oddNames = []string{
	"new\nline", "return\r", "tab\there", `double"quote`, "single'quote", `back\slash`, "-rf", "--help", " before", "after ", "dot.", "...",
	"\x01\x1f\x7f", "esc\x1b[31m", strings.Repeat("x", 255), strings.Repeat("写", 85), "CON", "a:b*c?<d>|", "%41", "$(id)", "~", "#",
	"a~conflict-20260101-000000-abcdef-1234.txt", "a~abcdef.txt", ".hidden", "👩‍👩‍👧‍👦", "\u202ertl", "\ufeffmark", "zero\u200bwidth",
	"e\u0301 twin", "\u00e9 twin", "\ufffd", "case", "Case",
}

// notNames cannot travel, each for a reason that the status tells of its path.
var notNames = []string{"latin1-\xe9", "links/half-\xe5\x86", "kinds/surrogate-\xed\xa0\x80"}

// TestWhatHasAnOddNameOrKindTravelsOrIsToldOf has a person give files all the names
// and kinds that a file system allows. What does not travel is in the status.
func TestWhatHasAnOddNameOrKindTravelsOrIsToldOf(t *testing.T) {
	t.Parallel()
	sides := newSides(t, "left", "right")
	left, right := sides[0], sides[1]
	deep := odd(t, left.folder)
	for _, name := range notNames {
		must(t, os.WriteFile(filepath.Join(left.folder, name), []byte("stays here"), 0o644))
	}
	pairSides(left, right)
	startAll(sides)
	agree(t, sides, func() error { return sameBut(left.folder, right.folder, append(notNames, deep)) })
	f, err := left.folderNow()
	must(t, err)
	for _, name := range append(notNames, deep) {
		if !toldOf(f, name) {
			t.Errorf("the status does not tell of %q: %+v", name, f.Problems)
		}
	}
	if f, err = right.folderNow(); err != nil || len(f.Problems) != 0 {
		t.Errorf("%v, the receiver tells of %+v", err, f.Problems)
	}
	editBoth(t, sides)

	// Given a name that can travel, a file does.
	for i, name := range notNames {
		must(t, os.Rename(filepath.Join(left.folder, name), filepath.Join(left.folder, fmt.Sprint("good ", i))))
	}
	must(t, os.Rename(filepath.Join(left.folder, deep), filepath.Join(left.folder, "not deep")))
	agree(t, sides, func() error { return sameTrees(sides) })
	if _, err := os.Stat(filepath.Join(right.folder, "not deep")); err != nil {
		t.Error(err)
	}
}

// odd fills a folder; the path that it returns is one level too deep.
func odd(t *testing.T, folder string) (deep string) {
	t.Helper()
	for _, name := range oddNames {
		must(t, os.WriteFile(filepath.Join(folder, name), fmt.Appendf(nil, "%q", name), 0o644))
		in := filepath.Join(folder, "in", name)
		must(t, os.MkdirAll(filepath.Join(in, "empty"), 0o755))
		must(t, os.WriteFile(filepath.Join(in, name), fmt.Appendf(nil, "in %q", name), 0o644))
	}
	levels := strings.Repeat("n/", zsync.PathDepthMax-1)
	must(t, os.MkdirAll(filepath.Join(folder, levels+"deepest"), 0o755))
	deep = levels + "deepest/too deep"
	must(t, os.WriteFile(filepath.Join(folder, deep), []byte("too deep"), 0o644))
	must(t, os.Mkdir(filepath.Join(folder, "links"), 0o755))
	for i, target := range []string{"nowhere", "/etc/passwd", "..", "3", "../in", "new\nline", "latin1-\xe9", strings.Repeat("y", 4000)} {
		must(t, os.Symlink(target, filepath.Join(folder, "links", fmt.Sprint(i))))
	}
	must(t, os.Mkdir(filepath.Join(folder, "kinds"), 0o755))
	for i, mode := range []os.FileMode{0o777, 0o400, 0o000, 0o644 | os.ModeSetuid} {
		if mode&0o400 == 0 && os.Getuid() != 0 {
			continue // nobody but root could read it
		}
		path := filepath.Join(folder, "kinds", fmt.Sprint("mode ", i))
		must(t, os.WriteFile(path, fmt.Append(nil, i), 0o644))
		must(t, os.Chmod(path, mode&os.ModePerm))
	}
	must(t, os.WriteFile(filepath.Join(folder, "kinds", "nothing"), nil, 0o644))
	must(t, os.Link(filepath.Join(folder, "kinds", "mode 0"), filepath.Join(folder, "kinds", "hard link")))
	sparse, err := os.Create(filepath.Join(folder, "kinds", "sparse"))
	must(t, err)
	must(t, sparse.Truncate(32<<20))
	_, err = sparse.WriteAt([]byte("after the hole"), 20<<20)
	must(t, err)
	must(t, sparse.Close())
	return deep
}

// sameBut compares two folders but for what does not travel.
func sameBut(a, b string, but []string) error {
	treeA, err := readTree(a)
	if err != nil {
		return err
	}
	treeB, err := readTree(b)
	if err != nil {
		return err
	}
	for _, path := range but {
		delete(treeA, "/"+path)
	}
	if diff := differ(treeA, treeB); diff != "" {
		return fmt.Errorf("the trees differ:\n%s", diff)
	}
	return nil
}

// toldOf reports whether a problem names the path in what it says, or has it or
// its directory: what is no name may not be told of as a path.
func toldOf(f control.Folder, path string) bool {
	return slices.ContainsFunc(f.Problems, func(p control.Problem) bool {
		return p.Why != "" && (p.Path == path || p.Code == "depth" && p.Path == filepath.Dir(path) || strings.Contains(p.Why, fmt.Sprintf("%q", filepath.Base(path))))
	})
}

// editBoth edits the files of odd names on both devices while these are off: each
// has a conflict copy then, of the same name on both.
func editBoth(t *testing.T, sides []*side) {
	t.Helper()
	endAll(sides)
	for _, s := range sides {
		for _, name := range oddNames {
			must(t, os.WriteFile(filepath.Join(s.folder, name), fmt.Appendf(nil, "%q of %s", name, s.name), 0o644))
		}
	}
	had := haveNow(sides)
	startAll(sides)
	agree(t, sides, func() error { return nil })
	for i, s := range sides {
		lost(s, had[i])
	}
	texts := make(map[string]int)
	must(t, filepath.WalkDir(sides[1].folder, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.Name() == zsync.PrivateDir {
			return fs.SkipDir
		}
		if entry.Type().IsRegular() {
			data, err := os.ReadFile(path)
			texts[string(data)]++
			return err
		}
		return nil
	}))
	for _, name := range oddNames {
		for _, s := range sides {
			if text := fmt.Sprintf("%q of %s", name, s.name); texts[text] != 1 {
				t.Errorf("%s is there %d times", text, texts[text])
			}
		}
	}
}

// TestAFileThatMayNotBeReadIsToldOf needs a user who is not root.
func TestAFileThatMayNotBeReadIsToldOf(t *testing.T) {
	if os.Getuid() == 0 {
		t.Skip("root may read everything")
	}
	t.Parallel()
	alone := newSides(t, "left")[0]
	must(t, os.WriteFile(filepath.Join(alone.folder, "secret"), []byte("x"), 0o000))
	alone.start()
	var told control.Folder
	for began := time.Now(); time.Since(began) < patience; time.Sleep(50 * time.Millisecond) {
		var err error
		if told, err = alone.folderNow(); err == nil && toldOf(told, "secret") {
			return
		}
	}
	t.Errorf("the status does not tell of it: %+v", told.Problems)
}
