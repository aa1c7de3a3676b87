package zre

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/zsync/zsync"
)

func TestCommandsBeforeAHelloAreIgnored(t *testing.T) {
	s := newStage(t, nil)
	s.says(in, from('X'), Command{ID: CommandPing, Sequence: 5}, Command{ID: CommandJoin, Sequence: 6, Group: "g", Status: 1})
	s.says(7, from('X'), hello('X')) // a dialled connection that is long gone
	if len(s.sent)+len(s.events) > 0 || s.Counters().Ignored != 3 {
		t.Errorf("said %v, told %v", s.sent, s.events)
	}
}

func TestUnknownCommandIsCountedInSequence(t *testing.T) {
	s := newStage(t, nil)
	s.says(in, from('X'), hello('X'))
	s.Received(s.now, in, from('X'), [][]byte{{0xAA, 0xA1, 0x63, 2, 0, 2}})
	s.says(in, from('X'), Command{ID: CommandWhisper, Sequence: 3})
	s.tells("Enter X, Whisper X")
}

func TestSequenceAndStatusWrapAround(t *testing.T) {
	s := newStage(t, nil)
	h := hello('X')
	h.Status = 255
	s.says(in, from('X'), h)
	for i := range 70_000 {
		s.says(in, from('X'), Command{ID: CommandPing, Sequence: uint16(2 + i)})
	}
	s.says(in, from('X'), Command{ID: CommandJoin, Sequence: uint16(70_002 % 65536), Group: "g", Status: 0})
	s.tells("Enter X, Join X")
	if last := s.sent[len(s.sent)-1]; last.ID != CommandPingOK || last.Sequence != uint16(70_001%65536) || s.Counters().Gaps > 0 {
		t.Errorf("after 70,000 PINGs: %+v, %+v", last, s.Counters())
	}
}

func TestShoutIsHeardOnlyInJoinedGroups(t *testing.T) {
	s := newStage(t, nil)
	s.says(in, from('X'), hello('X'), Command{ID: CommandShout, Sequence: 2, Group: "g", Content: [][]byte{{1}}})
	s.Join(s.now, "g")
	s.says(in, from('X'), Command{ID: CommandShout, Sequence: 3, Group: "g", Content: [][]byte{{1}, {2}}})
	s.tells("Enter X, Shout X")
	if e := s.events[1]; e.Group != "g" || len(e.Content) != 1 || len(e.More) != 1 {
		t.Errorf("heard %+v", e)
	}
}

func TestJoinAndLeaveTwiceIsOnce(t *testing.T) {
	s := newStage(t, nil)
	s.says(in, from('X'), hello('X'))
	s.Join(s.now, "g")
	s.Join(s.now, "g")
	s.Leave(s.now, "h")
	s.Leave(s.now, "g")
	s.Leave(s.now, "g")
	s.take()
	if s.count(CommandJoin) != 1 || s.count(CommandLeave) != 1 || s.status != 2 {
		t.Errorf("said %v", s.sent)
	}
	for _, group := range []string{"", strings.Repeat("g", 256), "a\x00b"} {
		if s.Join(s.now, group) {
			t.Errorf("joined %q", group)
		}
	}
}

func TestHelloNeverCarriesTwoVersionsOfTheGroups(t *testing.T) {
	s := newStage(t, nil)
	s.Require(s.now, "tcp://10.0.0.24:7000", zsync.Key{'X'})
	s.Opened(s.now, 1)
	s.Join(s.now, "g") // between our HELLO and its answer
	s.take()
	if s.sent[0].Status != 0 || s.sent[1].ID != CommandJoin || s.sent[1].Status != 1 {
		t.Errorf("said %+v", s.sent)
	}
}

func TestDroppedKeyIsNotHeardUntilAdmitted(t *testing.T) {
	s := newStage(t, nil)
	s.Require(s.now, "tcp://10.0.0.24:7000", zsync.Key{'X'})
	s.says(in, from('X'), hello('X'))
	s.Drop(s.now, zsync.Key{'X'})
	s.take()
	s.tells("Enter X, Exit X")
	if !slices.Equal(s.hangup, []Conn{in, 1}) || len(s.Peers()) > 0 {
		t.Errorf("hung up %v, left %v", s.hangup, s.Peers())
	}
	s.says(in, from('X'), hello('X'))
	s.tells("Enter X, Exit X")
	s.Admit(s.now, zsync.Key{'X'})
	s.says(in, from('X'), hello('X'))
	s.tells("Enter X, Exit X, Enter X")
}

func TestRequireWithAnotherKeyReplaces(t *testing.T) {
	s := newStage(t, nil)
	s.Require(s.now, "tcp://10.0.0.24:7000", zsync.Key{'X'})
	s.Opened(s.now, 1)
	s.Require(s.now, "tcp://10.0.0.24:7000", zsync.Key{'Y'})
	s.take()
	if !slices.Equal(s.hangup, []Conn{1}) || len(s.dials) != 2 || s.dials[1].Key != (zsync.Key{'Y'}) || len(s.routes) != 1 {
		t.Errorf("hung up %v, dialled %v", s.hangup, s.dials)
	}
	if d := s.dials[0]; string(d.Identity) != "\x01N"+strings.Repeat("\x00", 15) {
		t.Errorf("dials as %q", d.Identity)
	}
}

