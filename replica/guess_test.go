package replica

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/zsync/zsync"
	"github.com/zsync/zsync/store"
	"github.com/zsync/zsync/store/crashfs"
)

func TestWhatAVersionMayHaveIsGuessedFromBothSidesOfAGap(t *testing.T) {
	// The content is ten chunks of ten octets, of which the version, two octets longer,
	// is known to have numbers 2 and 6.
	chunks := make([]store.Chunk, 10)
	for i := range chunks {
		chunks[i] = store.Chunk{Offset: int64(10 * i), Size: 10}
	}
	span := store.Span{Area: store.InTree, Path: "old", Stat: store.Stat{Size: 102}}
	known := []store.Source{{Index: 2, Span: span, Offset: 20}, {Index: 6, Span: span, Offset: 65}}
	var g guesses
	g.add(chunks, 100, span, known)
	var got []string
	for _, s := range g.sources {
		got = append(got, fmt.Sprintf("%d: %d at %d", s.Guess, s.Index, s.Offset))
	}
	want := []string{
		"1: 0 at 0", "1: 1 at 10", "2: 3 at 30", "2: 4 at 40", "2: 5 at 50", "3: 7 at 75", "3: 8 at 85",
		"4: 9 at 92", "4: 8 at 82", "4: 7 at 72", "5: 5 at 55", "5: 4 at 45", "5: 3 at 35", "6: 1 at 10", "6: 0 at 0",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("guesses (-want +got):\n%s", diff)
	}
	g = guesses{}
	if g.add(chunks, 200, span, nil); len(g.sources) != 10 { // the rest is in other nodes of the list
		t.Errorf("%d guesses, wanted those from the beginning alone", len(g.sources))
	}
}

func TestOfAFileWithSomethingPutInOnlyThatIsFetched(t *testing.T) {
	old := make([]byte, 24<<20)
	_, _ = rand.NewChaCha8([32]byte{8}).Read(old)
	const in = 1000
	for _, at := range []int{0, 100, 5 << 20, 12<<20 + 1, len(old)} {
		edited := bytes.Join([][]byte{old[:at], make([]byte, in), old[at:]}, nil)
		if lacks, most := lackingOf(t, old, edited), 2*zsync.ContentChunkMax; lacks > most {
			t.Errorf("put in at %d: %d octets are fetched, wanted %d at most", at, lacks, most)
		}
		if lacks, most := lackingOf(t, edited, old), 2*zsync.ContentChunkMax; lacks > most {
			t.Errorf("taken out at %d: %d octets are fetched, wanted %d at most", at, lacks, most)
		}
	}
}

// lackingOf returns how many octets of a file's second version are to be fetched where
// the first lies.
func lackingOf(t *testing.T, first, second []byte) (octets int) {
	t.Helper()
	disk := crashfs.New(1)
	root, err := store.Open(disk, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	_, has, span := listed(t, disk, root, "first", first)
	content, chunks, _ := listed(t, disk, root, "second", second)
	at := map[zsync.Digest]int64{}
	for _, chunk := range has {
		at[chunk.Hash] = chunk.Offset
	}
	var known []store.Source
	for i, chunk := range chunks {
		if offset, found := at[chunk.Hash]; found {
			known = append(known, store.Source{Index: i, Span: span, Offset: offset})
		}
	}
	var g guesses
	g.add(chunks, int64(len(second)), span, known)
	have, _, err := root.Assemble(content, int64(len(second)), chunks, append(known, g.sources...))
	if err != nil {
		t.Fatal(err)
	}
	for i, chunk := range chunks {
		if !have[i] {
			octets += chunk.Size
		}
	}
	return octets
}

// listed writes a large file and returns its content, its chunks, and where it lies.
func listed(t *testing.T, disk *crashfs.FS, root *store.Root, path string, data []byte) (zsync.Digest, []store.Chunk, store.Span) {
	t.Helper()
	disk.User().Write(path, data)
	stat := disk.User().Stat(path)
	hashed := root.Hash(store.HashJob{Path: zsync.Path(path), Old: stat})
	if hashed.Err != nil {
		t.Fatal(hashed.Err)
	}
	list, err := store.ParseListNode(hashed.Content, hashed.List[0].Data)
	if err != nil {
		t.Fatal(err)
	}
	var chunks []store.Chunk
	offset := int64(0)
	for _, entry := range list.Entries {
		chunks = append(chunks, store.Chunk{Hash: entry.Hash, Offset: offset, Size: int(entry.Len)})
		offset += int64(entry.Len)
	}
	return hashed.Content, chunks, store.Span{Area: store.InTree, Path: zsync.Path(path), Stat: stat}
}
