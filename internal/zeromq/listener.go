package zeromq

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"time"

	zmq "github.com/pebbe/zmq4"

	"github.com/zsync/zsync"
)

// listener is a link's ROUTER and the connections that came in by it.
type listener struct {
	link    *Link
	socket  *zmq.Socket
	monitor *zmq.Socket

	conns    map[uint64]*incoming // by number, from arrival until it is forgotten
	routes   map[string]*incoming // open ones, by routing id
	tcp      map[int]*accepted    // by descriptor
	over     map[int]bool         // descriptors whose connection has ended and whose ACCEPTED is still to come
	room     room
	quiet    map[netip.Addr]int // how many of tcp have said nothing and were not cut, by address
	quietAll int                // of all addresses
	silents  []*accepted        // those, oldest first, and others
	unheard  []*incoming        // judged by the door, nothing received yet; oldest first
	ending   []*incoming        // their TCP connection ended; what they sent may not be read yet
	waiting  []*incoming        // with messages that are held
}

// incoming is a connection that a client proved its key on.
type incoming struct {
	number   uint64
	key      zsync.Key
	address  netip.Addr
	text     string // of address
	state    incomingState
	identity []byte    // the routing id that it chose
	route    string    // the same
	tcp      *accepted // nil when it has ended
	since    time.Time // of the arrival
	ended    bool      // arrived, and its TCP connection has ended; its first message may still be read
	held     []Send    // messages that wait: see contested
	backlog  backlog
	path     path
	usurper  bool // took the routing id of a connection of another key
}

type incomingState uint8

const (
	refused incomingState = iota // by the door
	arrived                      // let in; nothing received yet
	open
	gone // closed or hung up; whatever still comes is dropped
)

// accepted is a TCP connection.
type accepted struct {
	fd     int
	remote netip.AddrPort // zero when it ended before we could ask
	conn   *incoming      // nil until something was received by it
	shut   bool           // cut; its end has not been told yet
	early  bool           // known by a message; its ACCEPTED is still to come
}

const listenerEvents = zmq.EVENT_ACCEPTED | zmq.EVENT_DISCONNECTED

func newListener(l *Link) *listener {
	return &listener{
		link:   l,
		conns:  map[uint64]*incoming{},
		routes: map[string]*incoming{},
		tcp:    map[int]*accepted{},
		over:   map[int]bool{},
		quiet:  map[netip.Addr]int{},
		room:   roomOf(l.cfg.DescriptorsMax),
	}
}

// open binds. Whatever it returns, close must follow.
func (n *listener) open() (err error) {
	l := n.link
	if n.socket, err = l.newSocket(zmq.ROUTER); err != nil {
		return err
	}
	if err := l.setRouter(n.socket); err != nil {
		return err
	}
	if n.monitor, err = l.watch(n.socket, listenerEvents); err != nil {
		return err
	}
	if err := n.socket.Bind(l.cfg.Bind); err != nil {
		return bindError(l.cfg.Bind, err)
	}
	return n.checkMechanism()
}

// checkMechanism makes sure that a secure link is one: libzmq takes a ROUTER
// with a missing option for a plain one without a word.
func (n *listener) checkMechanism() error {
	want := zmq.CURVE
	if n.link.cfg.plain() {
		want = zmq.NULL
	}
	got, err := n.socket.GetMechanism()
	if err == nil && got != want {
		err = fmt.Errorf("zeromq: the listening socket has mechanism %v, not %v", got, want)
	}
	return err
}

func (n *listener) close() {
	if n.monitor != nil {
		unwatch(n.socket, n.monitor)
	}
}

// read takes what has come in. Messages are read first and events after them,
// so that the events include all that preceded those messages; events are
// applied first.
func (n *listener) read() error {
	ending := n.ending
	n.ending = nil
	batch, err := n.link.batch(n.socket, true)
	if err != nil {
		return err
	}
	n.look()
	n.takeArrivals()
	for _, m := range batch.messages {
		n.received(m)
	}
	if !batch.all {
		n.ending = append(ending, n.ending...)
	} else {
		for _, c := range ending {
			n.fail(c, ErrLost)
		}
	}
	n.sendHeld()
	return nil
}

