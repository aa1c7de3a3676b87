package replica

import (
	"errors"
	"fmt"
	"math"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/internal/wire"
)

// errForm is what a field that is not of its type is refused with.
var errForm = errors.New("not of the form of a body")

// readBody reads a body that may be in another than its one form. Every operation
// of it is one that a reader accepts.
func readBody(data []byte) (Body, error) {
	in := bodyReader{Reader: wire.NewReader(data)}
	body := in.body()
	if err := in.End(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrBody, err)
	}
	if len(body) == 0 {
		return nil, fmt.Errorf("%w: no operations", ErrBody)
	}
	for i := range body {
		if err := body[i].check(); err != nil {
			return nil, fmt.Errorf("operation %d: %w", i, err)
		}
	}
	return body, nil
}

// bodyReader reads operations one after the other.
type bodyReader struct {
	*wire.Reader
	refs   []zsync.EventID
	parent zsync.NodeID // of the put or move before
}

// The least octets that a ref, an operation and a dot take.
const (
	refBytesMin = 2 + 32
	opBytesMin  = 3
	dotBytesMin = 3
)

func (in *bodyReader) body() (body Body) {
	for range in.head(cborMap, 2) {
		switch in.head(cborUint, keyOps) {
		case keyRefs:
			in.refs = make([]zsync.EventID, in.count(BodyOpsMax*SupersedesMax, refBytesMin))
			for i := range in.refs {
				in.fixed(in.refs[i][:])
			}
		case keyOps:
			body = make(Body, in.count(BodyOpsMax, opBytesMin))
			for i := range body {
				in.op(&body[i])
			}
		default:
			in.Fail(errForm)
		}
	}
	return body
}

// op reads the fields of an operation, whichever it is; a put or move that names
// no parent has that of the one before.
func (in *bodyReader) op(op *Op) {
	own := false
	for range in.head(cborMap, keySupersedes+1) {
		key := in.head(cborUint, keySupersedes)
		own = own || key == keyParent
		in.field(op, key)
	}
	switch {
	case own:
		in.parent = op.Parent
	case op.Kind == OpPut || op.Kind == OpMove:
		op.Parent = in.parent
	}
}

func (in *bodyReader) field(op *Op, key uint64) {
	switch key {
	case keyKind:
		op.Kind = OpKind(in.head(cborUint, uint64(OpAttr)))
	case keyCreate:
		op.Create = Create(in.head(cborUint, uint64(CreateFresh)))
	case keyNode:
		in.fixed(op.Node[:])
	case keyParent:
		in.fixed(op.Parent[:])
	case keyName:
		op.Name = zsync.Name(in.text(cborText, zsync.NameBytesMax))
	case keyType:
		op.Type = zsync.FileType(in.head(cborUint, uint64(zsync.TypeSymlink)))
	case keyContent:
		in.fixed(op.Content[:])
	case keySize:
		op.Size = int64(in.head(cborUint, math.MaxInt64))
	case keyListLen:
		op.ListLen = uint32(in.head(cborUint, listLenMax))
	case keyMtime:
		op.MtimeNS = in.int()
	case keyMode:
		op.HasMode, op.Mode = true, uint32(in.head(cborUint, modeMask))
	case keyTarget:
		op.Target = in.text(cborOctets, zsync.SymlinkBytesMax)
	case keySupersedes:
		in.dots(op)
	}
}

func (in *bodyReader) dots(op *Op) {
	op.Supersedes = make([]zsync.Dot, in.count(SupersedesMax, dotBytesMin))
	for i := range op.Supersedes {
		dot := &op.Supersedes[i]
		if in.head(cborArray, 2) != 2 {
			in.Fail(errForm)
		}
		if ref := in.head(cborUint, uint64(len(in.refs))); ref > 0 {
			dot.Event = in.refs[ref-1]
		}
		dot.Index = uint32(in.head(cborUint, BodyOpsMax))
	}
}

// head takes the head of an item of that type, whose argument is at most limit.
func (in *bodyReader) head(major byte, limit uint64) uint64 {
	first := in.Uint8()
	n := uint64(first & 0x1f)
	switch {
	case n == 24:
		n = uint64(in.Uint8())
	case n == 25:
		n = uint64(in.Uint16())
	case n == 26:
		n = uint64(in.Uint32())
	case n == 27:
		n = in.Uint64()
	case n > 27:
		in.Fail(errForm)
	}
	if first>>5 != major || n > limit {
		in.Fail(errForm)
	}
	if in.Err() != nil {
		return 0
	}
	return n
}

// count takes the head of an array.
func (in *bodyReader) count(limit, itemBytes int) int {
	return in.Count(in.head(cborArray, uint64(limit)), limit, itemBytes)
}

func (in *bodyReader) fixed(into []byte) {
	if in.head(cborOctets, uint64(len(into))) != uint64(len(into)) {
		in.Fail(errForm)
	}
	in.Fill(into)
}

func (in *bodyReader) text(major byte, limit uint64) string {
	return string(in.Bytes(int(in.head(major, limit))))
}

func (in *bodyReader) int() int64 {
	if rest := in.Rest(); len(rest) > 0 && rest[0]>>5 == cborNeg {
		return ^int64(in.head(cborNeg, math.MaxInt64))
	}
	return int64(in.head(cborUint, math.MaxInt64))
}
