package device

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/security"
)

func TestWhatADeviceSaysIsBoundedWhileItWaits(t *testing.T) {
	l := newLoop(&clockwork{}, time.Now, func([]Effect) {})
	body := make([]byte, 1<<20)
	says := func(who byte, times int) {
		for range times {
			l.post(Heard{From: security.Certificate{Curve: zsync.Key{who}}, Body: body})
		}
	}
	says(1, 1000)
	says(2, 1)
	if got, want := len(l.queue), heardBytesMax/(1<<20+heardCostBytes)+1; got != want {
		t.Fatalf("%d messages wait, want %d", got, want)
	}
	for len(l.queue) > 0 {
		if _, err := l.turn(); err != nil {
			t.Fatal(err)
		}
	}
	if says(1, 1); len(l.queue) != 1 {
		t.Error("once they were taken it is not heard again")
	}
}

func TestTheShortestMessagesAreBoundedToo(t *testing.T) {
	l := newLoop(&clockwork{}, time.Now, func([]Effect) {})
	for range 1_000_000 {
		l.post(Heard{From: security.Certificate{Curve: zsync.Key{1}}, Body: []byte{1}})
	}
	if got := len(l.queue); got > 1<<16 {
		t.Errorf("%d messages wait", got)
	}
}

func TestAFloodOfOneDeviceDelaysNobodyElse(t *testing.T) {
	l := newLoop(&clockwork{}, time.Now, func([]Effect) {})
	says := func(who byte, times int) {
		for i := range times {
			l.post(Heard{From: security.Certificate{Curve: zsync.Key{who}}, Body: []byte{byte(i)}})
		}
	}
	says(1, 1000)
	says(2, 1)
	l.post("what the disk has done")
	in := l.next()
	if len(in) != turnHeardMax+2 || in[turnHeardMax].(Heard).From.Curve != (zsync.Key{2}) {
		t.Fatalf("%d inputs, the last %v", len(in), in[len(in)-1])
	}
	for i := 0; len(l.queue) > 0; {
		for _, what := range l.next() {
			if want := byte(turnHeardMax + i); what.(Heard).Body[0] != want {
				t.Fatalf("message %d came in the place of %d", what.(Heard).Body[0], want)
			}
			i++
		}
	}
}

func TestADeviceThatSaysMoreThanCanBeTakenInIsNamed(t *testing.T) {
	idle := func() *loop { return newLoop(&clockwork{}, time.Now, func([]Effect) {}) }
	r := &Running{link: idle(), home: idle()}
	said := Heard{From: security.Certificate{Sign: make([]byte, 32)}, Body: make([]byte, 1<<20)}
	for range heardBytesMax >> 20 {
		r.Post(Address{Part: Home}, said)
	}
	if want := (Offended{said.From.Device(), OffenceFlood}); len(r.link.queue) != 1 || r.link.queue[0] != want {
		t.Errorf("the link heard %v", r.link.queue)
	}
}

func TestOffencesAreCountedByDeviceAndKindAndAreFew(t *testing.T) {
	var o offences
	now := time.Unix(1000, 0)
	for i := range 3 * offencesMax {
		o.note(now.Add(time.Duration(i)*time.Second), Offended{zsync.DeviceID{byte(i), byte(i >> 8)}, OffenceFork})
		o.note(now.Add(time.Duration(i)*time.Second), Offended{zsync.DeviceID{'x'}, OffenceBytes})
	}
	i := slices.IndexFunc(o.list, func(s OffenceStatus) bool { return s.What == OffenceBytes })
	if len(o.list) != offencesMax || i < 0 || o.list[i].Count != 3*offencesMax {
		t.Errorf("%d are remembered, the one that goes on at %d", len(o.list), i)
	}
}

func TestWhoHandsFactsToALoopWaitsForIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLoop(&clockwork{}, time.Now, func([]Effect) {})
		handed := 0
		go func() {
			for range 3 {
				l.hand(MailboxFacts{})
				handed++
			}
		}()
		for turns := range 3 {
			synctest.Wait()
			if handed != turns || len(l.queue) != 1 {
				t.Fatalf("%d handed and %d wait after %d turns", handed, len(l.queue), turns)
			}
			if _, err := l.turn(); err != nil {
				t.Fatal(err)
			}
		}
		synctest.Wait()
	})
}
