package store_test

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/zsync/zsync"
	"github.com/zsync/zsync/store"
	"github.com/zsync/zsync/store/crashfs"
)

// everyDisk runs a test on each implementation of store.FS.
func everyDisk(t *testing.T, test func(t *testing.T, disk store.FS)) {
	t.Helper()
	t.Run("os", func(t *testing.T) { test(t, osDisk(t, store.OpenOS)) })
	t.Run("portable", func(t *testing.T) { test(t, osDisk(t, store.OpenPortable)) })
	t.Run("crashfs", func(t *testing.T) { test(t, crashfs.New(1)) })
}

func osDisk(t *testing.T, open func(string) (store.FS, error)) store.FS {
	t.Helper()
	disk, err := open(t.TempDir())
	must(t, err)
	t.Cleanup(func() { _ = disk.Close() })
	return disk
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func top(t *testing.T, disk store.FS) store.Dir {
	t.Helper()
	dir, err := disk.Dir("")
	must(t, err)
	t.Cleanup(func() { _ = dir.Close() })
	return dir
}

func wantErr(t *testing.T, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("got error %v, want %v", err, want)
	}
}

func TestAWrittenFileIsReadBack(t *testing.T) {
	everyDisk(t, func(t *testing.T, disk store.FS) {
		dir := top(t, disk)
		must(t, dir.Write("a", []byte("hello")))
		wantErr(t, dir.Write("a", nil), fs.ErrExist)
		file, stat, err := disk.Open("a")
		must(t, err)
		defer file.Close()
		if stat.Type != zsync.TypeFile || stat.Size != 5 || stat.Inode == 0 || stat.Mode != 0o644 {
			t.Errorf("stat is %+v", stat)
		}
		got := make([]byte, 9)
		if n, _ := file.ReadAt(got, 1); string(got[:n]) != "ello" {
			t.Errorf("read %q", got[:n])
		}
	})
}

func TestCreateOpensWhatIsThereAndKeepsItsBytes(t *testing.T) {
	everyDisk(t, func(t *testing.T, disk store.FS) {
		dir := top(t, disk)
		for _, part := range []struct {
			at   int64
			text string
		}{{0, "one"}, {5, "two"}} {
			file, err := dir.Create("a")
			must(t, err)
			_, err = file.WriteAt([]byte(part.text), part.at)
			must(t, err)
			must(t, file.Sync())
			must(t, file.Close())
		}
		file, err := dir.Create("a")
		must(t, err)
		defer file.Close()
		must(t, file.Truncate(7))
		got := make([]byte, 7)
		_, err = file.ReadAt(got, 0)
		must(t, err)
		if string(got) != "one\x00\x00tw" {
			t.Errorf("read %q", got)
		}
	})
}

func TestAFileTellsWhereItHasNoBytes(t *testing.T) {
	everyDisk(t, func(t *testing.T, disk store.FS) {
		file, err := top(t, disk).Create("a")
		must(t, err)
		defer file.Close()
		const at, size = 1 << 20, 4 << 20
		_, err = file.WriteAt(bytes.Repeat([]byte("x"), 4096), at)
		must(t, err)
		must(t, file.Truncate(size))
		from, to, err := file.Data(0)
		must(t, err)
		if from == 0 && to == size {
			t.Skip("this disk knows of no gaps")
		}
		if from != at || to != at+4096 {
			t.Errorf("bytes are said to be at %d to %d", from, to)
		}
		if from, _, err := file.Data(at + 10); err != nil || from != at+10 {
			t.Errorf("in the middle: from %d, %v", from, err)
		}
		_, _, err = file.Data(to)
		wantErr(t, err, io.EOF)
	})
}

func TestRenameNeverReplaces(t *testing.T) {
	for name, how := range map[string]store.RenameMode{
		"no replace": store.NoReplace, "into private": store.IntoPrivate, "from private": store.FromPrivate,
	} {
		t.Run(name, func(t *testing.T) {
			everyDisk(t, func(t *testing.T, disk store.FS) { renameNeverReplaces(t, disk, how) })
		})
	}
}

