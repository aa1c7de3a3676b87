package device_test

import (
	"testing"
	"time"

	"github.com/zsync/zsync/internal/device"
	"github.com/zsync/zsync/security"
)

// dialsOf counts the dials that a link orders while nobody answers, as long as it
// wants to turn by itself before an end.
func dialsOf(a *actor, now, end time.Time, effects []device.Effect) (times []time.Duration) {
	begun := now
	for {
		var closed device.MailboxFacts
		for _, e := range effects {
			if orders, ok := e.What.(device.NetOrders); ok && e.To.Part == device.Mailbox {
				for _, dial := range orders.Dial {
					times = append(times, now.Sub(begun))
					closed = append(closed, device.NetFact{Kind: device.NetClosed, Conn: dial.Conn})
				}
			}
		}
		if len(closed) > 0 {
			effects = a.link.Handle(now, []any{closed})
			continue
		}
		if now = a.link.Deadline(); now.IsZero() || !now.Before(end) {
			return times
		}
		effects = a.link.Handle(now, nil)
	}
}

// alone is a link that knows nobody.
func alone(t *testing.T) (s *stage, a, b *actor) {
	s = &stage{t: t, now: begin, actors: map[string]*actor{}}
	a, b = s.actor("A"), s.actor("B")
	a.link, _ = device.NewLinkMachine(s.now, device.LinkConfig{
		Keys: a.keys, Certificate: a.cert, UUID: [16]byte{1}, Name: "A", Endpoint: "tcp://10.0.0.1:7001", Trust: security.NewTrust(),
	})
	return s, a, b
}

func TestAKeyThatIsTypedAgainIsDialledAtOnceThoughADialHangs(t *testing.T) {
	s, a, b := alone(t)
	pair := device.Pair{Key: b.keys.Key(), Address: "10.0.0.2:7001"}
	a.link.Handle(s.now, []any{pair})
	var dialled, hungUp int
	for _, e := range a.link.Handle(s.now.Add(time.Second), []any{pair}) {
		if orders, ok := e.What.(device.NetOrders); ok && e.To.Part == device.Mailbox {
			dialled, hungUp = dialled+len(orders.Dial), hungUp+len(orders.Hangup)
		}
	}
	if dialled != 1 || hungUp != 1 {
		t.Errorf("%d dials, %d hung up", dialled, hungUp)
	}
}

func TestWhoIsAwayIsDialledWhenThereIsReasonToThinkThatItIsNot(t *testing.T) {
	for what, reason := range map[string]any{
		"the machine slept": device.Woke{}, "another network": device.Retry{}, "a person asks": device.AskProgress{},
		"it knocks": nil,
	} {
		s, a, b := alone(t)
		if reason == nil {
			reason = device.Knocked{Key: b.keys.Key()}
		}
		effects := a.link.Handle(s.now, []any{device.Pair{Key: b.keys.Key(), Address: "10.0.0.2:7001"}})
		later := s.now.Add(20*time.Minute + 5*time.Second) // nobody hurries any more
		dialsOf(a, s.now, later, effects)
		if dials := dialsOf(a, later, later.Add(time.Second), nil); len(dials) != 0 {
			t.Fatalf("it dials by itself after %v", dials)
		}
		if dials := dialsOf(a, later, later.Add(time.Second), a.link.Handle(later, []any{reason})); len(dials) == 0 || dials[0] != 0 {
			t.Errorf("%s: it dials after %v", what, dials)
		}
	}
}

func TestWhoIsBeingPairedIsDialledEveryTwoSecondsForTenMinutes(t *testing.T) {
	s, a, b := alone(t)
	effects := a.link.Handle(s.now, []any{device.Pair{Key: b.keys.Key(), Address: "10.0.0.2:7001"}})
	times := dialsOf(a, s.now, s.now.Add(20*time.Minute), effects)
	longest := func(from, to time.Duration) (gap time.Duration) {
		for i := range times[1:] {
			if times[i+1] > from && times[i+1] <= to {
				gap = max(gap, times[i+1]-times[i])
			}
		}
		return gap
	}
	if gap := longest(0, 10*time.Minute); gap > 2*time.Second {
		t.Errorf("a pause of %v while people wait", gap)
	}
	if gap := longest(11*time.Minute, 20*time.Minute); gap < 10*time.Second {
		t.Errorf("it goes on dialling every %v", gap)
	}
}
