package device

import (
	"slices"
	"time"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/security"
)

// pair trusts a typed key as far as proving itself, and dials its address.
func (l *LinkMachine) pair(now time.Time, in Pair) {
	if err := l.trust.Pend(now, in.Key, in.Address); err != nil {
		l.knocks.refused(now, in.Key, err.Error())
		return
	}
	l.trustChanged(now)
	record, _ := l.trust.ByKey(in.Key)
	addresses := slices.Clone(record.Addresses)
	if in.Address != "" && !slices.Contains(addresses, in.Address) {
		addresses = append(addresses, in.Address)
	}
	for _, address := range addresses {
		l.node.RequireAnew(now, endpointOf(address), in.Key)
	}
}

// circleIs takes the circle and its members from home.
func (l *LinkMachine) circleIs(now time.Time, in CircleIs) {
	l.circle = in.Space
	for _, member := range in.Members {
		if member.Curve == l.cfg.Keys.Key() || member.IsZero() {
			continue
		}
		if err := l.trust.Enrol(now, member); err != nil {
			l.knocks.refused(now, member.Curve, err.Error())
		}
	}
	l.pairing.SetCircle(now, in.Space, in.Holds)
	l.introduce(now)
}

// AdmissionOf is whom a device lets in that trusts so.
func AdmissionOf(trust *security.Trust) Admission {
	who := Admission{Revoked: trust.Revoked()}
	for _, key := range trust.Trusted() {
		if trust.Admit(key) == security.DecisionPending {
			who.Pending = append(who.Pending, key)
		} else {
			who.Trusted = append(who.Trusted, key)
		}
	}
	return who
}

// trustChanged lets the gate and home know who is trusted now, if that is news.
func (l *LinkMachine) trustChanged(now time.Time) {
	if l.trust.Revision() == l.told {
		return
	}
	l.told = l.trust.Revision()
	who := AdmissionOf(l.trust)
	l.emit(Address{Part: Gate}, who)
	l.emit(Address{Part: Home}, SaveTrust{l.trust.Text()})
	l.admit(now, who)
	l.retrySeeds(now)
}

// admit lets the node know who is trusted, and ends what stands with those who
// are no longer: revoked, replaced by another key of the same device, or pending
// for too long.
func (l *LinkMachine) admit(now time.Time, who Admission) {
	was := l.known
	l.known, l.pending = l.trust.Trusted(), len(who.Pending) > 0
	gone := slices.DeleteFunc(was, func(key zsync.Key) bool {
		_, still := slices.BinarySearchFunc(l.known, key, zsync.Key.Compare)
		return still
	})
	for _, key := range slices.Concat(gone, who.Revoked) {
		l.node.Drop(now, key)
		l.transfers.exited(now, key)
		delete(l.certs, key)
	}
	for _, key := range who.Pending {
		l.node.Confine(now, key)
	}
	for _, key := range who.Trusted {
		l.node.Admit(now, key)
	}
}

// unmask ends what stands with the owner of a key under the name of another device.
// The circle's log may have named that one for the key, and its owner now shows
// otherwise: the machines would take what it says for the other's.
func (l *LinkMachine) unmask(now time.Time, cert security.Certificate) {
	for _, p := range l.sortedPeers() {
		if p.key != cert.Curve || len(p.told) == 0 || p.device == cert.Device() {
			continue
		}
		for _, space := range sortedSpaces(p.told) {
			l.unlink(p, space, time.Time{})
		}
		l.transfers.exited(now, p.key)
	}
}

func (l *LinkMachine) drainPairing(now time.Time) bool {
	out := l.pairing.Output()
	for _, send := range out.Send {
		for _, p := range l.sortedPeers() {
			if p.key == send.Key {
				l.node.Whisper(now, p.uuid, encodeMessage(typeCert, send.Body))
			}
		}
	}
	for _, met := range out.Met {
		if met.Next == security.StepApart { // it stays as much of a stranger as it is
			l.emit(Address{Part: Home}, met)
			continue
		}
		if err := l.trust.Pin(now, met.Cert); err != nil {
			l.knocks.refused(now, met.Cert.Curve, err.Error())
			continue
		}
		l.unmask(now, met.Cert)
		l.trustChanged(now)
		l.emit(Address{Part: Home}, met)
	}
	if len(out.Met) > 0 {
		l.introduce(now)
	}
	for _, refused := range out.Refused {
		l.knocks.refused(now, refused.Key, refused.Why)
	}
	return len(out.Send)+len(out.Met) > 0
}
