package security

import (
	"fmt"
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
// founds it. Of two circles, a loose one gives way to a firm one, and of two loose
// ones that with the higher id to the other.
const (
	StepFound   Step = iota + 1 // neither has a circle: found one
	StepAwait                   // the peer founds one, or gives its own up, or is between two
	StepInvite                  // we have one, the peer none: it takes ours up
	StepJoin                    // the peer has one, we none: take it up
	StepSettled                 // both have the same: add the peer, unless it is a member
	StepYield                   // ours gives way to the peer's: leave it and take that up
	StepApart                   // both are firm in circles of their own
)

// step reads the next step off the two circles.
func (p *Pairing) step(peer *pairingPeer) Step {
	switch ours, theirs := !p.circle.IsZero(), !peer.circle.IsZero(); {
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

// apart says what two circles mean for a person.
func apart(name string) string {
	return fmt.Sprintf("%q and this device are in two circles of several devices each, which cannot be joined, so they share nothing; "+
		"to have %q here, begin anew on it:  zsync watch DIR --home NEW-DIR", name, name)
}
