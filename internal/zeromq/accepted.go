package zeromq

import (
	"net/netip"
	"slices"
	"time"

	zmq "github.com/pebbe/zmq4"
	"golang.org/x/sys/unix"
)

// happened is an event of the ROUTER's monitor.
func (n *listener) happened(e event) {
	switch e.kind {
	case zmq.EVENT_ACCEPTED:
		n.accepted(e.value)
	case zmq.EVENT_DISCONNECTED:
		n.disconnected(e.value)
	}
}

// accepted takes note of a TCP connection. libzmq tells of it after it has handed it
// to another thread, so its messages, and its end, may have been told before; those
// of one descriptor never mix with those of the one that uses it next.
func (n *listener) accepted(fd int) {
	older := n.tcp[fd]
	switch {
	case n.over[fd]:
		delete(n.over, fd)
		return
	case older != nil && older.early:
		older.early = false
		return
	}
	a := &accepted{fd: fd, remote: remoteOf(fd)}
	if older != nil { // it ended unnoticed
		n.count(older, -1)
	}
	n.tcp[fd] = a
	n.link.watchUnread()
	if n.count(a, 1) > n.room.ofOne || len(n.tcp) > n.room.sockets || n.link.context.attempts.crowded(addressText(a.remote.Addr())) {
		n.cut(a)
		return
	}
	n.silents = append(n.silents, a)
	n.makeRoom()
	n.link.timers.after(silenceTimeout, func() {
		if a.conn == nil {
			n.cut(a)
		}
	})
}

// carrier returns the TCP connection that the first message of c came by; nil: it has
// ended. One that was not told of yet stands if the descriptor leads to where c is.
func (n *listener) carrier(c *incoming, fd int) *accepted {
	at := c.address.WithZone("")
	if a := n.tcp[fd]; a != nil {
		if a.remote.IsValid() && a.remote.Addr() != at { // the next one on this descriptor
			return nil
		}
		return a
	}
	remote := remoteOf(fd)
	if n.over[fd] || !remote.IsValid() || remote.Addr() != at {
		return nil
	}
	a := &accepted{fd: fd, remote: remote, early: true}
	n.tcp[fd] = a
	n.count(a, 1)
	return a
}

// look takes note of who connected and who is gone, also while what peers say has
// to wait: those who say nothing would else take all descriptors meanwhile.
func (n *listener) look() {
	for _, e := range events(n.monitor) {
		n.happened(e)
	}
}

// makeRoom cuts those that have been silent for longest while too many are. Who
// means to speak does so within a round trip or two, and those who do not mean to
// cannot keep it out by being there first.
func (n *listener) makeRoom() {
	for len(n.silents) > 0 {
		oldest := n.silents[0]
		waits := n.tcp[oldest.fd] == oldest && oldest.conn == nil && !oldest.shut
		if waits && n.quietAll <= n.room.silent {
			return
		}
		if n.silents = n.silents[1:]; waits {
			n.cut(oldest)
		}
	}
}

func (n *listener) disconnected(fd int) {
	a := n.tcp[fd]
	if a == nil || a.early {
		n.over[fd] = true
	}
	if a == nil {
		return
	}
	delete(n.tcp, fd)
	n.count(a, -1)
	switch c := a.conn; {
	case c == nil:
		n.cameToNothing(a.remote.Addr())
	default:
		c.tcp = nil
		if c.state == open {
			n.ending = append(n.ending, c)
		}
	}
}

// cameToNothing is the end of a TCP connection on which nothing was received;
// address is invalid for one that was too short to ask for it. If the door has
// judged clients from there, it was one of those: which, nobody can say.
// Otherwise it was a stranger without a key.
func (n *listener) cameToNothing(address netip.Addr) {
	n.takeArrivals()
	judged := slices.DeleteFunc(slices.Clone(n.unheard), func(c *incoming) bool {
		return c.ended || address.IsValid() && c.address.WithZone("") != address
	})
	turnedAway := slices.IndexFunc(judged, func(c *incoming) bool { return c.state == refused })
	switch {
	case len(judged) == 0:
		n.link.context.attempts.add(Attempt{Address: addressText(address)})
	case turnedAway >= 0:
		n.forget(judged[turnedAway])
	case address.IsValid() && !n.silent(address):
		n.link.timers.after(lingerTimeout, func() { n.end(judged) })
	}
}

// end marks connections that ended in silence. It comes a little after the event:
// libzmq tells of the end first and then gives the routing id up. A device that
// did not just change its mind is kept out for a while: its silence delays what
// is sent to others.
func (n *listener) end(silent []*incoming) {
	for _, c := range silent {
		c.ended = true
		if c.state == arrived && !c.key.IsZero() && time.Since(c.since) > handshakeTimeout {
			n.link.context.door.shun(c.key)
		}
	}
	n.sendHeld()
}

// silent reports whether a connection stands that has said nothing and that is,
// or may be, from address.
func (n *listener) silent(address netip.Addr) bool {
	for _, a := range n.tcp {
		if a.conn == nil && (!a.remote.IsValid() || a.remote.Addr() == address) {
			return true
		}
	}
	return false
}

// addressText returns "" for no address.
func addressText(a netip.Addr) string {
	if !a.IsValid() {
		return ""
	}
	return a.String()
}

// cut ends a TCP connection, for which libzmq has no call: it finds its socket
// shut down, as if the other side had closed it. The descriptor is libzmq's and
// may have been closed and used again before its event reaches us, so the other
// end must still be the same.
func (n *listener) cut(a *accepted) {
	if a == nil || n.tcp[a.fd] != a || a.shut || !a.remote.IsValid() || remoteOf(a.fd) != a.remote {
		return
	}
	_ = unix.Shutdown(a.fd, unix.SHUT_RDWR)
	n.count(a, -1)
	a.shut = true
}

// remoteOf returns the other end of a TCP connection, the zero AddrPort when
// there is none. It leaves out the zone.
func remoteOf(fd int) netip.AddrPort {
	name, err := unix.Getpeername(fd)
	if err != nil {
		return netip.AddrPort{}
	}
	switch name := name.(type) {
	case *unix.SockaddrInet4:
		return netip.AddrPortFrom(netip.AddrFrom4(name.Addr), uint16(name.Port))
	case *unix.SockaddrInet6:
		return netip.AddrPortFrom(netip.AddrFrom16(name.Addr).Unmap(), uint16(name.Port))
	}
	return netip.AddrPort{}
}
