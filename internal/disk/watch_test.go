package disk

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/fsnotify/fsnotify"
	"github.com/zsync/zsync"
)

// nothing is what a program has made that only watches.
func nothing(zsync.Path, fs.FileInfo) bool { return false }

// watching runs a Watcher on a new directory until the test ends.
func watching(t *testing.T, prepare func(dir string)) (string, *Watcher) {
	t.Helper()
	return watchingBut(t, nothing, prepare)
}

func watchingBut(t *testing.T, made Made, prepare func(dir string)) (string, *Watcher) {
	t.Helper()
	dir := t.TempDir()
	prepare(dir)
	w, err := NewWatcher(dir, made)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- w.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return dir, w
}

// wantDirs waits until all of the directories were reported.
func wantDirs(t *testing.T, w *Watcher, want ...zsync.Path) {
	t.Helper()
	var got []zsync.Path
	late := time.After(20 * time.Second)
	for {
		select {
		case hint := <-w.Hints():
			got = append(got, hint.Dirs...)
		case <-late:
			t.Fatalf("hints of %q, wanted %q", got, want)
		}
		missing := slices.ContainsFunc(want, func(dir zsync.Path) bool { return !slices.Contains(got, dir) })
		if !missing {
			return
		}
	}
}

func try(t *testing.T, errs ...error) {
	t.Helper()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

func write(dir, name string) error {
	path := filepath.Join(dir, name)
	return errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(name), 0o644))
}

func TestAFolderWithinTheFolderIsNotWatched(t *testing.T) {
	dir, w := watching(t, func(dir string) {
		try(t, write(dir, "d/inner/.zsync/id"), write(dir, "d/inner/sub/file"), write(dir, "later/sub/file"))
	})
	try(t, write(dir, "d/inner/sub/file"), write(dir, "d/inner/.zsync/tmp/0/x"), write(dir, "d/file"))
	got := waitFor(t, w, "d")
	try(t, write(dir, "later/.zsync/id"))
	got = append(got, waitFor(t, w, "later")...)
	try(t, write(dir, "later/sub/more"), write(dir, "later/.zsync/tmp/0/x"), write(dir, "end/file"))
	got = append(got, waitFor(t, w, "end")...)
	for _, path := range got {
		if strings.HasPrefix(string(path), "d/inner") || strings.Contains(string(path), ".zsync") || strings.HasPrefix(string(path), "later/") {
			t.Errorf("a hint of %s", path)
		}
	}
}

// waitFor returns the hints up to that of a directory.
func waitFor(t *testing.T, w *Watcher, until zsync.Path) (got []zsync.Path) {
	t.Helper()
	late := time.After(20 * time.Second)
	for !slices.Contains(got, until) {
		select {
		case hint := <-w.Hints():
			got = append(got, hint.Dirs...)
		case <-late:
			t.Fatalf("hints of %q, wanted %q", got, until)
		}
	}
	return got
}

func TestChangesAreReportedAsTheirDirectories(t *testing.T) {
	dir, w := watching(t, func(dir string) { try(t, write(dir, "a/b/file"), write(dir, "c/file")) })
	try(t, write(dir, "a/b/file"))
	wantDirs(t, w, "a/b")
	try(t, write(dir, "new"))
	wantDirs(t, w, "")
	try(t, os.Remove(filepath.Join(dir, "c/file")), os.Chmod(filepath.Join(dir, "a/b/file"), 0o600))
	wantDirs(t, w, "a/b", "c")
	try(t, os.Rename(filepath.Join(dir, "a/b/file"), filepath.Join(dir, "c/moved")))
	wantDirs(t, w, "a/b", "c")
}

func TestNewDirectoriesAreReportedAndWatched(t *testing.T) {
	dir, w := watching(t, func(string) {})
	try(t, write(dir, "x/y/z/file"))
	wantDirs(t, w, "", "x", "x/y", "x/y/z")
	try(t, write(dir, "x/y/z/another"))
	wantDirs(t, w, "x/y/z")
}

func TestARenamedDirectoryIsReportedUnderItsNewName(t *testing.T) {
	dir, w := watching(t, func(dir string) { try(t, write(dir, "old/sub/file")) })
	try(t, os.Rename(filepath.Join(dir, "old"), filepath.Join(dir, "new")))
	wantDirs(t, w, "", "new", "new/sub")
	try(t, write(dir, "new/sub/file"), write(dir, "new/other"))
	wantDirs(t, w, "new", "new/sub")
	try(t, write(dir, "old/sub/file"))
	wantDirs(t, w, "old/sub")
	try(t, os.RemoveAll(filepath.Join(dir, "new")), write(dir, "new/sub/file"))
	wantDirs(t, w, "new/sub")
	try(t, write(dir, "new/sub/file"))
	wantDirs(t, w, "new/sub")
}

func TestThePrivateDirectoryIsNeverWatched(t *testing.T) {
	dir, w := watching(t, func(dir string) { try(t, write(dir, ".zsync/tmp/0/file")) })
	try(t, write(dir, ".zsync/tmp/0/another"), os.Chmod(filepath.Join(dir, ".zsync"), 0o700))
	try(t, os.RemoveAll(filepath.Join(dir, ".zsync")), write(dir, ".zsync/id"))
	select {
	case hint := <-w.Hints():
		t.Errorf("reported: %+v", hint)
	case <-time.After(4 * settleQuiet):
	}
	try(t, write(dir, "a/.zsync/mine"))
	wantDirs(t, w, "a") // what is in there is listed by nobody
	for _, name := range w.notify.WatchList() {
		if filepath.Base(name) == ".zsync" {
			t.Errorf("%s is watched", name)
		}
	}
}

