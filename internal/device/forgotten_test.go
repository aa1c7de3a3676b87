package device

import (
	"testing"
	"time"

	"github.com/zsync/zsync/eventlog"
	"github.com/zsync/zsync/internal/kv"
)

// A founder that has lost the folder's database writes the same genesis again, and lets
// in a newcomer while the other members are away.
func TestAFounderThatForgotItsMembersAndAdmitsAnotherHearsTheOldOnesAgain(t *testing.T) {
	w := newTwoCopies(t)
	w.run(time.Minute)
	one, two := w.copies[0], w.copies[1]
	must(t, one.root.Close())
	one.db, one.cfg.Entered, w.apart = kv.NewMemory(), true, true
	w.open(one)
	w.run(time.Minute)
	third := keysOf(t, "three").Certify("three", 1)
	w.post(one, Heard{From: third, Type: typeWant, Body: encodeWant(one.cfg.Space)})
	w.run(time.Second)
	w.apart = false
	for _, c := range w.copies {
		w.post(c, Unlinked{Device: w.other(c).cfg.Keys.Device()})
		w.post(c, Linked{Peer: w.other(c).cfg.Cert})
	}
	w.run(2 * time.Minute)
	var frontiers [2][16]byte
	for i, c := range w.copies {
		st, err := c.machine.Status()
		must(t, err)
		frontiers[i] = st.Frontier
		if len(st.Devices) != 2 || st.State != StateInSync {
			t.Errorf("%s is %s and knows %d other members", c.cfg.Cert.Name, st.State, len(st.Devices))
		}
	}
	if frontiers[0] != frontiers[1] || two.zeros == 0 {
		t.Error("the two logs never meet again")
	}
}

func TestANakThatSaysSomethingElseIsNoReasonToAskForAnything(t *testing.T) {
	w := newTwoCopies(t)
	w.run(time.Minute)
	one, two := w.copies[0], w.copies[1]
	for _, code := range []uint64{eventlog.NakNotMember, eventlog.NakNoSpace} {
		nak := Heard{From: two.cfg.Cert, Type: eventlog.MessageNak, Body: eventlog.EncodeNak(one.cfg.Space, code)}
		effects, err := one.machine.Handle(w.now, []any{nak})
		must(t, err)
		wants := false
		for _, e := range effects {
			say, ok := e.What.(Say)
			wants = wants || ok && say.Type == typeWant && say.To == two.cfg.Keys.Device()
		}
		if wants != (code == eventlog.NakNotMember) {
			t.Errorf("after a NAK of %d it asks to be let in: %v", code, wants)
		}
	}
}
