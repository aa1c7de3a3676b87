package filemq

import (
	"fmt"
	"runtime"
	"testing"
	"time"
)

// Invariant 9: round trips are not what small files cost.
func TestAHundredThousandSmallFilesOverASlowLink(t *testing.T) {
	w := newWorld(t, 1, faults{latency: 25 * time.Millisecond}, Config{})
	w.hosts[0].want(items(0, 100_000, 1000)...)
	w.run(3*time.Second, w.hosts[0].done)
	if w.hosts[0].gimmes > 100 {
		t.Errorf("%d GIMMEs", w.hosts[0].gimmes)
	}
}

// Invariant 11: an urgent item does not wait for a long queue, and what is least
// urgent still moves.
func TestUrgentItemsOvertakeAndIdleOnesMove(t *testing.T) {
	const mebibyte = 1 << 10 * 8 * time.Microsecond // on a line of 128 MB/s
	w := newWorld(t, 1, faults{latency: time.Millisecond, kibibyte: 8 * time.Microsecond, disk: time.Millisecond}, Config{})
	h := w.hosts[0]
	h.prio = func(item Item) uint8 {
		switch {
		case item.Offset >= 2000:
			return 0
		case item.Offset >= 1000:
			return 7
		}
		return 6
	}
	h.want(items(0, 200, ItemBytesMax)...)
	h.want(items(1000, 20, ItemBytesMax)...)
	urgent := item(2000, 1000)
	var asked time.Time
	w.connect()
	w.after(100*time.Millisecond, func() {
		asked = w.now
		h.want(urgent)
		h.carryOut()
	})
	w.run(time.Minute, func() bool { return len(h.got) >= 100 })
	idle := 0
	for number := range uint64(20) {
		if !h.got[item(1000+number, ItemBytesMax).Hash].IsZero() {
			idle++
		}
	}
	if idle < 4 || idle > 8 {
		t.Errorf("%d of the first 100 items are of the least urgent", idle)
	}
	// What is on its way already is the window; then one bundle, and a round trip.
	if waited := h.got[urgent.Hash].Sub(asked); waited <= 0 || waited > 10*mebibyte+10*time.Millisecond {
		t.Errorf("the urgent item came after %v", waited)
	}
}

// A BUKKIT costs one allocation and one copy: the frame. The Output's slice of
// frames is the other allocation counted here.
func TestBukkitsAreMadeInOneAllocation(t *testing.T) {
	for _, test := range []struct{ count, size int }{
		{1, ItemBytesMax}, {3, 200 << 10}, {256, 4 << 10}, {1024, 1000}, {8, 128 << 10},
	} {
		t.Run(fmt.Sprintf("%dx%d", test.count, test.size), func(t *testing.T) {
			s := opened(t, Config{}, capsOf(Config{}))
			out := received(s, Nom{Credit: 64 << 20}, Gimme{Req: 1, Items: items(0, test.count, test.size)})
			octets := make([]byte, test.size)
			before, after := runtime.MemStats{}, runtime.MemStats{}
			runtime.ReadMemStats(&before)
			for _, read := range out.Reads {
				s.Supplied(testTime, read.Req, read.Index, octets)
			}
			runtime.ReadMemStats(&after)
			frames := s.Output().Send
			total := 0
			for _, frame := range frames {
				if len(frame) != cap(frame) || len(frame) > FrameBytesMax {
					t.Errorf("a frame of %d octets in %d", len(frame), cap(frame))
				}
				total += cap(frame)
			}
			if allocated := after.TotalAlloc - before.TotalAlloc; allocated > uint64(total+total/8+64<<10) {
				t.Errorf("%d octets allocated for frames of %d", allocated, total)
			}
			if allocations := after.Mallocs - before.Mallocs; allocations > uint64(2*len(frames)+20) {
				t.Errorf("%d allocations for %d frames", allocations, len(frames))
			}
		})
	}
}

// BenchmarkItems is both ends of a connection without network and disks: the
// time is that of one item from request to disposal.
func BenchmarkItems(b *testing.B) {
	for _, size := range []int{1 << 10, 4 << 10, 128 << 10, 300 << 10, ItemBytesMax} {
		b.Run(fmt.Sprint(size), func(b *testing.B) { benchmarkItems(b, size) })
	}
}

func benchmarkItems(b *testing.B, size int) {
	ends := [2]*Session{NewSession(testTime, Config{}, true), NewSession(testTime, Config{}, false)}
	octets := make([]byte, size)
	b.SetBytes(int64(size))
	b.ReportAllocs()
	asked, done := 0, 0
	for done < b.N {
		for room := ends[0].Room(); asked < b.N && room >= RequestItemsMax; room = ends[0].Room() {
			n := min(RequestItemsMax, b.N-asked)
			asked += n
			list := make([]Item, n)
			for i := range list {
				list[i].Size = uint32(size)
			}
			ends[0].Request(testTime, Request{Items: list})
		}
		for i, s := range ends {
			out := s.Output()
			for _, frame := range out.Send {
				ends[1-i].Received(testTime, frame)
			}
			for _, read := range out.Reads {
				s.Supplied(testTime, read.Req, read.Index, octets)
			}
			for _, got := range out.Got {
				s.Disposed(testTime, got.Cost)
			}
			done += len(out.Got)
			if out.Closed != "" {
				b.Fatal(out.Closed)
			}
		}
	}
}
