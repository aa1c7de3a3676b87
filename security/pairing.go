package security

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/fxamacker/cbor/v2"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/internal/wire"
)

const (
	// certAgainMin and certAgainMax bound how long a device waits before it says
	// its certificate again to one that has not come to an agreement with it. A
	// message can be lost without its sender hearing of it.
	certAgainMin = 10 * time.Second
	certAgainMax = 5 * time.Minute
	// certAnswerAfter is how long ago the last own certificate must be for a
	// repeated one of the peer to be answered: two devices that both do so stop
	// after one round.
	certAnswerAfter = 5 * time.Second

	// orphanWait is how long two linked devices wait for a member of a circle that one
	// of them has only taken up. It may have been left by all who were in it.
	orphanWait = 5 * time.Minute

	certBodyBytesMax = certificateBytesMax + 32
)

// Met is a linked device that proved its key and showed its certificate. It is
// said again when the certificate, the circle or the next step has changed.
type Met struct {
	Cert   Certificate
	Circle zsync.SpaceID // the peer's; zero: it has none
	Next   Step
}

// CertTo is a CERT message for the owner of a key.
type CertTo struct {
	Key  zsync.Key
	Body []byte
}

// Refused says why the owner of a key will not be paired with as things stand.
type Refused struct {
	Key zsync.Key
	Why string // a sentence
}

// PairingOutput is what Pairing wants done, in this order.
type PairingOutput struct {
	Met     []Met     // pin the certificate ([Trust.Pin]) unless the two are apart, then take the step
	Refused []Refused // tell the person
	Send    []CertTo  // after what it says about the own circle is durable
}

// Pairing is the machine that pairs by key. A link opens with the exchange of
// certificates, each beside the sender's circle; both ends reach the same
// decision from the two. Keys that are linked here were authenticated by the
// transport, and trusted or pending.
type Pairing struct {
	own    Certificate
	circle zsync.SpaceID
	holds  Hold
	peers  []*pairingPeer // ascending by key
	out    PairingOutput
}

// pairingPeer is the state of one link.
type pairingPeer struct {
	key     zsync.Key
	heard   bool // cert and circle came
	cert    Certificate
	circle  zsync.SpaceID
	holds   Hold
	met     Met    // last said
	refused string // last said

	sentAt time.Time
	told   zsync.SpaceID // the own circle in the last certificate sent, and
	toldOf Hold          // how firmly this device was in it
	again  time.Time     // when to send again; zero: never
	wait   time.Duration

	orphaned time.Time // since then neither of the two is a member of anything, nor is none in a circle; zero: not so
}

// NewPairing returns the machine of a device with the given certificate that is
// in no circle.
func NewPairing(own Certificate) *Pairing { return &Pairing{own: own} }

// SetCircle says which circle this device is in now, zero for none, and how
// firmly.
func (p *Pairing) SetCircle(now time.Time, circle zsync.SpaceID, holds Hold) {
	if circle == p.circle && holds == p.holds {
		return
	}
	p.circle, p.holds = circle, holds
	p.decideAll(now)
}

// Linked says that the owner of key is connected, anew.
func (p *Pairing) Linked(now time.Time, key zsync.Key) {
	if key == p.own.Curve {
		return
	}
	i, found := p.find(key)
	if !found {
		p.peers = slices.Insert(p.peers, i, nil)
	}
	p.peers[i] = &pairingPeer{key: key}
	p.send(now, p.peers[i])
}

// Unlinked says that the owner of key is gone.
func (p *Pairing) Unlinked(now time.Time, key zsync.Key) {
	if i, found := p.find(key); found {
		p.peers = slices.Delete(p.peers, i, i+1)
		p.decideAll(now)
	}
}

// ReceivedCert takes the body of a CERT message that came over the channel that
// key authenticates. One from a key that is not linked is dropped.
func (p *Pairing) ReceivedCert(now time.Time, key zsync.Key, body []byte) {
	i, found := p.find(key)
	if !found {
		return
	}
	peer := p.peers[i]
	cert, circle, holds, err := decodeCert(body)
	switch {
	case err != nil:
		peer.heard = false
		p.refuse(peer, fmt.Sprintf("It sent no valid certificate: %v.", err))
		return
	case cert.Curve != key:
		peer.heard = false
		p.refuse(peer, "Its certificate is of another key.")
		return
	}
	repeated := peer.heard && circle == peer.circle && holds == peer.holds && slices.Equal(cert.Encoded, peer.cert.Encoded)
	peer.heard, peer.cert, peer.circle, peer.holds = true, cert, circle, holds
	p.decideAll(now)
	if repeated && peer.again.IsZero() && now.Sub(peer.sentAt) >= certAnswerAfter {
		p.send(now, peer)
	}
}

