package replica

import (
	"encoding/binary"
	"math"
	"slices"

	"github.com/zsync/zsync"
)

// A body is deterministic CBOR. It is written and read by hand, since an event
// has up to 1,000 operations and each passes here more than once:
//
//	body: {1: [ref: event 32, …], 2: [op, …]}
//	op:   {0: kind, 1: create, 2: node, 3: parent, 4: name, 5: type, 6: content, 7: size,
//	       8: list, 9: mtime, 10: mode, 11: target, 12: [[ref, index], …]}
//
// What is zero or empty is left out, but for kind, and for content, mtime and mode
// where the operation has one; parent too, when it is that of the put or move
// before. Refs are ascending, each is used, and a dot names one by its place
// counted from 1; 0 is this event.
const (
	keyKind = iota
	keyCreate
	keyNode
	keyParent
	keyName
	keyType
	keyContent
	keySize
	keyListLen
	keyMtime
	keyMode
	keyTarget
	keySupersedes
)

const (
	keyRefs = 1
	keyOps  = 2
)

// The major types of CBOR that a body has.
const (
	cborUint   = 0
	cborNeg    = 1
	cborOctets = 2
	cborText   = 3
	cborArray  = 4
	cborMap    = 5
)

// appendItem appends the head of an item, in its one shortest form.
func appendItem(data []byte, major byte, n uint64) []byte {
	major <<= 5
	switch {
	case n < 24:
		return append(data, major|byte(n))
	case n <= math.MaxUint8:
		return append(data, major|24, byte(n))
	case n <= math.MaxUint16:
		return binary.BigEndian.AppendUint16(append(data, major|25), uint16(n))
	case n <= math.MaxUint32:
		return binary.BigEndian.AppendUint32(append(data, major|26), uint32(n))
	default:
		return binary.BigEndian.AppendUint64(append(data, major|27), n)
	}
}

func appendInt(data []byte, n int64) []byte {
	if n < 0 {
		return appendItem(data, cborNeg, uint64(^n))
	}
	return appendItem(data, cborUint, uint64(n))
}

func appendOctets(data, value []byte) []byte {
	return append(appendItem(data, cborOctets, uint64(len(value))), value...)
}

func (b Body) encode() []byte {
	refs, bound := b.refs(), bodyHeadBytesMax
	for i := range b {
		bound += b[i].bytesMax()
	}
	w := bodyWriter{data: make([]byte, 0, bound), refs: refs}
	if len(refs) > 0 {
		w.data = appendItem(append(appendItem(w.data, cborMap, 2), keyRefs), cborArray, uint64(len(refs)))
		for i := range refs {
			w.data = appendOctets(w.data, refs[i][:])
		}
	} else {
		w.data = appendItem(w.data, cborMap, 1)
	}
	w.data = appendItem(append(w.data, keyOps), cborArray, uint64(len(b)))
	for i := range b {
		w.op(&b[i])
	}
	return w.data
}

// bodyWriter writes operations one after the other.
type bodyWriter struct {
	data   []byte
	refs   []zsync.EventID
	parent zsync.NodeID // of the put or move before
	keys   int          // of the operation at hand
}

// op appends an operation. How many keys it has is known at the end, and goes
// where the octet was left for it.
func (w *bodyWriter) op(op *Op) {
	at := len(w.data)
	w.data, w.keys = append(w.data, 0), 0
	w.key(keyKind)
	w.data = appendItem(w.data, cborUint, uint64(op.Kind))
	if versioned := op.Kind == OpPut || op.Kind == OpMove; versioned {
		w.versioned(op)
	} else {
		w.node(op.Node)
		w.mode(op)
	}
	if len(op.Supersedes) > 0 {
		w.key(keySupersedes)
		w.dots(op.Supersedes)
	}
	w.data[at] = cborMap<<5 | byte(w.keys)
}

// versioned appends what a put or a move has, up to its dots.
func (w *bodyWriter) versioned(op *Op) {
	w.uint(keyCreate, uint64(op.Create))
	w.node(op.Node)
	if op.Parent != w.parent {
		w.parent = op.Parent
		w.key(keyParent)
		w.data = appendOctets(w.data, op.Parent[:])
	}
	w.text(keyName, cborText, string(op.Name))
	w.uint(keyType, uint64(op.Type))
	if op.Type != zsync.TypeDir {
		w.key(keyContent)
		w.data = appendOctets(w.data, op.Content[:])
	}
	if op.Size != 0 {
		w.key(keySize)
		w.data = appendInt(w.data, op.Size)
	}
	w.uint(keyListLen, uint64(op.ListLen))
	if op.Type != zsync.TypeDir {
		w.key(keyMtime)
		w.data = appendInt(w.data, op.MtimeNS)
	}
	w.mode(op)
	w.text(keyTarget, cborOctets, op.Target)
}

func (w *bodyWriter) key(key byte) {
	w.keys++
	w.data = append(w.data, key)
}

func (w *bodyWriter) uint(key byte, n uint64) {
	if n != 0 {
		w.key(key)
		w.data = appendItem(w.data, cborUint, n)
	}
}

func (w *bodyWriter) text(key, major byte, text string) {
	if text != "" {
		w.key(key)
		w.data = append(appendItem(w.data, major, uint64(len(text))), text...)
	}
}

func (w *bodyWriter) node(id zsync.NodeID) {
	if !id.IsZero() {
		w.key(keyNode)
		w.data = appendOctets(w.data, id[:])
	}
}

func (w *bodyWriter) mode(op *Op) {
	if op.HasMode {
		w.key(keyMode)
		w.data = appendItem(w.data, cborUint, uint64(op.Mode))
	}
}

func (w *bodyWriter) dots(dots []zsync.Dot) {
	w.data = appendItem(w.data, cborArray, uint64(len(dots)))
	for i := range dots {
		w.data = appendItem(w.data, cborArray, 2)
		w.data = appendItem(w.data, cborUint, uint64(refOf(w.refs, dots[i].Event)))
		w.data = appendItem(w.data, cborUint, uint64(dots[i].Index))
	}
}

// refs returns the other events that b's dots name, ascending, each once.
func (b Body) refs() []zsync.EventID {
	var refs []zsync.EventID
	for i := range b {
		for _, dot := range b[i].Supersedes {
			if dot.Event != (zsync.EventID{}) {
				refs = append(refs, dot.Event)
			}
		}
	}
	slices.SortFunc(refs, zsync.EventID.Compare)
	return slices.Compact(refs)
}

func refOf(refs []zsync.EventID, event zsync.EventID) uint32 {
	if event == (zsync.EventID{}) {
		return 0
	}
	i, _ := slices.BinarySearchFunc(refs, event, zsync.EventID.Compare)
	return uint32(i) + 1
}
