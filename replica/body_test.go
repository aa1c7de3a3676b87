package replica

import (
	"bytes"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"os"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/internal/wire"
)

var rewriteBodies = flag.Bool("rewrite-bodies", false, "write testdata/fs_bodies.txt anew")

const goldenBodies = "testdata/fs_bodies.txt"

// bodies are named examples of every form that an operation can have.
var bodies = []struct {
	name string
	body Body
}{
	{"file derived at the root", Body{create(zsync.NodeID{}, "photo.jpg").file("one").withMode(0o644)}},
	{"empty file with the oldest mtime there is", Body{{
		Kind: OpPut, Create: CreateDerived, Name: "empty", Type: zsync.TypeFile, Content: zsync.EmptyContent, MtimeNS: -1 << 63,
	}}},
	{"large file", Body{{
		Kind: OpPut, Create: CreateDerived, Name: "large", Type: zsync.TypeFile,
		Content: zsync.Digest{1}, Size: 1 << 40, ListLen: 4182, MtimeNS: 1_700_000_000_000_000_000, HasMode: true,
	}}},
	{"symlink", Body{{
		Kind: OpPut, Create: CreateDerived, Name: "link", Type: zsync.TypeSymlink,
		Content: content("../there"), MtimeNS: 1, Target: "../there",
	}}},
	{"parent named once for the operations that share it", Body{
		create(zsync.NodeID{}, "d").dir().withMode(0o755),
		create(zsync.NodeID{7}, "ä").file("one"),
		create(zsync.NodeID{7}, "b").file("two"),
		remove(zsync.NodeID{8}, zsync.Dot{Event: zsync.EventID{2}, Index: 999}),
		create(zsync.NodeID{7}, "c").file("three"),
		create(zsync.NodeID{}, "e").file("three"),
	}},
	{"edit over versions of three events", Body{edit(zsync.NodeID{9}, zsync.NodeID{7}, "b").file("four").over(
		zsync.Dot{Event: zsync.EventID{3}}, zsync.Dot{Event: zsync.EventID{1}, Index: 24}, zsync.Dot{Index: 2},
		zsync.Dot{Event: zsync.EventID{3}, Index: 1},
	)}},
	{"copy made a file of its own", Body{
		{Kind: OpPut, Create: CreateFresh, Name: "a~conflict", Type: zsync.TypeFile, Content: content("x"), Size: 1, MtimeNS: 5},
		remove(zsync.NodeID{9}, zsync.Dot{Event: zsync.EventID{3}}),
	}},
	{"move of a file", Body{move(zsync.NodeID{9}, zsync.NodeID{7}, "new").file("one").over(zsync.Dot{Event: zsync.EventID{4}})}},
	{"move of a directory", Body{move(zsync.NodeID{9}, zsync.NodeID{}, "new").dir()}},
	{"mode alone", Body{chmod(zsync.NodeID{9}, 0)}},
}

func (op Op) withMode(mode uint32) Op {
	op.HasMode, op.Mode = true, mode
	return op
}

