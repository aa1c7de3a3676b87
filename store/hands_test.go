package store_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/zsync/zsync"
	"github.com/zsync/zsync/store"
	"github.com/zsync/zsync/store/crashfs"
)

// rootOfHands is a new root on a new disk whose large files several goroutines work at.
func rootOfHands(t *testing.T, hands int) testRoot {
	t.Helper()
	disk := crashfs.New(1)
	root, err := store.Open(disk, store.Options{Hands: hands})
	must(t, err)
	t.Cleanup(func() { _ = root.Close() })
	return testRoot{Root: root, t: t, disk: disk, user: disk.User()}
}

func TestManyHandsNameALargeFileAsOneDoes(t *testing.T) {
	data := made("hands", 20<<20)
	var first store.Hashed
	for hands := range 6 {
		r := rootOfHands(t, hands)
		r.user.Write("file", data)
		hashed := r.Hash(store.HashJob{Path: "file", Old: r.user.Stat("file")})
		must(t, hashed.Err)
		hashed.Stat = store.Stat{}
		if hashed.Content != content(data) {
			t.Errorf("%d hands: %s", hands, hashed.Content)
		}
		if hands == 0 {
			first = hashed
		}
		if diff := cmp.Diff(first, hashed); diff != "" {
			t.Errorf("%d hands (-one +many):\n%s", hands, diff)
		}
	}
}

func TestManyHandsSayWhenAFileIsShorterThanItWas(t *testing.T) {
	r := rootOfHands(t, 4)
	r.user.Write("file", made("hands", 20<<20))
	old := r.user.Stat("file")
	r.user.Write("file", made("hands", 17<<20))
	wantErr(t, r.Hash(store.HashJob{Path: "file", Old: old}).Err, store.ErrChanged)
}

func TestManyHandsAssembleALargeFileAsOneDoes(t *testing.T) {
	data := made("hands", 20<<20)
	chunks, digest := cutUp(data)
	for hands := range 5 {
		r := rootOfHands(t, hands)
		r.user.Write("old", data)
		span := store.Span{Area: store.InTree, Path: "old", Stat: r.user.Stat("old")}
		var from []store.Source
		for i, chunk := range chunks {
			if i != 7 {
				from = append(from, store.Source{Index: i, Span: span, Offset: chunk.Offset})
			}
		}
		have, _, err := r.Assemble(digest, int64(len(data)), chunks, from)
		must(t, err)
		if countTrue(have) != len(chunks)-1 || have[7] {
			t.Errorf("%d hands: have %v", hands, have)
		}
		must(t, r.Stage(pieces(data)[7:8])[0])
		if staged := r.staged(); len(staged) != 1 || staged[0] != digest {
			t.Errorf("%d hands: staged %v", hands, staged)
		}
		r.disk.Resize(1)
		_, _, err = r.Assemble(zsync.Digest{1}, int64(len(data)), chunks, from)
		wantErr(t, err, store.ErrNoSpace)
	}
}

func TestAGuessEndsWithTheFirstChunkThatIsNotThere(t *testing.T) {
	r := newRoot(t)
	data := made("guess", 5<<20)
	chunks, digest := cutUp(data)
	old := append([]byte(nil), data...)
	old[chunks[2].Offset]++
	r.user.Write("old", old)
	span := store.Span{Area: store.InTree, Path: "old", Stat: r.user.Stat("old")}
	guess := func(number, index int) store.Source {
		return store.Source{Index: index, Span: span, Offset: chunks[index].Offset, Guess: number}
	}
	known := store.Source{Index: 5, Span: span, Offset: chunks[5].Offset}
	have, _, err := r.Assemble(digest, int64(len(data)), chunks, []store.Source{
		known, guess(1, 0), guess(1, 1), guess(1, 2), guess(1, 3), guess(2, 5), guess(2, 4),
	})
	must(t, err)
	if diff := cmp.Diff([]bool{true, true, false, false, true, true}, have[:6]); diff != "" {
		t.Errorf("have (-want +got):\n%s", diff)
	}
}
