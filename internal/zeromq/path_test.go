package zeromq

import (
	"net"
	"net/netip"
	"runtime"
	"slices"
	"testing"
	"time"
)

func bulk(c *Config) { c.Multipart, c.Bulk = false, true }

// watched is a bulk link that takes connections within this machine for long ones.
func watched(c *Config) {
	bulk(c)
	c.anyPath = true
}

func needsPaths(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("this system does not tell how a connection fares")
	}
}

// fill has a station send enough on a connection for a look to be told of.
func (s *station) fill(conn uint64) {
	for range 64 {
		s.Do(Orders{Send: []Send{{Conn: conn, Frames: [][]byte{make([]byte, 256<<10)}}}})
	}
}

func TestABulkLinkTellsHowItsConnectionsFareAtBothEnds(t *testing.T) {
	t.Parallel()
	needsPaths(t)
	server, client := acquainted(t, watched)
	conn := client.call(server)
	client.say(conn, "hello")
	back := server.expect("hello")
	client.fill(conn)
	sent := client.next("path at the sender", func(f Fact) bool { return f.Kind == Fared && f.Conn == conn })
	got := server.next("path at the receiver", func(f Fact) bool { return f.Kind == Fared && f.Conn == back })
	if p := sent.Path; p.Sent < pathSegments || p.RoundTrip <= 0 || p.LeastRoundTrip > p.RoundTrip || sent.Key != server.pair.key {
		t.Errorf("sender: %+v", sent)
	}
	if p := got.Path; p.Received < pathSegments || got.Key != client.pair.key {
		t.Errorf("receiver: %+v", got)
	}
}

func TestConnectionsWithinTheMachineAndThoseOfOtherLinksAreLeftAlone(t *testing.T) {
	t.Parallel()
	needsPaths(t)
	for what, change := range map[string]func(*Config){
		"within the machine": func(c *Config) {
			bulk(c)
			c.control = "reno"
		},
		"not bulk": func(c *Config) { c.anyPath, c.control = true, "reno" },
	} {
		server, client := acquainted(t, change)
		conn := client.call(server)
		client.say(conn, "hello")
		server.expect("hello")
		client.fill(conn)
		if f, told := client.within(2*unreadEvery, func(f Fact) bool { return f.Kind == Fared }); told {
			t.Errorf("%s: %+v", what, f)
		}
		if got := controlOf(client, conn); got != usualControl(t) {
			t.Errorf("%s: it sends by %s", what, got)
		}
	}
}

func TestALongConnectionAsksForWhatFillsALossyLineAtBothEnds(t *testing.T) {
	t.Parallel()
	needsPaths(t)
	server, client := acquainted(t, func(c *Config) {
		watched(c)
		c.control = "reno" // every system has it and lets everybody ask
	})
	conn := client.call(server)
	client.say(conn, "hello")
	back := server.expect("hello")
	for s, number := range map[*station]uint64{client: conn, server: back} {
		if got := controlOf(s, number); got != "reno" {
			t.Errorf("connection %d sends by %q", number, got)
		}
	}
}

func TestARefusedCongestionControlDoesNoHarm(t *testing.T) {
	t.Parallel()
	needsPaths(t)
	server, client := acquainted(t, func(c *Config) {
		watched(c)
		c.control = "no such thing"
	})
	conn := client.call(server)
	client.say(conn, "hello")
	back := server.expect("hello")
	server.say(back, "and back")
	client.expect("and back")
}

func TestOnlyWhatLossesHurtAsks(t *testing.T) {
	for _, c := range []struct {
		seen  Path
		gains bool
	}{
		{Path{LeastRoundTrip: 300 * time.Microsecond, Sent: 80000, Resent: 800}, false}, // a local network
		{Path{LeastRoundTrip: 2 * time.Millisecond, Sent: 8000}, false},
		{Path{LeastRoundTrip: 2 * time.Millisecond, Sent: 8000, Resent: 7}, false},
		{Path{LeastRoundTrip: 2 * time.Millisecond, Sent: 8000, Resent: 8}, true},
		{Path{LeastRoundTrip: 2 * time.Millisecond, Sent: 100, Resent: 1}, false},
		{Path{LeastRoundTrip: 5 * time.Millisecond}, true},
	} {
		if c.seen.gains() != c.gains {
			t.Errorf("%+v: %t", c.seen, !c.gains)
		}
	}
}

func TestADescriptorThatLeadsElsewhereIsLeftAlone(t *testing.T) {
	needsPaths(t)
	a, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer func() { _ = a.Close() }()
	conn, err := net.Dial("tcp", a.Addr().String())
	must(t, err)
	defer func() { _ = conn.Close() }()
	raw, err := conn.(*net.TCPConn).SyscallConn()
	must(t, err)
	must(t, raw.Control(func(fd uintptr) {
		there := netip.MustParseAddrPort(a.Addr().String())
		if _, _, ok := pathOf(int(fd), there); !ok {
			t.Error("the connection is not known")
		}
		if _, _, ok := pathOf(int(fd), netip.AddrPortFrom(there.Addr(), there.Port()^1)); ok {
			t.Error("another one is taken for it")
		}
	}))
}

// usualControl returns by what a connection sends that asked for nothing.
func usualControl(t *testing.T) (control string) {
	_, _, fd := wired(t)
	return congestionOf(fd)
}

// controlOf returns by what a connection sends.
func controlOf(s *station, number uint64) (control string) {
	done := make(chan struct{})
	s.post(func() {
		defer close(done)
		fd := 0
		if d := s.dialled[number]; d != nil {
			fd = d.fd
		} else if c := s.in.conns[number]; c != nil && c.tcp != nil {
			fd = c.tcp.fd
		}
		control = congestionOf(fd)
	})
	for {
		select {
		case <-done:
			return control
		case facts := <-s.Facts():
			s.seen = slices.Concat(s.seen, facts)
		}
	}
}
