package store

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/internal/wire"
)

const (
	listPrefix      = "zsync/list/1\x00"
	listHeaderBytes = len(listPrefix) + 1 + 8
	listEntryBytes  = len(zsync.Digest{}) + 4
	// ListEntriesMax is how many entries every node but the last of a level has.
	ListEntriesMax = 16384
	// ListNodeBytesMax is the longest encoding of a node, in octets.
	ListNodeBytesMax = listHeaderBytes + ListEntriesMax*listEntryBytes
	// listLevelMax: three levels of names above the chunks are 2^40 TiB and more.
	listLevelMax = 3
)

// ErrList is wrapped by every error about octets that are no list node.
var ErrList = errors.New("malformed chunk list")

// ContentOf names bytes of at most [zsync.ContentChunkMax] octets, and the
// target of a symlink.
func ContentOf(data []byte) zsync.Digest { return sha256.Sum256(data) }

// ListEntry names a chunk, or a node of the level below, and its octets.
type ListEntry struct {
	Hash zsync.Digest
	Len  uint32
}

// List is one decoded node of a large content's list. At level 0 its entries are
// the chunks of the file in order, above they are nodes of the level below. Size
// counts the octets of the file under the node.
type List struct {
	Level   uint8
	Size    int64
	Entries []ListEntry
}

// ParseListNode decodes a node and checks that it is the one named hash and that
// its own figures agree. That the nodes of a whole list agree with one another is
// seen when the file has its size.
func ParseListNode(hash zsync.Digest, data []byte) (List, error) {
	if sha256.Sum256(data) != hash {
		return List{}, fmt.Errorf("%w: %w", ErrList, ErrCorrupt)
	}
	in := wire.NewReader(data)
	if !bytes.Equal(in.Bytes(len(listPrefix)), []byte(listPrefix)) {
		return List{}, fmt.Errorf("%w: it begins with something else", ErrList)
	}
	list := List{Level: in.Uint8(), Size: int64(in.Uint64())}
	count := in.Count(uint64(len(in.Rest())/listEntryBytes), ListEntriesMax, listEntryBytes)
	list.Entries = make([]ListEntry, count)
	for i := range list.Entries {
		in.Fill(list.Entries[i].Hash[:])
		list.Entries[i].Len = in.Uint32()
	}
	if err := in.End(); err != nil {
		return List{}, fmt.Errorf("%w: %w", ErrList, err)
	}
	return list, list.check()
}

func (l List) check() error {
	switch {
	case len(l.Entries) == 0:
		return fmt.Errorf("%w: no entries", ErrList)
	case l.Size <= 0:
		return fmt.Errorf("%w: a size of %d", ErrList, l.Size)
	case l.Level > listLevelMax:
		return fmt.Errorf("%w: level %d, at most %d", ErrList, l.Level, listLevelMax)
	case l.Level > 0:
		return l.checkNodes()
	}
	return l.checkChunks()
}

// checkChunks: all chunks but the last of a file are within the bounds of a cut.
func (l List) checkChunks() error {
	var sum int64
	for i, entry := range l.Entries {
		short := entry.Len < chunkBytesMin && i < len(l.Entries)-1
		if entry.Len == 0 || short || entry.Len > chunkBytesMax {
			return fmt.Errorf("%w: a chunk of %d octets", ErrList, entry.Len)
		}
		sum += int64(entry.Len)
	}
	if sum != l.Size {
		return fmt.Errorf("%w: chunks of %d octets, not %d", ErrList, sum, l.Size)
	}
	return nil
}

// checkNodes: all nodes but the last of a level are full.
func (l List) checkNodes() error {
	for i, entry := range l.Entries {
		full := entry.Len == uint32(ListNodeBytesMax)
		entries := (int(entry.Len) - listHeaderBytes) / listEntryBytes
		whole := entries >= 1 && entries <= ListEntriesMax && listHeaderBytes+entries*listEntryBytes == int(entry.Len)
		if !whole || !full && i < len(l.Entries)-1 {
			return fmt.Errorf("%w: a node of %d octets", ErrList, entry.Len)
		}
	}
	return nil
}

// ListBuilder makes the list of a large content from its chunks. The zero value
// is ready. It keeps the nodes that are done, 36 octets a chunk.
type ListBuilder struct {
	levels []levelBuilder
	nodes  []ListNode
}

// levelBuilder is the node of one level that is being filled.
type levelBuilder struct {
	entries []byte
	count   int
	size    int64
}

// Add appends the file's next chunk; size is in octets.
func (b *ListBuilder) Add(hash zsync.Digest, size uint32) { b.add(0, hash, size, int64(size)) }

func (b *ListBuilder) add(level int, hash zsync.Digest, octets uint32, size int64) {
	if level == len(b.levels) {
		b.levels = append(b.levels, levelBuilder{})
	}
	if b.levels[level].count == ListEntriesMax {
		b.close(level)
	}
	at := &b.levels[level]
	at.entries = binary.BigEndian.AppendUint32(append(at.entries, hash[:]...), octets)
	at.count++
	at.size += size
}

// close ends the node of a level and names it in the level above.
func (b *ListBuilder) close(level int) {
	node, size := b.end(level)
	b.add(level+1, node.Hash, uint32(len(node.Data)), size)
}

// end ends the node of a level, and begins an empty one.
func (b *ListBuilder) end(level int) (ListNode, int64) {
	at := b.levels[level]
	b.levels[level] = levelBuilder{}
	data := make([]byte, 0, listHeaderBytes+len(at.entries))
	data = append(append(data, listPrefix...), byte(level))
	data = append(binary.BigEndian.AppendUint64(data, uint64(at.size)), at.entries...)
	node := ListNode{Hash: sha256.Sum256(data), Data: data}
	b.nodes = append(b.nodes, node)
	return node, at.size
}

// Finish returns every node, the root last; its hash is the content. It is called
// once, after at least one chunk.
func (b *ListBuilder) Finish() []ListNode {
	if len(b.levels) == 0 {
		panic("store: a list of no chunks")
	}
	for level := 0; ; level++ {
		if level == len(b.levels)-1 {
			b.end(level)
			return b.nodes
		}
		b.close(level)
	}
}
