package zeromq

import (
	"errors"
	"fmt"

	zmq "github.com/pebbe/zmq4"

	"github.com/zsync/zsync"
)

// curveOverhead is what CURVE adds to a frame: command name, nonce,
// authenticator and flags, in octets. libzmq compares MAXMSGSIZE with the sum.
const curveOverhead = 33

// setRouter sets up the listening socket. All of it must precede Bind: libzmq
// applies options to connections made later.
func (l *Link) setRouter(s *zmq.Socket) error {
	errs := []error{
		l.setBoth(s),
		s.SetHandshakeIvl(silenceTimeout),
		s.SetRouterMandatory(1), // a message for a routing id that is gone is an error, not dropped
		s.SetRouterHandover(l.cfg.Multipart),
		s.SetZapDomain(l.name),
	}
	if !l.cfg.plain() {
		errs = append(errs, s.SetCurveServer(1), s.SetCurveSecretkey(string(l.cfg.Secret[:])))
	}
	return wrapOptions(errs)
}

// setDealer sets up a dialling socket. It never reconnects: a connection that
// breaks is told of and dialled anew, since what libzmq would make of it looks
// the same here and is another one there. IMMEDIATE stays off, so that messages
// may be queued before the handshake; then libzmq keeps what was received of a
// broken connection until it is read, but only if it means to reconnect.
func (l *Link) setDealer(s *zmq.Socket, identity []byte, key zsync.Key) error {
	errs := []error{
		l.setBoth(s),
		s.SetHandshakeIvl(handshakeTimeout),
		s.SetConnectTimeout(connectTimeout),
		s.SetReconnectIvl(reconnectNever),
	}
	if len(identity) > 0 {
		errs = append(errs, s.SetIdentity(string(identity)))
	}
	if !l.cfg.plain() {
		errs = append(errs,
			s.SetCurvePublickey(string(l.cfg.Key[:])),
			s.SetCurveSecretkey(string(l.cfg.Secret[:])),
			s.SetCurveServerkey(string(key[:])))
	}
	return wrapOptions(errs)
}

func (l *Link) setBoth(s *zmq.Socket) error {
	size := l.cfg.MessageBytesMax
	if !l.cfg.plain() {
		size += curveOverhead
	}
	return errors.Join(
		s.SetLinger(lingerTimeout),
		s.SetIpv6(true),
		s.SetMaxmsgsize(int64(size)),
		s.SetSndhwm(l.cfg.SendHWM),
		s.SetRcvhwm(l.cfg.ReceiveHWM),
		s.SetTcpKeepalive(1),
		s.SetTcpKeepaliveIdle(keepaliveIdleSeconds),
		s.SetTcpKeepaliveIntvl(keepaliveEverySeconds),
		s.SetTcpKeepaliveCnt(keepaliveProbes),
	)
}

func wrapOptions(errs []error) error {
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("zeromq: socket option: %w", err)
	}
	return nil
}
