package zsync

import (
	"bytes"
	"crypto/sha256"
	"encoding/base32"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
)

type (
	// DeviceID is the SHA-256 of a device's Ed25519 public key.
	DeviceID [32]byte
	// SpaceID is the first 16 octets of the space's genesis event id.
	SpaceID [16]byte
	// WriterID names one signing chain in one space.
	WriterID [16]byte
	// NodeID names a file or directory through all its renames. Zero is the
	// folder's root.
	NodeID [16]byte
	// EventID is SHA-256("zsync/event/1\0" | header).
	EventID [32]byte
	// Digest is the SHA-256 that names a content: of the bytes themselves up to
	// ContentChunkMax, of the root of their chunk list above.
	Digest [32]byte
	// Key is a device's CURVE (X25519) public key: what people pair by.
	Key [32]byte
)

// Compare orders ids octet by octet.
func (id DeviceID) Compare(o DeviceID) int { return bytes.Compare(id[:], o[:]) }

// Compare orders ids octet by octet.
func (id SpaceID) Compare(o SpaceID) int { return bytes.Compare(id[:], o[:]) }

// Compare orders ids octet by octet.
func (id WriterID) Compare(o WriterID) int { return bytes.Compare(id[:], o[:]) }

// Compare orders ids octet by octet.
func (id NodeID) Compare(o NodeID) int { return bytes.Compare(id[:], o[:]) }

// Compare orders ids octet by octet.
func (id EventID) Compare(o EventID) int { return bytes.Compare(id[:], o[:]) }

// Compare orders digests octet by octet.
func (d Digest) Compare(o Digest) int { return bytes.Compare(d[:], o[:]) }

// Compare orders keys octet by octet.
func (k Key) Compare(o Key) int { return bytes.Compare(k[:], o[:]) }

func (id DeviceID) String() string { return hex.EncodeToString(id[:]) }
func (id SpaceID) String() string  { return hex.EncodeToString(id[:]) }
func (id WriterID) String() string { return hex.EncodeToString(id[:]) }
func (id NodeID) String() string   { return hex.EncodeToString(id[:]) }
func (id EventID) String() string  { return hex.EncodeToString(id[:]) }
func (d Digest) String() string    { return hex.EncodeToString(d[:]) }

// IsZero reports whether no device is named.
func (id DeviceID) IsZero() bool { return id == DeviceID{} }

// IsZero reports whether no space is named.
func (id SpaceID) IsZero() bool { return id == SpaceID{} }

// IsZero reports whether the node is the folder's root.
func (id NodeID) IsZero() bool { return id == NodeID{} }

// IsZero reports whether no content is named.
func (d Digest) IsZero() bool { return d == Digest{} }

// Space returns the space that a genesis event founds.
func (id EventID) Space() SpaceID { return SpaceID(id[:16]) }

// DeviceOf returns the id of the device that holds the given Ed25519 public key.
func DeviceOf(signPublic []byte) DeviceID { return sha256.Sum256(signPublic) }

// EmptyContent is the digest of no bytes; it is never requested from a peer.
var EmptyContent = Digest(sha256.Sum256(nil))

// ParseSpaceID reads 32 hexadecimal digits.
func ParseSpaceID(text string) (SpaceID, error) {
	var id SpaceID
	return id, parseHex(id[:], text)
}

// ParseDeviceID reads 64 hexadecimal digits.
func ParseDeviceID(text string) (DeviceID, error) {
	var id DeviceID
	return id, parseHex(id[:], text)
}

// ParseDigest reads 64 hexadecimal digits.
func ParseDigest(text string) (Digest, error) {
	var d Digest
	return d, parseHex(d[:], text)
}

func parseHex(into []byte, text string) error {
	raw, err := hex.DecodeString(text)
	if err != nil || len(raw) != len(into) {
		return fmt.Errorf("%q is not %d hexadecimal digits", text, 2*len(into))
	}
	copy(into, raw)
	return nil
}

const (
	keyPrefix   = "zs1"
	keySumBytes = 3
)

var keyText = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// ErrKeyTyping is returned for a key whose checksum does not match: it was
// mistyped or cut short, and no device has it.
var ErrKeyTyping = errors.New("the key is mistyped: its checksum does not match")

// String returns the key as people exchange it: "zs1" and lower-case base32 of
// the 32 octets and a 3-octet checksum.
func (k Key) String() string {
	sum := keySum(k)
	return keyPrefix + keyText.EncodeToString(append(k[:], sum[:]...))
}

// Short returns enough of the key to recognise it, for messages and logs.
func (k Key) Short() string { return k.String()[:10] + "…" }

// IsZero reports whether there is no key.
func (k Key) IsZero() bool { return k == Key{} }

// ParseKey reads what [Key.String] wrote. White space around it and upper case
// are forgiven; anything else that is not a key is [ErrKeyTyping].
func ParseKey(text string) (Key, error) {
	body, found := strings.CutPrefix(strings.ToLower(strings.TrimSpace(text)), keyPrefix)
	if !found {
		return Key{}, fmt.Errorf("a key begins with %q: %w", keyPrefix, ErrKeyTyping)
	}
	raw, err := keyText.DecodeString(body)
	if err != nil || len(raw) != len(Key{})+keySumBytes {
		return Key{}, ErrKeyTyping
	}
	key := Key(raw[:len(Key{})])
	// Base32 lets a letter too many pass, so the whole text is compared.
	if key.IsZero() || key.String() != keyPrefix+body {
		return Key{}, ErrKeyTyping
	}
	return key, nil
}

func keySum(k Key) [keySumBytes]byte {
	sum := sha256.Sum256(append([]byte("zsync/key/1"), k[:]...))
	return [keySumBytes]byte(sum[:keySumBytes])
}
