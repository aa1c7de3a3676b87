package filemq

import (
	"bytes"
	"encoding/hex"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/internal/wire"
)

var (
	testSpace = zsync.SpaceID{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}
	hashA     = zsync.Digest(bytes.Repeat([]byte{0xAA}, 32))
	hashB     = zsync.Digest(bytes.Repeat([]byte{0xBB}, 32))
	hashC     = zsync.Digest(bytes.Repeat([]byte{0xCC}, 32))
)

func cheezburger(sequence uint64, operation Operation, offset uint64, chunk string) Cheezburger {
	return Cheezburger{
		Sequence: sequence, Operation: operation, Filename: "/hi.txt", Offset: offset,
		Headers: Dictionary{}, Chunk: []byte(chunk),
	}
}

// goldenCommands is what testdata/frames.txt says.
func goldenCommands() map[string]Command {
	withHeader := cheezburger(1, OperationCreate, 0, "hello")
	withHeader.Headers = Dictionary{{"k", "v"}}
	end := cheezburger(2, OperationCreate, 5, "")
	end.EOF = true
	return map[string]Command{
		"ohai":         Ohai{Protocol: "FILEMQ", Version: 2},
		"ohai-ok":      OhaiOK{},
		"icanhaz-root": Icanhaz{Path: "/", Options: Dictionary{}, Cache: Dictionary{}},
		"icanhaz-resync": Icanhaz{
			Path: "/photos", Options: Dictionary{{"RESYNC", "1"}},
			Cache: Dictionary{{"a.jpg", "1FABCD4259140ACA99E991E7ADD2034AC57D341D"}},
		},
		"icanhaz-ok":           IcanhazOK{},
		"nom-first":            Nom{Credit: 5000000, Sequence: 0},
		"nom-second":           Nom{Credit: 1000000, Sequence: 3},
		"cheezburger-data":     cheezburger(1, OperationCreate, 0, "hello"),
		"cheezburger-header":   withHeader,
		"cheezburger-eof":      end,
		"cheezburger-delete":   cheezburger(3, OperationDelete, 0, ""),
		"cheezburger-captured": cheezburger(13, OperationDelete, 1000, ""),
		"hugz":                 Hugz{},
		"hugz-ok":              HugzOK{},
		"kthxbai":              Kthxbai{},
		"srsly":                Srsly{Reason: "no"},
		"rtfm":                 Rtfm{Reason: "bad"},
		"rtfm-empty":           Rtfm{},
		"ohai-caps": Ohai{
			Protocol: "FILEMQ", Version: 2, Caps: Config{}.withDefaults().capabilities().dictionary(),
		},
		"ohai-ok-caps":  OhaiOK{Caps: Dictionary{{"zsync", "1"}}},
		"gimme-content": Gimme{Req: 1, Prio: 4, Space: testSpace, Items: []Item{{hashA, 0, 4096}}},
		"gimme-chunks": Gimme{
			Req: 2, Compress: true, Space: testSpace, Of: hashC,
			Items: []Item{{hashA, 0, 256 << 10}, {hashB, 1<<32 + 256<<10, 1 << 20}},
		},
		"gimme-list": Gimme{
			Req: 3, Prio: 7, Lists: true, Space: testSpace, Of: hashC, Items: []Item{{hashC, 0, 770}},
		},
		"bukkit":  Bukkit{Req: 1, Items: []BukkitItem{{0, false, []byte("hello")}, {3, true, []byte{0xAB, 0xCD}}}},
		"noez":    Noez{Req: 1, Items: []NoezItem{{1, CodeAbsent}, {1023, CodeSize}}},
		"nvm":     Nvm{Req: 1},
		"nvm-all": Nvm{Req: everyReq},
		"bump":    Bump{Req: 1, Prio: 0},
	}
}

// goldenFrames reads testdata/frames.txt.
func goldenFrames(t testing.TB) map[string][]byte {
	text, err := os.ReadFile("testdata/frames.txt")
	if err != nil {
		t.Fatal(err)
	}
	frames := make(map[string][]byte)
	for line := range strings.Lines(string(text)) {
		fields := strings.Fields(line)
		if len(fields) == 0 || fields[0] == "#" {
			continue
		}
		frame, err := hex.DecodeString(strings.Join(fields[1:], ""))
		if err != nil {
			t.Fatalf("%s: %v", fields[0], err)
		}
		frames[fields[0]] = frame
	}
	return frames
}

func TestGoldenFramesAreReadAndWritten(t *testing.T) {
	frames, commands := goldenFrames(t), goldenCommands()
	if len(frames) != len(commands) {
		t.Errorf("%d frames, %d commands", len(frames), len(commands))
	}
	for name, want := range commands {
		t.Run(name, func(t *testing.T) {
			if got := Encode(want); !bytes.Equal(got, frames[name]) {
				t.Errorf("Encode:\n got %x\nwant %x", got, frames[name])
			}
			got, err := Decode(frames[name])
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("Decode (-want +got):\n%s", diff)
			}
		})
	}
}

func TestFramesAreMadeInOneAllocation(t *testing.T) {
	for name, c := range goldenCommands() {
		if frame := Encode(c); len(frame) != cap(frame) || len(frame) != c.size() {
			t.Errorf("%s: %d octets, %d allocated, %d foreseen", name, len(frame), cap(frame), c.size())
		}
	}
}

