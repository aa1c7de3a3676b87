package eventlog

import (
	"github.com/zsync/zsync"
	"github.com/zsync/zsync/internal/wire"
)

// The types of the messages that an [Exchange] sends and receives. Numbers are
// format; WHISPER and SHOUT carry them as the second octet.
const (
	MessageHeads  uint8 = 1 // the digest of a frontier, and new events while they are small
	MessageVV     uint8 = 2 // a frontier
	MessagePull   uint8 = 3 // asks for events
	MessageEvents uint8 = 4 // answers a pull
	MessageFork   uint8 = 5 // a fork proof
	MessageNak    uint8 = 6 // refuses a space
)

// The codes of a NAK.
const (
	NakNotMember uint64 = 1
	NakNoSpace   uint64 = 2
	NakTwin      uint64 = 3 // another device with the asker's key is there too; it changes nothing else
)

const (
	messageBytesMax = 1 << 20   // of any message
	eventsBytesMax  = 512 << 10 // of envelopes in one EVENTS, unless the first alone is longer
	answersBytesMax = 1 << 20   // to one peer in one turn: what is asked for beyond that is not answered
	pushBytesMax    = 8 << 10   // of envelopes in one HEADS
	spansMax        = 1 << 10   // of one PULL
	forksMax        = 64        // FORK messages beside one VV
)

type headsBody struct {
	Space     zsync.SpaceID `cbor:"1,keyasint"`
	Frontier  [16]byte      `cbor:"2,keyasint"`
	Writers   uint64        `cbor:"3,keyasint"`
	Lamport   uint64        `cbor:"4,keyasint"`
	Envelopes [][]byte      `cbor:"5,keyasint,omitempty"`
}

// headPrefix is one writer's part of a frontier: enough of the id to see a fork.
type headPrefix struct {
	_      struct{} `cbor:",toarray"`
	Writer zsync.WriterID
	Seq    uint64
	Prefix [8]byte
}

type vvBody struct {
	Space  zsync.SpaceID `cbor:"1,keyasint"`
	Heads  []headPrefix  `cbor:"2,keyasint"`
	Answer bool          `cbor:"3,keyasint"`
}

type pullBody struct {
	Space  zsync.SpaceID `cbor:"1,keyasint"`
	Spans  []span        `cbor:"2,keyasint"`
	Credit uint64        `cbor:"3,keyasint"`
}

type eventsBody struct {
	Space     zsync.SpaceID `cbor:"1,keyasint"`
	Envelopes [][]byte      `cbor:"2,keyasint"`
	More      bool          `cbor:"3,keyasint"`
}

type forkBody struct {
	Space zsync.SpaceID `cbor:"1,keyasint"`
	Proof ForkProof     `cbor:"2,keyasint"`
}

type nakBody struct {
	Space zsync.SpaceID `cbor:"1,keyasint"`
	Code  uint64        `cbor:"2,keyasint"`
}

// SpaceOf returns the space that the body of a message is about, without
// reading the rest: so that a device can pass it on to that space's Exchange.
// It holds for every type of message whose body begins with a space.
func SpaceOf(body []byte) (zsync.SpaceID, bool) {
	const aMap, bytes16 = 5 << 5, 2<<5 | 16
	var space zsync.SpaceID
	r := wire.NewReader(body)
	if r.Uint8()&0xe0 != aMap || r.Uint8() != 1 || r.Uint8() != bytes16 {
		return space, false
	}
	r.Fill(space[:])
	return space, r.Err() == nil
}

// EncodeNak returns the body of a NAK, which a device sends for a space that it
// has no Exchange for, or whose members the asker is not among.
func EncodeNak(space zsync.SpaceID, code uint64) []byte {
	return wire.Marshal(nakBody{space, code})
}

// NakOf returns why the body of a NAK refuses; 0 where it is none.
func NakOf(body []byte) (code uint64) {
	space, _ := SpaceOf(body)
	nak, err := decode[nakBody](body, space)
	if err != nil {
		return 0
	}
	return nak.Code
}

// decode reads the body of a message about space.
func decode[Body any](data []byte, space zsync.SpaceID) (Body, error) {
	var body Body
	if named, found := SpaceOf(data); !found || named != space || len(data) > messageBytesMax {
		return body, malformed("message of %d octets about space %s", len(data), named)
	}
	if err := wire.Unmarshal(data, &body); err != nil {
		return body, malformed("message: %v", err)
	}
	return body, nil
}

// decodeEnvelopes returns those that are envelopes, and how many are not.
func decodeEnvelopes(encoded [][]byte) (envelopes []Envelope, bad int) {
	for _, data := range encoded {
		if e, err := DecodeEnvelope(data); err == nil {
			envelopes = append(envelopes, e)
		} else {
			bad++
		}
	}
	return envelopes, bad
}
