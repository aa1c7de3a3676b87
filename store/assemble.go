package store

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"

	"github.com/zsync/zsync"
)

// Assemble makes ready the staging file of a large content: it keeps the chunks
// that an interrupted transfer left there (resumed of them) and copies others
// from sources on this disk, each verified. have says, for each chunk, whether it
// is there; what is not is to be staged.
func (r *Root) Assemble(content zsync.Digest, size int64, chunks []Chunk, from []Source) (have []bool, resumed int, err error) {
	shelf := <-r.staging.idle
	defer func() { r.staging.idle <- shelf }()
	room := budget{r.room()}
	file, found, err := r.staging.large(shelf, content, size, room.octets)
	if err != nil {
		return nil, 0, fmt.Errorf("store: assemble %s: %w", content, err)
	}
	defer file.Close()
	buffer, release := r.buffer()
	defer release()
	a := assembly{
		root: r, content: content, size: size, chunks: chunks, free: room, file: file, buffer: buffer, have: make([]bool, len(chunks)),
	}
	if found {
		if resumed, err = a.resume(); err != nil {
			return nil, 0, fmt.Errorf("store: assemble %s: %w", content, err)
		}
	}
	for _, source := range from {
		if err := a.copy(source); err != nil {
			return a.have, resumed, fmt.Errorf("store: assemble %s: %w", content, err)
		}
	}
	return a.have, resumed, nil
}

// assembly is one call of Assemble.
type assembly struct {
	root    *Root
	content zsync.Digest
	size    int64
	chunks  []Chunk
	free    budget
	file    File
	buffer  []byte
	have    []bool
	zeros   zsync.Digest // zero until it is asked for
}

// resume verifies the chunks that are in the file already.
func (a *assembly) resume() (resumed int, err error) {
	for i, chunk := range a.chunks {
		data, err := a.room(chunk)
		if err != nil {
			return resumed, err
		}
		end := chunk.Offset + int64(chunk.Size)
		if !a.root.staging.holds(a.content, chunk.Offset, end) {
			there, err := a.there(chunk, data)
			if err != nil {
				return resumed, err
			}
			if !there {
				continue
			}
			a.root.staging.wrote(a.content, chunk.Offset, end)
		}
		a.have[i] = true
		resumed++
	}
	return resumed, nil
}

// there verifies one chunk. Where nothing was ever written there are zeros, and
// those are a chunk only of the size at which zeros are cut, or at the end: the rest
// of a gap, which may be as large as a peer has said, costs nothing.
func (a *assembly) there(chunk Chunk, data []byte) (bool, error) {
	end := chunk.Offset + int64(chunk.Size)
	from, _, err := a.file.Data(chunk.Offset)
	gap := errors.Is(err, io.EOF) || err == nil && from >= end
	switch {
	case gap && chunk.Size < chunkBytesMax && end < a.size:
		return false, nil
	case gap && chunk.Size == chunkBytesMax:
		return chunk.Hash == a.zeroChunk(), nil
	case err != nil && !gap:
		return false, err
	}
	if n, err := a.file.ReadAt(data, chunk.Offset); n < len(data) {
		return false, shortRead(err)
	}
	return sha256.Sum256(data) == chunk.Hash, nil
}

// zeroChunk returns the digest of the zeros that a gap is cut into.
func (a *assembly) zeroChunk() zsync.Digest {
	if a.zeros.IsZero() {
		a.zeros = sha256.Sum256(make([]byte, chunkBytesMax))
	}
	return a.zeros
}

// room returns a buffer for a chunk, if the chunk can be one of the content.
func (a *assembly) room(chunk Chunk) ([]byte, error) {
	if chunk.Size <= 0 || chunk.Size > chunkBytesMax || chunk.Offset < 0 || chunk.Offset > a.size-int64(chunk.Size) {
		return nil, fmt.Errorf("%w: a chunk of %d octets at %d of %d", ErrCorrupt, chunk.Size, chunk.Offset, a.size)
	}
	return a.buffer[:chunk.Size], nil
}

// copy takes one chunk from a source. A source that changed, or never had it, is
// no error: the chunk is fetched from a peer.
func (a *assembly) copy(from Source) error {
	if from.Index < 0 || from.Index >= len(a.chunks) {
		return fmt.Errorf("%w: chunk %d of %d", ErrCorrupt, from.Index, len(a.chunks))
	}
	if a.have[from.Index] {
		return nil
	}
	chunk := a.chunks[from.Index]
	data, err := a.room(chunk)
	if err != nil {
		return err
	}
	if a.root.Read(from.Span, from.Offset, data) != nil || sha256.Sum256(data) != chunk.Hash {
		return nil
	}
	if err := a.free.take(int64(chunk.Size)); err != nil {
		return err
	}
	if _, err := a.file.WriteAt(data, chunk.Offset); err != nil {
		return err
	}
	a.root.staging.wrote(a.content, chunk.Offset, chunk.Offset+int64(chunk.Size))
	a.have[from.Index] = true
	return nil
}

// Copy stages a whole content from elsewhere on this disk: shared extents where
// the file system can, else a copy. ErrCorrupt says that the span holds another
// content, ErrChanged and ErrGone that it is no longer what it was.
func (r *Root) Copy(content zsync.Digest, size int64, from Span) error {
	if err := r.copy(content, size, from); err != nil {
		return fmt.Errorf("store: copy %s to staging: %w", from, err)
	}
	return nil
}

func (r *Root) copy(content zsync.Digest, size int64, from Span) error {
	source, stat, err := r.openSpan(from)
	if err != nil {
		return err
	}
	defer source.Close()
	if stat.Size != size {
		return ErrCorrupt
	}
	room := budget{r.room()}
	if err := room.take(size); err != nil {
		return err
	}
	shelf := <-r.staging.idle
	defer func() { r.staging.idle <- shelf }()
	buffer, release := r.buffer()
	defer release()
	if size <= zsync.ContentChunkMax {
		return r.copySmall(shelf, content, source, stat, buffer)
	}
	err = r.copyLarge(shelf, content, source, stat, buffer)
	if err != nil {
		err = errors.Join(err, r.Unstage(content))
	}
	return err
}

func (r *Root) copySmall(shelf int, content zsync.Digest, source File, stat Stat, buffer []byte) error {
	if err := verify(content, source, stat.Size, buffer); err != nil {
		return err
	}
	if err := held(source, stat); err != nil {
		return err
	}
	return r.staging.put(shelf, content, buffer[:stat.Size])
}

func (r *Root) copyLarge(shelf int, content zsync.Digest, source File, stat Stat, buffer []byte) error {
	file, _, err := r.staging.large(shelf, content, stat.Size, stat.Size)
	if err != nil {
		return err
	}
	defer file.Close()
	switch err = file.Clone(source); {
	case err == nil:
		err = verify(content, file, stat.Size, buffer)
	case errors.Is(err, errors.ErrUnsupported):
		err = duplicate(content, source, file, stat.Size, buffer)
	}
	if err != nil {
		return err
	}
	if err := held(source, stat); err != nil {
		return err
	}
	r.staging.wrote(content, 0, stat.Size)
	return nil
}

// duplicate copies and verifies in one read.
func duplicate(content zsync.Digest, source, into File, size int64, buffer []byte) error {
	var written int64
	found, _, err := contentOf(source, size, buffer, func(chunk []byte) error {
		_, err := into.WriteAt(chunk, written)
		written += int64(len(chunk))
		return err
	})
	if err == nil && found != content {
		err = ErrCorrupt
	}
	return err
}
