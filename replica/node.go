package replica

import (
	"slices"

	"github.com/zsync/zsync"
)

// origin is the event that an operation came in, as far as L needs it.
type origin struct {
	event   zsync.EventID
	author  zsync.DeviceID
	writer  zsync.WriterID
	seq     uint64
	lamport uint64
	wallMS  uint64
}

// operation names one operation and places it in the total order.
type operation struct {
	origin
	index uint32
}

func (o operation) dot() zsync.Dot { return zsync.Dot{Event: o.event, Index: o.index} }

func (o operation) stamp() zsync.Stamp {
	return zsync.Stamp{Lamport: o.lamport, Writer: o.writer, Seq: o.seq, Index: o.index}
}

// candidate is one place that an operation gave a node. The zero operation
// stands for no operation at all, and precedes every other.
type candidate struct {
	place place
	by    operation
}

// head is a version that nothing has superseded. A weak head, left by a Move,
// counts only while the node has no other.
type head struct {
	by      operation
	weak    bool
	kind    zsync.FileType
	content zsync.Digest
	size    int64
	listLen uint32
	mtimeNS int64
	target  string
}

// register is the mode of a node, last writer wins. kind is the type of the
// version that it came with; TypeOther when it was set by itself.
type register struct {
	mode uint32
	kind zsync.FileType
	by   operation
}

// record is all that L knows of one node. Everything in it but the number of
// visible kids and the place in the list of candidates follows from the set of
// operations on this node alone.
type record struct {
	id      zsync.NodeID
	parent  bool        // some operation named it as a parent; only such a node can be part of a cycle
	based   bool        // a Put said where it is: base is set
	created bool        // … and one of them created it
	base    candidate   // the oldest create; without one the oldest Put
	moves   []candidate // newest first
	at      int         // which candidate is in force; above 0 only to break a cycle
	heads   []head      // newest first
	mode    register
	kids    uint64 // visible nodes in it
}

// known reports whether an operation has written or moved the node, rather
// than only named it.
func (r *record) known() bool { return r.based || len(r.moves) > 0 }

func (r *record) visible() bool { return len(r.heads) > 0 || r.kids > 0 }

// location returns the candidate in force.
func (r *record) location() candidate { return r.candidate(r.at) }

// candidate returns the n-th choice for the node's place: its moves from the
// newest on, where it was created, and last a place that is always free.
func (r *record) candidate(n int) candidate {
	switch {
	case n < len(r.moves):
		return r.moves[n]
	case n == len(r.moves) && r.based:
		return r.base
	default:
		return candidate{place: place{parent: rootNode, name: orphanName(r.id)}}
	}
}

func (r *record) addMove(c candidate) {
	i, _ := slices.BinarySearchFunc(r.moves, c, func(a, b candidate) int { return b.by.stamp().Compare(a.by.stamp()) })
	r.moves = slices.Insert(r.moves, i, c)
}

// betterBase reports whether that Put should be the node's base: the oldest
// create is, and the oldest hint until there is a create.
func (r *record) betterBase(by operation, create bool) bool {
	if r.based && create == r.created {
		return by.stamp().Compare(r.base.by.stamp()) < 0
	}
	return !r.based || create
}

func (r *record) addHead(h head) {
	i, _ := slices.BinarySearchFunc(r.heads, h, func(a, b head) int { return b.by.stamp().Compare(a.by.stamp()) })
	r.heads = slices.Insert(r.heads, i, h)
}

// removeHead reports whether the head was there.
func (r *record) removeHead(dot zsync.Dot) bool {
	before := len(r.heads)
	r.heads = slices.DeleteFunc(r.heads, func(h head) bool { return h.by.dot() == dot })
	return len(r.heads) < before
}

func (r *record) setMode(m register) {
	if m.by.stamp().Compare(r.mode.by.stamp()) > 0 {
		r.mode = m
	}
}
