package zeromq

import (
	"slices"

	zmq "github.com/pebbe/zmq4"
)

// send sends a message on c, now or when it is certain where it will go.
func (n *listener) send(c *incoming, m Send) {
	switch {
	case c.state != open:
	case c.backlog.sends(n.link.cfg.wireBytesOf(m.Frames), c.carried):
		n.fail(c, ErrFull)
	default:
		n.pass(c, m)
	}
}

// pass sends what has been counted.
func (n *listener) pass(c *incoming, m Send) {
	switch {
	case c.state != open:
	case len(c.held) == 0 && !n.contested(c):
		n.write(c, m)
	case len(c.held) == n.link.cfg.SendHWM:
		n.fail(c, ErrFull)
	default:
		if len(c.held) == 0 {
			n.waiting = append(n.waiting, c)
		}
		c.held = append(c.held, m)
	}
}

// carried tells what TCP has.
func (c *incoming) carried() (in, acked uint64, ok bool) {
	if c.tcp == nil {
		return 0, 0, false
	}
	return c.tcp.carried()
}

func (a *accepted) carried() (in, acked uint64, ok bool) { return carried(a.fd, a.remote) }

// contested reports whether the routing id of c may belong to another key by
// now. With ROUTER_HANDOVER, whoever was let in may claim any routing id, and
// that shows only with its first message; until then what is meant for c could
// go to it.
func (n *listener) contested(c *incoming) bool {
	if !n.link.cfg.Multipart {
		return false
	}
	n.takeArrivals()
	return slices.ContainsFunc(n.unheard, func(x *incoming) bool {
		return x.state == arrived && !x.ended && x.key != c.key
	})
}

func (n *listener) sendHeld() {
	waiting := n.waiting
	n.waiting = nil
	for i, c := range waiting {
		if n.contested(c) {
			n.waiting = append(n.waiting, waiting[i])
			continue
		}
		held := c.held
		c.held = nil
		for _, m := range held {
			n.pass(c, m)
		}
	}
}

func (n *listener) write(c *incoming, m Send) {
	_, err := n.socket.SendBytes([]byte(c.route), zmq.DONTWAIT|zmq.SNDMORE)
	if err == nil {
		err = n.link.write(n.socket, m)
	}
	switch {
	case err == nil:
	case again(err):
		n.fail(c, ErrFull)
	default: // EHOSTUNREACH, since ROUTER_MANDATORY is set
		n.fail(c, ErrLost)
	}
}
