package device

import (
	"testing"
	"time"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/eventlog"
)

func TestTheClockOfADeviceIsThatOfWhatItWroteLastAndSentAtOnce(t *testing.T) {
	one, two := deviceNamed('a'), deviceNamed('b')
	wrote := func(author zsync.DeviceID, wall time.Time) eventlog.Event {
		return eventlog.Event{Author: author, Header: zsync.Header{WallMS: uint64(wall.UnixMilli())}}
	}
	c := make(clocks)
	c.pushed(epoch, one, []eventlog.Event{wrote(two, epoch.Add(time.Hour))})
	if len(c) > 0 {
		t.Errorf("what a device passes on is taken for its own: %v", c)
	}
	c.pushed(epoch, one, []eventlog.Event{wrote(one, epoch.Add(5*time.Minute)), wrote(one, epoch.Add(-time.Hour)), wrote(two, epoch.Add(time.Hour))})
	if c[one] != 5*time.Minute {
		t.Errorf("it seems %v ahead", c[one])
	}
	c.pushed(epoch, one, []eventlog.Event{wrote(one, epoch.Add(-2*time.Minute))})
	if c[one] != -2*time.Minute {
		t.Errorf("after its clock was set, it seems %v ahead", c[one])
	}
	forged := wrote(one, epoch)
	forged.Header.WallMS = 1 << 63
	c.pushed(epoch, one, []eventlog.Event{forged})
	if c[one] < time.Hour {
		t.Errorf("a time that is none: %v ahead", c[one])
	}
}
