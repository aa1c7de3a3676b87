package device

import (
	"testing"
	"time"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/eventlog"
	"github.com/zsync/zsync/replica"
)

// pastEvent is one event that creates files at the root.
func pastEvent(writer byte, seq, lamport uint64, at time.Time, deps []zsync.Ref, names ...string) LogEvent {
	var body replica.Body
	for _, name := range names {
		body = append(body, replica.Op{
			Kind: replica.OpPut, Create: replica.CreateDerived, Name: zsync.Name(name), Type: zsync.TypeFile, Content: zsync.EmptyContent, HasMode: true,
		})
	}
	h := zsync.Header{Writer: zsync.WriterID{writer}, Seq: seq, Lamport: lamport, Kind: zsync.KindFS, WallMS: uint64(at.UnixMilli()), Deps: deps}
	return LogEvent{Event: eventlog.Event{ID: zsync.EventID{writer, byte(seq)}, Header: h, Body: replica.EncodeBody(body)}, Name: string(rune(writer))}
}

func TestThePastHoldsWhatWasWrittenByThenAndAllThatItRestsOn(t *testing.T) {
	// The clock of b is an hour ahead: what c wrote after having b's file cannot have
	// been before that file, whatever its own clock says.
	log := []LogEvent{
		pastEvent('a', 1, 1, epoch, nil, "a1"),
		pastEvent('b', 1, 2, epoch.Add(time.Hour), nil, "b1"),
		pastEvent('c', 1, 3, epoch.Add(time.Minute), []zsync.Ref{{Writer: zsync.WriterID{'b'}, Seq: 1}}, "c1"),
		pastEvent('a', 2, 4, epoch.Add(2*time.Minute), nil, "a2"),
		pastEvent('c', 2, 5, epoch.Add(time.Minute), nil, "c2"),
	}
	for _, test := range []struct {
		cut  When
		want string
	}{
		{When{}, "a1 a2 b1 c1 c2 "},
		{When{Lamport: 3}, "a1 b1 c1 "},
		{When{Wall: epoch.Add(-time.Second)}, ""},
		{When{Wall: epoch}, "a1 "},
		{When{Wall: epoch.Add(5 * time.Minute)}, "a1 a2 "},
		{When{Wall: epoch.Add(time.Hour)}, "a1 a2 b1 c1 c2 "},
	} {
		past := NewPast(spaceNamed('p'), test.cut)
		for _, ev := range log {
			must(t, past.Add(ev))
		}
		got := ""
		must(t, past.Tree("Photos", "", func(line TreeLine) bool {
			got += string(line.Path) + " "
			return true
		}))
		if got != test.want {
			t.Errorf("%+v: %s", test.cut, got)
		}
	}
}
