package zre

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/zsync/zsync"
)

func TestHelloMustProveWhoSpeaks(t *testing.T) {
	other := from('X')
	other.Key = zsync.Key{'Y'}
	headers := func(change func(h []Header) []Header) Command {
		c := hello('X')
		c.Headers = change(c.Headers)
		return c
	}
	for name, message := range map[string]struct {
		from  Origin
		hello Command
	}{
		"key header missing":        {from('X'), headers(func(h []Header) []Header { return h[:1] })},
		"key header of another":     {other, hello('X')},
		"own UUID":                  {Origin{Key: zsync.Key{'X'}, Identity: UUID{'N'}.identity()}, hello('X')},
		"own key":                   {Origin{Key: zsync.Key{'N'}, Identity: UUID{'X'}.identity()}, hello('N')},
		"no key at all":             {Origin{Identity: UUID{'X'}.identity()}, hello('X')},
		"no UUID":                   {Origin{Key: zsync.Key{'X'}}, hello('X')},
		"routing id of 16 octets":   {Origin{Key: zsync.Key{'X'}, Identity: UUID{'X'}.identity()[1:]}, hello('X')},
		"UUID unlike routing id":    {from('X'), headers(func(h []Header) []Header { return append(h, Header{headerUUID, UUID{'Y'}.String()}) })},
		"UUID that is none":         {from('X'), headers(func(h []Header) []Header { return append(h, Header{headerUUID, "me"}) })},
		"sequence 7":                {from('X'), func() Command { c := hello('X'); c.Sequence = 7; return c }()},
		"more groups than are good": {from('X'), hello('X', slices.Repeat([]string{"g"}, 1001)...)},
	} {
		s := newStage(t, nil)
		s.says(in, message.from, message.hello)
		if s.Counters().Refused != 1 || len(s.events)+len(s.sent)+len(s.dials)+len(s.peers)+len(s.links) > 0 {
			t.Errorf("%s: had an effect: %+v", name, s.Counters())
		}
	}
}

func TestUUIDBelongsToTheKeyThatFirstUsedIt(t *testing.T) {
	s := newStage(t, nil)
	s.says(in, from('X'), hello('X'))
	thief := Origin{Key: zsync.Key{'Y'}, Address: "10.0.0.66", Identity: UUID{'X'}.identity()}
	forged := hello('Y')
	s.says(in+1, thief, forged, Command{ID: CommandGoodbye, Sequence: 2})
	// Nor can the thief speak on the connection of the other.
	s.says(in, thief, Command{ID: CommandGoodbye, Sequence: 2})
	s.tells("Enter X")
	if c := s.Counters(); c.Refused != 2 || c.Ignored != 1 {
		t.Errorf("counted %+v", c)
	}
	s.says(in, from('X'), Command{ID: CommandWhisper, Sequence: 2, Content: [][]byte{[]byte("still here")}})
	s.tells("Enter X, Whisper X")
}

func TestDisplacedUUIDDoesNotComeBack(t *testing.T) {
	s := newStage(t, nil)
	clone := from('X')
	clone.Identity = UUID{'Z'}.identity()
	s.says(in, from('X'), hello('X'))
	s.says(in+1, clone, hello('X'))
	for range 10 {
		s.says(in, from('X'), hello('X'))
		s.says(in+1, clone, Command{ID: CommandPing, Sequence: uint16(2)})
	}
	s.tells("Enter X, Exit X, Enter Z")
}

func TestADisplacedRunThatStillSpeaksLongAfterIsATwin(t *testing.T) {
	s := newStage(t, nil)
	other := from('X')
	other.Identity = UUID{'Z'}.identity()
	s.says(in, from('X'), hello('X'))
	s.says(in+1, other, hello('X'))
	s.says(in+2, from('X'), hello('X')) // it was under way when that run ended
	s.tells("Enter X, Exit X, Enter Z")
	s.passes(twinAfter)
	s.says(in+1, other, Command{ID: CommandPing, Sequence: 2})
	s.says(in+3, from('X'), hello('X'))
	s.tells("Enter X, Exit X, Enter Z, Evasive Z, Recovered Z, Twin Z")
}

func TestHelloLoopIsAnsweredEverMoreRarely(t *testing.T) {
	s := newStage(t, nil)
	for range 6000 { // a HELLO each 10 ms, for a minute
		s.says(in, from('X'), hello('X'))
		s.passes(10 * time.Millisecond)
	}
	hellos, pings := s.count(CommandHello), s.count(CommandPing)
	if hellos > 10 || pings > 10 || len(s.dials) > 1 {
		t.Errorf("a flood of HELLOs drew %d HELLOs, %d PINGs, %d dials", hellos, pings, len(s.dials))
	}
}

