package zeromq

import (
	"errors"
	"net"
	"net/netip"
	"testing"
	"time"

	zmq "github.com/pebbe/zmq4"

	"github.com/zsync/zsync"
)

// silentPort returns the endpoint of a listener that never says a word.
func silentPort(t *testing.T) string {
	t.Helper()
	return port(t, func(c net.Conn) {
		buffer := make([]byte, 1000)
		for {
			if _, err := c.Read(buffer); err != nil {
				return
			}
		}
	})
}

// port returns the endpoint of a TCP server that treats each client with serve.
func port(t *testing.T, serve func(net.Conn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_ = c.SetDeadline(time.Now().Add(patience))
			go func() {
				defer func() { _ = c.Close() }()
				serve(c)
			}()
		}
	}()
	t.Cleanup(func() {
		_ = l.Close()
		<-done
	})
	return "tcp://" + l.Addr().String()
}

func received(f Fact) bool { return f.Kind == Received }

func TestAnUnknownKeyIsNotAnsweredAndConnectsWithinSecondsOnceTrusted(t *testing.T) {
	t.Parallel()
	server, client := newStation(t, nil), newStation(t, nil)
	conn := client.call(server)
	client.say(conn, "let me in")
	a := server.attempt()
	if a != (Attempt{Key: client.pair.key, Address: "127.0.0.1", Count: 1}) {
		t.Fatalf("%+v", a)
	}
	if f := client.ended(conn); f.Kind != Closed || !errors.Is(f.Err, ErrUnanswered) {
		t.Fatalf("%+v", f)
	}
	server.nothing(100*time.Millisecond, func(Fact) bool { return true })

	server.ctx.SetTrusted([]zsync.Key{client.pair.key})
	began := time.Now()
	conn = client.call(server)
	client.say(conn, "now?")
	server.expect("now?")
	if took := time.Since(began); took > 5*time.Second {
		t.Fatalf("took %v", took)
	}
	server.nothing(100*time.Millisecond, received)
}

func TestARevokedKeyIsRefusedAtOnce(t *testing.T) {
	server, client := acquainted(t, nil)
	server.ctx.SetRevoked([]zsync.Key{client.pair.key})
	conn := client.call(server)
	client.say(conn, "let me in")
	if f := client.ended(conn); f.Kind != Closed || !errors.Is(f.Err, ErrRefused) {
		t.Fatalf("%+v", f)
	}
	if a := server.attempt(); a.Key != client.pair.key || !a.Revoked {
		t.Fatalf("%+v", a)
	}
	server.nothing(100*time.Millisecond, received)
}

func TestWithdrawnTrustClosesWhatStands(t *testing.T) {
	server, client := acquainted(t, nil)
	client.ctx.SetTrusted([]zsync.Key{server.pair.key})
	conn := client.call(server)
	client.say(conn, "hello")
	back := server.expect("hello")
	server.ctx.SetTrusted(nil)
	if f := server.ended(back); !errors.Is(f.Err, ErrUntrusted) {
		t.Fatalf("%+v", f)
	}
	client.say(conn, "still there?")
	if f := client.ended(conn); !errors.Is(f.Err, ErrLost) {
		t.Fatalf("%+v", f)
	}
	server.nothing(100*time.Millisecond, received)

	server.ctx.SetTrusted([]zsync.Key{client.pair.key})
	conn = client.call(server)
	client.say(conn, "again")
	server.expect("again")
	client.ctx.SetRevoked([]zsync.Key{server.pair.key})
	if f := client.ended(conn); !errors.Is(f.Err, ErrUntrusted) {
		t.Fatalf("%+v", f)
	}
}

func TestAnotherDeviceAtTheAddressIsABadKey(t *testing.T) {
	server, client := acquainted(t, nil)
	expected := newPair(t)
	conn := client.dial(server.Endpoint(), expected.key, nil)
	client.say(conn, "secret")
	f := client.ended(conn)
	if f.Kind != BadKey || f.Err != ErrBadKey || f.Key != expected.key || f.Address != "127.0.0.1" {
		t.Fatalf("%+v", f)
	}
	if a := server.attempt(); !a.Key.IsZero() || a.Address != "127.0.0.1" && a.Address != "" {
		t.Fatalf("%+v", a)
	}
	server.nothing(100*time.Millisecond, received)
}

