package zeromq

import (
	"net"
	"net/netip"
	"testing"

	zmq "github.com/pebbe/zmq4"
)

// wired is a listener without sockets, a TCP connection that came in, and its
// descriptor. What libzmq would tell of it, the test does.
func wired(t *testing.T) (n *listener, c *incoming, fd int) {
	t.Helper()
	server, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	client, err := net.Dial("tcp", server.Addr().String())
	must(t, err)
	conn, err := server.Accept()
	must(t, err)
	file, err := conn.(*net.TCPConn).File()
	must(t, err)
	t.Cleanup(func() {
		for _, end := range []interface{ Close() error }{client, conn, file, server} {
			must(t, end.Close())
		}
	})
	attempts := newAttempts()
	l := &Link{context: &Context{attempts: attempts, door: newDoor(attempts, nil)}, cfg: Config{}.withDefaults()}
	n = newListener(l)
	l.in = n
	return n, n.arrive(1, netip.MustParseAddr("127.0.0.1")), int(file.Fd())
}

// arrive lets the door admit a connection.
func (n *listener) arrive(number uint64, from netip.Addr) *incoming {
	c := &incoming{number: firstIncoming + number, address: from, text: from.String(), state: arrived}
	n.conns[c.number], n.unheard = c, append(n.unheard, c)
	return c
}

// says lets the first message of a connection be read.
func (n *listener) says(c *incoming, fd int) {
	n.received(message{number: c.number, fd: fd, identity: []byte{1, byte(c.number)}, frames: [][]byte{{1}}})
}

func TestAConnectionWhoseMessageIsReadBeforeItIsKnownToBeAcceptedIsNotLost(t *testing.T) {
	n, c, fd := wired(t)
	n.says(c, fd)
	n.happened(event{zmq.EVENT_ACCEPTED, fd})
	if len(n.ending) > 0 || c.state != open || c.tcp == nil || n.tcp[fd].conn != c || n.quietAll != 0 || len(n.silents) > 0 {
		t.Fatalf("%d end, its TCP connection is %+v, %d are silent", len(n.ending), c.tcp, n.quietAll)
	}
	n.happened(event{zmq.EVENT_DISCONNECTED, fd})
	if len(n.ending) != 1 || len(n.tcp)+len(n.over) > 0 {
		t.Errorf("%d end; %d stand, %d more are awaited", len(n.ending), len(n.tcp), len(n.over))
	}
}

func TestAConnectionThatEndsBeforeItIsKnownToBeAcceptedLeavesNothingBehind(t *testing.T) {
	for _, speaks := range []bool{false, true} {
		n, c, fd := wired(t)
		if speaks {
			n.says(c, fd)
		}
		n.happened(event{zmq.EVENT_DISCONNECTED, fd})
		n.happened(event{zmq.EVENT_ACCEPTED, fd})
		if len(n.tcp)+len(n.over)+len(n.silents) > 0 || n.quietAll != 0 || speaks != (len(n.ending) == 1) {
			t.Errorf("%d stand, %d are silent, %d end", len(n.tcp), n.quietAll, len(n.ending))
		}
		n.happened(event{zmq.EVENT_ACCEPTED, fd}) // the next one on this descriptor
		next := n.arrive(2, c.address)
		n.says(next, fd)
		if next.tcp == nil || next.state != open {
			t.Error("the next one is not known")
		}
	}
}

func TestAConnectionIsNotTakenForTheNextOneOnItsDescriptor(t *testing.T) {
	n, _, fd := wired(t)
	c := n.arrive(2, netip.MustParseAddr("10.0.0.2"))
	n.happened(event{zmq.EVENT_ACCEPTED, fd})
	n.happened(event{zmq.EVENT_DISCONNECTED, fd}) // c: from elsewhere
	n.happened(event{zmq.EVENT_ACCEPTED, fd})     // another one
	n.says(c, fd)
	if c.tcp != nil || len(n.ending) != 1 {
		t.Error("it would be cut with the other one")
	}
}
