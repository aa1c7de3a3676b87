package zeromq

import (
	"fmt"
	"net/netip"
	"slices"
	"syscall"
	"time"

	zmq "github.com/pebbe/zmq4"

	"github.com/zsync/zsync"
)

// dialled is a connection that this link opens: a DEALER of its own.
type dialled struct {
	link     *Link
	number   uint64
	key      zsync.Key
	identity []byte
	peer     netip.AddrPort // zero while the name is looked up
	waiting  []Send         // messages, meanwhile
	backlog  backlog
	path     path
	fd       int         // of the TCP connection
	trusted  bool        // by the door, when it was last looked at
	socket   *zmq.Socket // nil until then, and once it is closed
	monitor  *zmq.Socket

	connected time.Time // when TCP did; zero before
	open      bool      // the handshake is done
}

const dialledEvents = zmq.EVENT_CONNECTED | zmq.EVENT_CLOSED | zmq.EVENT_DISCONNECTED | zmq.EVENT_HANDSHAKE_SUCCEEDED |
	zmq.EVENT_HANDSHAKE_FAILED_AUTH | zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL | zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL

// dial carries out an order. What is wrong with it is a fact like any other
// failure to connect.
func (l *Link) dial(o Dial) {
	d := &dialled{link: l, number: o.Conn, key: o.Key, identity: o.Identity, trusted: l.trusts(o.Key)}
	if d.identity == nil {
		d.identity = l.cfg.Identity
	}
	if err := l.checkDial(o); err != nil {
		d.tell(Closed, err)
		return
	}
	l.dialled[d.number] = d
	l.watchUnread()
	l.timers.after(dialTimeout, d.expire)
	l.locate(o.Endpoint, func(peer netip.AddrPort, err error) {
		if l.dialled[d.number] != d {
			return
		}
		if err == nil {
			err = d.connect(peer)
		}
		if err != nil {
			d.fail(err)
		}
	})
}

func (l *Link) checkDial(o Dial) error {
	switch {
	case o.Conn == 0 || o.Conn >= firstIncoming:
		return fmt.Errorf("zeromq: dial: no connection has number %d", o.Conn)
	case l.dialled[o.Conn] != nil:
		return fmt.Errorf("zeromq: dial: connection %d stands", o.Conn)
	case o.Key.IsZero() != l.cfg.plain():
		return fmt.Errorf("zeromq: dial: a key is for secure links, and they need one")
	}
	return checkIdentity(o.Identity)
}

func (d *dialled) connect(peer netip.AddrPort) (err error) {
	l := d.link
	d.peer = peer
	if d.socket, err = l.context.zmq.NewSocket(zmq.DEALER); err != nil {
		d.socket = nil
		return fmt.Errorf("zeromq: dial %v: %w", peer, err)
	}
	if err := l.setDealer(d.socket, d.identity, d.key); err != nil {
		return err
	}
	if d.monitor, err = l.watch(d.socket, dialledEvents); err != nil {
		return err
	}
	l.bySocket[d.socket], l.bySocket[d.monitor] = d, d
	if err := l.await(d.socket, d.monitor); err != nil {
		return err
	}
	if err := d.socket.Connect("tcp://" + peer.String()); err != nil {
		return fmt.Errorf("zeromq: dial %v: %w", peer, err)
	}
	waiting := d.waiting
	d.waiting, d.backlog = nil, backlog{}
	for _, m := range waiting {
		d.send(m)
	}
	return nil
}

// read takes what has come. Messages are read first, so that the events include
// the handshake that preceded them; if the events include the end, what is
// still there is read before that is told.
func (d *dialled) read() error {
	l := d.link
	first := len(l.out.facts)
	batch, err := l.batch(d.socket, false)
	if err != nil {
		return err
	}
	if d.received(batch.messages); d.socket == nil {
		return nil
	}
	for _, e := range events(d.monitor) {
		if e.kind == zmq.EVENT_HANDSHAKE_SUCCEEDED {
			d.open = true
			l.out.facts = slices.Insert(l.out.facts, first, d.fact(Opened, nil))
			continue
		}
		if why := d.ended(e); why != nil {
			return d.end(why)
		}
	}
	return nil
}

func (d *dialled) received(messages []message) {
	for _, m := range messages {
		d.backlog.read += m.wire
		if m.tooMany {
			d.fail(d.link.cfg.tooMany())
			return
		}
		f := d.fact(Received, nil)
		f.Frames = m.frames
		d.link.out.add(f)
	}
}