func TestPingOKStopsTheNextHello(t *testing.T) {
	s := newStage(t, nil)
	s.says(in, from('X'), hello('X'), hello('X'))
	if s.count(CommandHello) != 1 || s.count(CommandPing) != 1 {
		t.Fatalf("said %v", s.sent)
	}
	s.says(in, from('X'), Command{ID: CommandPingOK, Sequence: 2})
	s.passes(4 * time.Second)
	if s.count(CommandHello) != 1 {
		t.Error("a peer that hears us got a second HELLO")
	}
}

func TestHelloAndGoodbyeLoopDialsOnceASecond(t *testing.T) {
	s := newStage(t, nil)
	for range 1000 {
		s.says(in, from('X'), hello('X'), Command{ID: CommandGoodbye, Sequence: 2})
		for _, d := range s.dials {
			s.Closed(s.now, d.Conn, nil)
		}
		s.passes(10 * time.Millisecond)
	}
	if len(s.dials) > 11 {
		t.Errorf("%d dials in 10 s", len(s.dials))
	}
	if len(s.routes) > 1 || len(s.links) > 1 {
		t.Errorf("%d routes and %d links are left", len(s.routes), len(s.links))
	}
}

func TestNewUUIDsOfOneKeyAreOnePeer(t *testing.T) {
	s := newStage(t, nil)
	for i := range 1000 {
		h := hello('X')
		h.Endpoint = fmt.Sprintf("tcp://10.0.0.9:%d", 2000+i)
		o := from('X')
		o.Identity = UUID{'X', byte(i >> 8), byte(i)}.identity()
		s.says(in+Conn(i), o, h)
	}
	s.passes(3 * time.Second)
	if len(s.peers) != 1 || len(s.links) > 2 || len(s.routes) > 2 || len(s.dials) > 5 {
		t.Errorf("%d peers, %d links, %d routes, %d dials", len(s.peers), len(s.links), len(s.routes), len(s.dials))
	}
	if p := s.peers[0]; len(p.former) > formerPerPeer {
		t.Errorf("%d former UUIDs are remembered", len(p.former))
	}
}

func TestConnectionsOfOnePeerAreBounded(t *testing.T) {
	s := newStage(t, nil)
	for i := range 1000 {
		s.says(in+Conn(i), from('X'), hello('X'))
	}
	if len(s.links) > linksPerPeer+3 {
		t.Errorf("%d connections are remembered", len(s.links))
	}
}

func TestPeersAndSightingsAreBounded(t *testing.T) {
	s := newStage(t, func(c *Config) { c.Key, c.PeersMax = zsync.Key{}, 10 })
	for i := range 1000 {
		u := UUID{'X', byte(i >> 8), byte(i)}
		o := Origin{Address: "10.0.0.9", Identity: u.identity()}
		s.says(in+Conn(i), o, Command{ID: CommandHello, Sequence: 1, Endpoint: fmt.Sprintf("tcp://10.0.0.9:%d", 2000+i)})
		s.Sighted(s.now, Beacon{UUID: u, Port: uint16(4000 + i)}, "10.0.0.9")
		s.take()
	}
	if len(s.peers) > 10 || len(s.dials) > 20 || len(s.routes) > 20 {
		t.Errorf("%d peers, %d dials, %d routes", len(s.peers), len(s.dials), len(s.routes))
	}
	s.passes(2 * time.Minute)
	s.Advance(s.now)
	if len(s.peers)+len(s.links)+len(s.routes) > 0 || s.Counters().Refused == 0 {
		t.Errorf("%d peers, %d links, %d routes are left", len(s.peers), len(s.links), len(s.routes))
	}
	if !s.Deadline().IsZero() {
		t.Error("a node alone waits for something")
	}
}

func TestGroupsOfAPeerAreBounded(t *testing.T) {
	s := newStage(t, func(c *Config) { c.GroupsMax = 3 })
	s.says(in, from('X'), hello('X', "a", "b"))
	for i := range 100 {
		s.says(in, from('X'), Command{ID: CommandJoin, Sequence: uint16(2 + i), Group: fmt.Sprint(i), Status: uint8(3 + i)})
	}
	if got := len(s.Peers()[0].Groups); got != 3 || s.Counters().Gaps > 0 {
		t.Errorf("%d groups, %+v", got, s.Counters())
	}
}
