package filemq

import (
	"bytes"
	"crypto/sha256"
	"strings"
	"testing"
)

func TestAGreetingIsShortAndAFrameIsNotEndless(t *testing.T) {
	s := NewSession(testTime, Config{}, false)
	s.Received(testTime, append([]byte{0xAA, 0xA3, byte(idOhai)}, make([]byte, greetingMax)...))
	if closed := s.Output().Closed; !strings.Contains(closed, string(errTooLong)) {
		t.Errorf("closed %q", closed)
	}
	s = opened(t, Config{}, capsOf(Config{}))
	s.Received(testTime, make([]byte, FrameBytesMax+1))
	if closed := s.Output().Closed; !strings.Contains(closed, string(errTooLong)) {
		t.Errorf("closed %q", closed)
	}
}

func TestAPeerThatAsksForTooMuchIsToldSoAndThenClosed(t *testing.T) {
	s := opened(t, Config{QueueMax: RequestItemsMax}, capsOf(Config{}))
	gimme := Gimme{Items: make([]Item, RequestItemsMax)}
	for i := range gimme.Items {
		gimme.Items[i].Size = 1
	}
	answers := func(req uint32) ([]Command, string) {
		gimme.Req = req
		out := received(s, gimme)
		return sent(t, out), out.Closed
	}
	if got, closed := answers(1); len(got) != 0 || closed != "" {
		t.Fatalf("a full queue: %v, closed %q", got, closed)
	}
	got, closed := answers(2)
	if noez, ok := got[0].(Noez); !ok || len(noez.Items) != RequestItemsMax || noez.Items[5].Code != CodeQueueFull || closed != "" {
		t.Fatalf("one queue too many: %v, closed %q", got, closed)
	}
	if _, closed = answers(3); !strings.Contains(closed, string(errQueue)) {
		t.Fatalf("two too many: closed %q", closed)
	}
}

func TestTheRequestsOfAPeerAreCounted(t *testing.T) {
	s := opened(t, Config{}, capsOf(Config{}))
	for req := uint32(1); req <= RequestsMax; req++ {
		if out := received(s, Gimme{Req: req, Items: []Item{{Size: 1}}}); len(out.Send) > 0 {
			t.Fatalf("request %d: %v", req, sent(t, out))
		}
	}
	got := sent(t, received(s, Gimme{Req: 1000, Items: []Item{{Size: 1}}}))
	if len(got) != 1 || got[0].(Noez).Items[0].Code != CodeQueueFull {
		t.Errorf("one too many: %v", got)
	}
}

func TestOwnRequestsAreCounted(t *testing.T) {
	s := opened(t, Config{}, capsOf(Config{}))
	for range RequestsMax {
		if _, ok := s.Request(testTime, Request{Items: []Item{{Size: 1}}}); !ok {
			t.Fatal("refused")
		}
	}
	if _, ok := s.Request(testTime, Request{Items: []Item{{Size: 1}}}); ok || s.Room() != 0 {
		t.Errorf("room for %d more items", s.Room())
	}
}

func TestAFloodOfHugzIsNotAnswered(t *testing.T) {
	s := opened(t, Config{}, capsOf(Config{}))
	flood := make([]Command, 1000)
	for i := range flood {
		flood[i] = Hugz{}
	}
	if out := received(s, flood...); len(out.Send) != 1 {
		t.Errorf("%d answers", len(out.Send))
	}
	if s.Counters().Ignored != 999 {
		t.Errorf("counted %d", s.Counters().Ignored)
	}
}

// Invariant 3.
func TestOneOctetMoreThanTheCreditCloses(t *testing.T) {
	whole := Bukkit{Req: 1, Items: []BukkitItem{{Index: 0, Data: make([]byte, ItemBytesMax)}}}
	rest := Bukkit{Req: 1, Items: []BukkitItem{{Index: 1, Data: make([]byte, ItemBytesMax-1)}}}
	over := Bukkit{Req: 1, Items: []BukkitItem{{Index: 1, Data: make([]byte, ItemBytesMax)}}}
	for _, test := range []struct {
		second Bukkit
		closes bool
	}{{rest, false}, {over, true}} {
		s := opened(t, Config{Window: windowMin}, capsOf(Config{}))
		// The window holds one octet less than two of the largest items.
		s.fetcher.window.granted--
		if _, ok := s.Request(testTime, Request{Items: []Item{
			{Size: ItemBytesMax}, {Size: uint32(len(test.second.Items[0].Data))},
		}}); !ok {
			t.Fatal("no room")
		}
		out := received(s, whole, test.second)
		if closed := out.Closed != ""; closed != test.closes {
			t.Errorf("closed %q", out.Closed)
		}
		if want := map[bool]int{false: 2, true: 1}[test.closes]; len(out.Got) != want {
			t.Errorf("%d items reached the caller, want %d", len(out.Got), want)
		}
	}
}

// Invariant 6.
func TestTheThirdBadItemCloses(t *testing.T) {
	s := opened(t, Config{}, capsOf(Config{}))
	s.Request(testTime, Request{Items: items(0, 4, 1000)})
	wrong := bytes.Repeat([]byte{1}, 1000)
	bukkit := Bukkit{Req: 1, Items: []BukkitItem{{Index: 0, Data: wrong}, {Index: 1, Data: wrong}, {Index: 2, Data: wrong}}}
	for i, got := range received(s, bukkit).Got {
		if sha256.Sum256(got.Data) == got.Item.Hash {
			t.Fatal("not bad at all")
		}
		s.BadItem(testTime)
		s.Disposed(testTime, got.Cost)
		if closed := s.Output().Closed; (closed != "") != (i == 2) {
			t.Errorf("after %d bad items: closed %q", i+1, closed)
		}
	}
	if s.Counters().BadItems != 3 {
		t.Errorf("counted %d", s.Counters().BadItems)
	}
}

func TestWhatAPeerSaysIsNeverEchoed(t *testing.T) {
	s := NewSession(testTime, Config{}, false)
	out := received(s, Ohai{Protocol: "<script>", Version: 2})
	if bytes.Contains(out.Send[0], []byte("script")) {
		t.Errorf("sent %q", out.Send[0])
	}
}

// Only a peer that goes on and on is closed: one GIMME that fits begins anew.
func TestAPeerThatAskedForTooMuchOnceIsForgiven(t *testing.T) {
	s := opened(t, Config{QueueMax: RequestItemsMax}, capsOf(Config{}))
	ask := func(req uint32, count int) string {
		gimme := Gimme{Req: req, Items: make([]Item, count)}
		for i := range gimme.Items {
			gimme.Items[i].Size = 1
		}
		return received(s, gimme).Closed
	}
	for req, count := range []int{1024, 1000, 1024, 1000} {
		if req == 2 {
			received(s, Nvm{Req: everyReq})
		}
		if closed := ask(uint32(req+1), count); closed != "" {
			t.Fatalf("request %d: closed %q", req+1, closed)
		}
	}
}

func TestAnItemOfAnotherSizeGivesItsCreditBack(t *testing.T) {
	s := opened(t, Config{}, capsOf(Config{}))
	s.Request(testTime, Request{Items: []Item{{Size: 1000}}})
	received(s, Bukkit{Req: 1, Items: []BukkitItem{{Data: make([]byte, 999)}}})
	if w := s.fetcher.window; w.disposed != costOf(1000) {
		t.Errorf("received %d, disposed of %d", w.received, w.disposed)
	}
}
