package device

import (
	"time"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/eventlog"
)

// clocks tell by how much the clocks of linked devices are ahead of this one's. Nothing is
// decided by it. It costs no message: a device that writes an event pushes it to those that
// it is linked to as soon as it is committed, with the time by its clock.
type clocks map[zsync.DeviceID]time.Duration

// pushed takes the events that came with the heads of a device. What it passes on for
// others says nothing of its own clock, nor does an older one that had waited here.
func (c clocks) pushed(now time.Time, from zsync.DeviceID, events []eventlog.Event) {
	newest := uint64(0)
	for _, ev := range events {
		if ev.Author == from {
			newest = max(newest, ev.Header.WallMS)
		}
	}
	if newest > 0 {
		c[from] = time.UnixMilli(int64(min(newest, wallMax))).Sub(now)
	}
}

// wallMax is the year 9999, in milliseconds: what an event says of its time is anything.
const wallMax = 253_402_300_799_000