func renameNeverReplaces(t *testing.T, disk store.FS, how store.RenameMode) {
	dir := top(t, disk)
	must(t, dir.Write("a", []byte("A")))
	must(t, dir.Write("b", []byte("B")))
	must(t, dir.Mkdir("d", 0o755))
	must(t, dir.Mkdir("e", 0o755))
	wantErr(t, dir.Rename("d", dir, "e", how), fs.ErrExist)
	wantErr(t, dir.Rename("d", dir, "b", how), fs.ErrExist)
	wantErr(t, dir.Rename("missing", dir, "c", how), fs.ErrNotExist)
	err := dir.Rename("a", dir, "b", how)
	if how == store.NoReplace && errors.Is(err, errors.ErrUnsupported) {
		wantNames(t, dir, "a", "b", "d", "e")
		return
	}
	wantErr(t, err, fs.ErrExist)
	into, err := disk.Dir("d")
	must(t, err)
	defer into.Close()
	before, err := dir.Stat("a")
	must(t, err)
	must(t, dir.Rename("a", into, "c", how))
	after, err := into.Stat("c")
	must(t, err)
	if !after.SameFile(before) {
		t.Errorf("a renamed file is %+v, was %+v", after, before)
	}
	wantNames(t, dir, "b", "d", "e")
	must(t, dir.Rename("d", dir, "f", how))
	wantNames(t, dir, "b", "e", "f")
}

func TestExchangeTradesPlacesOrIsUnsupported(t *testing.T) {
	everyDisk(t, func(t *testing.T, disk store.FS) {
		dir := top(t, disk)
		must(t, dir.Write("a", []byte("A")))
		must(t, dir.Symlink("b", "target"))
		wantErr(t, dir.Rename("a", dir, "missing", store.Exchange), either(t, disk, fs.ErrNotExist))
		err := dir.Rename("a", dir, "b", store.Exchange)
		if errors.Is(err, errors.ErrUnsupported) {
			return
		}
		must(t, err)
		if target, err := dir.Readlink("a"); err != nil || target != "target" {
			t.Errorf("readlink: %q, %v", target, err)
		}
	})
}

// either returns the error wanted, unless the disk cannot exchange at all.
func either(t *testing.T, disk store.FS, want error) error {
	dir := top(t, disk)
	if err := dir.Rename("a", dir, "b", store.Exchange); errors.Is(err, errors.ErrUnsupported) {
		return errors.ErrUnsupported
	}
	must(t, dir.Rename("a", dir, "b", store.Exchange))
	return want
}

func TestNoCallFollowsASymlink(t *testing.T) {
	everyDisk(t, func(t *testing.T, disk store.FS) {
		dir := top(t, disk)
		must(t, dir.Mkdir("real", 0o755))
		real, err := disk.Dir("real")
		must(t, err)
		defer real.Close()
		must(t, real.Write("file", []byte("x")))
		must(t, dir.Symlink("link", "real"))
		must(t, dir.Symlink("file", "real/file"))
		must(t, dir.Symlink("out", "/etc"))
		for _, path := range []string{"link", "out", "link/file", "real/file/x", "missing/x"} {
			_, err := disk.Dir(path)
			wantErr(t, err, fs.ErrNotExist)
		}
		for _, path := range []string{"link/file", "file", "out/passwd", "real"} {
			_, _, err := disk.Open(path)
			wantErr(t, err, fs.ErrNotExist)
		}
		if _, _, err := dir.Open("file"); err == nil {
			t.Error("a symlink was opened")
		}
		if _, err := dir.Create("file"); err == nil {
			t.Error("a symlink was opened to write")
		}
		stat, err := dir.Stat("file")
		if err != nil || stat.Type != zsync.TypeSymlink {
			t.Errorf("stat of a symlink: %+v, %v", stat, err)
		}
	})
}

func TestModesAndTimesAreSetJustAsAsked(t *testing.T) {
	everyDisk(t, func(t *testing.T, disk store.FS) {
		dir := top(t, disk)
		must(t, dir.Write("a", nil))
		must(t, dir.Mkdir("d", 0o777))
		must(t, dir.Chmod("a", 0o640))
		must(t, dir.SetMtime("a", 1_234_567_890_123_456_789))
		stat, err := dir.Stat("a")
		if err != nil || stat.Mode != 0o640 || stat.MtimeNS != 1_234_567_890_123_456_789 {
			t.Errorf("file: %+v, %v", stat, err)
		}
		if stat, err = dir.Stat("d"); err != nil || stat.Mode != 0o777 || stat.Type != zsync.TypeDir {
			t.Errorf("directory: %+v, %v", stat, err)
		}
	})
}

