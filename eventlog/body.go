package eventlog

import (
	"bytes"
	"crypto/ed25519"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/internal/wire"
)

// Type says what a space is for.
type Type uint64

// The types of spaces. Numbers are format.
const (
	Circle Type = 1 // a person's devices
	Folder Type = 2 // a shared folder
)

// foldVersion is the one set of rules by which this program reads a log.
const foldVersion = 1

// Genesis is the body of the event that founds a space (kind 1).
type Genesis struct {
	Type        Type       `cbor:"1,keyasint"`
	FoldVersion uint64     `cbor:"2,keyasint"` // always 1
	Nonce       [16]byte   `cbor:"3,keyasint"` // makes the space id unlike any other
	Open        WriterOpen `cbor:"4,keyasint"` // the founder's; endorsed over a zero space id
}

// WriterOpen is the body of the first event of every other writer (kind 2): the
// device says that the writer is its own.
type WriterOpen struct {
	Device      [32]byte `cbor:"1,keyasint"` // the device's Ed25519 public key
	Writer      [32]byte `cbor:"2,keyasint"` // the writer's
	Incarnation [16]byte `cbor:"3,keyasint"`
	Reason      uint64   `cbor:"4,keyasint"` // 0 first, 1 state lost or restored, 2 forked
	Endorsement [64]byte `cbor:"5,keyasint"`
}

// ForkProof is the body of a fork proof (kind 9): two events that one writer
// signed for one seq. Headers ascend.
type ForkProof struct {
	HeaderA []byte   `cbor:"1,keyasint"`
	SigA    [64]byte `cbor:"2,keyasint"`
	HeaderB []byte   `cbor:"3,keyasint"`
	SigB    [64]byte `cbor:"4,keyasint"`
}

// DecodeGenesis reads the body of a genesis. The endorsement is not checked.
func DecodeGenesis(body []byte) (Genesis, error) {
	var g Genesis
	if err := wire.Unmarshal(body, &g); err != nil {
		return Genesis{}, malformed("genesis: %v", err)
	}
	if g.FoldVersion != foldVersion || g.Type == 0 {
		return Genesis{}, malformed("genesis of type %d with fold version %d", g.Type, g.FoldVersion)
	}
	return g, nil
}

// DecodeWriterOpen reads the body of a writer_open. The endorsement is not
// checked.
func DecodeWriterOpen(body []byte) (WriterOpen, error) {
	var o WriterOpen
	if err := wire.Unmarshal(body, &o); err != nil {
		return WriterOpen{}, malformed("writer_open: %v", err)
	}
	return o, nil
}

// DecodeForkProof reads the body of a fork proof. It proves nothing until its
// signatures are checked against the writer's key.
func DecodeForkProof(body []byte) (ForkProof, error) {
	var p ForkProof
	if err := wire.Unmarshal(body, &p); err != nil {
		return ForkProof{}, malformed("fork proof: %v", err)
	}
	return p, nil
}

// writerOpen returns what a says when it opens its writer.
func (a Author) writerOpen() WriterOpen {
	o := WriterOpen{Incarnation: a.Incarnation, Reason: a.Reason}
	copy(o.Device[:], a.Device)
	copy(o.Writer[:], a.public())
	copy(o.Endorsement[:], a.Endorsement)
	return o
}

// endorsed reports whether the device signed for the writer in that space.
func (o *WriterOpen) endorsed(space zsync.SpaceID) bool {
	text := EndorsementText(space, o.Writer[:], o.Incarnation)
	return ed25519.Verify(o.Device[:], text, o.Endorsement[:])
}

// opening returns the writer_open that the first event of a writer carries and
// the space id that its keys were made for.
func opening(r *read) (WriterOpen, zsync.SpaceID, error) {
	if r.header.Kind == zsync.KindGenesis {
		g, err := DecodeGenesis(r.Body)
		return g.Open, zsync.SpaceID{}, err
	}
	o, err := DecodeWriterOpen(r.Body)
	return o, r.header.Space, err
}

// proofOf makes the proof that two different events of one writer and seq are.
func proofOf(a, b Envelope) ForkProof {
	if bytes.Compare(a.Header, b.Header) > 0 {
		a, b = b, a
	}
	return ForkProof{
		HeaderA: a.Header, SigA: [64]byte(a.Sig),
		HeaderB: b.Header, SigB: [64]byte(b.Sig),
	}
}

// accused returns which writer the proof is about, and the seq. Signatures are
// not checked.
func (p *ForkProof) accused(space zsync.SpaceID) (zsync.WriterID, uint64, error) {
	a, err := parseHeader(p.HeaderA)
	if err != nil {
		return zsync.WriterID{}, 0, err
	}
	b, err := parseHeader(p.HeaderB)
	if err != nil {
		return zsync.WriterID{}, 0, err
	}
	switch {
	case a.Writer != b.Writer || a.Seq != b.Seq || bytes.Compare(p.HeaderA, p.HeaderB) >= 0:
		return zsync.WriterID{}, 0, malformed("headers that prove no fork")
	case a.Space != space || b.Space != space:
		return zsync.WriterID{}, 0, malformed("fork proof of another space")
	}
	return a.Writer, a.Seq, nil
}

// equal reports whether p and o are the same octets.
func (p *ForkProof) equal(o *ForkProof) bool {
	return bytes.Equal(p.HeaderA, o.HeaderA) && bytes.Equal(p.HeaderB, o.HeaderB) && p.SigA == o.SigA && p.SigB == o.SigB
}

// signedBy reports whether key signed both headers.
func (p *ForkProof) signedBy(key ed25519.PublicKey) bool {
	return ed25519.Verify(key, signatureText(p.HeaderA), p.SigA[:]) &&
		ed25519.Verify(key, signatureText(p.HeaderB), p.SigB[:])
}
