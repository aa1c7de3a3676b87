package zeromq

import (
	"context"
	"crypto/rand"
	"fmt"
	"testing"
	"time"

	zmq "github.com/pebbe/zmq4"
	"go.uber.org/goleak"
	"golang.org/x/crypto/nacl/box"

	"github.com/zsync/zsync"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is how long a test waits for what must happen; the longest of the
// package's own timeouts is above five seconds.
const patience = 15 * time.Second

type pair struct {
	key    zsync.Key
	secret [32]byte
}

func newPair(t testing.TB) pair {
	t.Helper()
	public, secret, err := box.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return pair{zsync.Key(*public), *secret}
}

// station is a device of the tests: a context with one running link.
type station struct {
	*Link
	t     testing.TB
	ctx   *Context
	pair  pair
	dials uint64
	seen  []Fact // taken from the link and not yet from the test
	halt  func()
}

func newStation(t testing.TB, change func(*Config)) *station {
	t.Helper()
	ctx, err := NewContext()
	if err != nil {
		t.Fatal(err)
	}
	s := &station{t: t, ctx: ctx, pair: newPair(t)}
	cfg := Config{Key: s.pair.key, Secret: s.pair.secret, Multipart: true}
	if change != nil {
		change(&cfg)
	}
	if s.Link, err = ctx.Listen(cfg); err != nil {
		t.Fatal(err)
	}
	running, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(running) }()
	halted := false
	s.halt = func() {
		if halted {
			return
		}
		halted = true
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Run: %v", err)
		}
		if err := ctx.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	}
	t.Cleanup(s.halt)
	return s
}

// call dials other and returns the connection's number.
func (s *station) call(other *station) uint64 {
	return s.dial(other.Endpoint(), other.pair.key, nil)
}

func (s *station) dial(endpoint string, key zsync.Key, identity []byte) uint64 {
	s.dials++
	s.Do(Orders{Dial: []Dial{{Conn: s.dials, Endpoint: endpoint, Key: key, Identity: identity}}})
	return s.dials
}

func (s *station) say(conn uint64, frames ...string) {
	s.Do(Orders{Send: []Send{{Conn: conn, Frames: octets(frames...)}}})
}

func octets(frames ...string) [][]byte {
	all := make([][]byte, len(frames))
	for i, f := range frames {
		all[i] = []byte(f)
	}
	return all
}

// next returns the next fact that wanted accepts, and keeps the others.
func (s *station) next(what string, wanted func(Fact) bool) Fact {
	s.t.Helper()
	f, ok := s.within(patience, wanted)
	if !ok {
		s.t.Fatalf("no %s; there were %v", what, s.seen)
	}
	return f
}

func (s *station) within(limit time.Duration, wanted func(Fact) bool) (Fact, bool) {
	deadline := time.After(limit)
	for checked := 0; ; {
		for ; checked < len(s.seen); checked++ {
			if f := s.seen[checked]; wanted(f) {
				s.seen = append(s.seen[:checked:checked], s.seen[checked+1:]...)
				return f, true
			}
		}
		select {
		case facts := <-s.Facts():
			s.seen = append(s.seen, facts...)
		case <-deadline:
			return Fact{}, false
		}
	}
}

func (s *station) ended(conn uint64) Fact {
	s.t.Helper()
	return s.next(fmt.Sprintf("end of %d", conn), func(f Fact) bool {
		return f.Conn == conn && (f.Kind == Closed || f.Kind == BadKey)
	})
}

func (s *station) opened(conn uint64) Fact {
	s.t.Helper()
	return s.next(fmt.Sprintf("opening of %d", conn), func(f Fact) bool { return f.Conn == conn && f.Kind == Opened })
}

func (s *station) message() Fact {
	s.t.Helper()
	return s.next("message", func(f Fact) bool { return f.Kind == Received })
}

// expect fails unless the next message is text, and returns its connection.
func (s *station) expect(text string) uint64 {
	s.t.Helper()
	f := s.message()
	if got := string(f.Frames[0]); got != text {
		s.t.Fatalf("received %q, not %q", got, text)
	}
	return f.Conn
}

// nothing fails when a fact comes that wanted accepts.
func (s *station) nothing(during time.Duration, wanted func(Fact) bool) {
	s.t.Helper()
	if f, ok := s.within(during, wanted); ok {
		s.t.Fatalf("unexpected: %+v", f)
	}
}

func (s *station) attempt() Attempt {
	s.t.Helper()
	select {
	case a := <-s.ctx.Attempts():
		return a
	case <-time.After(patience):
		s.t.Fatal("no attempt was told of")
	}
	return Attempt{}
}

// acquainted returns two stations, the first of which trusts the second.
func acquainted(t testing.TB, change func(*Config)) (server, client *station) {
	t.Helper()
	server, client = newStation(t, change), newStation(t, change)
	server.ctx.SetTrusted([]zsync.Key{client.pair.key})
	return server, client
}

// outsider is a DEALER that is not ours, with a context of its own.
func outsider(t *testing.T, server *station, p pair, identity string) *zmq.Socket {
	t.Helper()
	ctx, err := zmq.NewContext()
	if err != nil {
		t.Fatal(err)
	}
	socket, err := ctx.NewSocket(zmq.DEALER)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = socket.Close()
		_ = ctx.Term()
	})
	if p != (pair{}) {
		_ = socket.SetCurvePublickey(string(p.key[:]))
		_ = socket.SetCurveSecretkey(string(p.secret[:]))
		_ = socket.SetCurveServerkey(string(server.pair.key[:]))
	}
	_ = socket.SetIdentity(identity)
	_ = socket.SetLinger(0)
	_ = socket.SetRcvtimeo(time.Second)
	if err := socket.Connect(server.Endpoint()); err != nil {
		t.Fatal(err)
	}
	return socket
}