func TestABurstIsOneHint(t *testing.T) {
	dir, w := watching(t, func(dir string) { try(t, os.Mkdir(filepath.Join(dir, "d"), 0o755)) })
	for i := range 500 {
		try(t, write(dir, fmt.Sprintf("d/file%d", i)))
	}
	hints := 0
	for {
		select {
		case hint := <-w.Hints():
			hints++
			if !slices.Equal(hint.Dirs, []zsync.Path{"d"}) {
				t.Errorf("hint: %+v", hint)
			}
			continue
		case <-time.After(10 * settleQuiet):
		}
		break
	}
	if hints < 1 || hints > 3 { // on a busy machine the writer pauses
		t.Errorf("%d hints", hints)
	}
}

func TestALostCountMeansThatEverythingMayHaveChanged(t *testing.T) {
	dir, w := watching(t, func(dir string) { try(t, write(dir, "a/file")) })
	w.note(func(s *seen) { s.fault(fsnotify.ErrEventOverflow) })
	if hint := <-w.Hints(); !hint.All || hint.Problem != nil {
		t.Errorf("hint: %+v", hint)
	}
	try(t, write(dir, "a/file"))
	wantDirs(t, w, "a")
	w.note(func(s *seen) { s.fault(errors.New("read failed")) })
	if hint := <-w.Hints(); !hint.All || hint.Problem == nil {
		t.Errorf("hint: %+v", hint)
	}
}

func TestWhatTheProgramMadeItselfIsNoNewsButForNewDirectories(t *testing.T) {
	ours := func(path zsync.Path, _ fs.FileInfo) bool { return strings.HasSuffix(string(path), "ours") }
	dir, w := watchingBut(t, ours, func(dir string) { try(t, os.Mkdir(filepath.Join(dir, "a"), 0o777)) })
	try(t, os.WriteFile(filepath.Join(dir, "a", "ours"), nil, 0o666))
	try(t, os.WriteFile(filepath.Join(dir, "theirs"), nil, 0o666))
	try(t, os.Mkdir(filepath.Join(dir, "a", "made by ours"), 0o777))
	if hint := <-w.Hints(); !slices.Equal(hint.Dirs, []zsync.Path{"", "a/made by ours"}) {
		t.Errorf("hint: %+v", hint)
	}
}

func TestTooManyChangesAreNotRemembered(t *testing.T) {
	s := newSeen()
	for i := range 2 * seenMax {
		s.event("/root", fsnotify.Event{Name: fmt.Sprintf("/root/%d/x", i), Op: fsnotify.Create})
	}
	if !s.all || len(s.names) > seenMax+1 {
		t.Errorf("%d names are remembered, all %v", len(s.names), s.all)
	}
}

func TestWhenWatchesRunOutThePersonIsToldWhichSettingMendsIt(t *testing.T) {
	dir := t.TempDir()
	w, err := NewWatcher(dir, nothing)
	try(t, err)
	w.add = func(name string) error {
		if strings.HasSuffix(name, "/a") {
			return syscall.ENOSPC
		}
		return w.notify.Add(name)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- w.Run(ctx) }()
	defer func() {
		cancel()
		try(t, <-ended)
	}()
	try(t, os.Mkdir(filepath.Join(dir, "a"), 0o755))
	hint := <-w.Hints()
	if !errors.Is(hint.Problem, ErrNoWatches) || !strings.Contains(hint.Problem.Error(), "fs.inotify.max_user_watches") {
		t.Errorf("problem: %v", hint.Problem)
	}
	if !slices.Equal(hint.Dirs, []zsync.Path{"", "a"}) {
		t.Errorf("dirs: %q", hint.Dirs)
	}
	try(t, write(dir, "file"))
	if hint := <-w.Hints(); hint.Problem != nil {
		t.Errorf("told twice: %v", hint.Problem)
	}
}

func TestARootThatIsMissingCannotBeWatched(t *testing.T) {
	if _, err := NewWatcher(filepath.Join(t.TempDir(), "missing"), nothing); err == nil {
		t.Error("it was watched")
	}
}

func TestNamesThatNoFolderHoldsAreNotReported(t *testing.T) {
	dir, w := watching(t, func(dir string) { try(t, write(dir, "bad\xff/file")) })
	try(t, write(dir, "bad\xff/file"), write(dir, "good/file"))
	wantDirs(t, w, "", "good")
}

func TestOnlyNamesBelowTheRootAreOfTheFolder(t *testing.T) {
	for _, c := range []struct {
		root, name, relative string
		inside               bool
	}{
		{"/a", "/a", "", true},
		{"/a", "/a/b/c", "b/c", true},
		{"/a", "/ab", "b", false},
		{"/a", "/b", "", false},
		{"/a", "", "", false},
		{"/", "/a/b", "a/b", true},
		{"/", "/", "", true},
	} {
		if relative, inside := below(c.root, c.name); inside != c.inside || inside && relative != c.relative {
			t.Errorf("%s below %s: %q, %v", c.name, c.root, relative, inside)
		}
	}
}
