package zeromq

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"io"
	"net"
	"net/netip"

	"golang.org/x/crypto/nacl/box"

	"github.com/zsync/zsync"
)

// errPuzzling: the other side closed the connection in the middle of the
// handshake. A server that cannot open our hello, because it holds another key,
// does that; so does one that is just going down, or a forwarder with nothing
// behind it.
var errPuzzling = errors.New("zeromq: closed in the handshake")

// interrogate finds out what stands behind errPuzzling.
func (l *Link) interrogate(d *dialled) {
	l.helpers.Go(func() {
		ctx, cancel := context.WithTimeout(l.running, handshakeTimeout)
		defer cancel()
		why := probe(ctx, d.peer, d.key)
		l.post(func() {
			if l.dialled[d.number] == d {
				d.fail(why)
			}
		})
	})
}

// The parts of a CurveZMQ handshake that a probe uses (23/ZMTP, 26/CURVEZMQ).
const (
	greetingBytes  = 64
	mechanismAt    = 12 // in the greeting, after signature and version
	mechanismBytes = 20
	helloBytes     = 200
	welcomeBytes   = 168
	commandFlag    = 0x04
)

// probe begins a CURVE handshake with a server and says why one with libzmq was
// broken off: ErrBadKey if it is because the server does not hold key.
func probe(ctx context.Context, server netip.AddrPort, key zsync.Key) error {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", server.String())
	if err != nil {
		return ErrUnreachable
	}
	defer func() { _ = conn.Close() }()
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })()

	// A server of another mechanism hangs up when it sees ours, so that comes
	// only after its own is known.
	ours, theirs := greeting(), make([]byte, greetingBytes)
	if _, err := conn.Write(ours[:mechanismAt-1]); err != nil {
		return ErrUnreachable
	}
	if _, err := io.ReadFull(conn, theirs); err != nil {
		return ErrUnreachable
	}
	if !bytes.Equal(theirs[mechanismAt:][:mechanismBytes], ours[mechanismAt:][:mechanismBytes]) {
		return ErrProtocol
	}
	if _, err := conn.Write(append(ours[mechanismAt-1:], hello(key)...)); err != nil {
		return ErrUnreachable
	}
	answer := make([]byte, 2+welcomeBytes)
	_, err = io.ReadFull(conn, answer)
	switch {
	case err == nil && bytes.HasPrefix(answer[2:], []byte("\x07WELCOME")):
		return ErrUnanswered // it could read our hello: the key is right, and something else was wrong
	case ctx.Err() != nil:
		return ErrUnanswered
	}
	return ErrBadKey
}

// greeting is that of a ZMTP 3.0 client with CURVE.
func greeting() []byte {
	g := make([]byte, greetingBytes)
	g[0], g[9], g[10] = 0xff, 0x7f, 3
	copy(g[mechanismAt:], "CURVE")
	return g
}

// hello is the HELLO command, framed, that only the holder of key can read.
func hello(key zsync.Key) []byte {
	public, secret, err := box.GenerateKey(rand.Reader)
	if err != nil {
		panic(err) // crypto/rand does not fail
	}
	nonce := [24]byte([]byte("CurveZMQHELLO---\x00\x00\x00\x00\x00\x00\x00\x01"))
	command := []byte{commandFlag, helloBytes}
	command = append(command, "\x05HELLO\x01\x00"...)
	command = append(command, make([]byte, 72)...) // so that the answer is not longer than the question
	command = append(command, public[:]...)
	command = append(command, nonce[16:]...)
	return box.Seal(command, make([]byte, 64), &nonce, (*[32]byte)(&key), secret)
}
