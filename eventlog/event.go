package eventlog

import (
	"crypto/ed25519"
	"crypto/sha256"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/internal/kv"
)

// The limits of one event. They are format: an event beyond them exists for no
// device.
const (
	// HeaderBytesMax is the longest encoded header, in octets.
	HeaderBytesMax = 4 << 10
	// BodyBytesMax is the longest body as stored, in octets.
	BodyBytesMax = 256 << 10

	depsMax        = 32
	authMax        = 32
	lamportEnd     = 1 << 60 // the first lamport that no event may have
	lamportJumpMax = 1 << 32 // one event cannot use up more of the range
)

// Envelope is an event as it is stored and sent: nobody re-encodes it, since
// the id and the signature cover these very octets.
type Envelope struct {
	Header []byte `cbor:"1,keyasint"`
	Sig    []byte `cbor:"2,keyasint"`
	Body   []byte `cbor:"3,keyasint"`
}

// Event is an envelope that was read, checked and stored. Author is the device
// that its writer belongs to. Void events (not admitted, or past a fork cut)
// keep their place in the chain and mean nothing.
type Event struct {
	ID     zsync.EventID
	Header zsync.Header
	Author zsync.DeviceID
	Body   []byte
	Void   bool
}

// Authority decides who may say what in a space. Admit is called exactly once
// for each event, in causal order, in the transaction that stores it; it judges
// by the event and its causal past alone, and remembers what membership events
// say. In h, auth names no event past a cut: each of those was replaced by its
// own auth. Granting returns which of several admitted membership events gives
// device the strongest right, by itself and all in its past: the first of them,
// when several do; false when none gives it any. It is implemented by security.
type Authority interface {
	Admit(tx kv.Tx, h zsync.Header, id zsync.EventID, author zsync.DeviceID, body []byte) bool
	Granting(tx kv.Tx, among []zsync.EventID, device zsync.DeviceID) (zsync.EventID, bool)
}

// Forgetter is an [Authority] that can judge anew. When a cut voids membership
// events, Forget drops all that was remembered and Admit is called again for
// every event not past a cut, in causal order. An Authority without it keeps the
// rights that a voided event gave, and so may come to differ between devices.
type Forgetter interface {
	Forget(tx kv.Tx)
}

// Author is what this device signs with in one space.
type Author struct {
	Device      ed25519.PublicKey  // names the device
	Incarnation [16]byte           // random; new whenever state may have been lost
	Key         ed25519.PrivateKey // the writer's own
	Endorsement []byte             // the device key's signature over EndorsementText
	Reason      uint64             // 0 first, 1 state lost or restored, 2 forked
}

// public returns the writer's public key; nil for the zero Author.
func (a Author) public() ed25519.PublicKey {
	if len(a.Key) != ed25519.PrivateKeySize {
		return nil
	}
	return a.Key.Public().(ed25519.PublicKey)
}

// EndorsementText is what a device signs to make a writer its own. For the
// writer that founds a space, space is zero.
func EndorsementText(space zsync.SpaceID, writer ed25519.PublicKey, incarnation [16]byte) []byte {
	text := append([]byte("zsync/endorse/1\x00"), space[:]...)
	return append(append(text, writer...), incarnation[:]...)
}

// WriterOf returns the id of the writer with the given public key. For the
// writer that founds a space, space is zero.
func WriterOf(writer ed25519.PublicKey, space zsync.SpaceID) zsync.WriterID {
	text := append([]byte("zsync/writer/1"), writer...)
	sum := sha256.Sum256(append(text, space[:]...))
	return zsync.WriterID(sum[:16])
}

func eventID(header []byte) zsync.EventID {
	return sha256.Sum256(append([]byte("zsync/event/1\x00"), header...))
}

func signatureText(header []byte) []byte {
	return append([]byte("zsync/sig/1\x00"), header...)
}