func TestSilentConnectionIsGivenUp(t *testing.T) {
	s := newStage(t, nil)
	s.Require(s.now, "tcp://10.0.0.24:7000", zsync.Key{'X'})
	s.passes(dialWait)
	s.Opened(s.now, 1) // too late
	s.passes(s.cfg.RedialMin)
	s.Opened(s.now, 2)
	s.passes(answerWait)
	s.take()
	if !slices.Equal(s.hangup, []Conn{1, 2}) || s.count(CommandHello) != 1 {
		t.Errorf("hung up %v, said %v", s.hangup, s.sent)
	}
}

func TestStoppedNodeSaysGoodbyeAndNothingElse(t *testing.T) {
	s := newStage(t, nil)
	s.says(in, from('X'), hello('X'))
	s.says(in+1, from('Y'), hello('Y'))
	s.Stop(s.now)
	s.take()
	if s.count(CommandGoodbye) != 2 {
		t.Errorf("said %v", s.sent)
	}
	said, dialled := len(s.sent), len(s.dials)
	s.says(in, from('X'), hello('X'))
	s.Require(s.now, "tcp://10.0.0.24:7000", zsync.Key{'X'})
	s.Sighted(s.now, Beacon{UUID: UUID{'Z'}, Port: 7000, Key: zsync.Key{'Z'}}, "10.0.0.26")
	s.Opened(s.now, 1)
	s.Closed(s.now, in, nil)
	s.passes(time.Hour)
	if len(s.sent) > said || len(s.dials) > dialled || !s.Deadline().IsZero() {
		t.Errorf("said %v, dialled %v", s.sent[said:], s.dials[dialled:])
	}
}

func TestWhereToDial(t *testing.T) {
	for _, c := range []struct {
		advertised, address string
		secure              bool
		want                string
	}{
		{"tcp://10.1.1.1:7000", "10.0.0.1", true, "tcp://10.1.1.1:7000"},
		{"tcp://10.1.1.1:7000", "10.0.0.1", false, "tcp://10.0.0.1:7000"},
		{"tcp://10.1.1.1:7000", "", false, "tcp://10.1.1.1:7000"},
		{"tcp://0.0.0.0:7000", "10.0.0.1", true, "tcp://10.0.0.1:7000"},
		{"tcp://*:7000", "10.0.0.1", true, "tcp://10.0.0.1:7000"},
		{"tcp://laptop:7000", "10.0.0.1", true, "tcp://10.0.0.1:7000"},
		{"tcp://127.0.0.1:7000", "10.0.0.1", true, "tcp://10.0.0.1:7000"},
		{"tcp://127.0.0.1:7000", "127.0.0.1", true, "tcp://127.0.0.1:7000"},
		{"tcp://224.0.0.1:7000", "10.0.0.1", true, "tcp://10.0.0.1:7000"},
		{"tcp://fe80::1:2:3:4:7000", "fe80::1", true, "tcp://[fe80::1:2:3:4]:7000"},
		{"tcp://[::]:7000", "fe80::1", true, "tcp://[fe80::1]:7000"},
		{"tcp://10.1.1.1:80", "10.0.0.1", true, "tcp://10.1.1.1:80"},
		{"tcp://10.1.1.1:80", "10.0.0.1", false, ""},
		{"tcp://laptop:7000", "", true, ""},
		{"tcp://10.1.1.1:0", "10.0.0.1", true, ""},
		{"tcp://10.1.1.1:70000", "10.0.0.1", true, ""},
		{"tcp://10.1.1.1", "10.0.0.1", true, ""},
		{"ipc://10.1.1.1:7000", "10.0.0.1", true, ""},
		{"", "10.0.0.1", true, ""},
	} {
		got, ok := reachable(c.advertised, c.address, c.secure)
		if ok != (c.want != "") || ok && got != c.want {
			t.Errorf("%s from %s, secure %v: %s, %v", c.advertised, c.address, c.secure, got, ok)
		}
	}
}

func TestConfigSaysWhatIsWrong(t *testing.T) {
	good := Config{UUID: UUID{0xAB, 0xCD, 0xEF}, Endpoint: "tcp://10.0.0.1:7000"}
	if err := good.Validate(); err != nil {
		t.Fatal(err)
	}
	if name := good.withDefaults().Name; name != "ABCDEF" {
		t.Errorf("the default name is %s", name)
	}
	for name, change := range map[string]func(*Config){
		"no UUID":         func(c *Config) { c.UUID = UUID{} },
		"no endpoint":     func(c *Config) { c.Endpoint = "" },
		"long name":       func(c *Config) { c.Name = strings.Repeat("n", 256) },
		"impatient":       func(c *Config) { c.Expired = time.Second },
		"redial":          func(c *Config) { c.RedialMax = time.Millisecond },
		"negative":        func(c *Config) { c.PeersMax = -1 },
		"too many groups": func(c *Config) { c.GroupsMax = groupsMax + 1 },
		"headers":         func(c *Config) { c.Headers = make([]Header, headersMax) },
		"nameless header": func(c *Config) { c.Headers = []Header{{"", "value"}} },
		"long header":     func(c *Config) { c.Headers = []Header{{"X", strings.Repeat("v", headerBytesMax+1)}} },
	} {
		bad := good
		change(&bad)
		if bad.Validate() == nil {
			t.Errorf("%s: nothing is wrong", name)
		}
	}
}
