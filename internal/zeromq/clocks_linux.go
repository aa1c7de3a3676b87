package zeromq

import (
	"time"

	"golang.org/x/sys/unix"
)

// clocks returns the time since the machine started, without and with what it slept.
func clocks(time.Time) (awake, all time.Duration) {
	read := func(clock int32) time.Duration {
		var t unix.Timespec
		if err := unix.ClockGettime(clock, &t); err != nil {
			return 0
		}
		return time.Duration(t.Nano())
	}
	return read(unix.CLOCK_MONOTONIC), read(unix.CLOCK_BOOTTIME)
}
