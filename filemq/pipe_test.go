package filemq

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

// Invariants 1, 2, 5, 6, 8 and 10: whatever the network, the disks and the users
// do, everything arrives, once, within the credit, and nothing is left behind.
func TestEverythingArrivesWhateverHappens(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		chance := func(name string) int {
			return rapid.SampledFrom([]int{0, 5, 50}).Draw(t, name)
		}
		w := newWorld(t, rapid.Uint64().Draw(t, "seed"), faults{
			latency:  rapid.SampledFrom([]time.Duration{0, time.Millisecond, 80 * time.Millisecond}).Draw(t, "latency"),
			jitter:   rapid.SampledFrom([]time.Duration{0, 50 * time.Millisecond}).Draw(t, "jitter"),
			kibibyte: rapid.SampledFrom([]time.Duration{0, time.Microsecond, 200 * time.Microsecond}).Draw(t, "time of 1 KiB"),
			disk:     rapid.SampledFrom([]time.Duration{0, 100 * time.Microsecond, 200 * time.Millisecond}).Draw(t, "disk"),
			drops:    rapid.IntRange(0, 5).Draw(t, "drops"),
			budget:   rapid.SampledFrom([]int{0, 2, 50}).Draw(t, "faults"),
			refuse:   chance("refusals"), corrupt: chance("corruption"),
			cancel: chance("cancels"), bump: chance("bumps"),
		}, Config{
			Window:   rapid.SampledFrom([]int64{1, 3 << 20, 0}).Draw(t, "window"),
			QueueMax: rapid.SampledFrom([]int{RequestItemsMax, 0}).Draw(t, "queue"),
			Compress: rapid.Bool().Draw(t, "compress"),
			Rationed: rapid.Bool().Draw(t, "rationed"),
		})
		number := uint64(0)
		for _, h := range w.hosts {
			for range rapid.IntRange(0, 4).Draw(t, "kinds") {
				size := rapid.SampledFrom([]int{8, 700, 4 << 10, 100 << 10, 129 << 10, ItemBytesMax}).Draw(t, "size")
				count := rapid.IntRange(1, min(2000, 4<<20/size)).Draw(t, "count")
				h.want(items(number, count, size)...)
				number += uint64(count)
			}
			prios := rapid.Uint64Range(1, 8).Draw(t, "priorities")
			h.prio = func(it Item) uint8 { return uint8(it.Offset / 100 % prios) }
		}
		w.run(24*time.Hour, func() bool { return w.hosts[0].done() && w.hosts[1].done() })
		w.rest()
		for _, h := range w.hosts {
			if p := &h.session.provider; p.purse.reserved != 0 || p.items != 0 || len(p.requests) != 0 {
				t.Fatalf("left behind: %d reserved, %d items, %d requests", p.purse.reserved, p.items, len(p.requests))
			}
		}
	})
}