func (n *listener) takeArrivals() {
	for _, a := range n.link.inbox.takeArrivals() {
		c := &incoming{number: a.number, key: a.key, address: a.address, text: a.address.String(), since: time.Now()}
		if a.admitted && n.link.trusts(a.key) { // trust may have changed since
			c.state = arrived
		}
		n.conns[c.number] = c
		n.unheard = append(n.unheard, c)
		n.link.timers.after(graveTimeout, func() {
			if c.state < open {
				n.forget(c)
			}
		})
	}
}

func (n *listener) forget(c *incoming) {
	delete(n.conns, c.number)
	n.unheard = slices.DeleteFunc(n.unheard, func(x *incoming) bool { return x == c })
}

func (n *listener) received(m message) {
	c := n.conns[m.number]
	if c == nil || c.state == refused || c.state == gone {
		n.link.recycle(m)
		return
	}
	if c.state == arrived {
		n.opened(c, m)
	}
	c.backlog.read += m.wire
	if m.tooMany {
		n.link.recycle(m)
		n.fail(c, n.link.cfg.tooMany())
		return
	}
	n.link.out.add(Fact{
		Kind:     Received,
		Conn:     c.number,
		Key:      c.key,
		Address:  c.text,
		Identity: c.identity,
		Frames:   m.frames,
	})
}

// opened is the first message of c: only now is known which routing id and
// which TCP connection are its.
func (n *listener) opened(c *incoming, m message) {
	n.unheard = slices.DeleteFunc(n.unheard, func(x *incoming) bool { return x == c })
	c.state, c.identity, c.route = open, m.identity, string(m.identity)
	if older := n.routes[c.route]; older != nil {
		c.usurper = older.key != c.key
		n.fail(older, ErrTaken)
	}
	n.routes[c.route] = c
	a := n.carrier(c, m.fd)
	if a == nil { // it has ended already
		n.ending = append(n.ending, c)
		return
	}
	if older := a.conn; older != nil { // it ended unnoticed, and its descriptor was used again
		older.tcp = nil
		n.fail(older, ErrLost)
	}
	n.count(a, -1)
	a.conn, c.tcp = c, a
	c.lookAtPath(n.link)
	n.limit(c.key)
}

// limit closes the oldest connection of a key that has too many.
func (n *listener) limit(key zsync.Key) {
	var oldest *incoming
	count := 0
	for _, c := range n.conns {
		if c.state != open || c.key != key {
			continue
		}
		if count++; oldest == nil || c.number < oldest.number {
			oldest = c
		}
	}
	if count > keyConnsMax && !n.link.cfg.plain() {
		n.fail(oldest, ErrCrowd)
	}
}

// count keeps quiet, and returns how many there are of the address of a.
func (n *listener) count(a *accepted, by int) int {
	if a.conn != nil || a.shut || !a.remote.IsValid() {
		return 0
	}
	address := a.remote.Addr()
	n.quietAll += by
	if n.quiet[address] += by; n.quiet[address] == 0 {
		delete(n.quiet, address)
	}
	return n.quiet[address]
}

// fail closes c and says so.
func (n *listener) fail(c *incoming, why error) {
	if c.state != open {
		return
	}
	n.bury(c)
	n.link.out.add(Fact{Kind: Closed, Conn: c.number, Key: c.key, Address: c.text, Err: why})
	n.cut(c.tcp)
}

// hangup closes c by order, once what was sent before has left.
func (n *listener) hangup(c *incoming) {
	if c.state != open {
		return
	}
	n.bury(c)
	if c.usurper { // who knows better than a link whose routing id it is has judged
		n.link.context.door.shun(c.key)
	}
	n.link.timers.after(lingerTimeout, func() { n.cut(c.tcp) })
}

func (n *listener) bury(c *incoming) {
	c.state, c.held = gone, nil
	if n.routes[c.route] == c {
		delete(n.routes, c.route)
	}
	n.link.timers.after(graveTimeout, func() { n.forget(c) })
}

// dropUntrusted closes what the door would not let in any more.
func (n *listener) dropUntrusted() {
	for _, number := range slices.Sorted(maps.Keys(n.conns)) {
		c := n.conns[number]
		switch {
		case n.link.trusts(c.key):
		case c.state == arrived:
			c.state = refused
		default:
			n.fail(c, ErrUntrusted)
		}
	}
}
