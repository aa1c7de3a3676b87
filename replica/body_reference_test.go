package replica

import (
	"bytes"
	"fmt"
	"reflect"
	"testing"

	"pgregory.net/rapid"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/internal/wire"
)

// What follows says the form of a body a second time, to the CBOR library. The
// codec by hand is held against it.

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

// referenceDecode is DecodeBody, as the library reads.
func referenceDecode(data []byte) (Body, error) {
	var w wireBody
	if err := wire.Unmarshal(data, &w); err != nil || len(data) > BodyBytesMax {
		return nil, fmt.Errorf("%w: %w", ErrBody, err)
	}
	body, err := w.body()
	if err != nil {
		return nil, err
	}
	if !bytes.Equal(wire.Marshal(body.wire()), data) {
		return nil, fmt.Errorf("%w: not in canonical form", ErrBody)
	}
	return body, nil
}

func agree(t tester, data []byte) {
	body, err := DecodeBody(data)
	want, wantErr := referenceDecode(data)
	if (err == nil) != (wantErr == nil) || !reflect.DeepEqual(body, want) {
		t.Fatalf("%x is read as\n%+v, %v\nand by the library as\n%+v, %v", data, body, err, want, wantErr)
	}
}

func TestBodiesHaveTheFormThatTheLibraryGivesThem(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var body Body
		for range rapid.IntRange(1, 5).Draw(t, "ops") {
			body = append(body, drawOp(t))
		}
		if got, want := EncodeBody(body), wire.Marshal(body.wire()); !bytes.Equal(got, want) {
			t.Fatalf("%+v is written as\n%x\nand by the library as\n%x", body, got, want)
		}
	})
}

func TestSpoiltBodiesAreReadAsTheLibraryReadsThem(t *testing.T) {
	for _, c := range spoilt {
		agree(t, wire.Marshal(c.body))
	}
	rapid.Check(t, func(t *rapid.T) {
		data := bytes.Clone(EncodeBody(bodies[rapid.IntRange(0, len(bodies)-1).Draw(t, "body")].body))
		for range rapid.IntRange(1, 2).Draw(t, "changes") {
			data[rapid.IntRange(0, min(40, len(data)-1)).Draw(t, "at")] = rapid.Byte().Draw(t, "octet")
		}
		agree(t, data)
	})
}

func FuzzBodiesAreReadAsTheLibraryReadsThem(f *testing.F) {
	for _, b := range bodies {
		f.Add(EncodeBody(b.body))
	}
	f.Fuzz(func(t *testing.T, data []byte) { agree(t, data) })
}