func TestRemoveAndRmdirTakeTheirOwnKindOnly(t *testing.T) {
	everyDisk(t, func(t *testing.T, disk store.FS) {
		dir := top(t, disk)
		must(t, dir.Mkdir("d", 0o755))
		inner, err := disk.Dir("d")
		must(t, err)
		defer inner.Close()
		must(t, inner.Write("a", nil))
		wantErr(t, dir.Rmdir("d"), fs.ErrExist)
		if dir.Remove("d") == nil || inner.Rmdir("a") == nil {
			t.Error("the wrong kind was removed")
		}
		must(t, inner.Remove("a"))
		must(t, dir.Rmdir("d"))
		wantErr(t, dir.Rmdir("d"), fs.ErrNotExist)
		wantErr(t, dir.Remove("a"), fs.ErrNotExist)
	})
}

func TestALockIsHeldByOne(t *testing.T) {
	everyDisk(t, func(t *testing.T, disk store.FS) {
		dir := top(t, disk)
		held, err := dir.Lock("lock")
		must(t, err)
		_, err = dir.Lock("lock")
		wantErr(t, err, store.ErrLocked)
		must(t, held.Close())
		held, err = dir.Lock("lock")
		must(t, err)
		must(t, held.Close())
	})
}

func TestNamesOf255OctetsAndAnyBytesAreTaken(t *testing.T) {
	everyDisk(t, func(t *testing.T, disk store.FS) {
		dir := top(t, disk)
		names := []string{strings.Repeat("ä", 127) + "x", "new\nline", "-rf", "  ", "~", "b\\c"}
		slices.Sort(names)
		for _, name := range names {
			must(t, dir.Write(name, []byte(name)))
		}
		wantNames(t, dir, names...)
		if err := dir.Write(strings.Repeat("x", 256), nil); err == nil && runtime.GOOS == "linux" {
			if _, ok := disk.(*crashfs.FS); !ok {
				t.Error("a name of 256 octets was taken")
			}
		}
	})
}

func TestAPathLongerThanOneSystemCallTakesIsWalked(t *testing.T) {
	disk := osDisk(t, store.OpenOS)
	name := strings.Repeat("n", 200)
	path := ""
	for range 40 { // 8,000 octets
		dir, err := disk.Dir(path)
		must(t, err)
		must(t, dir.Mkdir(name, 0o755))
		must(t, dir.Close())
		path = strings.TrimPrefix(path+"/"+name, "/")
	}
	dir, err := disk.Dir(path)
	must(t, err)
	defer dir.Close()
	must(t, dir.Write("a", []byte("deep")))
	file, _, err := disk.Open(path + "/a")
	must(t, err)
	must(t, file.Close())
}

func TestSyncAndFreeAnswer(t *testing.T) {
	everyDisk(t, func(t *testing.T, disk store.FS) {
		must(t, top(t, disk).Write("a", []byte("x")))
		must(t, disk.Sync())
		must(t, top(t, disk).Sync())
		free, total, err := disk.Free()
		if err != nil || free <= 0 || total < free {
			t.Errorf("free %d of %d, %v", free, total, err)
		}
	})
}

func TestSelfTellsAReplacedRoot(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "root")
	must(t, os.Mkdir(dir, 0o755))
	disk, err := store.OpenOS(dir)
	must(t, err)
	defer disk.Close()
	first, err := disk.Self()
	must(t, err)
	must(t, os.Rename(dir, dir+".old"))
	_, err = disk.Self()
	wantErr(t, err, fs.ErrNotExist)
	must(t, os.Mkdir(dir, 0o755))
	second, err := disk.Self()
	must(t, err)
	if first.Inode == second.Inode {
		t.Error("two directories have one inode")
	}
}

func wantNames(t *testing.T, dir store.Dir, want ...string) {
	t.Helper()
	names, err := dir.Names()
	must(t, err)
	slices.Sort(names)
	if diff := cmp.Diff(want, names); diff != "" {
		t.Errorf("names (-want +got):\n%s", diff)
	}
}