func TestBodiesAreEncodedAsTheGoldenFileSays(t *testing.T) {
	var out strings.Builder
	for _, b := range bodies {
		fmt.Fprintf(&out, "%s\n%x\n\n", b.name, EncodeBody(b.body))
	}
	if *rewriteBodies {
		if err := os.WriteFile(goldenBodies, []byte(out.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	golden, err := os.ReadFile(goldenBodies)
	if err != nil {
		t.Fatal(err)
	}
	if string(golden) != out.String() {
		t.Errorf("bodies are now encoded as\n%s", out.String())
	}
	for i, text := range strings.Split(strings.TrimSpace(string(golden)), "\n\n") {
		_, digits, _ := strings.Cut(text, "\n")
		data, err := hex.DecodeString(digits)
		if err != nil {
			t.Fatal(err)
		}
		body, err := DecodeBody(data)
		if err != nil || !reflect.DeepEqual(body, bodies[i].body) {
			t.Errorf("%s\ndecoded as %+v, %v\nwant %+v", text, body, err, bodies[i].body)
		}
	}
}

// spoilt are bodies that say something no honest device would write.
var spoilt = []struct {
	why  string
	body any
}{
	{"no operations", wireBody{Ops: []wireOp{}}},
	{"too many operations", wireBody{Ops: make([]wireOp, BodyOpsMax+1)}},
	{"operation 0", wireBody{Ops: []wireOp{{Kind: 0}}}},
	{"operation 5", wireBody{Ops: []wireOp{{Kind: 5}}}},
	{"operation 257", wireBody{Ops: []wireOp{{Kind: 257}}}},
	{"ref that nothing names", spoil(func(w *wireBody) { w.Refs = append(w.Refs, zsync.EventID{9}) })},
	{"refs out of order", spoil(func(w *wireBody) { w.Refs = []zsync.EventID{{3}, {2}} })},
	{"ref that is zero", spoil(func(w *wireBody) { w.Refs[0] = zsync.EventID{} })},
	{"ref beyond the table", spoil(func(w *wireBody) { w.Ops[0].Supersedes[0].Ref = 3 })},
	{"dots out of order", spoil(func(w *wireBody) { w.Ops[0].Supersedes[0].Ref, w.Ops[0].Supersedes[1].Ref = 2, 1 })},
	{"dot beyond any body", spoil(func(w *wireBody) { w.Ops[0].Supersedes[1].Index = BodyOpsMax })},
	{"too many dots", spoil(func(w *wireBody) {
		for i := range uint32(SupersedesMax) {
			w.Ops[0].Supersedes = append(w.Ops[0].Supersedes, wireDot{Ref: 2, Index: i + 1})
		}
	})},
	{"parent that need not be named", spoil(func(w *wireBody) { w.Ops[0].Parent = &zsync.NodeID{} })},
	{"create of a named node", spoil(func(w *wireBody) { w.Ops[0].Create = 1 })},
	{"create of a third sort", spoil(func(w *wireBody) { w.Ops[0].Create, w.Ops[0].Node = 3, nil })},
	{"edit of no node", spoil(func(w *wireBody) { w.Ops[0].Node = nil })},
	{"edit of the root", spoil(func(w *wireBody) { w.Ops[0].Node = &zsync.NodeID{} })},
	{"no name", spoil(func(w *wireBody) { w.Ops[0].Name = "" })},
	{"name with a slash", spoil(func(w *wireBody) { w.Ops[0].Name = "a/b" })},
	{"name too long", spoil(func(w *wireBody) { w.Ops[0].Name = strings.Repeat("x", 256) })},
	{"type that is not synced", spoil(func(w *wireBody) { w.Ops[0].Type = 0 })},
	{"type of a later version", spoil(func(w *wireBody) { w.Ops[0].Type = 4 })},
	{"file without content", spoil(func(w *wireBody) { w.Ops[0].Content = nil })},
	{"file without mtime", spoil(func(w *wireBody) { w.Ops[0].MtimeNS = nil })},
	{"file with a target", spoil(func(w *wireBody) { w.Ops[0].Target = []byte("x") })},
	{"size below zero", spoil(func(w *wireBody) { w.Ops[0].Size = -1 })},
	{"size that denies the content", spoil(func(w *wireBody) { w.Ops[0].Size = 0 })},
	{"empty content with a size", spoil(func(w *wireBody) { w.Ops[0].Content = &zsync.EmptyContent })},
	{"list of a small file", spoil(func(w *wireBody) { w.Ops[0].ListLen = 94 })},
	{"large file without a list", spoil(func(w *wireBody) { w.Ops[0].Size = zsync.ContentChunkMax + 1 })},
	{"list that is too large", spoil(func(w *wireBody) { w.Ops[0].Size, w.Ops[0].ListLen = 1<<40, listLenMax+1 })},
	{"directory with content", spoil(func(w *wireBody) { w.Ops[0].Type, w.Ops[0].Size = uint64(zsync.TypeDir), 0 })},
	{"symlink without a target", spoil(func(w *wireBody) { w.Ops[0].Type, w.Ops[0].Size = uint64(zsync.TypeSymlink), 0 })},
	{"symlink whose content is not its target's", spoil(func(w *wireBody) {
		w.Ops[0].Type, w.Ops[0].Size, w.Ops[0].Target = uint64(zsync.TypeSymlink), 0, []byte("elsewhere")
	})},
	{"mode beyond 0777", spoil(func(w *wireBody) { *w.Ops[0].Mode = 0o1000 })},
	{"move with a mode", spoil(func(w *wireBody) { w.Ops[0].Kind = uint64(OpMove) })},
	{"move that creates", spoil(func(w *wireBody) { w.Ops[0].Kind, w.Ops[0].Mode, w.Ops[0].Create = uint64(OpMove), nil, 1 })},
	{"del with a name", spoil(func(w *wireBody) {
		w.Ops[0] = wireOp{Kind: 2, Node: &zsync.NodeID{1}, Name: "x", Supersedes: w.Ops[0].Supersedes}
	})},
	{"del of nothing", wireBody{Ops: []wireOp{{Kind: 2, Node: &zsync.NodeID{1}}}}},
	{"attr without a mode", wireBody{Ops: []wireOp{{Kind: 4, Node: &zsync.NodeID{1}}}}},
	{"attr that supersedes", spoil(func(w *wireBody) {
		w.Ops[0] = wireOp{Kind: 4, Node: &zsync.NodeID{1}, Mode: new(uint32), Supersedes: w.Ops[0].Supersedes}
	})},
	{"key that no operation has", map[uint64]any{2: []any{map[uint64]any{0: 4, 2: make([]byte, 16), 10: 0, 13: 1}}}},
	{"node of 15 octets", map[uint64]any{2: []any{map[uint64]any{0: 4, 2: bytes.Repeat([]byte{1}, 15), 10: 0}}}},
	{"name that is not UTF-8", spoil(func(w *wireBody) { w.Ops[0].Name = "a\xff" })},
}

// spoil changes one thing in a sound body: an edit over two versions.
func spoil(how func(*wireBody)) wireBody {
	w := soundBody().wire()
	mode := *w.Ops[0].Mode
	w.Ops[0].Mode = &mode
	how(&w)
	return w
}

func soundBody() Body {
	return Body{edit(zsync.NodeID{1}, zsync.NodeID{}, "x").file("one").withMode(0o644).over(
		zsync.Dot{Event: zsync.EventID{2}}, zsync.Dot{Event: zsync.EventID{3}},
	)}
}

func TestDecodeBodyRefusesAllButTheOneForm(t *testing.T) {
	if _, err := DecodeBody(EncodeBody(soundBody())); err != nil {
		t.Fatalf("the sound body: %v", err)
	}
	for _, c := range spoilt {
		if body, err := DecodeBody(wire.Marshal(c.body)); !errors.Is(err, ErrBody) {
			t.Errorf("%s: %+v, %v", c.why, body, err)
		}
	}
	for _, data := range [][]byte{nil, {0xa0}, append(EncodeBody(soundBody()), 0), make([]byte, BodyBytesMax+1)} {
		if body, err := DecodeBody(data); !errors.Is(err, ErrBody) {
			t.Errorf("%.8x: %+v, %v", data, body, err)
		}
	}
}

func TestEncodeBodyPanicsRatherThanWriteWhatNobodyReads(t *testing.T) {
	huge := make(Body, BodyOpsMax)
	for i := range huge {
		huge[i] = create(zsync.NodeID{}, zsync.Name(strings.Repeat("x", 250))).file("one")
	}
	for name, body := range map[string]Body{
		"nothing": {}, "root": {chmod(zsync.NodeID{}, 0)}, "too long": huge, "too many": make(Body, BodyOpsMax+1),
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", name)
				}
			}()
			EncodeBody(body)
		}()
	}
}

