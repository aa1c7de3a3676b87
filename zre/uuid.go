package zre

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"strings"
)

// UUID names one run of one node: 16 random octets, new at each start.
type UUID [16]byte

// ParseUUID reads 32 hexadecimal digits, in either case, without dashes.
func ParseUUID(text string) (UUID, error) {
	raw, err := hex.DecodeString(text)
	if err != nil || len(raw) != len(UUID{}) {
		return UUID{}, fmt.Errorf("zre: %q is not a UUID of 32 hexadecimal digits", text)
	}
	return UUID(raw), nil
}

// String returns the 32 upper-case digits that every ZRE implementation uses:
// Zyre compares this text, so its case is format.
func (u UUID) String() string { return strings.ToUpper(hex.EncodeToString(u[:])) }

// Compare orders UUIDs octet by octet, which is also the order of their texts.
func (u UUID) Compare(o UUID) int { return bytes.Compare(u[:], o[:]) }

// IsZero reports whether no node is named.
func (u UUID) IsZero() bool { return u == UUID{} }

// The routing id under which a node dials (36/ZRE, Protocol Grammar): one octet
// 1, which keeps it clear of the ids that ZeroMQ invents, and the UUID.
const (
	identityBytes = 17
	identityMark  = 1
)

func (u UUID) identity() []byte { return append([]byte{identityMark}, u[:]...) }

func parseIdentity(identity []byte) (UUID, bool) {
	if len(identity) != identityBytes || identity[0] != identityMark {
		return UUID{}, false
	}
	return UUID(identity[1:]), true
}
