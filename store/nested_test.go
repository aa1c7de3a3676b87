package store_test

import (
	"testing"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/store"
)

func nestedRoot(t *testing.T) testRoot {
	t.Helper()
	r := newRoot(t)
	r.user.Write("d/inner/.zsync/id", []byte("0123456789abcdef0123456789abcdef\n"))
	r.user.Write("d/inner/sub/file", []byte("bytes"))
	r.user.Write("d/looks/.zsync/other", []byte("no id"))
	r.user.Mkdir("d/plain")
	return r
}

func TestAFolderWithinAFolderIsABoundary(t *testing.T) {
	r := nestedRoot(t)
	listing := r.List("d")
	must(t, listing.Err)
	nested := map[string]bool{}
	for _, entry := range listing.Entries {
		nested[entry.Name] = entry.Nested
	}
	if len(nested) != 3 || !nested["inner"] || nested["looks"] || nested["plain"] {
		t.Errorf("listed: %+v", listing.Entries)
	}
	inner := r.List("d/inner")
	wantErr(t, inner.Err, store.ErrNested)
	wantErr(t, inner.Err, store.ErrMount)
	if inner.Gone || len(inner.Entries) != 0 {
		t.Errorf("what is in it is taken for gone: %+v", inner)
	}
	if top := r.List(""); top.Err != nil || top.Entries[0].Nested {
		t.Errorf("the folder's own root: %+v", top)
	}
}

func TestNothingIsChangedInAFolderWithinAFolder(t *testing.T) {
	r := nestedRoot(t)
	r.user.Write("file", []byte("file"))
	r.stage([]byte("new"))
	before := r.user.Paths("d/inner")
	for _, c := range []store.Change{
		place("d/inner/new", []byte("new"), nil),
		{Op: store.OpMkdir, Path: "d/inner/sub/new", Mode: 0o755},
		{Op: store.OpRemove, Path: "d/inner/sub/file", Old: r.old("d/inner/sub/file")},
		{Op: store.OpAttr, Path: "d/inner/sub", Old: r.old("d/inner/sub"), Mode: 0o700},
		renaming("file", "d/inner/file", r.old("file")),
		renaming("d/inner/sub/file", "out", r.old("d/inner/sub/file")),
		renaming("d/inner", "d/moved", r.old("d/inner")),
	} {
		wantErr(t, r.one(c).Err, store.ErrNested)
	}
	if now := r.user.Paths("d/inner"); len(now) != len(before) {
		t.Errorf("there was %v, is %v", before, now)
	}
	must(t, r.one(place(zsync.Path("d/plain/new"), []byte("new"), nil)).Err)
}