func TestOnlyAnotherDeviceIsABadKey(t *testing.T) {
	t.Parallel()
	_, client := acquainted(t, nil)
	key := newPair(t).key
	plain := newStation(t, func(c *Config) { c.Key, c.Secret = zsync.Key{}, [32]byte{} })
	for _, test := range []struct {
		name     string
		endpoint string
		want     []error
	}{
		{"nothing listens", "tcp://127.0.0.1:1", []error{ErrUnreachable}},
		{"a forwarder with nothing behind it", port(t, func(net.Conn) {}), []error{ErrUnreachable}},
		{"a listener that says nothing", silentPort(t), []error{ErrUnanswered}},
		{"a web server", port(t, func(c net.Conn) {
			_, _ = c.Write([]byte("HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\nwhat was that, if you please?"))
		}), []error{ErrProtocol, ErrUnreachable}},
		{"a plain ZRE node", plain.Endpoint(), []error{ErrProtocol}},
		{"a CURVE server that says no more", port(t, func(c net.Conn) {
			_, _ = c.Write(greeting())
			buffer := make([]byte, 1000)
			for {
				if _, err := c.Read(buffer); err != nil {
					return
				}
			}
		}), []error{ErrUnanswered}},
	} {
		conn := client.dial(test.endpoint, key, nil)
		f := client.ended(conn)
		ok := false
		for _, want := range test.want {
			ok = ok || errors.Is(f.Err, want)
		}
		if f.Kind != Closed || !ok {
			t.Errorf("%s: %+v", test.name, f)
		}
	}
}

func TestTheRightKeyAnswersAProbe(t *testing.T) {
	server, client := acquainted(t, nil)
	_, portNumber, err := parseEndpoint(server.Endpoint())
	if err != nil {
		t.Fatal(err)
	}
	if err := probe(t.Context(), local(portNumber), server.pair.key); err != ErrUnanswered {
		t.Errorf("the server's own key: %v", err)
	}
	if err := probe(t.Context(), local(portNumber), client.pair.key); err != ErrBadKey {
		t.Errorf("another key: %v", err)
	}
}

func TestGarbageOnThePortIsAnAttemptWithoutAKeyAndHarmsNobody(t *testing.T) {
	server, client := acquainted(t, nil)
	conn := client.call(server)
	client.say(conn, "hello")
	back := server.expect("hello")
	for _, garbage := range []string{
		"GET / HTTP/1.1\r\nHost: photos\r\n\r\n",
		string(greeting()) + "\x04\xff\xff\xff",
		string(greeting()) + "\x06\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff",
		string(greeting()) + string(make([]byte, 5000)),
	} {
		c, err := net.Dial("tcp", server.Endpoint()[len("tcp://"):])
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(50 * time.Millisecond) // libzmq hangs up at once, and then nobody can say where it came from
		if _, err := c.Write([]byte(garbage)); err != nil {
			t.Fatal(err)
		}
		time.Sleep(50 * time.Millisecond)
		_ = c.Close()
	}
	if a := server.attempt(); !a.Key.IsZero() || a.Address != "127.0.0.1" {
		t.Fatalf("%+v", a)
	}
	server.say(back, "unharmed")
	client.expect("unharmed")
	client.say(conn, "so am I")
	server.expect("so am I")
	server.nothing(50*time.Millisecond, func(Fact) bool { return true })
}

func TestASecureLinkHearsNothingInPlainText(t *testing.T) {
	server, client := acquainted(t, nil)
	socket := outsider(t, server, pair{}, "\x01plain")
	if _, err := socket.SendMessage("in the open"); err != nil {
		t.Fatal(err)
	}
	if a := server.attempt(); !a.Key.IsZero() {
		t.Fatalf("%+v", a)
	}
	conn := client.call(server)
	client.say(conn, "in secret")
	server.expect("in secret")
	server.nothing(200*time.Millisecond, received)
}

func TestAConnectionThatSaysNothingIsCut(t *testing.T) {
	t.Parallel()
	server, client := acquainted(t, nil)
	conn := client.call(server)
	client.opened(conn)
	began := time.Now()
	if f := client.ended(conn); !errors.Is(f.Err, ErrLost) {
		t.Fatalf("%+v", f)
	}
	if took := time.Since(began); took < 3*time.Second || took > 10*time.Second {
		t.Fatalf("cut after %v", took)
	}
	select {
	case a := <-server.ctx.Attempts():
		t.Fatalf("a trusted device is no stranger: %+v", a)
	case <-time.After(100 * time.Millisecond):
	}
}

func TestANewConnectionOfTheSameDeviceReplacesTheOldOne(t *testing.T) {
	server, client := acquainted(t, nil)
	identity := []byte("\x01the client's UUID")
	first := client.dial(server.Endpoint(), server.pair.key, identity)
	client.say(first, "hello")
	old := server.expect("hello")
	second := client.dial(server.Endpoint(), server.pair.key, identity)
	client.say(second, "hello again")
	if f := server.ended(old); !errors.Is(f.Err, ErrTaken) {
		t.Fatalf("%+v", f)
	}
	server.say(server.expect("hello again"), "welcome")
	if conn := client.expect("welcome"); conn != second {
		t.Fatalf("answered on %d", conn)
	}
	if f := client.ended(first); !errors.Is(f.Err, ErrLost) {
		t.Fatalf("%+v", f)
	}
}

