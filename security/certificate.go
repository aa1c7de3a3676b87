package security

import (
	"bytes"
	"cmp"
	"crypto/ed25519"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/internal/wire"
)

const (
	// DeviceNameBytesMax is the longest name of a device, in octets.
	DeviceNameBytesMax = 64

	certificateBytesMax = 512 // the longest there can be has about 290 octets
	certificatePurpose  = "zsync/certificate/1\x00"
)

var (
	// ErrCertificate is wrapped by every error about a certificate that is not
	// well-formed or not signed by the key that it names.
	ErrCertificate = errors.New("bad certificate")
	// ErrDeviceName is wrapped by every error about a name that no device may have.
	ErrDeviceName = errors.New("unusable device name")
)

// Certificate is a device's public keys and name, signed by the device. Having
// one proves nothing about who sent it: it is the channel authenticated by
// Curve, or an admin's event, that ties it to a device.
type Certificate struct {
	Curve   zsync.Key         // transport
	Sign    ed25519.PublicKey // events; names the device
	Seal    [32]byte          // X25519; what is encrypted to the device
	Name    string            // what people call it: see [ParseDeviceName]
	Serial  uint64            // a higher one replaces a lower one
	Encoded []byte            // as signed and stored; nobody re-encodes it
}

type certificate struct {
	Text []byte `cbor:"1,keyasint"`
	Sig  []byte `cbor:"2,keyasint"`
}

type certificateText struct {
	Curve  [32]byte `cbor:"1,keyasint"`
	Sign   [32]byte `cbor:"2,keyasint"`
	Seal   [32]byte `cbor:"3,keyasint"`
	Name   string   `cbor:"4,keyasint"`
	Serial uint64   `cbor:"5,keyasint"`
}

// Certify returns this device's certificate. name came out of
// [ParseDeviceName]; Certify panics for one that could not have.
func (k *Keys) Certify(name string, serial uint64) Certificate {
	if err := checkDeviceName(name); err != nil {
		panic("security: " + err.Error())
	}
	text := wire.Marshal(certificateText{k.curve, [32]byte(k.SignPublic()), k.seal, name, serial})
	return Certificate{
		Curve:   k.curve,
		Sign:    k.SignPublic(),
		Seal:    k.seal,
		Name:    name,
		Serial:  serial,
		Encoded: wire.Marshal(certificate{text, k.Sign(append([]byte(certificatePurpose), text...))}),
	}
}

// ParseCertificate reads and verifies a certificate. It is the only door to one
// that came from a wire or a file. The result shares no memory with data.
func ParseCertificate(data []byte) (Certificate, error) {
	if len(data) > certificateBytesMax {
		return Certificate{}, fmt.Errorf("%w: %d octets, at most %d", ErrCertificate, len(data), certificateBytesMax)
	}
	c, outer, err := decodeCertificate(data)
	switch {
	case err != nil:
		return Certificate{}, fmt.Errorf("%w: %w", ErrCertificate, err)
	case c.Curve[0] == 0:
		return Certificate{}, fmt.Errorf("%w: the CURVE key begins with octet 0", ErrCertificate)
	case !ed25519.Verify(c.Sign, append([]byte(certificatePurpose), outer.Text...), outer.Sig):
		return Certificate{}, fmt.Errorf("%w: its signature does not match", ErrCertificate)
	}
	if err := checkDeviceName(c.Name); err != nil {
		return Certificate{}, fmt.Errorf("%w: %w", ErrCertificate, err)
	}
	return c, nil
}

// decodeCertificate reads without judging: enough for what was judged before it
// was stored.
func decodeCertificate(data []byte) (Certificate, certificate, error) {
	var outer certificate
	if err := wire.Unmarshal(data, &outer); err != nil {
		return Certificate{}, outer, err
	}
	var text certificateText
	if err := wire.Unmarshal(outer.Text, &text); err != nil {
		return Certificate{}, outer, err
	}
	return Certificate{text.Curve, text.Sign[:], text.Seal, text.Name, text.Serial, bytes.Clone(data)}, outer, nil
}

// Device returns the id of the device that the certificate is of.
func (c Certificate) Device() zsync.DeviceID { return zsync.DeviceOf(c.Sign) }

// IsZero reports whether there is no certificate.
func (c Certificate) IsZero() bool { return len(c.Encoded) == 0 }

// newer orders two certificates of one device, the same way everywhere.
func (c Certificate) newer(o Certificate) bool {
	return cmp.Or(cmp.Compare(c.Serial, o.Serial), bytes.Compare(c.Encoded, o.Encoded)) > 0
}

// ParseDeviceName is the only door to a device's name for text from a person:
// 1 to [DeviceNameBytesMax] octets of UTF-8 without control characters, which
// could steer a terminal. White space around it is dropped.
func ParseDeviceName(text string) (string, error) {
	name := strings.TrimSpace(text)
	return name, checkDeviceName(name)
}

func checkDeviceName(name string) error {
	switch {
	case name == "" || len(name) > DeviceNameBytesMax:
		return fmt.Errorf("%w: %d octets, 1 to %d are allowed", ErrDeviceName, len(name), DeviceNameBytesMax)
	case !utf8.ValidString(name):
		return fmt.Errorf("%w %q: not UTF-8", ErrDeviceName, name)
	case strings.ContainsFunc(name, steersTerminal):
		return fmt.Errorf("%w %q: holds control characters", ErrDeviceName, name)
	}
	return nil
}

// steersTerminal lists its ranges itself, rather than ask package unicode: the
// judgement of a certificate must not change with the tables of a Go release.
func steersTerminal(r rune) bool {
	return r < 0x20 || r >= 0x7f && r < 0xa0 || // control characters
		r == 0x2028 || r == 0x2029 || // line and paragraph separator
		r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069 // writing direction
}
