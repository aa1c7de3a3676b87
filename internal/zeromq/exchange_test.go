package zeromq

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/zsync/zsync"
)

func TestTwoLinksExchangeMessagesBothWaysOnOneConnection(t *testing.T) {
	server, client := acquainted(t, nil)
	conn := client.dial(server.Endpoint(), server.pair.key, []byte("\x01the client's UUID"))
	client.say(conn, "hello", "", "three frames") // before the handshake

	f := server.message()
	want := Fact{
		Kind: Received, Conn: f.Conn, Key: client.pair.key, Address: "127.0.0.1",
		Identity: []byte("\x01the client's UUID"), Frames: octets("hello", "", "three frames"),
	}
	if diff := cmp.Diff(want, f); diff != "" {
		t.Fatal(diff)
	}
	if f.Conn < firstIncoming {
		t.Fatalf("incoming connection has number %d", f.Conn)
	}
	server.say(f.Conn, "welcome")
	if f := client.opened(conn); f.Key != server.pair.key || f.Address != "127.0.0.1" {
		t.Fatalf("opened %+v", f)
	}
	f = client.message()
	if diff := cmp.Diff(Fact{Kind: Received, Conn: conn, Key: server.pair.key, Address: "127.0.0.1", Frames: octets("welcome")}, f); diff != "" {
		t.Fatal(diff)
	}
}

func TestOpenedPrecedesWhatIsReceived(t *testing.T) {
	server, client := acquainted(t, nil)
	conn := client.call(server)
	client.say(conn, "hello")
	server.say(server.expect("hello"), "welcome")
	for _, want := range []FactKind{Opened, Received} {
		if f := client.next("fact", func(Fact) bool { return true }); f.Kind != want || f.Conn != conn {
			t.Fatalf("%+v instead of kind %d", f, want)
		}
	}
}

func TestManyMessagesKeepTheirOrderBothWays(t *testing.T) {
	const many = 3000
	server, client := acquainted(t, nil)
	conn := client.call(server)
	client.say(conn, "0")
	back := server.expect("0")
	for i := 1; i < many; i++ {
		client.say(conn, fmt.Sprint(i))
		server.say(back, fmt.Sprint(i))
	}
	for i := 1; i < many; i++ {
		server.expect(fmt.Sprint(i))
		client.expect(fmt.Sprint(i))
	}
}

func TestAPeerThatLeavesIsClosedAfterItsLastMessage(t *testing.T) {
	server, client := acquainted(t, nil)
	conn := client.call(server)
	client.say(conn, "hello")
	back := server.expect("hello")
	client.Do(Orders{Send: []Send{{Conn: conn, Frames: octets("goodbye")}}, Hangup: []uint64{conn}})
	server.expect("goodbye")
	if f := server.ended(back); f.Kind != Closed || !errors.Is(f.Err, ErrLost) || f.Key != client.pair.key {
		t.Fatalf("%+v", f)
	}
	client.nothing(100*time.Millisecond, func(f Fact) bool { return f.Kind == Closed })
	server.say(back, "nobody hears this") // must not disturb
	conn = client.call(server)
	client.say(conn, "again")
	server.expect("again")
}

func TestHangingUpAnIncomingConnectionDeliversWhatWasSentAndEndsItThere(t *testing.T) {
	server, client := acquainted(t, nil)
	conn := client.call(server)
	client.say(conn, "hello")
	back := server.expect("hello")
	server.Do(Orders{Send: []Send{{Conn: back, Frames: octets("goodbye")}}, Hangup: []uint64{back}})
	client.expect("goodbye")
	time.Sleep(20 * time.Millisecond) // the hang-up is carried out next after the message
	client.say(conn, "too late")
	if f := client.ended(conn); !errors.Is(f.Err, ErrLost) {
		t.Fatalf("%+v", f)
	}
	server.nothing(100*time.Millisecond, func(f Fact) bool { return f.Conn == back })
}

func TestWhatWasOrderedBeforeTheEndStillArrives(t *testing.T) {
	server, client := acquainted(t, nil)
	conn := client.call(server)
	client.say(conn, "hello")
	server.expect("hello")
	client.say(conn, "goodbye")
	began := time.Now()
	client.halt()
	if took := time.Since(began); took > time.Second {
		t.Fatalf("shutting down took %v", took)
	}
	server.expect("goodbye")
	if _, open := <-client.Facts(); open {
		// What had happened before is still there; then it is closed.
		for range client.Facts() {
		}
	}
}

