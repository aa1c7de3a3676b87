package zre

import (
	"testing"
	"time"

	"github.com/zsync/zsync"
)

func TestAConfinedKeyMayOnlyProveItselfAndIsToldNoGroups(t *testing.T) {
	s := newStage(t, nil)
	s.Join(s.now, "ours")
	s.Confine(s.now, zsync.Key{'X'})
	s.says(in, from('X'), hello('X', "theirs"))
	for i, c := range []Command{
		{ID: CommandShout, Group: "ours"},
		{ID: CommandJoin, Group: "ours", Status: 2},
		{ID: CommandLeave, Group: "theirs", Status: 3},
		{ID: CommandElect, Group: "ours", Node: UUID{'X'}},
		{ID: CommandLeader, Group: "ours", Node: UUID{'X'}},
	} {
		c.Sequence = uint16(2 + i)
		s.says(in, from('X'), c)
	}
	if got := s.Counters().Refused; got != 5 {
		t.Errorf("refused %d, want 5", got)
	}
	s.says(in, from('X'), Command{ID: CommandPing, Sequence: 7}, Command{ID: CommandWhisper, Sequence: 8})
	s.tells("Enter X, Whisper X")
	if len(s.dials) > 0 {
		t.Errorf("dialled where it says that it is: %v", s.dials)
	}
	s.Shout(s.now, "theirs", nil)
	s.Leave(s.now, "ours")
	s.take()
	for _, c := range s.sent {
		if c.ID != CommandPingOK && (c.ID != CommandHello || len(c.Groups) > 0) {
			t.Errorf("told it %+v", c)
		}
	}
	s.says(in, from('X'), Command{ID: CommandGoodbye, Sequence: 9})
	s.tells("Enter X, Whisper X, Exit X")
}

func TestAnAdmittedKeyHearsOfOurGroupsInAStatusWithoutAGap(t *testing.T) {
	s := newStage(t, nil)
	s.Confine(s.now, zsync.Key{'X'})
	s.Join(s.now, "a")
	s.says(in, from('X'), hello('X', "theirs"))
	for _, group := range []string{"b", "c"} {
		s.Join(s.now, group)
	}
	s.Leave(s.now, "b")
	s.Admit(s.now, zsync.Key{'X'})
	s.Leave(s.now, "a")
	s.take()
	s.tells("Enter X, Join X")
	status, groups := uint8(0), []string(nil)
	for _, c := range s.sent {
		switch c.ID {
		case CommandHello:
			status = c.Status
		case CommandJoin, CommandLeave:
			if status++; c.Status != status {
				t.Errorf("status %d after %d", c.Status, status-1)
			}
			groups = append(groups, map[CommandID]string{CommandJoin: "JOIN ", CommandLeave: "LEAVE "}[c.ID]+c.Group)
		}
	}
	if want := []string{"JOIN a", "JOIN c", "LEAVE a"}; len(groups) != 3 || groups[0] != want[0] || groups[1] != want[1] || groups[2] != want[2] {
		t.Errorf("told %v, want %v", groups, want)
	}
}

func TestAUUIDOfAnotherKeyIsHungUp(t *testing.T) {
	s := newStage(t, nil)
	s.says(in, from('X'), hello('X'))
	thief := Origin{Key: zsync.Key{'Y'}, Address: "10.0.0.66", Identity: UUID{'X'}.identity()}
	s.says(in+1, thief, hello('Y'))
	if len(s.hangup) != 1 || s.hangup[0] != in+1 {
		t.Errorf("hung up %v", s.hangup)
	}
}

func TestRoundTripsAreMeasured(t *testing.T) {
	const late = 40 * time.Millisecond
	roundTrip := func(s *stage) time.Duration { return s.Peers()[0].RoundTrip }
	ping := func(s *stage, want int) {
		t.Helper()
		if got := s.count(CommandPing); got != want {
			t.Fatalf("%d PINGs, want %d", got, want)
		}
	}

	dialled := newStage(t, nil)
	dialled.Require(dialled.now, "tcp://10.0.0.24:7000", zsync.Key{'X'})
	dialled.Opened(dialled.now, 1)
	dialled.passes(late)
	answer := hello('X')
	answer.Headers = append(answer.Headers, Header{headerUUID, UUID{'X'}.String()})
	dialled.says(1, Origin{}, answer)
	if got := roundTrip(dialled); got != late {
		t.Errorf("by HELLO: %v", got)
	}
	if got := dialled.Peers()[0].Link; got != LinkRequired {
		t.Errorf("the link is %v", got)
	}

	s := newStage(t, nil)
	s.says(in, from('X'), hello('X'))
	if got := s.Peers()[0].Link; got != LinkIncoming {
		t.Errorf("the link is %v", got)
	}
	sequence := uint16(1)
	says := func(id CommandID) {
		sequence++
		s.says(in, from('X'), Command{ID: id, Sequence: sequence})
	}
	for range 6 { // it is never silent, and asked all the same
		s.passes(time.Second)
		says(CommandPing)
	}
	ping(s, 1)
	says(CommandPingOK)
	first := roundTrip(s)
	if first == 0 {
		t.Error("not measured")
	}
	s.passes(8 * time.Second) // silent: several are asked before one is answered
	asked := s.count(CommandPing) - 1
	if asked < 2 {
		t.Fatalf("asked %d times", asked)
	}
	says(CommandPingOK)
	second := roundTrip(s)
	if second < 2*time.Second || second > 8*time.Second {
		t.Errorf("by the first of several: %v", second)
	}
	for range asked { // one of them answers nothing
		says(CommandPingOK)
	}
	if got := roundTrip(s); got != second {
		t.Errorf("measured by what was not asked: %v", got)
	}
}

func TestOneKeyAfterAnotherIsTriedAtAnAddressWithItsPauses(t *testing.T) {
	s := newStage(t, nil)
	const endpoint = "tcp://10.0.0.9:7000"
	s.Require(s.now, endpoint, zsync.Key{'X'})
	for i := range 10 {
		s.take()
		dials := len(s.dials)
		if dials != i+1 {
			t.Fatalf("%d dials after %d failures", dials, i)
		}
		s.Closed(s.now, s.dials[i].Conn, nil)
		s.RequireNext(s.now, endpoint, zsync.Key{byte('X' + (i+1)%2)})
		began := s.now
		for len(s.dials) == dials {
			s.passes(10 * time.Millisecond)
		}
		want := min(250*time.Millisecond<<i, 30*time.Second)
		if took := s.now.Sub(began); took < want || took > want+20*time.Millisecond {
			t.Errorf("pause %d: %v, want %v", i, took, want)
		}
		if s.dials[dials].Key != (zsync.Key{byte('X' + (i+1)%2)}) {
			t.Errorf("dialled %v", s.dials[dials])
		}
	}
}