func TestNobodyHearsWhatIsMeantForTheOwnerOfTheirRoutingID(t *testing.T) {
	t.Parallel()
	server, client := acquainted(t, nil)
	thief := newPair(t)
	server.ctx.SetTrusted([]zsync.Key{client.pair.key, thief.key})
	conn := client.dial(server.Endpoint(), server.pair.key, []byte("\x01the client's UUID"))
	client.say(conn, "hello")
	back := server.expect("hello")

	socket := outsider(t, server, thief, "\x01the client's UUID") // and never says a word
	time.Sleep(300 * time.Millisecond)
	server.say(back, "for the client only")
	if stolen, err := socket.RecvMessage(0); err == nil {
		t.Fatalf("the thief received %q", stolen)
	}
	if f := server.ended(back); !errors.Is(f.Err, ErrLost) && !errors.Is(f.Err, ErrTaken) {
		t.Fatalf("%+v", f)
	}
	client.ended(conn)
	if stolen, err := socket.RecvMessage(zmq.DONTWAIT); err == nil {
		t.Fatalf("the thief received %q", stolen)
	}
}

func TestANewcomerDelaysOthersOnlyUntilItSpeaks(t *testing.T) {
	server, client := acquainted(t, nil)
	newcomer := newStation(t, nil)
	server.ctx.SetTrusted([]zsync.Key{client.pair.key, newcomer.pair.key})
	conn := client.call(server)
	client.say(conn, "hello")
	back := server.expect("hello")
	second := newcomer.call(server)
	newcomer.opened(second)
	for _, text := range []string{"one", "two"} {
		server.say(back, text)
	}
	client.nothing(200*time.Millisecond, received)
	newcomer.say(second, "hello")
	client.expect("one")
	client.expect("two")
}

func TestStrangersAreToldOfOnceASecondWithTheirCount(t *testing.T) {
	a := newAttempts()
	known := Attempt{Key: zsync.Key{1}, Address: "10.0.0.1"}
	for range 5 {
		a.add(known)
	}
	a.add(Attempt{Address: "10.0.0.2"})
	if got := <-a.out; got.Count != 1 || got.Address != "10.0.0.1" {
		t.Fatalf("%+v", got)
	}
	if got := <-a.out; got.Count != 1 || got.Address != "10.0.0.2" {
		t.Fatalf("%+v", got)
	}
	a.known[stranger{known.Key, known.Address}].since = time.Now().Add(-attemptEvery)
	a.add(known)
	if got := <-a.out; got.Count != 5 {
		t.Fatalf("%+v", got)
	}
	if a.crowded("10.0.0.1") {
		t.Fatal("six are no crowd")
	}
	for range strangersASecond {
		a.add(known)
	}
	if !a.crowded("10.0.0.1") || a.crowded("10.0.0.2") {
		t.Fatal("a crowd is known by its address")
	}
}

func TestMoreStrangersThanAreRememberedCostNoMemory(t *testing.T) {
	a := newAttempts()
	for i := range 3 * attemptsKnown {
		a.add(Attempt{Key: zsync.Key{byte(i), byte(i >> 8)}, Address: "10.0.0.1"})
	}
	if len(a.known) > attemptsKnown || len(a.out) != attemptsQueued {
		t.Fatal(len(a.known), len(a.out))
	}
}

func TestTheDoorRefusesRequestsThatAreNotLibzmqs(t *testing.T) {
	server, client := acquainted(t, nil)
	d := server.ctx.door
	good := octets("1.0", "1", server.name, "127.0.0.1", "", "CURVE", string(client.pair.key[:]))
	change := func(i int, text string) [][]byte {
		changed := append([][]byte(nil), good...)
		changed[i] = []byte(text)
		return changed
	}
	for name, request := range map[string][][]byte{
		"empty":           nil,
		"short":           good[:5],
		"other version":   change(0, "2.0"),
		"unknown link":    change(2, "zsync-99"),
		"no address":      change(3, "somewhere"),
		"plain":           change(5, "NULL"),
		"password":        change(5, "PLAIN"),
		"no key":          good[:6],
		"half a key":      change(6, "half"),
		"two credentials": append(append([][]byte(nil), good...), []byte("x")),
	} {
		if status := d.answer(request)[2]; status != string(broken) {
			t.Errorf("%s: %v", name, status)
		}
	}
}

func local(port uint16) netip.AddrPort {
	return netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), port)
}
