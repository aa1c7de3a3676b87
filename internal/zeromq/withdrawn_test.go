package zeromq

import (
	"errors"
	"testing"
	"time"

	"github.com/zsync/zsync"
)

func TestAPendingKeyIsLetInOnlyWhereThatIsAllowed(t *testing.T) {
	t.Parallel()
	mailbox, client := newStation(t, func(c *Config) { c.AdmitPending = true }), newStation(t, nil)
	mailbox.ctx.SetPending([]zsync.Key{client.pair.key})
	conn := client.call(mailbox)
	client.say(conn, "it is me")
	back := mailbox.expect("it is me")
	mailbox.ctx.SetTrusted([]zsync.Key{client.pair.key})
	mailbox.ctx.SetPending(nil)
	mailbox.nothing(100*time.Millisecond, func(f Fact) bool { return f.Conn == back })
	mailbox.ctx.SetTrusted(nil)
	if f := mailbox.ended(back); !errors.Is(f.Err, ErrUntrusted) {
		t.Fatalf("%+v", f)
	}

	transfer := newStation(t, nil)
	transfer.ctx.SetPending([]zsync.Key{client.pair.key})
	conn = client.call(transfer)
	client.say(conn, "and here?")
	if f := client.ended(conn); !errors.Is(f.Err, ErrUnanswered) {
		t.Fatalf("%+v", f)
	}
	transfer.nothing(100*time.Millisecond, received)
}

func TestWithdrawnTrustClosesWhatWasDialled(t *testing.T) {
	server, client := acquainted(t, nil)
	other := newStation(t, nil)
	other.ctx.SetTrusted([]zsync.Key{client.pair.key})
	client.ctx.SetTrusted([]zsync.Key{server.pair.key, other.pair.key})
	conn, otherConn := client.call(server), client.call(other)
	for _, c := range []uint64{conn, otherConn} {
		client.opened(c)
	}
	client.say(otherConn, "hello")
	client.ctx.SetTrusted([]zsync.Key{other.pair.key})
	if f := client.ended(conn); !errors.Is(f.Err, ErrUntrusted) {
		t.Fatalf("%+v", f)
	}
	client.say(otherConn, "still here")
	other.expect("hello")
	other.expect("still here")
}

func TestWhoeverIsHungUpForTakingARoutingIDIsKeptOut(t *testing.T) {
	t.Parallel()
	server, client := acquainted(t, nil)
	thief := newStation(t, nil)
	server.ctx.SetTrusted([]zsync.Key{client.pair.key, thief.pair.key})
	identity := []byte("\x01the client's UUID")
	conn := client.dial(server.Endpoint(), server.pair.key, identity)
	client.say(conn, "hello")
	server.expect("hello")
	stolen := thief.dial(server.Endpoint(), server.pair.key, identity)
	thief.say(stolen, "I am the client")
	server.Do(Orders{Hangup: []uint64{server.expect("I am the client")}})
	thief.ended(stolen)
	again := thief.dial(server.Endpoint(), server.pair.key, identity)
	if f := thief.ended(again); !errors.Is(f.Err, ErrUnanswered) {
		t.Fatalf("%+v", f)
	}
	conn = client.dial(server.Endpoint(), server.pair.key, identity)
	client.say(conn, "hello again")
	server.expect("hello again")
}
