// Package wire reads and writes bounded octets: big-endian binary frames for
// ZRE and FILEMQ, and strict deterministic CBOR for the event log.
//
// A [Reader] never allocates more than the frame it was given and remembers the
// first thing that went wrong, so a decoder is a straight list of fields with
// one check at its end. What it returns aliases the frame.
package wire

import (
	"encoding/binary"
	"errors"
	"fmt"
)

var (
	// ErrShort is returned for a frame that ends before its fields do.
	ErrShort = errors.New("wire: frame too short")
	// ErrTrailing is returned for a frame that goes on after its fields.
	ErrTrailing = errors.New("wire: octets after the last field")
	// ErrLimit is returned for a count or length above its limit.
	ErrLimit = errors.New("wire: above the limit")
)

// Reader takes fields off the front of a frame.
type Reader struct {
	rest []byte
	err  error
}

// NewReader returns a Reader of frame, which it does not copy.
func NewReader(frame []byte) *Reader { return &Reader{rest: frame} }

// Err returns the first error met.
func (r *Reader) Err() error { return r.err }

// Rest returns what has not been read.
func (r *Reader) Rest() []byte { return r.rest }

// End returns the first error met, or ErrTrailing when octets are left.
func (r *Reader) End() error {
	if r.err == nil && len(r.rest) > 0 {
		r.err = ErrTrailing
	}
	return r.err
}

// Fail makes the Reader fail with err, unless it has failed before.
func (r *Reader) Fail(err error) {
	if r.err == nil {
		r.err = err
	}
}

// Bytes takes n octets; they alias the frame.
func (r *Reader) Bytes(n int) []byte {
	if r.err != nil || n < 0 || n > len(r.rest) {
		r.Fail(ErrShort)
		return nil
	}
	taken := r.rest[:n:n]
	r.rest = r.rest[n:]
	return taken
}

// Fill takes as many octets as into holds.
func (r *Reader) Fill(into []byte) { copy(into, r.Bytes(len(into))) }

// Uint8 takes one octet.
func (r *Reader) Uint8() uint8 {
	if b := r.Bytes(1); b != nil {
		return b[0]
	}
	return 0
}

// Uint16 takes two octets.
func (r *Reader) Uint16() uint16 {
	if b := r.Bytes(2); b != nil {
		return binary.BigEndian.Uint16(b)
	}
	return 0
}

// Uint32 takes four octets.
func (r *Reader) Uint32() uint32 {
	if b := r.Bytes(4); b != nil {
		return binary.BigEndian.Uint32(b)
	}
	return 0
}

// Uint64 takes eight octets.
func (r *Reader) Uint64() uint64 {
	if b := r.Bytes(8); b != nil {
		return binary.BigEndian.Uint64(b)
	}
	return 0
}

// String takes a one-octet length and as many octets.
func (r *Reader) String() string { return string(r.Bytes(int(r.Uint8()))) }

// LongString takes a four-octet length, at most limit, and as many octets.
func (r *Reader) LongString(limit int) string {
	n := r.Uint32()
	if int64(n) > int64(limit) {
		r.Fail(fmt.Errorf("%w: %d octets, at most %d", ErrLimit, n, limit))
		return ""
	}
	return string(r.Bytes(int(n)))
}

// Count checks a count that was read: at most limit, and each of the counted
// things at least itemBytes long, so that n of them can still be there. It
// returns 0 after a failure.
func (r *Reader) Count(n uint64, limit, itemBytes int) int {
	if r.err == nil && (n > uint64(limit) || n*uint64(itemBytes) > uint64(len(r.rest))) {
		r.Fail(fmt.Errorf("%w: %d items, at most %d in %d octets", ErrLimit, n, limit, len(r.rest)))
	}
	if r.err != nil {
		return 0
	}
	return int(n)
}

// AppendString appends a one-octet length and text, which is at most 255 octets.
func AppendString(frame []byte, text string) []byte {
	if len(text) > 255 {
		panic("wire: string of more than 255 octets")
	}
	return append(append(frame, byte(len(text))), text...)
}

// AppendLongString appends a four-octet length and text.
func AppendLongString(frame []byte, text string) []byte {
	return append(binary.BigEndian.AppendUint32(frame, uint32(len(text))), text...)
}
