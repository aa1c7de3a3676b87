package store

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

func TestWithoutFlagsASaveInTheSameInstantIsMovedOrLeft(t *testing.T) {
	dir := t.TempDir()
	top, private := linuxDirs(t, dir)
	saveWhileItMoves(t, dir, func(kept string) error {
		return top.renameWithoutFlags("photo.jpg", private(), kept, IntoPrivate)
	})
	if err := top.renameWithoutFlags("photo.jpg", top, "other.jpg", NoReplace); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("between names that are not ours: %v", err)
	}
}

func TestWithoutFlagsNothingIsReplaced(t *testing.T) {
	dir := t.TempDir()
	top, _ := linuxDirs(t, dir)
	for _, name := range []string{"a", "b"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(name), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"d", "e"} {
		if err := os.Mkdir(filepath.Join(dir, name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for _, how := range []RenameMode{IntoPrivate, FromPrivate} {
		if err := top.renameWithoutFlags("a", top, "b", how); !errors.Is(err, fs.ErrExist) {
			t.Errorf("a file, mode %d: %v", how, err)
		}
	}
	for _, how := range []RenameMode{NoReplace, IntoPrivate, FromPrivate} {
		for _, name := range []string{"b", "e"} {
			if err := top.renameWithoutFlags("d", top, name, how); !errors.Is(err, fs.ErrExist) {
				t.Errorf("a directory to %s, mode %d: %v", name, how, err)
			}
		}
		if err := top.renameWithoutFlags("d", top, "f", how); err != nil {
			t.Errorf("a directory, mode %d: %v", how, err)
		}
		if err := top.renameWithoutFlags("f", top, "d", how); err != nil {
			t.Errorf("a directory, mode %d: %v", how, err)
		}
	}
	if err := top.renameWithoutFlags("a", top, "c", FromPrivate); err != nil {
		t.Error(err)
	}
}

// linuxDirs opens a directory, and private in it once that is there.
func linuxDirs(t *testing.T, dir string) (top *linuxDir, private func() *linuxDir) {
	t.Helper()
	disk, err := openLinux(dir)
	if err != nil {
		t.Skip(err)
	}
	t.Cleanup(func() { _ = disk.Close() })
	open := func(path string) *linuxDir {
		opened, err := disk.Dir(path)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = opened.Close() })
		return opened.(*linuxDir)
	}
	var cached *linuxDir
	return open(""), func() *linuxDir {
		if cached == nil {
			cached = open("private")
		}
		return cached
	}
}

func TestThePortableDiskDoesNotEnterAnotherDevice(t *testing.T) {
	disk, err := openPortable("/")
	if err != nil {
		t.Fatal(err)
	}
	defer disk.Close()
	if _, err := disk.Dir("proc"); !errors.Is(err, ErrMount) {
		t.Errorf("got %v", err)
	}
	if _, _, err := disk.Open("proc/version"); !errors.Is(err, ErrMount) {
		t.Errorf("a file there: %v", err)
	}
}
