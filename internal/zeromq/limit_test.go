package zeromq

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/zsync/zsync"
)

func TestAFrameOfExactlyTheLimitPassesAndOneMoreOctetClosesOnlyThatPeer(t *testing.T) {
	const limit = 1000
	server, client := acquainted(t, func(c *Config) { c.MessageBytesMax = limit })
	other := newStation(t, nil)
	server.ctx.SetTrusted([]zsync.Key{client.pair.key, other.pair.key})
	conn, otherConn := client.call(server), other.call(server)
	other.say(otherConn, "hello")
	server.expect("hello")
	client.say(conn, strings.Repeat("x", limit))
	back := server.expect(strings.Repeat("x", limit))

	client.say(conn, strings.Repeat("x", limit+1))
	if f := client.ended(conn); !errors.Is(f.Err, ErrTooBig) {
		t.Fatalf("own frame above the limit: %+v", f)
	}
	server.ended(back)

	big := outsider(t, server, client.pair, "\x01big")
	if _, err := big.SendBytes([]byte("first"), 0); err != nil {
		t.Fatal(err)
	}
	back = server.expect("first")
	if _, err := big.SendBytes(make([]byte, limit+1), 0); err != nil {
		t.Fatal(err)
	}
	server.ended(back)
	other.say(otherConn, "still here")
	server.expect("still here")
}

func TestAMessageOfTooManyFramesClosesThatPeer(t *testing.T) {
	server, client := acquainted(t, func(c *Config) { c.Multipart = false })
	socket := outsider(t, server, client.pair, "\x01many")
	if _, err := socket.SendMessage("one"); err != nil {
		t.Fatal(err)
	}
	back := server.expect("one")
	if _, err := socket.SendMessage("one", "two"); err != nil {
		t.Fatal(err)
	}
	if f := server.ended(back); !errors.Is(f.Err, ErrProtocol) {
		t.Fatalf("%+v", f)
	}
}

func TestAPeerThatDoesNotReadIsClosedAndOthersGoOn(t *testing.T) {
	server, client := acquainted(t, func(c *Config) { c.SendHWM = 16 })
	other := newStation(t, nil)
	server.ctx.SetTrusted([]zsync.Key{client.pair.key, other.pair.key})
	conn, otherConn := client.call(server), other.call(server)
	client.say(conn, "hello")
	back := server.expect("hello")
	other.say(otherConn, "hello")
	toOther := server.expect("hello")
	for range 200 { // nobody takes the client's facts
		server.Do(Orders{Send: []Send{{Conn: back, Frames: [][]byte{make([]byte, 1<<20)}}}})
		time.Sleep(time.Millisecond)
	}
	if f := server.ended(back); !errors.Is(f.Err, ErrFull) {
		t.Fatalf("%+v", f)
	}
	server.say(toOther, "unharmed")
	other.expect("unharmed")
}

func TestALinkWhoseFactsNobodyTakesStillSends(t *testing.T) {
	server, client := acquainted(t, nil)
	conn := client.call(server)
	client.say(conn, "hello")
	back := server.expect("hello")
	for i := range 500 {
		server.say(back, fmt.Sprint(i))
		time.Sleep(100 * time.Microsecond)
	}
	client.say(conn, "I am busy")
	server.expect("I am busy")
	for i := range 500 {
		client.expect(fmt.Sprint(i))
	}
}

func TestTooMuchOrderedForOneConnectionClosesIt(t *testing.T) {
	server, client := acquainted(t, nil)
	conn := client.call(server)
	client.say(conn, "hello")
	back := server.expect("hello")
	var sends []Send
	for range queueBytesMax>>20 + 1 {
		sends = append(sends, Send{Conn: back, Frames: [][]byte{make([]byte, 1<<20)}})
	}
	server.Do(Orders{Send: sends})
	if f := server.ended(back); !errors.Is(f.Err, ErrFull) {
		t.Fatalf("%+v", f)
	}
}

func TestConnectionsThatComeAndGoLeaveNothingOpen(t *testing.T) {
	open := func() int {
		files, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Skip("no /proc here")
		}
		return len(files)
	}
	server, client := acquainted(t, nil)
	before := open()
	for i := range 60 {
		conn := client.call(server)
		client.say(conn, "hello")
		back := server.expect("hello")
		if i%2 == 0 {
			client.Do(Orders{Hangup: []uint64{conn}})
			server.ended(back)
		} else {
			server.Do(Orders{Hangup: []uint64{back}})
			client.ended(conn)
		}
	}
	for wait := time.Now().Add(patience); open() > before; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(wait) {
			t.Fatalf("%d descriptors open, %d before", open(), before)
		}
	}
}

func TestTheLimitOfOpenFilesIsRaised(t *testing.T) {
	if limit, err := RaiseFileLimit(); err != nil || limit < 256 {
		t.Fatal(limit, err)
	}
}

func TestTimersFireSoonestFirst(t *testing.T) {
	var ts timers
	var fired []int
	if ts.wait() >= 0 {
		t.Fatal("waits for nothing")
	}
	for _, ms := range []int{3, 1, 2, 1} {
		ts.after(time.Duration(ms)*time.Millisecond, func() { fired = append(fired, ms) })
	}
	time.Sleep(5 * time.Millisecond)
	ts.after(time.Hour, func() { t.Error("an hour early") })
	ts.fire()
	if !cmp.Equal(fired, []int{1, 1, 2, 3}) {
		t.Fatal(fired)
	}
}
