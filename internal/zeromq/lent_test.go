package zeromq

import (
	"bytes"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync/atomic"
	"testing"
	"time"
)

// lentFrames are some of the sizes that are lent, of the largest that is copied, and
// more than can be lent at one time.
func lentFrames() (frames [][]byte) {
	random := rand.NewChaCha8([32]byte{2})
	sizes := []int{1, lentBytesMin - 1, mediumBytes, largeBytes}
	for _, n := range append(sizes, slices.Repeat([]int{lentBytesMin}, lentMax)...) {
		frame := make([]byte, n)
		_, _ = random.Read(frame)
		frames = append(frames, frame)
	}
	return frames
}

func TestBothWaysOfSendingDeliverEqualFramesAndGiveThemBack(t *testing.T) {
	for _, plain := range []bool{false, true} {
		server, client := acquainted(t, func(c *Config) { c.copies, c.Multipart, c.MessageBytesMax = plain, false, largeBytes })
		conn := client.call(server)
		client.say(conn, "begin")
		back := server.expect("begin")
		for range 2 { // the second time what was lent is lent again
			deliverAndGiveBack(t, client, server, conn)
			deliverAndGiveBack(t, server, client, back)
		}
	}
}

func deliverAndGiveBack(t *testing.T, from, to *station, conn uint64) {
	t.Helper()
	frames := lentFrames()
	returned := make(chan []byte, len(frames))
	var o Orders
	for _, frame := range frames {
		o.Send = append(o.Send, Send{Conn: conn, Frames: [][]byte{frame}, Done: func() { clear(frame); returned <- frame }})
	}
	want := lentFrames()
	from.Do(o)
	for i := range want {
		if got := to.message().Frames[0]; !bytes.Equal(got, want[i]) {
			t.Fatalf("frame of %d octets differs", len(want[i]))
		}
	}
	for range want {
		<-returned
	}
}

func TestWhatIsLentIsGivenBackWhenTheLinkEnds(t *testing.T) {
	server, client := acquainted(t, func(c *Config) { c.Multipart, c.MessageBytesMax = false, largeBytes })
	conn := client.call(server)
	client.say(conn, "begin")
	server.expect("begin")
	var given, returned atomic.Int32
	var o Orders
	for range 40 { // nobody reads: what the sockets do not take stays lent
		given.Add(1)
		o.Send = append(o.Send, Send{Conn: conn, Frames: [][]byte{make([]byte, largeBytes)}, Done: func() { returned.Add(1) }})
	}
	client.Do(o)
	deadline := time.Now().Add(10 * time.Second)
	for returned.Load() == 0 && time.Now().Before(deadline) {
		time.Sleep(time.Millisecond)
	}
	client.halt()
	server.halt()
	runtime.GC() // it would find pins that were left
	if given.Load() != returned.Load() {
		t.Errorf("%d of %d frames were given back", returned.Load(), given.Load())
	}
}
