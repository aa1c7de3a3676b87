//go:build linux

package zeromq

import (
	"testing"
	"time"

	zmq "github.com/pebbe/zmq4"
)

func TestWhoNapsIsWokenByASocketAndByTheTime(t *testing.T) {
	n, err := newNap()
	if err != nil {
		t.Fatal(err)
	}
	defer n.close()
	context, err := zmq.NewContext()
	if err != nil {
		t.Fatal(err)
	}
	defer context.Term()
	heard, err := context.NewSocket(zmq.PAIR)
	if err != nil {
		t.Fatal(err)
	}
	defer heard.Close()
	bell, err := context.NewSocket(zmq.PAIR)
	if err != nil {
		t.Fatal(err)
	}
	defer bell.Close()
	if err := n.add(heard); err != nil {
		t.Fatal(err)
	}
	if err := heard.Bind("inproc://nap"); err != nil {
		t.Fatal(err)
	}
	if err := bell.Connect("inproc://nap"); err != nil {
		t.Fatal(err)
	}
	events := func() zmq.State {
		state, err := heard.GetEvents()
		if err != nil {
			t.Fatal(err)
		}
		return state & zmq.POLLIN
	}
	events() // it is asked before each nap
	n.wait(time.Millisecond)
	rung := make(chan struct{})
	for range 3 {
		go func() {
			_, _ = bell.Send("x", 0)
			rung <- struct{}{}
		}()
		for events() == 0 {
			n.wait(-1)
		}
		<-rung
		if _, err := heard.Recv(0); err != nil {
			t.Fatal(err)
		}
	}
	n.remove(heard)
}

func TestALinkIsBusyWhileItWaitsOftenInASecond(t *testing.T) {
	var n nap
	now := time.Unix(1000, 0)
	for i := range 3 * busyWakes {
		if busy := n.busy(now); busy != (i >= busyWakes) {
			t.Fatalf("wait %d: busy %v", i, busy)
		}
		now = now.Add(busyTime / (2 * busyWakes))
	}
	for range busyWakes {
		now = now.Add(busyTime / busyWakes)
		n.busy(now)
	}
	if n.busy(now.Add(busyTime / busyWakes)) {
		t.Error("it is busy with few waits")
	}
}