func TestShutdownIsPromptWhilePeersAreSilentFloodedAndUnreachable(t *testing.T) {
	server, client := acquainted(t, nil)
	conn := client.call(server)
	client.say(conn, "hello")
	back := server.expect("hello")
	for range 50 {
		server.Do(Orders{Send: []Send{{Conn: back, Frames: [][]byte{make([]byte, 1<<20)}}}})
	}
	client.dial("tcp://127.0.0.1:1", server.pair.key, nil)
	client.dial("tcp://unknown.invalid:7001", server.pair.key, nil)
	client.dial(silentPort(t), server.pair.key, nil)
	began := time.Now()
	client.halt()
	server.halt()
	if took := time.Since(began); took > time.Second {
		t.Fatalf("shutting down took %v", took)
	}
}

func TestBothWaysOfReceivingDeliverEqualFrames(t *testing.T) {
	sizes := []int{0, 1, 255, 256, pooledBytesMin - 1, pooledBytesMin, smallBytes, smallBytes + 1, mediumBytes, mediumBytes + 1, largeBytes - 1, largeBytes}
	random := rand.NewChaCha8([32]byte{1})
	var sent [][]byte
	for _, n := range sizes {
		frame := make([]byte, n)
		_, _ = random.Read(frame)
		sent = append(sent, frame)
	}
	for _, plain := range []bool{false, true} {
		server, client := acquainted(t, func(c *Config) { c.copies, c.MessageBytesMax = plain, largeBytes })
		if _, copies := server.reader.(copyReader); copies != plain {
			t.Fatalf("receives by %T", server.reader)
		}
		conn := client.call(server)
		for range 3 { // the second and third time in recycled buffers
			client.Do(Orders{Send: []Send{{Conn: conn, Frames: sent}}})
			f := server.message()
			if !slices.EqualFunc(f.Frames, sent, bytes.Equal) {
				t.Fatalf("frames differ, plain %v", plain)
			}
			server.Do(Orders{Send: []Send{{Conn: f.Conn, Frames: sent}}})
			f = client.message()
			if !slices.EqualFunc(f.Frames, sent, bytes.Equal) {
				t.Fatalf("frames differ, plain %v", plain)
			}
			for _, frame := range f.Frames {
				clear(frame)
				client.Recycle(frame)
			}
		}
	}
}

func TestRecycledBuffersAreUsedAgain(t *testing.T) {
	var p pool
	for _, n := range []int{pooledBytesMin, mediumBytes, largeBytes} {
		again := false
		for range 100 { // a sync.Pool may forget
			frame := p.get(n)
			frame[0] = 7
			p.put(frame[:10])
			again = again || p.get(n)[0] == 7
		}
		if !again {
			t.Errorf("%d octets: never recycled", n)
		}
	}
	p.put(nil)
	p.put(make([]byte, 10))
}

func TestPlainLinksExchangeWithAPlainPeer(t *testing.T) {
	server := newStation(t, func(c *Config) { c.Key, c.Secret = zsync.Key{}, [32]byte{} })
	server.pair.key = zsync.Key{}
	client := newStation(t, func(c *Config) { c.Key, c.Secret = zsync.Key{}, [32]byte{} })
	conn := client.call(server)
	client.say(conn, "hello")
	server.say(server.expect("hello"), "welcome")
	client.expect("welcome")

	zyre := outsider(t, server, pair{}, "\x01zyre")
	if _, err := zyre.SendMessage("HELLO", "frames"); err != nil {
		t.Fatal(err)
	}
	f := server.message()
	if !bytes.Equal(f.Identity, []byte("\x01zyre")) || !f.Key.IsZero() {
		t.Fatalf("%+v", f)
	}
}

func TestADialByNameFindsTheAddress(t *testing.T) {
	server, client := acquainted(t, nil)
	_, port, err := parseEndpoint(server.Endpoint())
	if err != nil {
		t.Fatal(err)
	}
	for range 3 { // localhost may have an IPv6 address as well, where nothing listens
		conn := client.dial(fmt.Sprintf("tcp://localhost:%d", port), server.pair.key, nil)
		client.say(conn, "hello")
		f := client.next("opening or end", func(f Fact) bool { return f.Conn == conn })
		if f.Kind == Opened {
			server.expect("hello")
			return
		}
	}
	t.Fatal("localhost was not reached")
}

