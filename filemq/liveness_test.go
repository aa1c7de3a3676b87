package filemq

import (
	"testing"
	"time"
)

// starved returns a session that waits for one item more than the peer has
// credit for, and has not disposed of what came.
func starved(t *testing.T) (s *Session, cost int64) {
	s = opened(t, Config{Window: windowMin}, capsOf(Config{}))
	s.Request(testTime, Request{Items: []Item{{Size: ItemBytesMax}, {Size: ItemBytesMax}, {Size: 1}}})
	chunk := make([]byte, ItemBytesMax)
	out := received(s, Bukkit{Req: 1, Items: []BukkitItem{{Index: 0, Data: chunk}}}, Bukkit{Req: 1, Items: []BukkitItem{{Index: 1, Data: chunk}}})
	if len(out.Got) != 2 {
		t.Fatalf("got %d items, closed %q", len(out.Got), out.Closed)
	}
	return s, out.Got[0].Cost
}

// live lets a session live until end with a peer that answers nothing but HUGZ,
// and returns how many of its items were given up.
func live(s *Session, end time.Time) (stalled int, closed string) {
	for deadline := s.Deadline(); !deadline.IsZero() && !deadline.After(end); deadline = s.Deadline() {
		s.Received(deadline, Encode(HugzOK{}))
		s.Advance(deadline)
		out := s.Output()
		for _, missing := range out.Missing {
			if missing.Code == CodeStalled {
				stalled++
			}
		}
		if out.Closed != "" {
			return stalled, out.Closed
		}
	}
	return stalled, ""
}

func TestAPeerWithoutCreditDoesNotStall(t *testing.T) {
	s, _ := starved(t)
	if stalled, closed := live(s, testTime.Add(time.Hour)); stalled > 0 || closed != "" {
		t.Errorf("%d items given up, closed %q", stalled, closed)
	}
}

func TestAPeerHasAMinuteFromItsLastCredit(t *testing.T) {
	s, cost := starved(t)
	live(s, testTime.Add(50*time.Second))
	s.Disposed(testTime.Add(50*time.Second), cost)
	if stalled, _ := live(s, testTime.Add(109*time.Second)); stalled > 0 {
		t.Errorf("%d items given up too early", stalled)
	}
	if stalled, _ := live(s, testTime.Add(110*time.Second)); stalled != 1 {
		t.Errorf("%d items given up", stalled)
	}
}

func TestOnlyStallsInARowClose(t *testing.T) {
	s := opened(t, Config{}, capsOf(Config{}))
	now := testTime
	ask := func() uint32 {
		req, ok := s.Request(now, Request{Items: []Item{{Size: 1}, {Size: 1}}})
		if !ok {
			t.Fatal("no room")
		}
		return req
	}
	for range 10 {
		s.Received(now, Encode(Bukkit{Req: ask(), Items: []BukkitItem{{Data: []byte{0}}}}))
		now = now.Add(2 * stalledAfter)
		if _, closed := live(s, now); closed != "" {
			t.Fatalf("closed %q", closed)
		}
	}
	now = now.Add(stalledAfter)
	if _, closed := live(s, now); closed != string(errStalled) {
		t.Errorf("closed %q", closed)
	}
}