// Advance says certificates again that are due.
func (p *Pairing) Advance(now time.Time) {
	for _, peer := range p.peers {
		if !peer.again.IsZero() && !now.Before(peer.again) {
			p.send(now, peer)
		}
		if p.gaveUp(now, peer) {
			p.decide(now, peer)
		}
	}
}

// Deadline returns when Advance is next needed; zero for never.
func (p *Pairing) Deadline() (next time.Time) {
	for _, peer := range p.peers {
		if !peer.again.IsZero() && (next.IsZero() || peer.again.Before(next)) {
			next = peer.again
		}
		if at := p.givesUpAt(peer); !at.IsZero() && peer.met.Next != StepFound && (next.IsZero() || at.Before(next)) {
			next = at
		}
	}
	return next
}

// Output returns what to do and forgets it.
func (p *Pairing) Output() PairingOutput {
	out := p.out
	p.out = PairingOutput{}
	return out
}

// decideAll decides anew about every peer, since what one of them says can change
// what is right for another, and tells those who have to know what has changed here.
func (p *Pairing) decideAll(now time.Time) {
	for _, peer := range p.peers {
		p.decide(now, peer)
		if peer.told != p.circle || peer.toldOf != p.holds && peer.met.Next != StepSettled {
			p.send(now, peer)
		}
	}
}

// decide says what the two certificates mean, if that is news.
func (p *Pairing) decide(now time.Time, peer *pairingPeer) {
	if !peer.heard {
		return
	}
	switch {
	case !p.orphans(peer):
		peer.orphaned = time.Time{}
	case peer.orphaned.IsZero():
		peer.orphaned = now
	}
	step := p.step(now, peer)
	if step == StepApart {
		p.refuse(peer, apart(peer.cert.Name))
	} else {
		peer.refused = ""
	}
	if step == StepSettled {
		peer.again = time.Time{}
	}
	met := Met{Cert: peer.cert, Circle: peer.circle, Next: step}
	if met.Next != peer.met.Next || met.Circle != peer.met.Circle || !slices.Equal(met.Cert.Encoded, peer.met.Cert.Encoded) {
		peer.met = met
		p.out.Met = append(p.out.Met, met)
	}
}

// refuse says why, once, and stops asking: what was wrong does not mend itself.
func (p *Pairing) refuse(peer *pairingPeer, why string) {
	peer.again = time.Time{}
	if peer.refused == why {
		return
	}
	peer.refused, peer.met = why, Met{}
	p.out.Refused = append(p.out.Refused, Refused{peer.key, why})
}

// send says the own certificate and circle, and again later unless the two are
// settled or refused.
func (p *Pairing) send(now time.Time, peer *pairingPeer) {
	p.out.Send = append(p.out.Send, CertTo{peer.key, encodeCert(p.own, p.circle, p.holds)})
	peer.sentAt, peer.told, peer.toldOf = now, p.circle, p.holds
	if peer.met.Next == StepSettled || peer.refused != "" {
		peer.again = time.Time{}
		return
	}
	peer.wait = min(cmp.Or(2*peer.wait, certAgainMin), certAgainMax)
	peer.again = now.Add(peer.wait)
}

func (p *Pairing) find(key zsync.Key) (int, bool) {
	return slices.BinarySearchFunc(p.peers, key, func(peer *pairingPeer, k zsync.Key) int { return peer.key.Compare(k) })
}

type certMessage struct {
	Cert   cbor.RawMessage `cbor:"1,keyasint"`
	Circle *zsync.SpaceID  `cbor:"2,keyasint,omitempty"`
	Holds  Hold            `cbor:"3,keyasint,omitempty"`
}

func encodeCert(own Certificate, circle zsync.SpaceID, holds Hold) []byte {
	message := certMessage{Cert: own.Encoded}
	if !circle.IsZero() {
		message.Circle, message.Holds = &circle, holds
	}
	return wire.Marshal(message)
}

func decodeCert(body []byte) (cert Certificate, circle zsync.SpaceID, holds Hold, err error) {
	if len(body) > certBodyBytesMax {
		return cert, circle, 0, fmt.Errorf("%d octets, at most %d", len(body), certBodyBytesMax)
	}
	var message certMessage
	if err := wire.Unmarshal(body, &message); err != nil {
		return cert, circle, 0, err
	}
	if message.Holds > Loose || message.Holds != Firm && message.Circle == nil {
		return cert, circle, 0, fmt.Errorf("it is in its circle as %d", message.Holds)
	}
	if message.Circle != nil {
		if circle = *message.Circle; circle.IsZero() {
			return cert, circle, 0, fmt.Errorf("its circle is zero")
		}
	}
	cert, err = ParseCertificate(message.Cert)
	return cert, circle, message.Holds, err
}
