package zre

import (
	"bytes"
	"encoding/hex"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// golden reads the messages that were captured from C Zyre.
func golden(t testing.TB) map[string][][]byte {
	t.Helper()
	text, err := os.ReadFile("testdata/golden.txt")
	if err != nil {
		t.Fatal(err)
	}
	messages := map[string][][]byte{}
	for line := range strings.Lines(string(text)) {
		name, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		if name == "" || name == "#" {
			continue
		}
		for part := range strings.SplitSeq(rest, "/") {
			frame, err := hex.DecodeString(strings.Trim(part, " -"))
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			messages[name] = append(messages[name], frame)
		}
	}
	return messages
}

func uuid(t testing.TB, text string) UUID {
	t.Helper()
	u, err := ParseUUID(text)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func TestCommandsAreThoseOfZyre(t *testing.T) {
	alice := uuid(t, "9C4A549FD93D4CB680BB5731A1107E14")
	bob := uuid(t, "CF709E060F56451BB90E09368D005F84")
	text := func(frames ...string) (content [][]byte) {
		for _, frame := range frames {
			content = append(content, []byte(frame))
		}
		return content
	}
	commands := map[string]Command{
		"hello-alice": {
			ID: CommandHello, Sequence: 1, Endpoint: "tcp://10.77.0.1:49152", Groups: []string{"room"}, Status: 1,
			Name: "alice", Headers: []Header{{"X-HELLO", "World"}},
		},
		"hello-bob": {
			ID: CommandHello, Sequence: 1, Endpoint: "tcp://10.77.0.2:49152", Groups: []string{"room"}, Status: 1, Name: "bob",
		},
		"hello-zoe": {
			ID: CommandHello, Sequence: 1, Endpoint: "tcp://10.77.0.1:49152", Groups: []string{"room", "g3"}, Status: 4, Name: "Zoë",
			Headers: []Header{{"X-DEVICE", "laptop"}, {"EMPTY", ""}, {"X-FILEMQ", "tcp://10.77.0.1:6001"}},
		},
		"whisper":          {ID: CommandWhisper, Sequence: 2, Content: text("hi alice")},
		"shout-two-frames": {ID: CommandShout, Sequence: 2, Group: "room", Content: text("hello all", "part two")},
		"shout-empty":      {ID: CommandShout, Sequence: 6, Group: "room", Content: text("")},
		"join":             {ID: CommandJoin, Sequence: 4, Group: "g2", Status: 2},
		"leave":            {ID: CommandLeave, Sequence: 5, Group: "g2", Status: 3},
		"ping":             {ID: CommandPing, Sequence: 7},
		"ping-ok":          {ID: CommandPingOK, Sequence: 6},
		"goodbye":          {ID: CommandGoodbye, Sequence: 2},
		"elect-bob":        {ID: CommandElect, Sequence: 2, Group: "room", Node: bob},
		"elect-alice":      {ID: CommandElect, Sequence: 2, Group: "room", Node: alice},
		"elect-echoed":     {ID: CommandElect, Sequence: 3, Group: "room", Node: alice},
		"leader-alice":     {ID: CommandLeader, Sequence: 3, Group: "room", Node: alice},
		"leader-bob":       {ID: CommandLeader, Sequence: 4, Group: "room", Node: alice},
	}
	messages := golden(t)
	for name, want := range commands {
		got, err := ParseCommand(messages[name])
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s read otherwise (-want +got):\n%s", name, diff)
		}
		if diff := cmp.Diff(messages[name], want.Frames(), cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%s written otherwise (-want +got):\n%s", name, diff)
		}
	}
	for name := range messages {
		if _, tested := commands[name]; !tested && !strings.HasPrefix(name, "beacon") {
			t.Errorf("%s is not tested", name)
		}
	}
}

func TestWhisperWithoutContentGetsAnEmptyFrame(t *testing.T) {
	if frames := (Command{ID: CommandWhisper}).Frames(); len(frames) != 2 {
		t.Errorf("%d frames: Zyre's event stream goes out of step", len(frames))
	}
}

func TestTrailingOctetsAndFramesAreIgnored(t *testing.T) {
	ping := golden(t)["ping"][0]
	got, err := ParseCommand([][]byte{append(ping[:len(ping):len(ping)], 1, 2, 3), []byte("more")})
	if err != nil || got.ID != CommandPing || got.Content != nil {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestUnknownCommandKeepsItsSequence(t *testing.T) {
	got, err := ParseCommand([][]byte{{0xAA, 0xA1, 0x7F, 2, 0, 9, 1, 2}})
	if err != nil || got.Sequence != 9 || got.ID != 0x7F {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestEveryCutOfAMessageIsRefused(t *testing.T) {
	for name, frames := range golden(t) {
		if strings.HasPrefix(name, "beacon") {
			continue
		}
		for length := range frames[0] {
			if _, err := ParseCommand([][]byte{frames[0][:length]}); err == nil {
				t.Errorf("%s cut to %d octets was read", name, length)
			}
		}
	}
}

func TestMalformedMessagesAreRefused(t *testing.T) {
	header := "aaa101020001" + "00" // HELLO with an empty endpoint
	for name, frame := range map[string]string{
		"other signature":       "aaa206020007",
		"version 1":             "aaa106010007",
		"20/ZRE, no version":    "aaa1060007",
		"groups by the billion": header + "ffffffff",
		"a group of 256 octets": header + "00000001" + "00000100" + strings.Repeat("61", 256),
		"headers of 16 million": header + "00000000" + "00" + "00" + "01000000",
		"header value too long": header + "00000000" + "00" + "00" + "00000001" + "0161" + "00010000" + strings.Repeat("61", 1<<16),
		"ELECT of a non-UUID":   "aaa108020002" + "0161" + "0162",
	} {
		raw, err := hex.DecodeString(frame)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := ParseCommand([][]byte{raw}); err == nil {
			t.Errorf("%s was read as %+v", name, got)
		}
	}
	if _, err := ParseCommand(nil); err == nil {
		t.Error("no frame at all was read")
	}
	whisper := golden(t)["whisper"]
	for len(whisper) <= contentsMax+1 {
		whisper = append(whisper, nil)
	}
	if _, err := ParseCommand(whisper); err == nil {
		t.Error("a WHISPER of very many frames was read")
	}
}

func TestBeaconsAreThoseOfZyre(t *testing.T) {
	messages := golden(t)
	plain := Beacon{UUID: uuid(t, "9C4A549FD93D4CB680BB5731A1107E14"), Port: 49152}
	secure := Beacon{UUID: uuid(t, "754D98D9684F4489B19FA37159D88690"), Port: 49152}
	copy(secure.Key[:], messages["beacon-secure"][0][22:])
	if text := z85(secure.Key); text != "gY7v0[$5xKEAz.ZiyGF$y[i7Nt.0dGoFs(!Fa*G7" {
		t.Errorf("the key in Z85 is %s", text)
	}
	leaving := func(b Beacon) Beacon { b.Port = 0; return b }
	for name, want := range map[string]Beacon{
		"beacon-plain": plain, "beacon-plain-leaving": leaving(plain),
		"beacon-secure": secure, "beacon-secure-leaving": leaving(secure),
	} {
		got, err := ParseBeacon(messages[name][0])
		if err != nil || got != want {
			t.Errorf("%s read as %+v, %v", name, got, err)
		}
		if diff := cmp.Diff(messages[name][0], want.Bytes()); diff != "" {
			t.Errorf("%s written otherwise:\n%s", name, diff)
		}
	}
}

func TestBeaconVersionAndLengthMustAgree(t *testing.T) {
	messages := golden(t)
	plain, secure := messages["beacon-plain"][0], messages["beacon-secure"][0]
	change := func(datagram []byte, at int, octet byte) []byte {
		changed := bytes.Clone(datagram)
		changed[at] = octet
		return changed
	}
	for name, datagram := range map[string][]byte{
		"nothing":              nil,
		"version 1, 54 octets": change(secure, 3, 1),
		"version 3, 22 octets": change(plain, 3, 3),
		"version 2":            change(plain, 3, 2),
		"another protocol":     change(plain, 0, 'X'),
		"one octet more":       append(change(plain, 3, 1), 0),
		"one octet less":       plain[:21],
		"no UUID":              append([]byte("ZRE\x01"), make([]byte, 18)...),
		"a key of zeros":       append(change(secure[:22], 3, 3), make([]byte, 32)...),
	} {
		if b, err := ParseBeacon(datagram); err == nil {
			t.Errorf("%s was read as %+v", name, b)
		}
	}
}

func TestKeyWhoseFirstOctetIsZeroIsAKey(t *testing.T) {
	b := Beacon{UUID: UUID{1}, Port: 7000}
	b.Key[31] = 1
	if got, err := ParseBeacon(b.Bytes()); err != nil || got != b {
		t.Errorf("got %+v, %v: Zyre drops such keys, we must not", got, err)
	}
}

func TestUUIDTextIsUpperCaseHex(t *testing.T) {
	u := UUID{0xAB, 15: 0x0C}
	if got := u.String(); got != "AB00000000000000000000000000000C" {
		t.Errorf("got %s", got)
	}
	for _, text := range []string{u.String(), strings.ToLower(u.String())} {
		if got, err := ParseUUID(text); err != nil || got != u {
			t.Errorf("%s read as %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "AB", u.String() + "00", "AB-00000000000000000000000000000C"} {
		if _, err := ParseUUID(text); err == nil {
			t.Errorf("%q was read", text)
		}
	}
}

// FuzzCommand: whatever is read can be written, and reads the same again.
func FuzzCommand(f *testing.F) {
	for name, frames := range golden(f) {
		if strings.HasPrefix(name, "beacon") {
			continue
		}
		f.Add(frames[0], []byte("content"))
	}
	f.Add([]byte{0xAA, 0xA1, 1, 2, 0, 1, 0, 0xFF, 0xFF, 0xFF, 0xFF}, []byte{})
	f.Fuzz(func(t *testing.T, first, content []byte) {
		c, err := ParseCommand([][]byte{first, content})
		if err != nil || c.ID == 0 || c.ID > CommandGoodbye {
			return
		}
		again, err := ParseCommand(c.Frames())
		if err != nil {
			t.Fatalf("%+v does not read again: %v", c, err)
		}
		if diff := cmp.Diff(c, again, cmpopts.EquateEmpty()); diff != "" {
			t.Fatalf("read otherwise again:\n%s", diff)
		}
	})
}

// FuzzBeacon: a beacon has exactly one form.
func FuzzBeacon(f *testing.F) {
	for name, frames := range golden(f) {
		if strings.HasPrefix(name, "beacon") {
			f.Add(frames[0])
		}
	}
	f.Fuzz(func(t *testing.T, datagram []byte) {
		b, err := ParseBeacon(datagram)
		if err == nil && string(b.Bytes()) != string(datagram) {
			t.Fatalf("%x reads as %+v, which is written %x", datagram, b, b.Bytes())
		}
	})
}

// FuzzReceived: no message, on any connection, makes a node panic, and it stays
// one that can be spoken to.
func FuzzReceived(f *testing.F) {
	for _, frames := range golden(f) {
		f.Add(frames[0], []byte("content"), uint8(0))
		f.Add(frames[0], []byte{}, uint8(1))
	}
	f.Fuzz(func(t *testing.T, first, second []byte, how uint8) {
		n, now := NewNode(Config{UUID: UUID{1}, Endpoint: "tcp://10.0.0.1:7000", Headers: []Header{{headerDuplex, "1"}}}), epoch
		n.Join(now, "room")
		n.Require(now, "tcp://10.0.0.2:7000", [32]byte{})
		n.Opened(now, 1)
		conns := []Conn{1, FirstIncoming, FirstIncoming + 1}
		from := Origin{Address: "10.0.0.2", Identity: UUID{2}.identity()}
		n.Received(now, conns[how%3], from, Command{
			ID: CommandHello, Sequence: 1, Endpoint: "tcp://10.0.0.2:7000",
			Headers: []Header{{headerDuplex, "1"}, {headerUUID, UUID{2}.String()}},
		}.Frames())
		for range 3 {
			n.Received(now, conns[how/3%3], from, [][]byte{first, second})
			n.Received(now, conns[how/9%3], from, [][]byte{second, first})
			now = now.Add(n.cfg.Evasive)
			n.Advance(now)
		}
		n.Advance(now.Add(n.cfg.Expired))
		if len(n.peers) > 0 {
			t.Fatal("a silent peer did not expire")
		}
		n.Stop(now)
	})
}
