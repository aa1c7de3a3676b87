package device

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/eventlog"
	"github.com/zsync/zsync/internal/wire"
)

func claimOf(label string, genesis zsync.EventID) folderOp {
	return folderOp{Op: opClaim, Label: label, Space: genesis.Space(), Genesis: genesis}
}

// vectors are the bodies that this package owns, each with fixed values. No later
// version may write them otherwise.
func vectors() []struct {
	name string
	body []byte
} {
	genesis := zsync.EventID(digestOf("genesis"))
	space := genesis.Space()
	self := line{Device: zsync.DeviceID(digestOf("A")), Linked: true, Applied: [16]byte{1, 2, 3}, NeedFiles: 0, NeedBytes: 0}
	other := line{Device: zsync.DeviceID(digestOf("B")), Applied: [16]byte{4, 5}, NeedFiles: 300, NeedBytes: 1 << 40}
	return []struct {
		name string
		body []byte
	}{
		{"folder, one claim", wire.Marshal([]folderOp{claimOf("Photos", genesis)})},
		{"folder, two claims", wire.Marshal([]folderOp{claimOf("Fotos 2024 \u00e4", genesis), claimOf("b", zsync.EventID(digestOf("other")))})},
		{"nak, not a member", eventlog.EncodeNak(space, eventlog.NakNotMember)},
		{"nak, no such space", eventlog.EncodeNak(space, eventlog.NakNoSpace)},
		{"want", encodeWant(space)},
		{"progress, own line", wire.Marshal(progressBody{Space: space, Lines: []line{self}})},
		{"progress, asking", wire.Marshal(progressBody{Space: space, Ask: true, Lines: []line{self, other}})},
		{"message, want", encodeMessage(typeWant, encodeWant(space))},
	}
}

func TestBodiesAreTheOctetsThatTheyAlwaysWere(t *testing.T) {
	var text strings.Builder
	for _, v := range vectors() {
		fmt.Fprintf(&text, "%s = %x\n", v.name, v.body)
	}
	golden(t, "testdata/vectors.txt", text.String())
}

func TestBodiesReadBackAsWritten(t *testing.T) {
	for _, v := range vectors() {
		var again []byte
		switch kind, _, _ := strings.Cut(v.name, ","); kind {
		case "folder":
			ops, err := decodeFolderBody(v.body)
			must(t, err)
			again = wire.Marshal(ops)
		case "progress":
			p, err := decodeProgress(v.body)
			must(t, err)
			again = wire.Marshal(p)
		case "message":
			kind, body, ok := splitMessage(v.body)
			if !ok || kind != typeWant {
				t.Fatalf("%s: type %d, %t", v.name, kind, ok)
			}
			again = encodeMessage(kind, body)
		default:
			space, ok := eventlog.SpaceOf(v.body)
			if !ok || space != zsync.EventID(digestOf("genesis")).Space() {
				t.Errorf("%s: space %s", v.name, space)
			}
			continue
		}
		if !bytes.Equal(again, v.body) {
			t.Errorf("%s reads back as %x", v.name, again)
		}
	}
}

func TestFolderBodiesThatMakeNoSenseAreRefused(t *testing.T) {
	genesis := zsync.EventID(digestOf("genesis"))
	fine := claimOf("Photos", genesis)
	for name, ops := range map[string][]folderOp{
		"no operation":          {},
		"unknown operation":     {{Op: 2, Label: "Photos", Space: genesis.Space(), Genesis: genesis}},
		"empty label":           {claimOf("", genesis)},
		"label with a slash":    {claimOf("a/b", genesis)},
		"label in another form": {claimOf("Bjo\u0308rk", genesis)},
		"label with a control":  {claimOf("a\x1bb", genesis)},
		"space of another":      {{Op: opClaim, Label: "Photos", Space: spaceNamed(1), Genesis: genesis}},
		"one bad among good":    {fine, claimOf(".", genesis)},
		"too many":              make([]folderOp, claimsPerBodyMax+1),
		"label beyond a name's": {claimOf(strings.Repeat("x", 256), genesis)},
	} {
		if got, err := decodeFolderBody(wire.Marshal(ops)); err == nil {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestMessagesThatMakeNoSenseNameNoSpace(t *testing.T) {
	space := spaceNamed(7)
	want := encodeWant(space)
	for name, body := range map[string][]byte{
		"nothing": nil, "cut short": want[:18], "another key": append([]byte{want[0], 2}, want[2:]...),
		"no map": append([]byte{0x81}, want[1:]...), "longer space": append([]byte{want[0], 1, 0x51}, want[3:]...),
	} {
		if got, ok := eventlog.SpaceOf(body); ok {
			t.Errorf("%s: %s", name, got)
		}
	}
	for _, content := range [][]byte{nil, {1}, {2, typeWant}} {
		if kind, _, ok := splitMessage(content); ok {
			t.Errorf("%x is of type %d", content, kind)
		}
	}
	for _, group := range []string{"", "zsync-", "zsync-" + space.String()[1:], "zsync-" + space.String() + "0", "room-0" + space.String(), "zsync-" + strings.Repeat("G", 32)} {
		if got, ok := spaceOf(group); ok {
			t.Errorf("%q is the group of %s", group, got)
		}
	}
	if got, ok := spaceOf(groupOf(space)); !ok || got != space {
		t.Errorf("the group of %s is that of %s", space, got)
	}
	if _, err := decodeProgress(wire.Marshal(progressBody{Lines: make([]line, progressLinesMax+1)})); err == nil {
		t.Error("a report of more lines than a space may have members")
	}
}

func FuzzBodies(f *testing.F) {
	for _, v := range vectors() {
		f.Add(v.body)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if ops, err := decodeFolderBody(data); err == nil && !bytes.Equal(wire.Marshal(ops), data) {
			t.Errorf("folder body %s has two forms", hex.EncodeToString(data))
		}
		if p, err := decodeProgress(data); err == nil && !bytes.Equal(wire.Marshal(p), data) {
			t.Errorf("progress body %s has two forms", hex.EncodeToString(data))
		}
		eventlog.SpaceOf(data)
		splitMessage(data)
	})
}
