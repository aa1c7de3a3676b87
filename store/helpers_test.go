package store_test

import (
	"testing"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/store"
	"github.com/zsync/zsync/store/crashfs"
)

// testRoot is a Root on a crashfs disk, and the user at it.
type testRoot struct {
	*store.Root
	t    testing.TB
	disk *crashfs.FS
	user crashfs.User
}

func newRoot(t testing.TB) testRoot { return openRoot(t, crashfs.New(1)) }

func openRoot(t testing.TB, disk *crashfs.FS) testRoot {
	t.Helper()
	root, err := store.Open(disk, store.Options{})
	must(t, err)
	t.Cleanup(func() { _ = root.Close() })
	return testRoot{Root: root, t: t, disk: disk, user: disk.User()}
}

// content returns the content of data.
func content(data []byte) zsync.Digest {
	_, digest := cutUp(data)
	return digest
}

// cutUp returns the chunks that data is cut into, and its content.
func cutUp(data []byte) ([]store.Chunk, zsync.Digest) {
	if len(data) <= zsync.ContentChunkMax {
		return nil, store.ContentOf(data)
	}
	var chunks []store.Chunk
	var list store.ListBuilder
	offset := int64(0)
	for _, n := range store.Chunks(data) {
		hash := store.ContentOf(data[offset : offset+int64(n)])
		list.Add(hash, uint32(n))
		chunks = append(chunks, store.Chunk{Hash: hash, Offset: offset, Size: n})
		offset += int64(n)
	}
	nodes := list.Finish()
	return chunks, nodes[len(nodes)-1].Hash
}

// pieces returns data as it is received.
func pieces(data []byte) []store.Piece {
	chunks, digest := cutUp(data)
	if chunks == nil {
		return []store.Piece{{Content: digest, Size: int64(len(data)), Hash: digest, Data: data}}
	}
	var received []store.Piece
	for _, chunk := range chunks {
		received = append(received, store.Piece{
			Content: digest, Size: int64(len(data)), Hash: chunk.Hash, Offset: chunk.Offset,
			Data: data[chunk.Offset : chunk.Offset+int64(chunk.Size)],
		})
	}
	return received
}

// stage stages and flushes data.
func (r testRoot) stage(data []byte) zsync.Digest {
	r.t.Helper()
	for _, err := range r.Stage(pieces(data)) {
		must(r.t, err)
	}
	must(r.t, r.Flush())
	return content(data)
}

const placedNS = 1_600_000_000_123_456_789

// place returns the change that places data.
func place(path zsync.Path, data []byte, old *store.Stat) store.Change {
	return store.Change{
		Op: store.OpPlace, Path: path, Old: old, Content: content(data), Size: int64(len(data)), Mode: 0o640, MtimeNS: placedNS,
	}
}

// old returns the Stat that a path has now.
func (r testRoot) old(path string) *store.Stat {
	stat := r.user.Stat(path)
	return &stat
}

// one applies a single change.
func (r testRoot) one(c store.Change) store.Result {
	r.t.Helper()
	return r.Apply([]store.Change{c}, false)[0]
}

// kept returns the bytes of a kept file.
func (r testRoot) kept(name string) []byte { return r.user.Read(".zsync/versions/" + name) }
