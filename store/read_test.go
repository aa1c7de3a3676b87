package store_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/zsync/zsync"
	"github.com/zsync/zsync/store"
	"github.com/zsync/zsync/store/crashfs"
)

func TestAListingIsSortedAndLeavesThePrivateDirectoryOut(t *testing.T) {
	r := newRoot(t)
	r.user.Write("b", []byte("x"))
	r.user.Symlink("c", "../else where")
	r.user.Mkdir("a")
	r.user.Write("a/.zsync/mine", nil)
	listing := r.List("")
	must(t, listing.Err)
	var names []string
	for _, entry := range listing.Entries {
		names = append(names, entry.Name+" "+entry.Target)
	}
	if diff := cmp.Diff([]string{"a ", "b ", "c ../else where"}, names); diff != "" {
		t.Errorf("entries (-want +got):\n%s", diff)
	}
	if listing.Entries[1].Stat != r.user.Stat("b") || listing.Self.Inode != r.Identity().Inode {
		t.Errorf("listing: %+v", listing)
	}
	if below := r.List("a"); len(below.Entries) != 1 {
		t.Errorf("a private directory's name below the root is a name as any: %+v", below)
	}
}

func TestAListingOfWhatIsNoDirectoryIsGone(t *testing.T) {
	r := newRoot(t)
	r.user.Write("file", nil)
	r.user.Mkdir("real")
	r.user.Symlink("link", "real")
	for _, path := range []zsync.Path{"missing", "file", "link", "file/x", "link/x"} {
		if listing := r.List(path); !listing.Gone || listing.Err != nil || listing.Entries != nil {
			t.Errorf("%s: %+v", path, listing)
		}
	}
	if listing := r.List(".zsync"); listing.Err == nil {
		t.Error("the private directory was listed")
	}
}

func TestAnUnmountedRootIsNotAnEmptyFolder(t *testing.T) {
	r := newRoot(t)
	r.user.Write("a", nil)
	r.disk.Unmount()
	wantErr(t, r.Check(), store.ErrRoot)
	if listing := r.List(""); !errors.Is(listing.Err, store.ErrRoot) || listing.Entries != nil {
		t.Errorf("listing: %+v", listing)
	}
	result := r.one(store.Change{Op: store.OpMkdir, Path: "d", Mode: 0o755})
	wantErr(t, result.Err, store.ErrRoot)
}

func TestAnIdThatIsGoneOrAnotherIsErrRoot(t *testing.T) {
	r := newRoot(t)
	r.user.Remove(".zsync/id")
	wantErr(t, r.Check(), store.ErrRoot)
	r.user.Write(".zsync/id", []byte(strings.Repeat("0", 32)+"\n"))
	wantErr(t, r.Check(), store.ErrRoot)
}

func TestOpenExpectsTheFolderThatItKnows(t *testing.T) {
	disk := crashfs.New(1)
	first, err := store.Open(disk, store.Options{})
	must(t, err)
	id := first.Identity()
	_, err = store.Open(disk, store.Options{})
	wantErr(t, err, store.ErrLocked)
	must(t, first.Close())

	again, err := store.Open(disk, store.Options{Expect: id})
	must(t, err)
	if again.Identity() != id {
		t.Errorf("identity %v became %v", id, again.Identity())
	}
	must(t, again.Close())

	moved := id
	moved.Inode++
	_, err = store.Open(disk, store.Options{Expect: moved})
	wantErr(t, err, store.ErrRoot)
	again, err = store.Open(disk, store.Options{Expect: moved, SameFolder: true})
	must(t, err)
	if again.Identity() != id {
		t.Errorf("identity %v became %v", id, again.Identity())
	}
	must(t, again.Close())

	other := id
	other.ID[0]++
	for _, opt := range []store.Options{{Expect: other}, {Expect: other, SameFolder: true}} {
		_, err = store.Open(disk, opt)
		wantErr(t, err, store.ErrRoot)
	}

	empty := crashfs.New(2)
	_, err = store.Open(empty, store.Options{Expect: store.Identity{ID: id.ID, Inode: 1}})
	wantErr(t, err, store.ErrRoot)
	if paths := empty.User().Paths(""); paths != nil {
		t.Errorf("what may be a bare mount point was written to: %v", paths)
	}
	restored, err := store.Open(empty, store.Options{Expect: id, SameFolder: true})
	must(t, err)
	if restored.Identity().ID != id.ID {
		t.Error("a restored folder has another id")
	}
}

func TestHashNamesSmallAndLargeFiles(t *testing.T) {
	r := newRoot(t)
	for _, size := range []int{0, 1, 4096, zsync.ContentChunkMax} {
		data := made("small", size)
		r.user.Write("file", data)
		hashed := r.Hash(store.HashJob{Path: "file", Old: r.user.Stat("file")})
		if hashed.Err != nil || hashed.Content != sha256.Sum256(data) || hashed.List != nil {
			t.Errorf("%d octets: %+v", size, hashed)
		}
	}
	data := made("large", 5<<20)
	r.user.Write("file", data)
	hashed := r.Hash(store.HashJob{Path: "file", Old: r.user.Stat("file")})
	must(t, hashed.Err)
	root := hashed.List[len(hashed.List)-1]
	if hashed.Content != root.Hash || hashed.Content != content(data) {
		t.Errorf("content %s, root %s", hashed.Content, root.Hash)
	}
	list, err := store.ParseListNode(root.Hash, root.Data)
	if err != nil || list.Size != int64(len(data)) {
		t.Errorf("list: %+v, %v", list, err)
	}
}

