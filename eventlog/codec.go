package eventlog

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/internal/wire"
)

// ErrMalformed is wrapped by every error about octets that are no event, no
// body and no message of this format.
var ErrMalformed = errors.New("eventlog: malformed")

func malformed(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrMalformed, fmt.Sprintf(format, args...))
}

// DecodeEnvelope reads the deterministic CBOR form of an envelope, and no other
// form. What it returns aliases data. Neither header nor signature is looked
// into. It is written out by hand because bodies are large and need no copy.
func DecodeEnvelope(data []byte) (Envelope, error) {
	r := wire.NewReader(data)
	expect(r, 0xa3) // a map of three pairs
	var e Envelope
	expect(r, 1)
	e.Header = byteString(r, HeaderBytesMax)
	expect(r, 2)
	e.Sig = byteString(r, ed25519.SignatureSize)
	expect(r, 3)
	e.Body = byteString(r, BodyBytesMax)
	if err := r.End(); err != nil {
		return Envelope{}, malformed("envelope: %v", err)
	}
	if len(e.Sig) != ed25519.SignatureSize {
		return Envelope{}, malformed("signature of %d octets", len(e.Sig))
	}
	return e, nil
}

// Encode returns the envelope's one encoding.
func (e Envelope) Encode() []byte {
	const framing = 1 + 3*(1+5)
	data := make([]byte, 0, len(e.Header)+len(e.Sig)+len(e.Body)+framing)
	data = appendByteString(append(data, 0xa3, 1), e.Header)
	data = appendByteString(append(data, 2), e.Sig)
	return appendByteString(append(data, 3), e.Body)
}

func expect(r *wire.Reader, octet uint8) {
	if r.Uint8() != octet {
		r.Fail(wire.ErrNotCanonical)
	}
}

// byteString takes a CBOR byte string of at most limit octets whose length is
// written in the shortest form.
func byteString(r *wire.Reader, limit int) []byte {
	const major = 2 << 5
	head := r.Uint8()
	n, least := uint64(head&0x1f), uint64(0)
	switch n {
	case 24:
		n, least = uint64(r.Uint8()), 24
	case 25:
		n, least = uint64(r.Uint16()), 1<<8
	case 26:
		n, least = uint64(r.Uint32()), 1<<16
	}
	switch {
	case head&0xe0 != major || head > major+26 || n < least:
		r.Fail(wire.ErrNotCanonical)
	case n > uint64(limit):
		r.Fail(wire.ErrLimit)
	}
	if r.Err() != nil {
		return nil
	}
	return r.Bytes(int(n))
}

func appendByteString(data, octets []byte) []byte {
	const major = 2 << 5
	switch n := len(octets); {
	case n < 24:
		data = append(data, major|byte(n))
	case n < 1<<8:
		data = append(data, major+24, byte(n))
	case n < 1<<16:
		data = binary.BigEndian.AppendUint16(append(data, major+25), uint16(n))
	default:
		data = binary.BigEndian.AppendUint32(append(data, major+26), uint32(n))
	}
	return append(data, octets...)
}

// read is an envelope whose header was decoded and whose body is the one that
// the header names. Its signature was not checked.
type read struct {
	Envelope
	header zsync.Header
	id     zsync.EventID
}

// parse reads what an envelope of the given space says. It checks all that can
// be checked without any other event.
func parse(e Envelope, space zsync.SpaceID) (read, error) {
	h, err := parseHeader(e.Header)
	if err != nil {
		return read{}, err
	}
	id := eventID(e.Header)
	named := h.Space
	if h.Kind == zsync.KindGenesis {
		named = id.Space()
	}
	switch {
	case named != space:
		return read{}, malformed("event of space %s", named)
	case len(e.Sig) != ed25519.SignatureSize:
		return read{}, malformed("signature of %d octets", len(e.Sig))
	case h.BodyLen != uint64(len(e.Body)) || h.BodyHash != sha256.Sum256(e.Body):
		return read{}, malformed("another body than the header's")
	}
	return read{Envelope: e, header: h, id: id}, nil
}

func (r *read) signedBy(key ed25519.PublicKey) bool {
	return ed25519.Verify(key, signatureText(r.Header), r.Sig)
}

// parseHeader reads a header and checks what it says of itself.
func parseHeader(data []byte) (zsync.Header, error) {
	var h zsync.Header
	if len(data) > HeaderBytesMax {
		return h, malformed("header of %d octets", len(data))
	}
	if err := wire.Unmarshal(data, &h); err != nil {
		return h, malformed("header: %v", err)
	}
	err := checkHeader(&h)
	return h, err
}

func checkHeader(h *zsync.Header) error {
	genesis, first := h.Kind == zsync.KindGenesis, h.Seq == 1
	opening := genesis || h.Kind == zsync.KindWriterOpen
	switch {
	case h.Version != 1 || h.Flags != 0:
		return malformed("version %d with flags %d", h.Version, h.Flags)
	case h.Seq == 0 || first != (h.Prev == nil) || first != opening:
		return malformed("event %d of kind %d does not stand where its kind does", h.Seq, h.Kind)
	case opening && h.KeyEpoch != 0:
		return malformed("sealed opening of a writer")
	case genesis && (h.Lamport != 1 || len(h.Deps) > 0 || len(h.Auth) > 0 || h.Space != zsync.SpaceID{}):
		return malformed("genesis with a past")
	case (first && !genesis || h.Kind == zsync.KindMember) && len(h.Auth) == 0:
		return malformed("event of kind %d without auth", h.Kind)
	case h.Lamport == 0 || h.Lamport >= lamportEnd:
		return malformed("lamport %d", h.Lamport)
	case h.BodyLen > BodyBytesMax:
		return malformed("body of %d octets", h.BodyLen)
	}
	return checkPast(h)
}

// checkPast checks the lists of a header: bounded, ascending, of others.
func checkPast(h *zsync.Header) error {
	if len(h.Deps) > depsMax || len(h.Auth) > authMax {
		return malformed("%d deps, %d auth", len(h.Deps), len(h.Auth))
	}
	for i, dep := range h.Deps {
		if dep.Seq == 0 || dep.Writer == h.Writer || i > 0 && h.Deps[i-1].Writer.Compare(dep.Writer) >= 0 {
			return malformed("deps that are not ascending tips of others")
		}
	}
	for i := 1; i < len(h.Auth); i++ {
		if bytes.Compare(h.Auth[i-1][:], h.Auth[i][:]) >= 0 {
			return malformed("auth that does not ascend")
		}
	}
	return nil
}
