package device

import (
	"slices"
	"testing"
	"time"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/eventlog"
	"github.com/zsync/zsync/internal/kv"
	"github.com/zsync/zsync/security"
	"github.com/zsync/zsync/zre"
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

func TestWhatOneDeviceSaysOfAnotherBeingCopiedIsShownAsItsWord(t *testing.T) {
	keys, err := security.GenerateKeys(fixedRandom("laptop"))
	must(t, err)
	teller, err := security.GenerateKeys(fixedRandom("box"))
	must(t, err)
	trust := security.NewTrust()
	must(t, trust.Enrol(epoch, teller.Certify("box", 1)))
	l, _ := NewLinkMachine(epoch, LinkConfig{
		Keys: keys, Certificate: keys.Certify("laptop", 1), UUID: [16]byte{1}, Name: "laptop", Endpoint: "tcp://10.0.0.1:7001", Trust: trust,
	})
	id, space := zre.UUID{2}, spaceNamed(1)
	l.peers[id], l.spaces[space] = &peer{key: teller.Key(), device: teller.Device()}, true
	said := encodeMessage(eventlog.MessageNak, eventlog.EncodeNak(space, eventlog.NakTwin))
	for range 3 {
		l.heard(epoch, zre.Event{Kind: zre.Whisper, Peer: id, Content: said})
	}
	all := l.offences.list
	if len(all) != 1 || all[0].Device != teller.Device() || all[0].What != OffenceTwin {
		t.Errorf("%+v", all)
	}
	var told []string
	for _, e := range l.take() {
		if n, is := e.What.(Noticed); is {
			told = append(told, n.Name)
		}
	}
	if !slices.Equal(told, []string{"box"}) {
		t.Errorf("the log names %q", told)
	}
}
