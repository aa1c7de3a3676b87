package zeromq

import (
	"errors"

	"github.com/zsync/zsync"
)

// FactKind says what happened on a connection.
type FactKind uint8

// The kinds of facts. Closed and BadKey are the last fact of a connection; a
// connection that was hung up by an order has none.
const (
	// Received: a message arrived, whole and in order.
	Received FactKind = iota + 1
	// Opened: a dialled connection completed its handshake; the other side holds
	// the key that was dialled, and lets ours in.
	Opened
	// Closed: a connection is gone, or a dialled one never came to stand; Err
	// says why.
	Closed
	// BadKey: a CURVE server answers at the dialled address, and it is not the
	// device that was dialled: it holds another key.
	BadKey
	// Fared: how a connection of a bulk link that carries something fares; at most
	// once a second, and never of one within this machine or on a short line.
	Fared
)

// Fact is one thing that happened on one connection.
type Fact struct {
	Kind FactKind
	// Conn is the number from the Dial order, or, from 1<<32 on, one that the
	// link gave to an incoming connection. No number is used twice.
	Conn uint64
	// Key is the CURVE key that the other side has proved to hold (in Closed and
	// BadKey of a dialled connection: the one that was dialled); zero in plain
	// mode. It never changes in the life of a connection.
	Key zsync.Key
	// Address is the other side's IP address, without port.
	Address string
	// Identity is the routing id that an incoming connection chose for itself,
	// in ZRE 0x01 and the UUID; nil for dialled ones. Nothing proves it.
	Identity []byte
	// Frames is the message of a Received. Its octets belong to the reader, who
	// may give them back with [Link.Recycle].
	Frames [][]byte
	// Err says why a connection was closed: one of the Err values below, or what
	// the system said.
	Err error
	// Path is set in a Fared.
	Path Path
}

// Why a connection was closed.
var (
	// ErrUnreachable: nothing listens there, or nothing answers.
	ErrUnreachable = errors.New("zeromq: nothing answers at this address")
	// ErrRefused: the device answered and refuses our key for good (ZAP 400).
	ErrRefused = errors.New("zeromq: the device refuses this key")
	// ErrUnanswered: TCP connected and the handshake was not answered in time: a
	// device that does not know our key yet (ZAP 300), or a hung one.
	ErrUnanswered = errors.New("zeromq: the device does not answer; it may not know this key yet")
	// ErrBadKey is the Err of a [BadKey].
	ErrBadKey = errors.New("zeromq: another device answers at this address: it holds another key")
	// ErrProtocol: what listens there speaks no ZMTP, or another security than
	// ours; or a message broke the link's limits.
	ErrProtocol = errors.New("zeromq: not the same protocol")
	// ErrLost: a connection that stood was lost.
	ErrLost = errors.New("zeromq: connection lost")
	// ErrTaken: another connection took over the routing id.
	ErrTaken = errors.New("zeromq: another connection took this one's place")
	// ErrFull: the other side does not read what it is sent.
	ErrFull = errors.New("zeromq: the peer does not keep up; its queue is full")
	// ErrCrowd: the other side has opened many connections since.
	ErrCrowd = errors.New("zeromq: the device has too many connections")
	// ErrUntrusted: the key was trusted and is not any more.
	ErrUntrusted = errors.New("zeromq: the key is not trusted any more")
	// ErrTooBig: an order to send a frame above MessageBytesMax.
	ErrTooBig = errors.New("zeromq: frame above the link's limit")
)

// Orders are carried out in the order of its fields.
type Orders struct {
	Dial   []Dial
	Send   []Send
	Hangup []uint64
}

// Dial opens a connection. Messages may be sent on it at once; they leave when
// the handshake is done, before anything that is sent later.
type Dial struct {
	Conn     uint64    // chosen by the caller: 1 to 1<<32-1, never used before on this link
	Endpoint string    // tcp://host:port; host is an IP address, bracketed or not, or a name
	Key      zsync.Key // the device that must answer; zero in plain mode, and only there
	Identity []byte    // own routing id; nil: the Config's
}

// Send sends one message. The frames are not copied until they are handed to
// the operating system: nobody may change them any more, or, where Done is set,
// before it was called. On a connection that is gone it does nothing: its Closed is
// on the way, and Done may never be called.
type Send struct {
	Conn   uint64
	Frames [][]byte
	Done   func() // by the link's goroutine: be quick
}

// outbox collects facts until the loop hands them over.
type outbox struct {
	facts []Fact
}

func (o *outbox) add(f Fact) { o.facts = append(o.facts, f) }