func TestAWrongDialIsAClosedFact(t *testing.T) {
	_, client := acquainted(t, nil)
	for name, d := range map[string]Dial{
		"no port":       {Conn: 1, Endpoint: "tcp://127.0.0.1", Key: client.pair.key},
		"other scheme":  {Conn: 2, Endpoint: "ipc:///tmp/x:1", Key: client.pair.key},
		"no key":        {Conn: 3, Endpoint: "tcp://127.0.0.1:7001"},
		"bad identity":  {Conn: 4, Endpoint: "tcp://127.0.0.1:7001", Key: client.pair.key, Identity: []byte{0, 1}},
		"bad number":    {Conn: firstIncoming, Endpoint: "tcp://127.0.0.1:7001", Key: client.pair.key},
		"unknown name":  {Conn: 6, Endpoint: "tcp://unknown.invalid:7001", Key: client.pair.key},
		"port too high": {Conn: 7, Endpoint: "tcp://127.0.0.1:70000", Key: client.pair.key},
	} {
		client.Do(Orders{Dial: []Dial{d}})
		if f := client.ended(d.Conn); f.Kind != Closed || f.Err == nil {
			t.Errorf("%s: %+v", name, f)
		}
	}
}

func TestAPortThatIsTakenIsSaidSo(t *testing.T) {
	server, client := acquainted(t, nil)
	_, err := client.ctx.Listen(Config{Key: client.pair.key, Secret: client.pair.secret, Bind: server.Endpoint()})
	if !errors.Is(err, syscall.EADDRINUSE) || !strings.Contains(err.Error(), "another program holds this port") {
		t.Fatal(err)
	}
}

func TestALinkBindsEveryInterface(t *testing.T) {
	server := newStation(t, func(c *Config) { c.Bind = "tcp://*:0" })
	client := newStation(t, nil)
	server.ctx.SetTrusted([]zsync.Key{client.pair.key})
	_, port, err := parseEndpoint(server.Endpoint())
	if err != nil || port == 0 {
		t.Fatalf("%s: %v", server.Endpoint(), err)
	}
	conn := client.dial(fmt.Sprintf("tcp://127.0.0.1:%d", port), server.pair.key, nil)
	client.say(conn, "hello")
	if f := server.message(); f.Address != "127.0.0.1" {
		t.Fatalf("address %s", f.Address)
	}
}

func TestAContextClosesLinksThatNeverRan(t *testing.T) {
	ctx, err := NewContext()
	if err != nil {
		t.Fatal(err)
	}
	p := newPair(t)
	l, err := ctx.Listen(Config{Key: p.key, Secret: p.secret})
	if err != nil {
		t.Fatal(err)
	}
	if err := ctx.Close(); err != nil {
		t.Fatal(err)
	}
	l.Do(Orders{Hangup: []uint64{1}}) // nothing hears it, nothing breaks
	if err := l.Run(context.Background()); err == nil {
		t.Fatal("ran after the end")
	}
	if _, err := ctx.Listen(Config{}); err == nil {
		t.Fatal("listens after the end")
	}
}

func TestEndpointsAreParsedFromTheLastColon(t *testing.T) {
	for text, want := range map[string]string{
		"tcp://10.0.0.1:7001":        "10.0.0.1 7001",
		"tcp://[fe80::1%eth0]:7001":  "fe80::1%eth0 7001",
		"tcp://fe80::1:2:3:4:49152":  "fe80::1:2:3:4 49152",
		"tcp://box.example.org:7001": "box.example.org 7001",
		"udp://10.0.0.1:7001":        "",
		"tcp://:7001":                "",
		"tcp://10.0.0.1:0":           "",
		"tcp://10.0.0.1":             "",
	} {
		host, port, err := parseEndpoint(text)
		if got := fmt.Sprint(host, " ", port); want != "" && got != want || (err == nil) != (want != "") {
			t.Errorf("%s: %s, %v", text, got, err)
		}
	}
}
