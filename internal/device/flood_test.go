package device

import (
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
	if _, err := l.turn(); err != nil {
		t.Fatal(err)
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
