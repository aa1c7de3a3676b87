package zeromq

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"testing"
	"time"
)

// silentFrom connects to a station from an address of loopback and says nothing.
func silentFrom(t *testing.T, s *station, address string) net.Conn {
	t.Helper()
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(address)}}
	conn, err := dialer.Dial("tcp", strings.TrimPrefix(s.Endpoint(), "tcp://"))
	must(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// standing counts the connections that have not been closed within a moment.
func standing(t *testing.T, conns []net.Conn) (n int) {
	t.Helper()
	for _, conn := range conns {
		_ = conn.SetReadDeadline(time.Now().Add(2 * time.Millisecond))
		if _, err := conn.Read(make([]byte, 64)); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
			n++
		}
	}
	return n
}

func TestSilentConnectionsLeaveMostDescriptorsToOthers(t *testing.T) {
	const descriptors = 256
	server, client := acquainted(t, func(c *Config) { c.DescriptorsMax = descriptors })
	var strangers []net.Conn
	for i := range descriptors {
		strangers = append(strangers, silentFrom(t, server, fmt.Sprintf("127.0.1.%d", 1+i/4)))
	}
	for wait := time.Now().Add(silenceTimeout / 2); standing(t, strangers) > descriptors/8; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(wait) {
			t.Fatalf("%d of %d silent connections stand", standing(t, strangers), descriptors)
		}
	}
	client.say(client.call(server), "hello")
	server.expect("hello")
}

func TestWhoCameLastIsHeardWhenTooManyAreSilent(t *testing.T) {
	server, _ := acquainted(t, func(c *Config) { c.DescriptorsMax = 64 })
	first := silentFrom(t, server, "127.0.1.1")
	var others []net.Conn
	for i := range 8 {
		others = append(others, silentFrom(t, server, fmt.Sprintf("127.0.2.%d", 1+i)))
	}
	for wait := time.Now().Add(silenceTimeout / 2); standing(t, []net.Conn{first}) > 0; time.Sleep(time.Millisecond) {
		if time.Now().After(wait) {
			t.Fatal("the first one stands")
		}
	}
	if standing(t, others) != len(others) {
		t.Error("a later one was cut")
	}
}

func TestADeviceHoldsFewConnectionsAndTheNewestOfThem(t *testing.T) {
	server, client := acquainted(t, nil)
	var last uint64
	for i := range keyConnsMax + 4 {
		conn := client.dial(server.Endpoint(), server.pair.key, fmt.Appendf(nil, "\x01%d", i))
		client.say(conn, "hello")
		last = server.expect("hello")
	}
	crowded := func(f Fact) bool { return f.Kind == Closed && errors.Is(f.Err, ErrCrowd) }
	closed := func(f Fact) bool { return f.Kind == Closed }
	for range 4 {
		if f := server.next("end of an old one", closed); !crowded(f) || f.Conn == last {
			t.Errorf("%d of %d ended: %v", f.Conn, last, f.Err)
		}
	}
	server.say(last, "you")
	client.expect("you")
	server.nothing(50*time.Millisecond, closed)
}
