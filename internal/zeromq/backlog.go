package zeromq

import (
	"fmt"
	"maps"
	"slices"
)

// backlog counts the octets of one connection, as they are on the wire, that
// libzmq holds: those that came in and have not been read, and those that were
// handed over and have not left. libzmq counts messages only, and of an unfinished
// one not even that. What TCP has carried is asked of the system, where it can
// tell; where it cannot, nothing is held to be waiting.
type backlog struct {
	read, written uint64 // by us, in whole messages
	gone          uint64 // of written, what the other side had acknowledged when last asked
}

// wireBytes is what a frame takes: a ZMTP header, and what CURVE adds.
func (c Config) wireBytes(frame int) uint64 {
	if !c.plain() {
		frame += curveOverhead
	}
	if frame > 255 {
		return uint64(frame) + 9
	}
	return uint64(frame) + 2
}

func (c Config) wireBytesOf(frames [][]byte) (sum uint64) {
	for _, frame := range frames {
		sum += c.wireBytes(len(frame))
	}
	return sum
}

// sends notes a message and reports whether more waits than may. carried tells
// what TCP has carried; it is asked only when it matters.
func (b *backlog) sends(bytes uint64, carried func() (in, acked uint64, ok bool)) (full bool) {
	b.written += bytes
	if b.written-min(b.written, b.gone) <= queueBytesMax {
		return false
	}
	_, acked, ok := carried()
	if ok {
		b.gone = acked
	}
	return ok && b.written-min(b.written, b.gone) > queueBytesMax
}

// unread reports whether libzmq holds more of what came in than may be.
func (b *backlog) unread(carried func() (in, acked uint64, ok bool)) bool {
	in, _, ok := carried()
	return ok && in-min(in, b.read) > unreadBytesMax
}

// watchUnread looks at all connections from time to time while there are any:
// libzmq does not tell of a message before it has ended.
func (l *Link) watchUnread() {
	if l.watching {
		return
	}
	l.watching = true
	l.timers.after(unreadEvery, func() {
		l.watching = false
		l.cutUnread()
		l.lookAtPaths()
		if len(l.dialled)+len(l.in.tcp) > 0 {
			l.watchUnread()
		}
	})
}

// cutUnread closes the connections of which libzmq holds too much.
func (l *Link) cutUnread() {
	why := fmt.Errorf("%w: %d octets and no message ends", ErrProtocol, unreadBytesMax)
	for _, number := range slices.Sorted(maps.Keys(l.dialled)) {
		if d := l.dialled[number]; d.socket != nil && d.backlog.unread(d.carried) {
			d.fail(why)
		}
	}
	for _, fd := range slices.Sorted(maps.Keys(l.in.tcp)) {
		a := l.in.tcp[fd]
		if c := a.conn; c != nil && c.backlog.unread(c.carried) {
			l.in.fail(c, why)
		} else if c == nil && new(backlog).unread(a.carried) {
			l.in.cut(a)
		}
	}
}
