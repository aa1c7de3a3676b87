package device

import (
	"slices"
	"time"

	"github.com/zsync/zsync/security"
)

// Sight is what shows at one moment whether this machine slept, or moved to another
// network.
type Sight struct {
	Awake time.Duration // from any zero, on a clock that stands still while the machine sleeps
	All   time.Duration // from any zero, on one that goes on
	// Addresses are those by which this machine can be reached, and Links the names of
	// the network interfaces that are up, ascending. Nil: the system did not tell.
	Addresses, Links []string
	Networks         Networks // nil: the system did not tell
}

// sleptMin is how much longer all time must have been than that awake: a clock that
// is kept right by others is set, too.
const sleptMin = 5 * time.Second

// vigil compares what was seen with what was seen before.
type vigil struct {
	last   Sight
	seen   bool
	around Networks
}

// moves returns the networks that this machine is on where they are others than before.
func (v *vigil) moves(s Sight) (around Networks, moved bool) {
	if s.Networks == nil || slices.Equal(s.Networks, v.around) {
		return nil, false
	}
	v.around = s.Networks
	return v.around, true
}

// see returns what the link is to be told: a [Woke], a [Retry], or nil. A machine
// that has lost an address may have lost its connections without a word, as one that
// slept.
func (v *vigil) see(s Sight) any {
	last, seen := v.last, v.seen
	if s.Addresses == nil {
		s.Addresses, s.Links = last.Addresses, last.Links
	}
	v.last, v.seen = s, true
	switch {
	case !seen:
		return nil
	case (s.All-last.All)-(s.Awake-last.Awake) >= sleptMin, lacks(s.Addresses, last.Addresses):
		return Woke{}
	case lacks(last.Addresses, s.Addresses), lacks(last.Links, s.Links):
		return Retry{}
	}
	return nil
}

// lacks reports whether one of some is not among all.
func lacks(all, some []string) bool {
	return slices.ContainsFunc(some, func(one string) bool { return !slices.Contains(all, one) })
}

// woke begins all anew that may be dead without a word.
func (l *LinkMachine) woke(now time.Time) {
	l.node.Woke(now)
	l.transfers.woke(now)
}

// retry dials those who are not here.
func (l *LinkMachine) retry(now time.Time) {
	l.node.Retry(now)
	l.transfers.retry(now)
}

// woke ends the sessions, since their other ends may know nothing of them: what was
// asked for is asked for again on new ones.
func (t *transfers) woke(now time.Time) {
	t.stirred = true
	for _, s := range t.sorted() {
		t.drop(now, s)
		t.hangup = append(t.hangup, s.conn)
	}
	t.retry(now)
}

// retry dials at once, or where it is the other side's turn after a short wait.
func (t *transfers) retry(now time.Time) {
	for device, r := range t.routes {
		if t.connecting(device) {
			continue
		}
		soon := now
		if device.Compare(t.self) < 0 {
			soon = now.Add(otherSideWait)
		}
		r.backoff = redialMin
		if soon.Before(r.dialAt) {
			r.dialAt = soon
		}
	}
}

// knocked notes a stranger; it is none where its key is known, and is dialled back.
func (l *LinkMachine) knocked(now time.Time, in Knocked) {
	l.knocks.add(now, in)
	switch l.trust.Admit(in.Key) {
	case security.DecisionPending, security.DecisionTrusted:
		l.node.RetryKey(now, in.Key)
		l.transfers.knocked(now, in.Key)
	}
}
