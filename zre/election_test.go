package zre

import (
	"fmt"
	"strings"
	"testing"
)

// TestElectionPassesThrough: X stands for leader among X, Y, Z and this node.
func TestElectionPassesThrough(t *testing.T) {
	s := newStage(t, nil)
	s.Join(s.now, "g")
	for i, letter := range []byte("XYZ") {
		s.says(in+Conn(i), from(letter), hello(letter, "g"))
	}
	vote := func(c Conn, letter byte, id CommandID, sequence uint16) string {
		s.sent, s.on = nil, nil
		s.says(in+c, from(letter), Command{ID: id, Sequence: sequence, Group: "g", Node: UUID{'X'}})
		var to []string
		for i, c := range s.sent {
			to = append(to, fmt.Sprintf("%d to %c", c.ID, "XYZ"[s.on[i]-in]))
		}
		return strings.Join(to, ", ")
	}
	for _, step := range []struct {
		conn   Conn
		letter byte
		id     CommandID
		want   string
	}{
		{0, 'X', CommandElect, "8 to Y, 8 to Z"},
		{1, 'Y', CommandElect, ""},
		{2, 'Z', CommandElect, "8 to X"}, // all have echoed: so do we, to the one that it came from
		{0, 'X', CommandLeader, "9 to X, 9 to Y, 9 to Z"},
		{2, 'Z', CommandLeader, ""},
		{1, 'Y', CommandLeader, ""},
	} {
		sequence := s.link(in+step.conn).got + 1
		if got := vote(step.conn, step.letter, step.id, sequence); got != step.want {
			t.Errorf("after %d of %c: said %q, want %q", step.id, step.letter, got, step.want)
		}
	}
	if len(s.waves) > 0 {
		t.Error("the election is not over")
	}
}

func TestElectionOfALowerChallengerDrownsAHigherOne(t *testing.T) {
	s := newStage(t, nil)
	s.Join(s.now, "g")
	s.says(in, from('X'), hello('X', "g"))
	s.says(in+1, from('Y'), hello('Y', "g"))
	s.says(in, from('X'), Command{ID: CommandElect, Sequence: 2, Group: "g", Node: UUID{'X'}})
	s.says(in+1, from('Y'), Command{ID: CommandElect, Sequence: 2, Group: "g", Node: UUID{'C'}})
	s.says(in, from('X'), Command{ID: CommandElect, Sequence: 3, Group: "g", Node: UUID{'X'}})
	if w := s.waves[0]; w.lowest != (UUID{'C'}) || w.father != (UUID{'Y'}) || w.echoes != 1 {
		t.Errorf("the wave is %+v", w)
	}
	s.says(in+1, from('Y'), Command{ID: CommandLeave, Sequence: 3, Group: "g", Status: 2})
	if len(s.waves) > 0 {
		t.Error("the election outlives its father")
	}
}
