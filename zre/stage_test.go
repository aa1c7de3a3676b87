package zre

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/zsync/zsync"
)

// stage is one secure, duplex node, spoken to frame by frame.
type stage struct {
	t *testing.T
	*Node
	now    time.Time
	dials  []Dial
	sent   []Command
	on     []Conn // where each of sent went
	hangup []Conn
	events []Event
}

func newStage(t *testing.T, change func(*Config)) *stage {
	cfg := Config{
		UUID: UUID{'N'}, Endpoint: "tcp://10.0.0.14:7000", Key: zsync.Key{'N'}, Headers: []Header{{headerDuplex, "1"}},
	}
	if change != nil {
		change(&cfg)
	}
	return &stage{t: t, Node: NewNode(cfg), now: epoch}
}

// take carries out what the node wants, which is to write it down.
func (s *stage) take() {
	s.t.Helper()
	out := s.Output()
	s.dials = append(s.dials, out.Dial...)
	s.hangup = append(s.hangup, out.Hangup...)
	s.events = append(s.events, out.Events...)
	for _, m := range out.Send {
		c, err := ParseCommand(m.Frames)
		if err != nil {
			s.t.Fatal(err)
		}
		s.sent, s.on = append(s.sent, c), append(s.on, m.Conn)
	}
}

func (s *stage) says(c Conn, from Origin, commands ...Command) {
	s.t.Helper()
	for _, command := range commands {
		s.Received(s.now, c, from, command.Frames())
		s.take()
	}
}

func (s *stage) passes(d time.Duration) {
	s.t.Helper()
	for end := s.now.Add(d); ; s.take() {
		at := s.Deadline()
		if at.IsZero() || at.After(end) {
			s.now = end
			return
		}
		s.now = later(s.now, at)
		s.Advance(s.now)
	}
}

func (s *stage) count(id CommandID) (n int) {
	for _, c := range s.sent {
		if c.ID == id {
			n++
		}
	}
	return n
}

// story is the events so far, in short.
func (s *stage) story() string {
	var words []string
	for _, e := range s.events {
		words = append(words, fmt.Sprintf("%s %c", e.Kind, e.Peer[0]))
	}
	return strings.Join(words, ", ")
}

func (s *stage) tells(want string) {
	s.t.Helper()
	if got := s.story(); got != want {
		s.t.Errorf("told %q, want %q", got, want)
	}
}

// from is where a peer, named by a letter above N, speaks from.
func from(letter byte) Origin {
	return Origin{Key: zsync.Key{letter}, Address: fmt.Sprintf("10.0.0.%d", letter-'A'+1), Identity: UUID{letter}.identity()}
}

func hello(letter byte, groups ...string) Command {
	return Command{
		ID: CommandHello, Sequence: 1, Name: string(rune(letter)), Groups: groups, Status: uint8(len(groups)),
		Endpoint: fmt.Sprintf("tcp://10.0.0.%d:7000", letter-'A'+1),
		Headers:  []Header{{headerDuplex, "1"}, {headerKey, z85(zsync.Key{letter})}},
	}
}

const in = FirstIncoming
