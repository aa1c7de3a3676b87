package zeromq

import (
	"errors"
	"fmt"
	"time"

	zmq "github.com/pebbe/zmq4"

	"github.com/zsync/zsync"
)

// Reach makes a connection to a server that holds the key server, as the device whose
// key pair is given, and ends it again. It is for a device that does not run: to the
// server it is that device, which has nothing to say. It fails with [ErrUnanswered] after
// so much time, or where the server holds another key or does not let the device in.
func Reach(endpoint string, server zsync.Key, public, secret [32]byte, patience time.Duration) (err error) {
	context, err := zmq.NewContext()
	if err != nil {
		return fmt.Errorf("zeromq: %w", err)
	}
	defer func() { err = errors.Join(err, context.Term()) }()
	dealer, err := context.NewSocket(zmq.DEALER)
	if err != nil {
		return fmt.Errorf("zeromq: %w", err)
	}
	defer func() { err = errors.Join(err, dealer.Close()) }()
	const watched = "inproc://reach"
	reader, err := context.NewSocket(zmq.PAIR)
	if err != nil {
		return fmt.Errorf("zeromq: %w", err)
	}
	defer func() { err = errors.Join(err, reader.Close()) }()
	err = errors.Join(
		dealer.SetLinger(0), dealer.SetIpv6(true), dealer.SetReconnectIvl(reconnectNever),
		dealer.SetCurveServerkey(string(server[:])), dealer.SetCurvePublickey(string(public[:])), dealer.SetCurveSecretkey(string(secret[:])),
		dealer.Monitor(watched, handshakeEnds), reader.SetLinger(0), reader.SetRcvtimeo(patience), reader.Connect(watched),
	)
	if err != nil {
		return wrapOptions([]error{err})
	}
	if err := dealer.Connect(endpoint); err != nil {
		return fmt.Errorf("zeromq: dial %s: %w", endpoint, err)
	}
	if kind, _, _, err := reader.RecvEvent(0); err != nil || kind != zmq.EVENT_HANDSHAKE_SUCCEEDED {
		return ErrUnanswered
	}
	return nil
}

// handshakeEnds are the events with which it is known whether a server lets a device in.
const handshakeEnds = zmq.EVENT_HANDSHAKE_SUCCEEDED | zmq.EVENT_HANDSHAKE_FAILED_AUTH |
	zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL | zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL | zmq.EVENT_CLOSED
