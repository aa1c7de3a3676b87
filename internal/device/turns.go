package device

import "github.com/zsync/zsync"

// itemFare is the least that an item counts as when turns are given out, in octets:
// to open a file takes a disk about as long as to read this much more of one.
const itemFare = 1 << 10

// fare is what an item counts as.
func fare(cost int64) int64 { return max(cost, itemFare) }

// turns gives devices an equal share of something. The one that has had least is the
// next, and who comes, or comes back, begins at where the others are: nobody saves up
// turns, and nobody loses them for having waited. So two devices that both always want
// something have had the same, but for the largest thing that was given at once. That
// is what round robin with deficits promises too, without quanta and a ring to keep.
type turns struct {
	had   map[zsync.DeviceID]int64
	clock int64 // what the one had that was given something last, before
}

// stands is where a device is: the lowest is the next.
func (t *turns) stands(device zsync.DeviceID) int64 { return max(t.clock, t.had[device]) }

// give notes that a device was given something, which it is the turn of.
func (t *turns) give(device zsync.DeviceID, amount int64) {
	if t.had == nil {
		t.had = make(map[zsync.DeviceID]int64)
	}
	t.clock = t.stands(device)
	t.had[device] = t.clock + amount
}

// forget forgets a device that is gone.
func (t *turns) forget(device zsync.DeviceID) { delete(t.had, device) }
