package store_test

import (
	"bytes"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/zsync/zsync"
	"github.com/zsync/zsync/store"
	"github.com/zsync/zsync/store/crashfs"
)

func (r testRoot) staged() []zsync.Digest {
	r.t.Helper()
	staged, err := r.Staged()
	must(r.t, err)
	return staged
}

func (r testRoot) readStaged(data []byte) []byte {
	r.t.Helper()
	got := make([]byte, len(data))
	must(r.t, r.Read(store.Span{Area: store.InStaging, Content: content(data)}, 0, got))
	return got
}

func TestStagedPiecesAreReadBackByContent(t *testing.T) {
	r := newRoot(t)
	for _, size := range []int{1, 4096, zsync.ContentChunkMax, zsync.ContentChunkMax + 1, 20 << 20} {
		data := made("stage", size)
		r.stage(data)
		if !bytes.Equal(r.readStaged(data), data) {
			t.Errorf("%d octets were staged as others", size)
		}
	}
	if staged := r.staged(); len(staged) != 5 {
		t.Errorf("staged: %v", staged)
	}
}

func TestAPieceThatIsNotWhatItsDigestSaysIsRefused(t *testing.T) {
	r := newRoot(t)
	good := pieces(made("good", 3<<20))[1]
	small := pieces(made("small", 100))[0]
	wrong := map[string]store.Piece{}
	for name, damage := range map[string]func(p *store.Piece){
		"bytes":         func(p *store.Piece) { p.Data = bytes.Clone(p.Data); p.Data[0]++ },
		"beyond end":    func(p *store.Piece) { p.Offset = p.Size - 1 },
		"before start":  func(p *store.Piece) { p.Offset = -1 },
		"no bytes":      func(p *store.Piece) { p.Data = nil },
		"size overflow": func(p *store.Piece) { p.Offset = 1<<63 - 1 },
	} {
		p := good
		damage(&p)
		wrong[name] = p
	}
	part := small
	part.Size++
	wrong["part of a small content"] = part
	other := small
	other.Content[0]++
	wrong["another content's"] = other
	for name, piece := range wrong {
		if err := r.Stage([]store.Piece{piece})[0]; !errors.Is(err, store.ErrCorrupt) {
			t.Errorf("%s: %v", name, err)
		}
	}
	answer := r.Stage([]store.Piece{wrong["bytes"], small, good})
	if answer[0] == nil || answer[1] != nil || answer[2] != nil {
		t.Errorf("one bad piece spoils others: %v", answer)
	}
}

