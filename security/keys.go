package security

import (
	"crypto/ecdh"
	"crypto/ed25519"
	"crypto/hkdf"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"log/slog"

	"github.com/zsync/zsync"
)

// curveTriesMax bounds the re-rolling of a CURVE key: with honest randomness
// one key in 256 is refused.
const curveTriesMax = 64

// errNotRandom is met when a source of randomness repeats itself.
var errNotRandom = errors.New("security: the source of randomness repeats itself")

// Keys are a device's three secret keys. They never show in a log or in printed
// text: every way to format them gives the public halves.
type Keys struct {
	secrets secrets
	sign    ed25519.PrivateKey
	curve   zsync.Key
	seal    [32]byte // public
}

// secrets is all that has to be kept of Keys; its encoding is in docs/formats.md.
type secrets struct {
	Sign  [32]byte `cbor:"1,keyasint"` // Ed25519 seed
	Curve [32]byte `cbor:"2,keyasint"` // X25519 scalar
	Seal  [32]byte `cbor:"3,keyasint"` // X25519 scalar
}

// GenerateKeys makes a device's keys from random, which production takes from
// crypto/rand. A CURVE key whose public half begins with octet 0 is rolled
// again, since no peer accepts one.
func GenerateKeys(random io.Reader) (*Keys, error) {
	var s secrets
	for _, into := range [][]byte{s.Sign[:], s.Seal[:]} {
		if _, err := io.ReadFull(random, into); err != nil {
			return nil, fmt.Errorf("make keys: %w", err)
		}
	}
	for range curveTriesMax {
		if _, err := io.ReadFull(random, s.Curve[:]); err != nil {
			return nil, fmt.Errorf("make keys: %w", err)
		}
		if publicOf(s.Curve)[0] != 0 {
			return newKeys(s), nil
		}
	}
	return nil, errNotRandom
}

func newKeys(s secrets) *Keys {
	return &Keys{
		secrets: s,
		sign:    ed25519.NewKeyFromSeed(s.Sign[:]),
		curve:   publicOf(s.Curve),
		seal:    publicOf(s.Seal),
	}
}

// publicOf returns the public half of an X25519 secret. Any 32 octets are one.
func publicOf(secret [32]byte) [32]byte {
	key, err := ecdh.X25519().NewPrivateKey(secret[:])
	if err != nil {
		panic("security: X25519 refused 32 octets: " + err.Error())
	}
	return [32]byte(key.PublicKey().Bytes())
}

// Key returns the CURVE public key, which people pair by.
func (k *Keys) Key() zsync.Key { return k.curve }

// Device returns the device id: the SHA-256 of the Ed25519 public key.
func (k *Keys) Device() zsync.DeviceID { return zsync.DeviceOf(k.SignPublic()) }

// Curve returns both halves of the transport's key. The secret goes to the
// sockets and nowhere else.
func (k *Keys) Curve() (public, secret [32]byte) { return k.curve, k.secrets.Curve }

// SignPublic returns the Ed25519 public key that events are traced back to.
func (k *Keys) SignPublic() ed25519.PublicKey { return k.sign.Public().(ed25519.PublicKey) }

// SealPublic returns the X25519 public key that secrets for this device are
// encrypted to.
func (k *Keys) SealPublic() [32]byte { return k.seal }

// Sign signs text with the device's Ed25519 key. text begins with the string
// that names its use, so that no signature can be passed off as another.
func (k *Keys) Sign(text []byte) []byte { return ed25519.Sign(k.sign, text) }

// WriterKey returns the key of this device's signing chain in a space (zero for
// a genesis, which has no space yet). The same incarnation always gives the
// same key, so a chain's key is never stored.
func (k *Keys) WriterKey(space zsync.SpaceID, incarnation [16]byte) ed25519.PrivateKey {
	purpose := "zsync/writer/1" + string(space[:]) + string(incarnation[:])
	seed, err := hkdf.Key(sha256.New, k.secrets.Sign[:], nil, purpose, ed25519.SeedSize)
	if err != nil {
		panic("security: HKDF refused 32 octets: " + err.Error())
	}
	return ed25519.NewKeyFromSeed(seed)
}

// LogValue implements [slog.LogValuer] with the public halves.
func (k Keys) LogValue() slog.Value {
	return slog.GroupValue(slog.String("key", k.curve.String()), slog.String("device", k.Device().String()))
}

// Format implements [fmt.Formatter], for every verb, with the public key.
func (k Keys) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "keys of "+k.curve.Short()) }