func TestHashSaysWhenAFileDidNotHoldStill(t *testing.T) {
	r := newRoot(t)
	r.user.Write("file", made("x", 3<<20))
	old := r.user.Stat("file")
	r.user.Write("file", made("y", 3<<20))
	wantErr(t, r.Hash(store.HashJob{Path: "file", Old: old}).Err, store.ErrChanged)
	wantErr(t, r.Hash(store.HashJob{Path: "missing", Old: old}).Err, store.ErrGone)
	r.user.Symlink("link", "file")
	wantErr(t, r.Hash(store.HashJob{Path: "link", Old: r.user.Stat("link")}).Err, store.ErrGone)
}

func TestAFileChangedWhileItIsHashedHasNoContent(t *testing.T) {
	changes := map[string]func(path string) error{
		"written": func(path string) error { return os.WriteFile(path, made("y", 8<<20), 0o644) },
		"shorter": func(path string) error { return os.Truncate(path, 100) },
		"removed": os.Remove,
		"replaced": func(path string) error {
			return errors.Join(os.WriteFile(path+"2", nil, 0o644), os.Rename(path+"2", path))
		},
	}
	for name, change := range changes {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, "file")
			must(t, os.WriteFile(path, made("x", 8<<20), 0o644))
			disk := &midRead{FS: osDiskAt(t, dir), act: func() { must(t, change(path)) }}
			root, err := store.Open(disk, store.Options{})
			must(t, err)
			defer root.Close()
			disk.armed = true
			hashed := root.Hash(store.HashJob{Path: "file", Old: entry(t, root, "file").Stat})
			wantErr(t, hashed.Err, store.ErrChanged)
			if !hashed.Content.IsZero() {
				t.Error("a content was named")
			}
		})
	}
}

// midRead is a disk on which something happens after the first read of a file.
type midRead struct {
	store.FS
	armed bool
	act   func()
}

func (m *midRead) Open(path string) (store.File, store.Stat, error) {
	file, stat, err := m.FS.Open(path)
	if err == nil && m.armed {
		m.armed = false
		file = &midReadFile{file, m.act}
	}
	return file, stat, err
}

type midReadFile struct {
	store.File
	act func()
}

func (f *midReadFile) ReadAt(into []byte, offset int64) (int, error) {
	n, err := f.File.ReadAt(into, offset)
	if f.act != nil {
		time.Sleep(20 * time.Millisecond) // so that the file system's clock has moved
		f.act()
		f.act = nil
	}
	return n, err
}

func osDiskAt(t *testing.T, dir string) store.FS {
	t.Helper()
	disk, err := store.OpenOS(dir)
	must(t, err)
	return disk
}

func entry(t *testing.T, root *store.Root, name string) store.Entry {
	t.Helper()
	listing := root.List("")
	must(t, listing.Err)
	for _, entry := range listing.Entries {
		if entry.Name == name {
			return entry
		}
	}
	t.Fatalf("%s is not listed", name)
	return store.Entry{}
}

func TestAFileIsYoungForTwoSecondsByTheDisksClock(t *testing.T) {
	r := newRoot(t)
	for _, size := range []int{10, 2 << 20} {
		r.user.Write("file", made("x", size))
		job := store.HashJob{Path: "file", Old: r.user.Stat("file")}
		if !r.Hash(job).Young {
			t.Error("a file written just now is not young")
		}
		r.disk.Advance(3 * time.Second)
		if r.Hash(job).Young {
			t.Error("a file written 3 s ago is young")
		}
		r.disk.Advance(-time.Hour)
		if r.Hash(job).Young {
			t.Error("a file from the future is young")
		}
		r.disk.Advance(time.Hour)
	}
}

func TestAFileWrittenLongAfterTheLastLookAtTheClockIsYoung(t *testing.T) {
	r := newRoot(t)
	for _, name := range []string{"a", "b", "c"} {
		r.user.Write(name, []byte(name))
		if !r.Hash(store.HashJob{Path: zsync.Path(name), Old: r.user.Stat(name)}).Young {
			t.Errorf("%s was written just now and is not young", name)
		}
		r.disk.Advance(10 * time.Second)
	}
}

func TestReadGivesBytesOnlyOfTheFileThatWasMeant(t *testing.T) {
	r := newRoot(t)
	data := made("x", 100_000)
	r.user.Write("d/file", data)
	span := store.Span{Area: store.InTree, Path: "d/file", Stat: r.user.Stat("d/file")}
	got := make([]byte, 1000)
	must(t, r.Read(span, 99_000, got))
	if !bytes.Equal(got, data[99_000:]) {
		t.Error("other bytes")
	}
	wantErr(t, r.Read(span, 99_001, got), store.ErrChanged)
	r.user.Write("d/file", data)
	wantErr(t, r.Read(span, 0, got), store.ErrChanged)
	r.user.Remove("d")
	wantErr(t, r.Read(span, 0, got), store.ErrGone)
	for _, span := range []store.Span{
		{Area: store.InTree, Path: "../out"},
		{Area: store.InTree, Path: ".zsync/id"},
		{Area: store.InTree, Path: ".ZSYNC/id"},
		{Area: store.InVersions, Kept: "../id"},
		{Area: store.InVersions, Kept: "000000/000000001~/../../../id"},
	} {
		if err := r.Read(span, 0, got[:1]); err == nil {
			t.Errorf("%+v was read", span)
		}
	}
	wantErr(t, r.Read(store.Span{Area: store.InStaging, Content: content(data)}, 0, got), store.ErrGone)
}
