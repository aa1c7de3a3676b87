package replica

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/internal/wire"
)

// DecodeBody reads the body of an fs event. It accepts exactly what
// [EncodeBody] writes; every error wraps [ErrBody].
func DecodeBody(data []byte) (Body, error) {
	if len(data) > BodyBytesMax {
		return nil, fmt.Errorf("%w: %d octets", ErrBody, len(data))
	}
	var w wireBody
	if err := wire.Unmarshal(data, &w); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrBody, err)
	}
	body, err := w.body()
	if err != nil {
		return nil, err
	}
	// What a field of another kind of operation said, a parent that need not be
	// repeated, refs that nothing names: none of it comes back.
	if !bytes.Equal(wire.Marshal(body.wire()), data) {
		return nil, fmt.Errorf("%w: not in canonical form", ErrBody)
	}
	return body, nil
}

// EncodeBody writes the body of an fs event. It panics for one that no reader
// would accept: such a body is a bug of its maker.
func EncodeBody(b Body) []byte {
	if len(b) == 0 || len(b) > BodyOpsMax {
		panic(fmt.Sprintf("replica: body of %d operations", len(b)))
	}
	for i, op := range b {
		if err := op.check(); err != nil {
			panic(fmt.Sprintf("replica: operation %d: %v", i, err))
		}
	}
	data := wire.Marshal(b.wire())
	if len(data) > BodyBytesMax {
		panic(fmt.Sprintf("replica: body of %d octets", len(data)))
	}
	return data
}

// wireBody is the CBOR form of a Body. Refs are ascending, each is used, and a
// dot names one by its place counted from 1.
type wireBody struct {
	Refs []zsync.EventID `cbor:"1,keyasint,omitempty"`
	Ops  []wireOp        `cbor:"2,keyasint"`
}

type wireOp struct {
	Kind       uint64        `cbor:"0,keyasint"`
	Create     uint64        `cbor:"1,keyasint,omitempty"`
	Node       *zsync.NodeID `cbor:"2,keyasint,omitempty"`
	Parent     *zsync.NodeID `cbor:"3,keyasint,omitempty"`
	Name       string        `cbor:"4,keyasint,omitempty"`
	Type       uint64        `cbor:"5,keyasint,omitempty"`
	Content    *zsync.Digest `cbor:"6,keyasint,omitempty"`
	Size       int64         `cbor:"7,keyasint,omitempty"`
	ListLen    uint32        `cbor:"8,keyasint,omitempty"`
	MtimeNS    *int64        `cbor:"9,keyasint,omitempty"`
	Mode       *uint32       `cbor:"10,keyasint,omitempty"`
	Target     []byte        `cbor:"11,keyasint,omitempty"`
	Supersedes []wireDot     `cbor:"12,keyasint,omitempty"`
}

type wireDot struct {
	_     struct{} `cbor:",toarray"`
	Ref   uint32
	Index uint32
}

func (b Body) wire() wireBody {
	w := wireBody{Refs: b.refs(), Ops: make([]wireOp, len(b))}
	var parent zsync.NodeID // of the put or move before
	for i := range b {
		op, out := &b[i], &w.Ops[i]
		out.Kind = uint64(op.Kind)
		if !op.Node.IsZero() {
			out.Node = &op.Node
		}
		if op.HasMode {
			out.Mode = &op.Mode
		}
		if op.Kind == OpPut || op.Kind == OpMove {
			out.setVersion(op)
			if op.Parent != parent {
				out.Parent, parent = &op.Parent, op.Parent
			}
		}
		for _, dot := range op.Supersedes {
			out.Supersedes = append(out.Supersedes, wireDot{Ref: refOf(w.Refs, dot.Event), Index: dot.Index})
		}
	}
	return w
}

func (w *wireOp) setVersion(op *Op) {
	w.Create, w.Name, w.Type = uint64(op.Create), string(op.Name), uint64(op.Type)
	w.Size, w.ListLen, w.Target = op.Size, op.ListLen, []byte(op.Target)
	if op.Type != zsync.TypeDir {
		w.Content, w.MtimeNS = &op.Content, &op.MtimeNS
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

func (w wireBody) body() (Body, error) {
	if len(w.Ops) == 0 || len(w.Ops) > BodyOpsMax {
		return nil, fmt.Errorf("%w: %d operations", ErrBody, len(w.Ops))
	}
	body := make(Body, len(w.Ops))
	var parent zsync.NodeID
	for i := range w.Ops {
		in := &w.Ops[i]
		if in.Parent != nil {
			parent = *in.Parent
		}
		op, err := in.op(parent, w.Refs)
		if err != nil {
			return nil, fmt.Errorf("operation %d: %w", i, err)
		}
		body[i] = op
	}
	return body, nil
}

func (w *wireOp) op(parent zsync.NodeID, refs []zsync.EventID) (Op, error) {
	if w.Kind > uint64(OpAttr) || w.Create > uint64(CreateFresh) || w.Type > uint64(zsync.TypeSymlink) {
		return Op{}, fmt.Errorf("%w: operation %d, create %d, type %d", ErrBody, w.Kind, w.Create, w.Type)
	}
	op := Op{Kind: OpKind(w.Kind)}
	if w.Node != nil {
		op.Node = *w.Node
	}
	if w.Mode != nil {
		op.HasMode, op.Mode = true, *w.Mode
	}
	if op.Kind == OpPut || op.Kind == OpMove {
		op.Parent = parent
		w.version(&op)
	}
	for _, dot := range w.Supersedes {
		if uint64(dot.Ref) > uint64(len(refs)) {
			return Op{}, fmt.Errorf("%w: ref %d of %d", ErrBody, dot.Ref, len(refs))
		}
		op.Supersedes = append(op.Supersedes, zsync.Dot{Index: dot.Index})
		if dot.Ref > 0 {
			op.Supersedes[len(op.Supersedes)-1].Event = refs[dot.Ref-1]
		}
	}
	return op, op.check()
}

func (w *wireOp) version(op *Op) {
	op.Create, op.Name, op.Type = Create(w.Create), zsync.Name(w.Name), zsync.FileType(w.Type)
	op.Size, op.ListLen, op.Target = w.Size, w.ListLen, string(w.Target)
	if w.Content != nil {
		op.Content = *w.Content
	}
	if w.MtimeNS != nil {
		op.MtimeNS = *w.MtimeNS
	}
}
