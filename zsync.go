// Package zsync is the vocabulary of the project: the names of devices,
// spaces, events and contents, and the few rules that a name must keep. It
// imports only the standard library, so every other package can speak it.
//
// A [DeviceID] names one of a person's devices. A [SpaceID] names one
// independently replicated log: one per shared folder, and one for the circle
// of devices itself. An [EventID] names one signed entry of such a log, and a
// [Dot] one operation within that entry; because an operation that writes a
// file creates a version of it, a Dot is also a version's name. A [Digest]
// names bytes: equal bytes have equal digests on every device, in every folder.
//
// Order and causality are kept apart. A [Stamp] orders any two operations the
// same way everywhere and so picks winners; it never decides whether two
// operations conflict. That is read from what each of them says it supersedes.
package zsync

import "cmp"

// Kind says what an event is about, and so how its body is read.
type Kind uint64

// The kinds of events. Numbers are format: see docs/formats.md. Kinds of 128
// and above are experimental: stored and relayed, never folded.
const (
	KindGenesis    Kind = 1
	KindWriterOpen Kind = 2
	KindMember     Kind = 3
	KindKeys       Kind = 4
	KindFS         Kind = 5
	KindFeed       Kind = 6
	KindCheckpoint Kind = 7
	KindAck        Kind = 8
	KindForkProof  Kind = 9
	KindFolder     Kind = 10
	KindConfirm    Kind = 11
	KindSettings   Kind = 12
)

// Dot names one operation: the event that carries it and its place in the
// event's body. A version of a file is named by the Dot of the operation that
// wrote it.
type Dot struct {
	Event EventID
	Index uint32
}

// Compare orders dots by event and place; the order has no meaning beyond
// being the same everywhere.
func (d Dot) Compare(o Dot) int {
	return cmp.Or(d.Event.Compare(o.Event), cmp.Compare(d.Index, o.Index))
}

// Stamp is an operation's place in the total order of a space (Lamport time,
// then writer, then sequence, then place in the body).
type Stamp struct {
	Lamport uint64
	Writer  WriterID
	Seq     uint64
	Index   uint32
}

// Compare returns -1, 0 or +1 as s is before, at or after o.
func (s Stamp) Compare(o Stamp) int {
	return cmp.Or(
		cmp.Compare(s.Lamport, o.Lamport),
		s.Writer.Compare(o.Writer),
		cmp.Compare(s.Seq, o.Seq),
		cmp.Compare(s.Index, o.Index),
	)
}

// IsZero reports whether s is the zero Stamp, which precedes every other.
func (s Stamp) IsZero() bool { return s == Stamp{} }

// Ref names an event of some writer by place and by id, so that a reader who
// lacks it knows what to ask for and whether the answer is right.
type Ref struct {
	_      struct{} `cbor:",toarray"`
	Writer WriterID
	Seq    uint64
	ID     EventID
}

// Header is the signed part of an event. Its encoding, Core Deterministic CBOR
// with the integer keys below, is what the signature and the event id cover.
type Header struct {
	Version  uint64    `cbor:"1,keyasint"`           // always 1
	Space    SpaceID   `cbor:"2,keyasint"`           // zero in a genesis
	Writer   WriterID  `cbor:"3,keyasint"`           // the signing chain
	Seq      uint64    `cbor:"4,keyasint"`           // 1, 2, 3 … within the writer
	Lamport  uint64    `cbor:"5,keyasint"`           // 1 + the highest of prev, deps and (at seq 1) auth
	Prev     *EventID  `cbor:"6,keyasint,omitempty"` // (writer, seq-1); absent at seq 1
	Deps     []Ref     `cbor:"7,keyasint,omitempty"` // tips of other writers not yet covered
	Auth     []EventID `cbor:"8,keyasint,omitempty"` // membership frontier known to the author, when it changed
	Kind     Kind      `cbor:"9,keyasint"`           // how the body is read
	WallMS   uint64    `cbor:"10,keyasint"`          // milliseconds since 1970 UTC; for display only
	KeyEpoch uint64    `cbor:"11,keyasint"`          // 0: the body is in clear
	BodyLen  uint64    `cbor:"12,keyasint"`          // octets of the body as stored
	BodyHash Digest    `cbor:"13,keyasint"`          // SHA-256 of the body as stored
	Flags    uint64    `cbor:"14,keyasint"`          // reserved, 0
}

// Stamp returns the place of the event's index-th operation in the total order.
func (h *Header) Stamp(index uint32) Stamp {
	return Stamp{Lamport: h.Lamport, Writer: h.Writer, Seq: h.Seq, Index: index}
}

// FileType says what a node or a directory entry is. Numbers are format.
type FileType uint8

// The types that zsync keeps in sync; zero is everything else (sockets,
// devices, pipes), which it leaves alone.
const (
	TypeOther   FileType = 0
	TypeFile    FileType = 1
	TypeDir     FileType = 2
	TypeSymlink FileType = 3
)
