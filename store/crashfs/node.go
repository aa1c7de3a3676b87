package crashfs

import (
	"bytes"
	"slices"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/store"
)

// node is a file, directory or symlink: as the program sees it, and as the disk
// has it.
type node struct {
	kind    zsync.FileType
	inode   uint64
	birthNS int64
	target  string
	meta    meta
	data    []byte
	entries map[string]*node
	sum     *[32]byte // of data; nil: not known

	// known is what the kernel takes the disk's bytes to be: after a sync that
	// failed it is wrong. It may be the same memory as disk.data: neither changes
	// in place.
	known []byte
	disk  struct {
		meta    meta
		data    []byte
		entries map[string]*node
	}
}

type meta struct {
	mode             uint32
	mtimeNS, ctimeNS int64
}

func (f *FS) newNode(kind zsync.FileType, mode uint32) *node {
	f.inodes++
	n := &node{kind: kind, inode: f.inodes, birthNS: f.nowNS}
	n.meta = meta{mode: mode, mtimeNS: f.nowNS, ctimeNS: f.nowNS}
	n.disk.meta = n.meta
	if kind == zsync.TypeDir {
		n.entries, n.disk.entries = map[string]*node{}, map[string]*node{}
	}
	return n
}

func (n *node) stat() store.Stat {
	size := int64(len(n.data))
	if n.kind == zsync.TypeSymlink {
		size = int64(len(n.target))
	}
	return store.Stat{
		Type: n.kind, Size: size, Mode: n.meta.mode, Inode: n.inode, BirthNS: n.birthNS,
		MtimeNS: n.meta.mtimeNS, CtimeNS: n.meta.ctimeNS,
	}
}

// writeOut makes the node's own bytes and attributes durable, but not its name.
func (n *node) writeOut() {
	n.disk.meta = n.meta
	n.disk.data = n.mixed(func(int) bool { return true }, len(n.data))
	n.known = n.disk.data
	if !bytes.Equal(n.known, n.data) {
		n.known = bytes.Clone(n.data)
	}
}

// mixed returns the bytes that the disk has when those pages were written that
// the kernel knows to be new and wrote chooses, and the file's size became size.
func (n *node) mixed(wrote func(page int) bool, size int) []byte {
	result := make([]byte, size)
	copy(result, n.disk.data)
	for from := 0; from < size && from < len(n.data); from += pageBytes {
		now := pageOf(n.data, from)
		if !bytes.Equal(now, pageOf(n.known, from)) && wrote(from/pageBytes) {
			copy(result[from:], now)
		}
	}
	return result
}

func pageOf(data []byte, from int) []byte {
	if from >= len(data) {
		return nil
	}
	return data[from:min(from+pageBytes, len(data))]
}

// each calls do for a node and all that the program sees below it, in order.
func (n *node) each(do func(*node)) {
	do(n)
	for _, name := range n.names() {
		n.entries[name].each(do)
	}
}

// names returns the names in a directory, ascending.
func (n *node) names() []string {
	names := make([]string, 0, len(n.entries))
	for name := range n.entries {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
