package security

import (
	"fmt"
	"time"
)

// Hold is how firmly a device is in its circle. Numbers are format.
type Hold uint8

// The holds. A device would leave a circle that nobody else is in, and one that came
// to be just now: of devices that start at one time, several may found one.
const (
	Firm  Hold = 0 // it stays in it
	Taken Hold = 1 // it has taken it up, and is no member yet
	Loose Hold = 2 // a member, and would rather be in another circle than be apart
)

// Step is what has to happen next so that two devices are in one circle.
type Step uint8

// The steps. Of two devices without a circle, the one with the lower device id
// founds it; so it does where they have only taken up circles, the same or two, and no
// member of one was linked for long. Of two circles, a loose one gives way to a firm
// one, and of two loose ones that with the higher id to the other.
const (
	StepFound   Step = iota + 1 // neither is a member of a circle: found one, and leave that which was taken up
	StepAwait                   // the peer founds one, or gives its own up, or is between two
	StepInvite                  // we have one, the peer none: it takes ours up
	StepJoin                    // the peer has one, we none: take it up
	StepSettled                 // both have the same: add the peer, unless it is a member
	StepYield                   // ours gives way to the peer's: leave it and take that up
	StepApart                   // both are firm in circles of their own
)

// step reads the next step off the two circles.
func (p *Pairing) step(now time.Time, peer *pairingPeer) Step {
	switch ours, theirs := !p.circle.IsZero(), !peer.circle.IsZero(); {
	case p.gaveUp(now, peer):
		return StepFound
	case ours && p.circle == peer.circle:
		return StepSettled
	case theirs && peer.holds == Taken:
		return StepAwait
	case ours && theirs:
		return p.between(peer)
	case ours && p.holds == Taken:
		return StepAwait
	case ours:
		return StepInvite
	case theirs:
		return StepJoin
	case p.own.Device().Compare(peer.cert.Device()) < 0:
		return StepFound
	}
	return StepAwait
}

// between decides which of two circles gives way. The peer decides by the same rule.
func (p *Pairing) between(peer *pairingPeer) Step {
	switch {
	case p.holds == Taken && !p.anchored():
		return StepYield
	case p.holds == Firm && peer.holds == Firm:
		return StepApart
	case p.holds == Loose && (peer.holds == Firm || peer.circle.Compare(p.circle) < 0):
		return StepYield
	}
	return StepAwait
}

// anchored reports whether a member of the circle that this device has taken up is
// linked: it will make this device one too.
func (p *Pairing) anchored() bool {
	for _, peer := range p.peers {
		if peer.heard && peer.circle == p.circle && peer.holds != Taken {
			return true
		}
	}
	return false
}

// orphans reports whether a circle was taken up, here or there, and neither of the two
// is a member of one, nor has this device a member of its own linked.
func (p *Pairing) orphans(peer *pairingPeer) bool {
	ours, theirs := !p.circle.IsZero(), !peer.circle.IsZero()
	return (ours || theirs) && (!ours || p.holds == Taken && !p.anchored()) && (!theirs || peer.holds == Taken)
}

// givesUpAt returns when this device founds a circle, since a member of what was taken
// up did not come; zero: never, as things stand.
func (p *Pairing) givesUpAt(peer *pairingPeer) (at time.Time) {
	if !peer.heard || peer.orphaned.IsZero() || !p.orphans(peer) || !p.founds(peer) {
		return at
	}
	return peer.orphaned.Add(orphanWait)
}

func (p *Pairing) gaveUp(now time.Time, peer *pairingPeer) bool {
	at := p.givesUpAt(peer)
	return !at.IsZero() && !now.Before(at)
}

// founds reports whether it is this device that would: of all such ones that are
// linked the one with the lowest id, and none that has a circle to go over to.
func (p *Pairing) founds(peer *pairingPeer) bool {
	for _, other := range p.peers {
		if other.heard && (!p.orphans(other) && !other.circle.IsZero() || p.orphans(other) && other.cert.Device().Compare(p.own.Device()) < 0) {
			return false
		}
	}
	return p.own.Device().Compare(peer.cert.Device()) < 0
}

// apart says what two circles mean for a person.
func apart(name string) string {
	return fmt.Sprintf("%q and this device are in two circles of several devices each, which cannot be joined, so they share nothing; "+
		"to have %q here, begin anew on it:  zsync watch DIR --home NEW-DIR", name, name)
}
