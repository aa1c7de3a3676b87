package store_test

import (
	"errors"
	"testing"

	"github.com/zsync/zsync/store"
	"github.com/zsync/zsync/store/crashfs"
)

// tightRoot is a Root on a disk with so much room beyond the reserve.
func tightRoot(t *testing.T, room int64) testRoot {
	t.Helper()
	disk := crashfs.New(1)
	r := openRoot(t, disk)
	free, _, err := disk.Free()
	must(t, err)
	used := int64(1<<40) - free
	disk.Resize(512<<20 + room + used)
	return r
}

func TestAHostileSizeMakesNoStagingFile(t *testing.T) {
	r := tightRoot(t, 100<<20)
	piece := pieces(made("part", 3<<20))[0]
	for _, size := range []int64{101 << 20, 1 << 40, 1<<63 - 1} {
		piece.Size = size
		wantErr(t, r.Stage([]store.Piece{piece})[0], store.ErrReserve)
		_, _, err := r.Assemble(piece.Content, size, nil, nil)
		wantErr(t, err, store.ErrReserve)
		wantErr(t, err, store.ErrNoSpace)
	}
	if names := r.Unfinished(); len(names) != 0 || len(r.user.Paths(".zsync/tmp/0")) != 0 {
		t.Errorf("left in staging: %v", names)
	}
}

func TestStagingStopsBeforeTheReserveAndGoesOnWhenThereIsRoomAgain(t *testing.T) {
	r := tightRoot(t, 1<<20)
	large, small := made("large", 3<<20), made("small", 2000)
	for i, err := range r.Stage(pieces(large)) {
		wantErr(t, err, store.ErrReserve)
		if i == 0 && err != nil && !errors.Is(err, store.ErrNoSpace) {
			t.Error("who knows only full disks does not know it")
		}
	}
	r.stage(small) // there is room for that
	r.user.Write("file", large)
	span := store.Span{Area: store.InTree, Path: "file", Stat: *r.old("file")}
	r.disk.Resize(512<<20 + 4<<20)
	wantErr(t, r.Copy(content(large), int64(len(large)), span), store.ErrReserve)
	r.disk.Resize(1 << 40)
	r.stage(large)
	must(t, r.Copy(content(large), int64(len(large)), span))
}

func TestApplyMakesNothingNewInTheReserveButPlacesWhatIsStaged(t *testing.T) {
	r := newRoot(t)
	r.user.Write("old", []byte("old"))
	r.stage([]byte("once"))
	r.stage([]byte("twice"))
	r.disk.Resize(512 << 20)
	results := r.Apply([]store.Change{
		{Op: store.OpMkdir, Path: "dir", Mode: 0o755},
		{Op: store.OpSymlink, Path: "link", Target: "target"},
		place("empty", nil, nil),
		place("copy", []byte("twice"), nil),
		place("twice", []byte("twice"), nil),
		place("once", []byte("once"), nil),
		{Op: store.OpRemove, Path: "old", Old: r.old("old")},
	}, false)
	for i, result := range results {
		if i < 4 {
			wantErr(t, result.Err, store.ErrReserve)
		} else {
			must(t, result.Err)
		}
	}
}

func TestABatchThatACrashCutShortIsEndedInTheReserve(t *testing.T) {
	r := newRoot(t)
	r.disk.Resize(100)
	wantDone(t, r.Apply([]store.Change{{Op: store.OpMkdir, Path: "dir", Mode: 0o755}}, true))
}

func TestTheReserveCanBeChosen(t *testing.T) {
	for reserve, want := range map[int64]error{-1: nil, 1000: nil, 1 << 20: store.ErrReserve} {
		disk := crashfs.New(1)
		root, err := store.Open(disk, store.Options{Reserve: reserve})
		must(t, err)
		disk.Resize(8 << 10)
		err = root.Stage(pieces([]byte("bytes")))[0]
		if !errors.Is(err, want) {
			t.Errorf("a reserve of %d: %v", reserve, err)
		}
		must(t, root.Close())
	}
}

// TestWhatIsMissingFromAStagingFileIsNotRead: its size is a peer's word, and may
// be far more than was ever written.
func TestWhatIsMissingFromAStagingFileIsNotRead(t *testing.T) {
	disk := crashfs.New(1)
	r := openRoot(t, disk)
	data := made("large", 12<<20)
	received := pieces(data)
	must(t, r.Stage(received[7:8])[0])
	must(t, r.Close())
	disk.User().Settle()
	r = openRoot(t, disk)
	before := disk.OctetsRead()
	if whole := r.staged(); len(whole) != 0 {
		t.Errorf("whole: %v", whole)
	}
	chunks, digest := cutUp(data)
	_, resumed, err := r.Assemble(digest, int64(len(data)), chunks, nil)
	must(t, err)
	// A page is shared with either neighbour, and the last one is looked at anyway.
	want := int64(chunks[6].Size + chunks[7].Size + chunks[8].Size + chunks[len(chunks)-1].Size)
	if read := disk.OctetsRead() - before; resumed != 1 || read > want {
		t.Errorf("%d octets were read, of which %d are there; %d chunks were found", read, chunks[7].Size, resumed)
	}
}

func TestZerosThatTakeNoRoomAreResumedAllTheSame(t *testing.T) {
	disk := crashfs.New(1)
	r := openRoot(t, disk)
	data := append(made("head", 1<<20), make([]byte, 6<<20+12345)...)
	digest := r.stage(data)
	must(t, r.Close())
	r = openRoot(t, disk)
	r.staged()
	chunks, _ := cutUp(data)
	have, resumed, err := r.Assemble(digest, int64(len(data)), chunks, nil)
	must(t, err)
	if resumed != len(chunks) {
		t.Fatalf("found %d of %d: %v", resumed, len(chunks), have)
	}
	must(t, r.one(place("file", data, nil)).Err)
}