func TestEveryCutFrameIsRefused(t *testing.T) {
	for name, frame := range goldenFrames(t) {
		for n := range frame {
			c, err := Decode(frame[:n])
			// A greeting without its tail is a stock greeting.
			if _, greets := c.(Ohai); greets && n == len(goldenFrames(t)["ohai"]) {
				continue
			}
			if _, greets := c.(OhaiOK); greets && n == headBytes {
				continue
			}
			if err == nil {
				t.Errorf("%s cut to %d octets was read as %#v", name, n, c)
			}
		}
	}
}

func TestOctetsAfterTheLastFieldAreIgnoredOnlyInStockCommands(t *testing.T) {
	for name, frame := range goldenFrames(t) {
		_, err := Decode(append(frame, 0, 0, 0, 0, 0))
		extension := frame[2]&0xF0 == 0x20
		if extension != errors.Is(err, wire.ErrTrailing) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestImpossibleFramesAreRefused(t *testing.T) {
	gimme := "aaa320 00000001 %s 20 3030303130323033303430353036303730383039306130623063306430653066" + strings.Repeat("00", 32)
	item := strings.Repeat("aa", 32) + "0000000000000000 00001000"
	head := func(prioFlags string) string { return strings.Replace(gimme, "%s", prioFlags, 1) }
	tests := map[string]struct {
		frame string
		want  error
	}{
		"nothing":                          {"", ErrSignature},
		"another signature":                {"aaa0 09", ErrSignature},
		"no id":                            {"aaa3", wire.ErrShort},
		"ORLY of an older protocol":        {"aaa302", ErrUnknown},
		"the reserved id":                  {"aaa325", ErrUnknown},
		"GIMME of no items":                {head("0000") + "0000", ErrField},
		"GIMME of more items than octets":  {head("0000") + "0400" + item, wire.ErrLimit},
		"GIMME of too many items":          {head("0000") + "0401" + strings.Repeat(item, 1025), wire.ErrLimit},
		"GIMME at priority 8":              {head("0800") + "0001" + item, ErrField},
		"GIMME with an unknown flag":       {head("0004") + "0001" + item, ErrField},
		"GIMME for list nodes of nothing":  {head("0002") + "0001" + item, ErrField},
		"GIMME for a space in upper case":  {strings.Replace(head("0000"), "6130", "4130", 1) + "0001" + item, ErrField},
		"BUKKIT of no items":               {"aaa321 00000001 0000", ErrField},
		"BUKKIT with unknown compression":  {"aaa321 00000001 0001 0000 02 00000001 00", ErrField},
		"BUKKIT with more data than frame": {"aaa321 00000001 0001 0000 00 ffffffff 00", wire.ErrLimit},
		"BUKKIT of too many items":         {"aaa321 00000001 0101" + strings.Repeat("00000000000000", 257), wire.ErrLimit},
		"NOEZ of no items":                 {"aaa322 00000001 0000", ErrField},
		"NOEZ with code 0":                 {"aaa322 00000001 0001 0000 00", ErrField},
		"NOEZ with a code of our own":      {"aaa322 00000001 0001 0000 80", ErrField},
		"BUMP to priority 8":               {"aaa324 00000001 08", ErrField},
		"OHAI with 33 capabilities":        {"aaa301 06 46494c454d51 0002 00000021" + strings.Repeat("0161 00000000", 33), wire.ErrLimit},
		"OHAI with four billion":           {"aaa301 06 46494c454d51 0002 ffffffff", wire.ErrLimit},
		"OHAI with a long key":             {"aaa301 06 46494c454d51 0002 00000001 21" + strings.Repeat("61", 33) + "00000000", wire.ErrLimit},
		"OHAI with a long value":           {"aaa301 06 46494c454d51 0002 00000001 01 61 00000081" + strings.Repeat("61", 129), wire.ErrLimit},
		"CHEEZBURGER that climbs":          {"aaa308 0000000000000001 01 00000005 2f2e2e2f78 0000000000000000 00 00000000 00000000", ErrField},
		"CHEEZBURGER with a backslash":     {"aaa308 0000000000000001 01 00000003 2f5c78 0000000000000000 00 00000000 00000000", ErrField},
		"CHEEZBURGER not in UTF-8":         {"aaa308 0000000000000001 01 00000002 2fff 0000000000000000 00 00000000 00000000", ErrField},
		"CHEEZBURGER of operation 3":       {"aaa308 0000000000000001 03 00000001 2f 0000000000000000 00 00000000 00000000", ErrField},
		"CHEEZBURGER half at its end":      {"aaa308 0000000000000001 01 00000001 2f 0000000000000000 02 00000000 00000000", ErrField},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			frame, err := hex.DecodeString(strings.ReplaceAll(test.frame, " ", ""))
			if err != nil {
				t.Fatal(err)
			}
			if c, err := Decode(frame); !errors.Is(err, test.want) {
				t.Errorf("read as %#v, %v; want %v", c, err, test.want)
			}
		})
	}
}

// The frame holds as much as it says, and the item is too long all the same.
func TestItemsAboveTheirLimitAreRefused(t *testing.T) {
	for octets, want := range map[int]error{ItemBytesMax: nil, ItemBytesMax + 1: wire.ErrLimit} {
		frame := appendBukkitHead(nil, 1, 1)
		frame = appendBukkitItem(frame, BukkitItem{Data: make([]byte, octets)})
		if _, err := Decode(frame); !errors.Is(err, want) {
			t.Errorf("%d octets: %v, want %v", octets, err, want)
		}
	}
}

func TestOfPairsWithOneKeyTheFirstCounts(t *testing.T) {
	d := Dictionary{{"a", "1"}, {"a", "2"}}
	if value, ok := d.Value("a"); value != "1" || !ok {
		t.Errorf("a is %q, %v", value, ok)
	}
}
