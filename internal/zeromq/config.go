package zeromq

import (
	"errors"
	"fmt"
	"strings"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/internal/meter"
)

// Config describes one link. The zero Config is a plain one on a free port of
// 127.0.0.1.
type Config struct {
	// Key and Secret are the device's CURVE pair. A zero Key is plain mode: no
	// encryption and no authentication, for interoperation with plain ZRE only.
	Key    zsync.Key
	Secret [32]byte
	// Bind is where to listen: tcp://address:port, with * for every interface
	// and port 0 for a free one. Default tcp://127.0.0.1:0.
	Bind string
	// Identity is the routing id of own dialled connections, at most 255 octets
	// and not beginning with 0; nil lets the other side choose one.
	Identity []byte
	// Multipart is set for the ZRE link: messages of 1 to 64 frames, and a new
	// connection takes over the routing id of an older one. Without it, for the
	// transfer link, every message is one frame and routing ids are not reused.
	Multipart bool
	// Bulk is set for the transfer link: it tells how its connections fare
	// ([Fared]), and asks the system for what fills a line that loses packets.
	Bulk bool
	// AdmitPending is set for a link that lets keys in which [Context.SetPending]
	// names, besides the trusted ones.
	AdmitPending bool
	// MessageBytesMax is the longest frame, in octets. A longer one closes the
	// connection that it comes on. Default 1 MiB.
	MessageBytesMax int
	// SendHWM is how many messages may wait to be sent to one peer; one more
	// closes the connection, and so does more than 64 MiB of them. Default 4096.
	SendHWM int
	// ReceiveHWM is how many received messages of one connection may wait here
	// before the peer is made to wait. Default 64.
	ReceiveHWM int
	// DescriptorsMax is how many descriptors the process may have open. At most a
	// quarter of them are taken by connections that come in by this link, an eighth
	// by those that have not proved themselves. Default what the system allows when
	// the link is made: see [RaiseFileLimit].
	DescriptorsMax int

	// In and Out count the frames that were taken off the sockets and put on them,
	// with their octets and the time that the link's loop spent with that; nil: nobody
	// counts.
	In, Out *meter.Stage

	anyPath bool   // watch also connections within this machine, for tests
	control string // the congestion control to ask for; steadyControl but in tests
	copies  bool   // send and receive by the binding, for the test that both ways are equal
}

func (c Config) withDefaults() Config {
	if c.Bind == "" {
		c.Bind = "tcp://127.0.0.1:0"
	}
	if c.MessageBytesMax == 0 {
		c.MessageBytesMax = messageBytesDefault
	}
	if c.SendHWM == 0 {
		c.SendHWM = sendDefault
	}
	if c.ReceiveHWM == 0 {
		c.ReceiveHWM = receiveDefault
	}
	if c.control == "" {
		c.control = steadyControl
	}
	if c.DescriptorsMax == 0 {
		c.DescriptorsMax = descriptorsMax()
	}
	return c
}

func (c Config) check() error {
	switch {
	case !strings.HasPrefix(c.Bind, "tcp://"):
		return fmt.Errorf("zeromq: listen on %q: an endpoint begins with tcp://", c.Bind)
	case c.MessageBytesMax < 0 || c.SendHWM < 0 || c.ReceiveHWM < 0 || c.DescriptorsMax < 0:
		return errors.New("zeromq: negative limit")
	case c.Key.IsZero() && c.Secret != [32]byte{}:
		return errors.New("zeromq: a secret key without its public half")
	}
	return checkIdentity(c.Identity)
}

func checkIdentity(identity []byte) error {
	if len(identity) > 255 || len(identity) > 0 && identity[0] == 0 {
		return fmt.Errorf("zeromq: unusable routing id %x", identity)
	}
	return nil
}

func (c Config) plain() bool { return c.Key.IsZero() }

func (c Config) framesMax() int {
	if c.Multipart {
		return framesMax
	}
	return 1
}

// tooMany says what is wrong with a message that the link does not take.
func (c Config) tooMany() error {
	return fmt.Errorf("%w: more than %d frames or %d octets in a message", ErrProtocol, c.framesMax(), c.wholeBytesMax())
}

// wholeBytesMax bounds the frames of one message together.
func (c Config) wholeBytesMax() int { return wholeFrames * c.MessageBytesMax }
