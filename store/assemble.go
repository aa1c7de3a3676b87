package store

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"sync/atomic"

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
	if err := a.copyAll(from); err != nil {
		return a.have, resumed, fmt.Errorf("store: assemble %s: %w", content, err)
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
	zeros   zsync.Digest // zero until it is asked for

	mutex sync.Mutex // of what several hands change: have, and what is free
	have  []bool
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
	if err := a.check(chunk); err != nil {
		return nil, err
	}
	return a.buffer[:chunk.Size], nil
}

func (a *assembly) check(chunk Chunk) error {
	if chunk.Size <= 0 || chunk.Size > chunkBytesMax || chunk.Offset < 0 || chunk.Offset > a.size-int64(chunk.Size) {
		return fmt.Errorf("%w: a chunk of %d octets at %d of %d", ErrCorrupt, chunk.Size, chunk.Offset, a.size)
	}
	return nil
}

// copyAll takes chunks from sources: those that are known to lie there, by several
// hands, and then the guesses.
func (a *assembly) copyAll(from []Source) error {
	for _, source := range from {
		if source.Index < 0 || source.Index >= len(a.chunks) {
			return fmt.Errorf("%w: chunk %d of %d", ErrCorrupt, source.Index, len(a.chunks))
		}
	}
	guesses := slices.IndexFunc(from, func(s Source) bool { return s.Guess != 0 })
	if guesses < 0 {
		guesses = len(from)
	}
	known, left := from[:guesses], from[guesses:]
	hands := make([]copier, a.root.handsFor(a.size))
	errs := make([]error, len(hands))
	var next atomic.Int64
	var group sync.WaitGroup
	for i := range hands {
		hands[i].assembly = a
		group.Go(func() { errs[i] = hands[i].work(known, &next) })
	}
	group.Wait()
	guesser := copier{assembly: a}
	defer guesser.done()
	for i := 0; i < len(left) && errors.Join(errs...) == nil; i++ {
		errs[0] = guesser.guess(left[i])
	}
	return errors.Join(errs...)
}

// copier is one hand that copies chunks. Sources of one file mostly follow one
// another, so it stays open from one to the next.
type copier struct {
	*assembly
	span  Span
	file  File // nil: none is open
	wrong int  // the guess that was wrong last
}

func (c *copier) work(from []Source, next *atomic.Int64) error {
	buffer, release := c.root.buffer()
	defer release()
	defer c.done()
	for i := next.Add(1) - 1; i < int64(len(from)); i = next.Add(1) - 1 {
		if _, err := c.copy(from[i], buffer); err != nil {
			return err
		}
	}
	return nil
}

// guess copies a chunk that may lie there, unless the guess was found to be wrong.
func (c *copier) guess(from Source) error {
	if from.Guess == c.wrong {
		return nil
	}
	right, err := c.copy(from, c.buffer)
	if !right {
		c.wrong = from.Guess
	}
	return err
}

// copy takes one chunk from a source. A source that changed, or never had it, is
// no error: the chunk is fetched from a peer.
func (c *copier) copy(from Source, buffer []byte) (right bool, err error) {
	if c.has(from.Index) {
		return true, nil
	}
	chunk := c.chunks[from.Index]
	if err := c.check(chunk); err != nil {
		return false, err
	}
	data := buffer[:chunk.Size]
	if !c.read(from, data) || sha256.Sum256(data) != chunk.Hash {
		return false, nil
	}
	if err := c.take(chunk); err != nil {
		return false, err
	}
	if _, err := c.assembly.file.WriteAt(data, chunk.Offset); err != nil {
		return false, err
	}
	c.wrote(from.Index)
	return true, nil
}

// read fills data from a source, if the file there is the one that was meant. That it
// stayed so while it was read says nothing: what was read is verified.
func (c *copier) read(from Source, data []byte) bool {
	if c.file == nil || c.span != from.Span {
		c.done()
		file, _, err := c.root.openSpan(from.Span)
		if err != nil {
			return false
		}
		c.file, c.span = file, from.Span
	}
	n, _ := c.file.ReadAt(data, from.Offset)
	return n == len(data)
}

func (c *copier) done() {
	if c.file != nil {
		_ = c.file.Close() // it was read alone
		c.file = nil
	}
}

func (a *assembly) has(index int) bool {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	return a.have[index]
}

func (a *assembly) take(chunk Chunk) error {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	return a.free.take(int64(chunk.Size))
}

// wrote notes a chunk that is in the file now. The disk begins to write what has
// gathered, while more is being read.
func (a *assembly) wrote(index int) {
	chunk := a.chunks[index]
	end := chunk.Offset + int64(chunk.Size)
	a.root.staging.wrote(a.content, chunk.Offset, end)
	a.mutex.Lock()
	a.have[index] = true
	a.mutex.Unlock()
	if full := end - end%writeBackBytes; full > chunk.Offset {
		a.file.WriteBack(full-writeBackBytes, writeBackBytes)
	}
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
