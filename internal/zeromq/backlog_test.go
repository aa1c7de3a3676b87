package zeromq

import (
	"encoding/binary"
	"errors"
	"io"
	"net"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/zsync/zsync"
)

func plain(c *Config) { c.Key, c.Secret = zsync.Key{}, [32]byte{} }

// byHand is a TCP connection to a plain link that speaks ZMTP by hand, after the
// handshake.
func byHand(t *testing.T, server *station) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", strings.TrimPrefix(server.Endpoint(), "tcp://"))
	must(t, err)
	t.Cleanup(func() { _ = c.Close() })
	must(t, c.SetDeadline(time.Now().Add(patience)))
	hello := greeting()
	copy(hello[mechanismAt:], "NULL\x00")
	_, err = c.Write(hello)
	must(t, err)
	_, err = io.ReadFull(c, make([]byte, greetingBytes))
	must(t, err)
	_, err = c.Write([]byte("\x04\x1c\x05READY\x0bSocket-Type\x00\x00\x00\x06DEALER"))
	must(t, err)
	ready := make([]byte, 2)
	_, err = io.ReadFull(c, ready)
	must(t, err)
	_, err = io.ReadFull(c, make([]byte, ready[1]))
	must(t, err)
	return c
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// unfinished is a long frame, to be followed by others.
func unfinished(size int) []byte {
	return append(binary.BigEndian.AppendUint64([]byte{0x03}, uint64(size)), make([]byte, size)...)
}

func needsCounts(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("this system does not tell what TCP has carried")
	}
}

func TestAMessageThatNeverEndsClosesItsConnectionAlone(t *testing.T) {
	t.Parallel()
	needsCounts(t)
	server, client := newStation(t, plain), newStation(t, plain)
	conn := client.dial(server.Endpoint(), zsync.Key{}, nil)
	client.say(conn, "hello")
	back := server.expect("hello")
	endless := byHand(t, server)
	_, err := endless.Write([]byte("\x00\x05begin"))
	must(t, err)
	cut := server.expect("begin")
	part := unfinished(1 << 20)
	for range 2 * unreadBytesMax >> 20 {
		if _, err := endless.Write(part); err != nil {
			break // cut already
		}
	}
	if f := server.ended(cut); !errors.Is(f.Err, ErrProtocol) {
		t.Fatalf("%+v", f)
	}
	server.say(back, "unharmed")
	client.expect("unharmed")
}

func TestMoreOctetsThanMayWaitForAPeerCloseIt(t *testing.T) {
	t.Parallel()
	needsCounts(t)
	server := newStation(t, plain)
	deaf := byHand(t, server)
	_, err := deaf.Write([]byte("\x00\x05hello"))
	must(t, err)
	back := server.expect("hello")
	for range 2 * queueBytesMax >> 20 {
		server.Do(Orders{Send: []Send{{Conn: back, Frames: [][]byte{make([]byte, 1<<20)}}}})
		time.Sleep(2 * time.Millisecond) // so that none waits in orders
	}
	if f := server.ended(back); !errors.Is(f.Err, ErrFull) {
		t.Fatalf("%+v", f)
	}
}

func TestOctetsAreCountedAsTheyAreOnTheWire(t *testing.T) {
	needsCounts(t)
	for _, change := range []func(*Config){nil, plain} {
		server, client := acquainted(t, change)
		conn := client.dial(server.Endpoint(), server.Link.cfg.Key, nil)
		client.say(conn, "hello")
		back := server.expect("hello")
		// beyond returns what TCP has carried besides messages, both ways: the handshake.
		beyond := func() (in, out uint64) {
			done := make(chan struct{})
			server.post(func() {
				c := server.in.conns[back]
				carriedIn, acked, ok := c.carried()
				if !ok {
					t.Error("the system does not tell")
				}
				in, out = carriedIn-c.backlog.read, acked-c.backlog.written
				close(done)
			})
			<-done
			return in, out
		}
		server.say(back, "welcome")
		client.expect("welcome")
		client.say(conn, "thanks") // which acknowledges it
		server.expect("thanks")
		in, out := beyond()
		for _, size := range slices.Concat(slices.Repeat([]int{1, 222, 223, 255, 256}, 20), []int{70_000, 1 << 20}) {
			text := strings.Repeat("x", size)
			client.say(conn, text, "")
			server.expect(text)
			server.say(back, text, "y")
			client.expect(text)
		}
		for wait := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
			inAfter, outAfter := beyond()
			if inAfter == in && outAfter == out {
				break
			}
			if time.Now().After(wait) {
				t.Fatalf("counted wrong by %d in, %d out", int64(inAfter-in), int64(outAfter-out))
			}
		}
	}
}

func TestAMessageWhoseFramesAreTooLongTogetherClosesThatPeer(t *testing.T) {
	server, client := acquainted(t, func(c *Config) { c.MessageBytesMax = 1000 })
	socket := outsider(t, server, client.pair, "\x01long")
	part := strings.Repeat("x", 1000)
	_, err := socket.SendMessage(part, part, part, part)
	must(t, err)
	back := server.expect(part)
	_, err = socket.SendMessage(part, part, part, part, "x")
	must(t, err)
	if f := server.ended(back); !errors.Is(f.Err, ErrProtocol) {
		t.Fatalf("%+v", f)
	}
}

func TestSilentConnectionsOfOneAddressAreFew(t *testing.T) {
	server, _ := acquainted(t, nil)
	const more = 5
	cut := make(chan struct{}, silentOfOneMax+more)
	for range silentOfOneMax + more {
		c, err := net.Dial("tcp", strings.TrimPrefix(server.Endpoint(), "tcp://"))
		must(t, err)
		defer func() { _ = c.Close() }()
		go func() {
			_ = c.SetDeadline(time.Now().Add(silenceTimeout / 2))
			if _, err := io.Copy(io.Discard, c); err == nil || !errors.Is(err, os.ErrDeadlineExceeded) {
				cut <- struct{}{}
			}
		}()
	}
	for range more {
		select {
		case <-cut:
		case <-time.After(silenceTimeout / 2):
			t.Fatal("all of them stand")
		}
	}
}
