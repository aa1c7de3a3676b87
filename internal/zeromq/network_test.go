package zeromq

import (
	"context"
	"testing"
	"time"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/internal/device"
)

// listening is a network and a gate of their own that nobody reads yet.
func listening(t *testing.T) (*Context, pair, *Network, *Gate) {
	t.Helper()
	c, err := NewContext()
	if err != nil {
		t.Fatal(err)
	}
	p := newPair(t)
	link, err := c.Listen(Config{Key: p.key, Secret: p.secret, Multipart: true, AdmitPending: true, Bind: "tcp://127.0.0.1:*"})
	if err != nil {
		t.Fatal(err)
	}
	return c, p, NewNetwork(link), NewGate(c)
}

// TestANetworkEndsThoughItsReaderStoppedBefore leaves facts and knocks lying; that
// no goroutine is left behind is what TestMain checks.
func TestANetworkEndsThoughItsReaderStoppedBefore(t *testing.T) {
	c, p, network, gate := listening(t)
	client, stranger := newStation(t, nil), newStation(t, nil)
	gate.Admit(device.Admission{Trusted: []zsync.Key{client.pair.key}})
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- network.Run(ctx) }()

	conn := client.dial(network.Endpoint(), p.key, nil)
	client.say(conn, "nobody reads this")
	stranger.dial(network.Endpoint(), p.key, nil)
	client.opened(conn)
	time.Sleep(200 * time.Millisecond) // both lie where nobody takes them
	stop()
	select {
	case err := <-ended:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(patience):
		t.Fatal("the network still runs")
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	if _, open := <-network.Facts(); open {
		t.Error("facts are delivered after the end")
	}
}

func TestANetworkSpeaksTheWordsOfADevice(t *testing.T) {
	c, p, network, gate := listening(t)
	client := newStation(t, nil)
	gate.Admit(device.Admission{Trusted: []zsync.Key{client.pair.key}})
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- network.Run(ctx) }()

	conn := client.dial(network.Endpoint(), p.key, nil)
	client.say(conn, "hello")
	fact := (<-network.Facts())[0]
	if fact.Kind != device.NetReceived || fact.Key != client.pair.key || string(fact.Frames[len(fact.Frames)-1]) != "hello" {
		t.Errorf("got %+v", fact)
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
}
