package security

import (
	"bytes"
	"fmt"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/internal/kv"
)

// decoded is a standing, and the octets that say so.
type decoded struct {
	octets []byte
	member Member
}

// decodedMax is how many of them are in memory.
const decodedMax = 256

func (m *Members) member(tx kv.Tx, device zsync.DeviceID) (Member, bool) {
	octets := tx.Get(bucketMembers, keyOf(ofDevice, device[:]))
	if octets == nil {
		return Member{}, false
	}
	known := m.decoded[device]
	if !bytes.Equal(known.octets, octets) {
		known = decoded{bytes.Clone(octets), decodeMember(tx, device, octets)}
		m.remember(tx, device, known)
	}
	return known.member, true
}

func (m *Members) remember(tx kv.Tx, device zsync.DeviceID, known decoded) {
	if tx.Err() != nil {
		return // a damaged record fails each transaction that reads it
	}
	if len(m.decoded) >= decodedMax {
		clear(m.decoded)
	}
	m.decoded[device] = known
}

func decodeMember(tx kv.Tx, device zsync.DeviceID, octets []byte) Member {
	var s standing
	read(tx, octets, &s)
	member := Member{Device: device, Right: s.Right}
	if len(s.Cert) > 0 {
		cert, _, err := decodeCertificate(s.Cert) // judged when it was admitted
		if err != nil {
			tx.Fail(fmt.Errorf("%w: %w", errMembers, err))
		}
		member.Cert = cert
	}
	return member
}