func FuzzDecodeBodyIsTheInverseOfEncodeBody(f *testing.F) {
	for _, b := range bodies {
		f.Add(EncodeBody(b.body))
	}
	for _, c := range spoilt {
		f.Add(wire.Marshal(c.body))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		body, err := DecodeBody(data)
		if err != nil {
			if !errors.Is(err, ErrBody) {
				t.Errorf("%v does not wrap ErrBody", err)
			}
			return
		}
		if again := EncodeBody(body); !bytes.Equal(again, data) {
			t.Errorf("%x became %x", data, again)
		}
	})
}

func TestBytesMaxIsNeverBelowWhatAnOperationTakes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var body Body
		bound := bodyHeadBytesMax
		for range rapid.IntRange(1, 20).Draw(t, "ops") {
			op := drawOp(t)
			body = append(body, op)
			bound += op.bytesMax()
		}
		if got := len(EncodeBody(body)); got > bound {
			t.Fatalf("%d octets, bound %d: %+v", got, bound, body)
		}
	})
}

// drawOp draws an operation with long fields.
func drawOp(t *rapid.T) Op {
	node := zsync.NodeID{1 + rapid.Byte().Draw(t, "node")/2}
	name := zsync.Name(strings.Repeat("n", rapid.IntRange(1, 255).Draw(t, "name")))
	var dots []zsync.Dot
	for i := range rapid.IntRange(1, SupersedesMax).Draw(t, "dots") {
		dots = append(dots, zsync.Dot{Event: zsync.EventID{byte(i), rapid.Byte().Draw(t, "event")}, Index: uint32(900 + i)})
	}
	switch rapid.IntRange(0, 3).Draw(t, "kind") {
	case 0:
		op := edit(node, zsync.NodeID{rapid.Byte().Draw(t, "parent")}, name).over(dots...).withMode(0o777)
		op.Type, op.Content, op.Size, op.ListLen, op.MtimeNS = zsync.TypeFile, zsync.Digest{1}, 1<<62, listLenMax, -1<<62
		return op
	case 1:
		return remove(node, dots...)
	case 2:
		op := move(node, zsync.NodeID{rapid.Byte().Draw(t, "parent")}, name).over(dots...)
		op.Type, op.Target, op.MtimeNS = zsync.TypeSymlink, strings.Repeat("t", 1+len(name)), 1<<62
		op.Content = content(op.Target)
		return op
	default:
		return chmod(node, 0o777)
	}
}
