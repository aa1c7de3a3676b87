package replica

import (
	"encoding/binary"
	"fmt"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/internal/wire"
)

// A record is stored as
//
//	node id 16 | flags u8 | at | kids
//	origins: count, each event 32, author 32, writer 16, seq u64, lamport u64, wall u64
//	mode: mode u16, kind u8, operation       when flagMode
//	base: parent, name, operation            when flagBased
//	moves: count, each parent, name, operation
//	heads: count, each operation, weak u8, kind u8, content 32, size, list, mtime u64, target
//
// with numbers as unsigned varints and an operation as the place of its origin
// and its index, since what is known of a node mostly came in one event.
const (
	flagParent = 1 << iota
	flagBased
	flagCreated
	flagMode
)

const (
	originBytes       = 32 + 32 + 16 + 8 + 8 + 8
	candidateBytesMin = 1 + 1 + 2
	headBytesMin      = 2 + 2 + 32 + 1 + 1 + 8 + 4
	recordItemsMax    = 1 << 24 // more than a log holds of one node
)

type originTable []origin

// add returns the place of o in the table, which it may extend. The newest
// entries are the likeliest.
func (t *originTable) add(o origin) uint64 {
	for i := len(*t) - 1; i >= 0; i-- {
		if (*t)[i] == o {
			return uint64(i)
		}
	}
	*t = append(*t, o)
	return uint64(len(*t) - 1)
}

// recordRoom has room for records while they are encoded.
type recordRoom struct {
	octets, body []byte
	origins      originTable
}

func (r *record) encode() []byte { return new(recordRoom).encode(r) }

// encode returns what a record is stored as. It lasts until the next one.
func (room *recordRoom) encode(r *record) []byte {
	origins, body := room.origins[:0], room.body[:0]
	if r.flags()&flagMode != 0 {
		body = binary.BigEndian.AppendUint16(body, uint16(r.mode.mode))
		body = append(body, byte(r.mode.kind))
		body = appendOperation(body, &origins, r.mode.by)
	}
	if r.based {
		body = appendCandidate(body, &origins, r.base)
	}
	body = binary.AppendUvarint(body, uint64(len(r.moves)))
	for _, c := range r.moves {
		body = appendCandidate(body, &origins, c)
	}
	body = binary.AppendUvarint(body, uint64(len(r.heads)))
	for i := range r.heads {
		body = appendHead(body, &origins, &r.heads[i])
	}
	front := append(append(room.octets[:0], r.id[:]...), r.flags())
	front = binary.AppendUvarint(front, uint64(r.at))
	front = binary.AppendUvarint(front, r.kids)
	front = append(appendOrigins(front, origins), body...)
	room.octets, room.body, room.origins = front, body, origins
	return front
}

func (r *record) flags() (flags byte) {
	for i, set := range []bool{r.parent, r.based, r.created, !r.mode.by.stamp().IsZero()} {
		if set {
			flags |= 1 << i
		}
	}
	return flags
}

func appendOrigins(data []byte, origins originTable) []byte {
	data = binary.AppendUvarint(data, uint64(len(origins)))
	for i := range origins {
		o := &origins[i]
		data = append(append(append(data, o.event[:]...), o.author[:]...), o.writer[:]...)
		for _, n := range [...]uint64{o.seq, o.lamport, o.wallMS} {
			data = binary.BigEndian.AppendUint64(data, n)
		}
	}
	return data
}

func appendOperation(data []byte, origins *originTable, by operation) []byte {
	return binary.AppendUvarint(binary.AppendUvarint(data, origins.add(by.origin)), uint64(by.index))
}

func appendCandidate(data []byte, origins *originTable, c candidate) []byte {
	data = binary.AppendUvarint(data, c.place.parent)
	data = wire.AppendString(data, string(c.place.name))
	return appendOperation(data, origins, c.by)
}

func appendHead(data []byte, origins *originTable, h *head) []byte {
	data = appendOperation(data, origins, h.by)
	weak := byte(0)
	if h.weak {
		weak = 1
	}
	data = append(append(data, weak, byte(h.kind)), h.content[:]...)
	data = binary.AppendUvarint(data, uint64(h.size))
	data = binary.AppendUvarint(data, uint64(h.listLen))
	data = binary.BigEndian.AppendUint64(data, uint64(h.mtimeNS))
	return wire.AppendLongString(data, h.target)
}

func decodeRecord(data []byte) (*record, error) {
	in := wire.NewReader(data)
	r := &record{}
	in.Fill(r.id[:])
	flags := in.Uint8()
	r.parent, r.based, r.created = flags&flagParent != 0, flags&flagBased != 0, flags&flagCreated != 0
	r.at = in.Count(uvarint(in), recordItemsMax, 0)
	r.kids = uvarint(in)
	var room [2]origin // most were written by one event
	origins := originTable(room[:])
	if n := in.Count(uvarint(in), recordItemsMax, originBytes); n <= len(room) {
		origins = origins[:n]
	} else {
		origins = make(originTable, n)
	}
	for i := range origins {
		origins[i] = readOrigin(in)
	}
	if flags&flagMode != 0 {
		r.mode = register{mode: uint32(in.Uint16()), kind: zsync.FileType(in.Uint8()), by: readOperation(in, origins)}
	}
	if r.based {
		r.base = readCandidate(in, origins)
	}
	for range in.Count(uvarint(in), recordItemsMax, candidateBytesMin) {
		r.moves = append(r.moves, readCandidate(in, origins))
	}
	for range in.Count(uvarint(in), recordItemsMax, headBytesMin) {
		r.heads = append(r.heads, readHead(in, origins))
	}
	return r, in.End()
}

func uvarint(in *wire.Reader) uint64 {
	v, n := binary.Uvarint(in.Rest())
	if n <= 0 {
		in.Fail(wire.ErrShort)
		return 0
	}
	in.Bytes(n)
	return v
}

func readOrigin(in *wire.Reader) (o origin) {
	in.Fill(o.event[:])
	in.Fill(o.author[:])
	in.Fill(o.writer[:])
	o.seq, o.lamport, o.wallMS = in.Uint64(), in.Uint64(), in.Uint64()
	return o
}

func readOperation(in *wire.Reader, origins originTable) (by operation) {
	n := uvarint(in)
	if n >= uint64(len(origins)) {
		in.Fail(fmt.Errorf("%w: origin %d of %d", wire.ErrLimit, n, len(origins)))
		return by
	}
	return operation{origin: origins[n], index: uint32(uvarint(in))}
}

func readCandidate(in *wire.Reader, origins originTable) candidate {
	parent := uvarint(in)
	name := zsync.Name(in.String())
	return candidate{place: place{parent: parent, name: name}, by: readOperation(in, origins)}
}

func readHead(in *wire.Reader, origins originTable) (h head) {
	h.by = readOperation(in, origins)
	h.weak, h.kind = in.Uint8() != 0, zsync.FileType(in.Uint8())
	in.Fill(h.content[:])
	h.size, h.listLen = int64(uvarint(in)), uint32(uvarint(in))
	h.mtimeNS = int64(in.Uint64())
	h.target = in.LongString(zsync.SymlinkBytesMax)
	return h
}