// ended returns what an event says of the end of the connection; nil when it is
// not the end. errPuzzling is not yet an answer.
func (d *dialled) ended(e event) error {
	switch e.kind {
	case zmq.EVENT_CONNECTED:
		d.connected, d.fd = time.Now(), e.value
		d.lookAtPath()
		return nil
	case zmq.EVENT_CLOSED:
		return ErrUnreachable
	case zmq.EVENT_HANDSHAKE_FAILED_AUTH:
		return ErrRefused
	case zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL:
		return ErrProtocol
	case zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL:
		return d.brokenHandshake(syscall.Errno(e.value))
	}
	if d.open {
		return ErrLost
	}
	return ErrProtocol // libzmq drops without another word what does not begin as ZMTP
}

func (d *dialled) brokenHandshake(number syscall.Errno) error {
	closedByPeer := number == syscall.EPIPE || number == syscall.ECONNRESET
	if closedByPeer && time.Since(d.connected) < handshakeTimeout {
		return errPuzzling
	}
	return ErrUnanswered
}

// end tells what was received last, and then why there is no more.
func (d *dialled) end(why error) error {
	for {
		batch, err := d.link.batch(d.socket, false)
		if err != nil {
			return err
		}
		if d.received(batch.messages); d.socket == nil {
			return nil
		}
		if batch.all {
			break
		}
	}
	if why == errPuzzling && !d.link.cfg.plain() {
		d.closeSocket(0)
		d.link.interrogate(d)
		return nil
	}
	d.fail(why)
	return nil
}

// expire ends a dial that came to nothing and that libzmq said nothing of.
func (d *dialled) expire() {
	switch {
	case d.link.dialled[d.number] != d || d.open:
	case d.connected.IsZero():
		d.fail(ErrUnreachable)
	default:
		d.fail(ErrUnanswered)
	}
}

func (d *dialled) send(m Send) {
	if d.socket == nil {
		if len(d.waiting) == d.link.cfg.SendHWM {
			d.fail(ErrFull)
			return
		}
		d.waiting = append(d.waiting, m)
	}
	if d.backlog.sends(d.link.cfg.wireBytesOf(m.Frames), d.carried) {
		d.fail(ErrFull)
		return
	}
	if d.socket == nil {
		return
	}
	switch err := d.link.write(d.socket, m); {
	case err == nil:
	case again(err):
		d.fail(ErrFull)
	default:
		d.fail(fmt.Errorf("%w: %w", ErrLost, err))
	}
}

// carried tells what TCP has; before it has connected, nothing.
func (d *dialled) carried() (in, acked uint64, ok bool) {
	if d.connected.IsZero() {
		return 0, 0, true
	}
	return carried(d.fd, d.remote())
}

// remote is the other end as the system names it.
func (d *dialled) remote() netip.AddrPort {
	return netip.AddrPortFrom(d.peer.Addr().WithZone(""), d.peer.Port())
}

// fail closes d and says so.
func (d *dialled) fail(why error) {
	kind := Closed
	if why == ErrBadKey {
		kind = BadKey
	}
	if why == errPuzzling { // in plain mode there is no key to be wrong
		why = ErrUnreachable
	}
	d.tell(kind, why)
	d.closeSocket(0)
	delete(d.link.dialled, d.number)
}

// hangup closes d by order, once what was sent before has left.
func (d *dialled) hangup() {
	d.closeSocket(lingerTimeout)
	delete(d.link.dialled, d.number)
}

func (d *dialled) closeSocket(linger time.Duration) {
	if d.socket == nil {
		return
	}
	l := d.link
	if d.monitor != nil {
		for _, s := range []*zmq.Socket{d.socket, d.monitor} {
			_ = l.poller.RemoveBySocket(s)
			l.nap.remove(s)
			delete(l.bySocket, s)
		}
		unwatch(d.socket, d.monitor)
	}
	_ = d.socket.SetLinger(linger)
	_ = d.socket.Close()
	d.socket, d.monitor = nil, nil
}

func (d *dialled) fact(kind FactKind, why error) Fact {
	return Fact{Kind: kind, Conn: d.number, Key: d.key, Address: addressText(d.peer.Addr()), Err: why}
}

func (d *dialled) tell(kind FactKind, why error) { d.link.out.add(d.fact(kind, why)) }