func TestManyWorkersStageAtOnce(t *testing.T) {
	r := newRoot(t)
	large := made("shared", 12<<20)
	var all sync.WaitGroup
	for worker := range 12 {
		all.Go(func() {
			received := pieces(large)
			r.Stage(received[worker*len(received)/12:])
			for i := range 20 {
				data := made("small", 100+(worker+i)%25)
				r.Stage(pieces(data))
				if err := r.Flush(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	for i := range 25 {
		r.readStaged(made("small", 100+i))
	}
	if !bytes.Equal(r.readStaged(large), large) {
		t.Error("a large content was staged wrong")
	}
}

func TestUnstagedContentIsGone(t *testing.T) {
	r := newRoot(t)
	data := made("x", 10)
	r.stage(data)
	must(t, r.Unstage(content(data)))
	must(t, r.Unstage(content(data)))
	if staged := r.staged(); staged != nil {
		t.Errorf("staged: %v", staged)
	}
	r.stage(data)
	r.readStaged(data)
}

func TestAnInterruptedTransferResumesChunkByChunk(t *testing.T) {
	disk := crashfs.New(3)
	r := openRoot(t, disk)
	data := made("resume", 8<<20)
	chunks, digest := cutUp(data)
	have, resumed, err := r.Assemble(digest, int64(len(data)), chunks, nil)
	must(t, err)
	if resumed != 0 || countTrue(have) != 0 {
		t.Errorf("nothing is staged, but %d chunks are", resumed)
	}
	received := pieces(data)
	for _, err := range r.Stage(received[:10]) {
		must(t, err)
	}
	must(t, r.Flush())
	r.Stage(received[10:12]) // not flushed: the crash may take them

	r = openRoot(t, disk.Crash())
	if staged := r.staged(); staged != nil {
		t.Errorf("a part was taken for the whole: %v", staged)
	}
	if diff := cmp.Diff([]zsync.Digest{digest}, r.Unfinished()); diff != "" {
		t.Errorf("unfinished (-want +got):\n%s", diff)
	}
	have, resumed, err = r.Assemble(digest, int64(len(data)), chunks, nil)
	must(t, err)
	if resumed < 10 || resumed > 12 || countTrue(have) != resumed {
		t.Errorf("resumed %d chunks", resumed)
	}
	for i, piece := range received {
		if !have[i] {
			must(t, r.Stage([]store.Piece{piece})[0])
		}
	}
	if !bytes.Equal(r.readStaged(data), data) || len(r.staged()) != 1 || len(r.Unfinished()) != 0 {
		t.Error("the resumed content is not whole")
	}
}

func countTrue(flags []bool) (n int) {
	for _, flag := range flags {
		if flag {
			n++
		}
	}
	return n
}

func TestChunksAreCopiedFromOtherVersionsAndVerified(t *testing.T) {
	r := newRoot(t)
	data := made("new", 4<<20)
	chunks, digest := cutUp(data)
	old := bytes.Join([][]byte{data[:chunks[2].Offset], made("else", 1000), data[chunks[3].Offset:]}, nil)
	shift := int64(len(old) - len(data))
	r.user.Write("old", old)
	span := store.Span{Area: store.InTree, Path: "old", Stat: r.user.Stat("old")}
	sources := []store.Source{
		{Index: 0, Span: span, Offset: 1}, // wrong place
		{Index: 0, Span: span, Offset: 0},
		{Index: 3, Span: span, Offset: chunks[3].Offset + shift},
		{Index: 2, Span: span, Offset: chunks[2].Offset},
		{Index: 1, Span: store.Span{Area: store.InTree, Path: "missing"}, Offset: 0},
	}
	have, resumed, err := r.Assemble(digest, int64(len(data)), chunks, sources)
	must(t, err)
	if !have[0] || have[1] || have[2] || !have[3] || resumed != 0 {
		t.Errorf("have %v, resumed %d", have, resumed)
	}
	_, _, err = r.Assemble(digest, int64(len(data)), []store.Chunk{{Offset: 5 << 20, Size: 1}}, nil)
	wantErr(t, err, store.ErrCorrupt)
	_, _, err = r.Assemble(digest, int64(len(data)), chunks, []store.Source{{Index: len(chunks)}})
	wantErr(t, err, store.ErrCorrupt)
}

func TestAWholeContentIsCopiedFromElsewhereInTheFolder(t *testing.T) {
	r := newRoot(t)
	for _, size := range []int{10, 5 << 20} {
		data := made("copy", size)
		r.user.Write("file", data)
		span := store.Span{Area: store.InTree, Path: "file", Stat: r.user.Stat("file")}
		must(t, r.Copy(content(data), int64(size), span))
		if !bytes.Equal(r.readStaged(data), data) {
			t.Error("other bytes")
		}
		wantErr(t, r.Copy(content(made("other", size)), int64(size), span), store.ErrCorrupt)
		wantErr(t, r.Copy(content(data), int64(size)+1, span), store.ErrCorrupt)
		r.user.Write("file", data)
		wantErr(t, r.Copy(content(data), int64(size), span), store.ErrChanged)
	}
	if staged := r.staged(); len(staged) != 2 {
		t.Errorf("staged: %v", staged)
	}
}

func TestAFullDiskLeavesNoTornFileInStaging(t *testing.T) {
	r := newRoot(t)
	small, large := made("small", 8192), made("large", 3<<20)
	free, total, err := r.Free()
	must(t, err)
	r.disk.Resize(total - free + 4096)
	wantErr(t, r.Stage(pieces(small))[0], store.ErrNoSpace)
	wantErr(t, r.Stage(pieces(large))[0], store.ErrNoSpace)
	if staged := r.staged(); staged != nil {
		t.Errorf("staged: %v", staged)
	}
	r.disk.Resize(1 << 30)
	r.stage(small)
	r.stage(large)
	if !bytes.Equal(r.readStaged(large), large) {
		t.Error("other bytes")
	}
}

func TestAfterAFailedFlushNothingUnflushedIsTrusted(t *testing.T) {
	broken := errors.New("input/output error")
	for _, files := range []int{1, 3, 40} { // one by one, and by a sync of the file system
		disk := crashfs.New(uint64(files))
		r := openRoot(t, disk)
		before := made("flushed", 50)
		r.stage(before)
		for i := range files {
			must(t, r.Stage(pieces(made("lost", 1000+i)))[0])
		}
		disk.FailAt(disk.Steps()+1, broken)
		wantErr(t, r.Flush(), broken)
		if staged := r.staged(); len(staged) != 1 || staged[0] != content(before) {
			t.Errorf("%d files: staged: %v", files, staged)
		}
		for i := range files {
			r.stage(made("lost", 1000+i))
		}
		r = openRoot(t, disk.Crash())
		if staged := r.staged(); len(staged) != files+1 {
			t.Errorf("%d files: %d survived", files, len(staged))
		}
	}
}

func TestFlushedContentSurvivesEveryCrash(t *testing.T) {
	for seed := range uint64(40) {
		disk := crashfs.New(seed)
		r := openRoot(t, disk)
		flushed := [][]byte{made("a", 5000), made("b", 2<<20), made("c", 1)}
		for _, data := range flushed {
			r.stage(data)
		}
		r.Stage(pieces(made("d", 9000))) // not flushed
		r = openRoot(t, disk.Crash())
		staged := r.staged()
		if len(staged) < len(flushed) || len(staged) > len(flushed)+1 {
			t.Errorf("seed %d: %d contents", seed, len(staged))
		}
		for _, data := range flushed {
			if !bytes.Equal(r.readStaged(data), data) {
				t.Errorf("seed %d: other bytes", seed)
			}
		}
		for _, digest := range r.Unfinished() {
			t.Errorf("seed %d: %s is torn and still there", seed, digest)
		}
	}
}

// A sync of the whole file system that fails takes bytes for written that are not, and
// the sync of a file after it says that all is well.
func TestWhatWasStagedDuringASyncThatFailedIsNotPlaced(t *testing.T) {
	r := newRoot(t)
	data := made("staged", 5000)
	for _, err := range r.Stage(pieces(data)) {
		must(t, err)
	}
	var changes []store.Change
	for i := range 30 {
		changes = append(changes, place(zsync.Path(fmt.Sprintf("d%02d", i)), nil, nil))
		changes[i].Op, changes[i].Mode = store.OpMkdir, 0o755
	}
	r.disk.Trouble(func(call string, _ bool) error {
		if call == "sync" {
			return errors.New("input/output error")
		}
		return nil
	})
	for _, result := range r.Apply(changes, false) {
		if result.Err == nil {
			t.Fatal("the sync did not fail")
		}
	}
	r.disk.Trouble(nil)
	must(t, r.Flush())
	wantErr(t, r.one(place("file", data, nil)).Err, store.ErrGone)
	r.stage(data)
	must(t, r.one(place("file", data, nil)).Err)
	if disk := r.disk.Crash(); !bytes.Equal(disk.User().Read("file"), data) {
		t.Error("other bytes after a power cut")
	}
}
