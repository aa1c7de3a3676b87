package store

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"

	"github.com/zsync/zsync"
)

// The sizes of a chunk, in octets. They are format, as the rest of this file:
// two devices that scan apart must cut alike, or they send again what both have.
const (
	chunkBytesMin    = 256 << 10 // but for the last of a file
	chunkBytesNormal = 512 << 10 // from here on a cut is easier
	chunkBytesMax    = zsync.ContentChunkMax
)

// The bits of the rolling hash that must be zero at a cut, before and after
// chunkBytesNormal.
const (
	maskHard = 0x0003590703530000
	maskEasy = 0x0000d90003530000
)

// cut returns the length of the chunk that data begins with: FastCDC, as the
// algorithm "fastcdc" of github.com/PlakarKorp/go-cdc-chunkers v1.1.0 cuts. data
// is chunkBytesMax octets, or all that is left of the file.
func cut(data []byte) int {
	if len(data) <= chunkBytesMin {
		return len(data)
	}
	data = data[:min(len(data), chunkBytesMax)]
	hash, at := rollTo(data, 0, chunkBytesMin, min(len(data), chunkBytesNormal), maskHard)
	if at < chunkBytesNormal {
		return at
	}
	_, at = rollTo(data, hash, at, len(data), maskEasy)
	return at
}

// rollTo moves the rolling hash from octet at on, up to a cut or to the end.
func rollTo(data []byte, hash uint64, at, end int, mask uint64) (uint64, int) {
	for i, octet := range data[at:end] {
		hash = hash<<1 + gearTable[octet]
		if hash&mask == 0 {
			return hash, at + i
		}
	}
	return hash, end
}

// chunker cuts what a reader holds, size octets, into chunks.
type chunker struct {
	from       io.ReaderAt
	size       int64
	read       int64  // octets read so far
	buffer     []byte // of bufferBytes
	start, end int    // of what was read and not yet cut
}

// bufferBytes holds two of the largest chunks, so that at most every other one
// has to be moved to the front.
const bufferBytes = 2 * chunkBytesMax

func (c *chunker) next() ([]byte, error) {
	if err := c.fill(); err != nil {
		return nil, err
	}
	if c.start == c.end {
		return nil, io.EOF
	}
	chunk := c.buffer[c.start : c.start+cut(c.buffer[c.start:c.end])]
	c.start += len(chunk)
	return chunk, nil
}

// fill reads until a whole chunk is in the buffer, or the rest of the file.
func (c *chunker) fill() error {
	if c.end-c.start >= chunkBytesMax || c.read == c.size {
		return nil
	}
	c.end = copy(c.buffer, c.buffer[c.start:c.end])
	c.start = 0
	want := int(min(int64(len(c.buffer)-c.end), c.size-c.read))
	n, err := c.from.ReadAt(c.buffer[c.end:c.end+want], c.read)
	if n < want {
		return shortRead(err)
	}
	c.read += int64(n)
	c.end += n
	return nil
}

// shortRead explains a read that ended before the file's size did.
func shortRead(err error) error {
	if err == nil || errors.Is(err, io.EOF) {
		return ErrChanged
	}
	return err
}

// contentOf reads size octets once and returns the content's name and, above
// [zsync.ContentChunkMax], its list. Each chunk is handed to each, when that is
// not nil; buffer holds bufferBytes.
func contentOf(from io.ReaderAt, size int64, buffer []byte, each func(chunk []byte) error) (zsync.Digest, []ListNode, error) {
	if size <= zsync.ContentChunkMax {
		data := buffer[:size]
		if n, err := from.ReadAt(data, 0); n < len(data) {
			return zsync.Digest{}, nil, shortRead(err)
		}
		return sha256.Sum256(data), nil, handed(each, data)
	}
	var list ListBuilder
	for cutter := (chunker{from: from, size: size, buffer: buffer}); ; {
		chunk, err := cutter.next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return zsync.Digest{}, nil, err
		}
		list.Add(sha256.Sum256(chunk), uint32(len(chunk)))
		if err := handed(each, chunk); err != nil {
			return zsync.Digest{}, nil, err
		}
	}
	nodes := list.Finish()
	return nodes[len(nodes)-1].Hash, nodes, nil
}

func handed(each func([]byte) error, chunk []byte) error {
	if each == nil {
		return nil
	}
	return each(chunk)
}

// verify reads size octets and compares what they are named with content.
func verify(content zsync.Digest, from io.ReaderAt, size int64, buffer []byte) error {
	found, _, err := contentOf(from, size, buffer, nil)
	if err != nil {
		return err
	}
	if found != content {
		return fmt.Errorf("%w: %s is not %s", ErrCorrupt, found, content)
	}
	return nil
}
