package store

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"

	chunkers "github.com/PlakarKorp/go-cdc-chunkers"
	_ "github.com/PlakarKorp/go-cdc-chunkers/chunkers/fastcdc" // gives the algorithm its name

	"github.com/zsync/zsync"
)

// The sizes of a chunk, in octets. They are format, and so is the algorithm: two
// devices that scan apart must cut alike, or they send again what both have.
const (
	chunkBytesMin    = 256 << 10 // but for the last of a file
	chunkBytesNormal = 512 << 10 // from here on a cut is easier
	chunkBytesMax    = zsync.ContentChunkMax
)

// bufferBytes holds two of the largest chunks, so that at most every other one
// has to be moved to the front.
const bufferBytes = 2 * chunkBytesMax

// newCutter cuts what a reader holds, size octets, into chunks by FastCDC without
// a key. buffer holds bufferBytes, and the chunks lie in it.
func newCutter(from io.ReaderAt, size int64, buffer []byte) (*chunkers.Chunker, error) {
	return chunkers.NewChunkerBuffer("fastcdc", io.NewSectionReader(from, 0, size), &chunkers.ChunkerOpts{
		MinSize: chunkBytesMin, NormalSize: chunkBytesNormal, MaxSize: chunkBytesMax,
	}, buffer)
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
	cutter, err := newCutter(from, size, buffer)
	if err != nil {
		return zsync.Digest{}, nil, err
	}
	var list ListBuilder
	for left := size; left > 0; {
		chunk, err := cutter.Next()
		if len(chunk) == 0 {
			return zsync.Digest{}, nil, shortRead(err)
		}
		left -= int64(len(chunk))
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
