package device

import (
	"slices"
	"testing"
	"time"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/eventlog"
	"github.com/zsync/zsync/internal/kv"
)

func TestAnotherInTheNameOfThisDeviceIsACloneWhereItKnowsWhatThisRunWrote(t *testing.T) {
	w := newTwoCopies(t)
	w.run(time.Second)
	c := w.copies[0]
	s := c.machine.space
	own, self := s.began, c.cfg.Keys.Device()
	heard := func(author zsync.DeviceID, writer zsync.WriterID, deps ...zsync.Ref) (found []Offence) {
		ev := eventlog.Event{Author: author, Header: zsync.Header{Writer: writer, Deps: deps}}
		must(t, c.db.Update(func(tx kv.Tx) error {
			s.recognize(tx, []eventlog.Event{ev})
			return nil
		}))
		for _, e := range s.take() {
			if in, ok := e.What.(Offended); ok && in.Device == self {
				found = append(found, in.What)
			}
		}
		return found
	}
	past := zsync.Ref{Writer: own.writer, Seq: own.seq - 1}
	present := zsync.Ref{Writer: own.writer, Seq: own.seq}
	for _, each := range []struct {
		name   string
		author zsync.DeviceID
		writer zsync.WriterID
		deps   []zsync.Ref
		want   []Offence
	}{
		{"another device", w.copies[1].cfg.Keys.Device(), zsync.WriterID{1}, []zsync.Ref{present}, nil},
		{"this one itself", self, own.writer, nil, nil},
		{"what it may have forgotten", self, zsync.WriterID{1}, []zsync.Ref{past}, []Offence{OffenceRestored}},
		{"who knows what was written just now", self, zsync.WriterID{1}, []zsync.Ref{past, present}, []Offence{OffenceClone}},
	} {
		if got := heard(each.author, each.writer, each.deps...); !slices.Equal(got, each.want) {
			t.Errorf("%s: %q, want %q", each.name, got, each.want)
		}
	}
}
