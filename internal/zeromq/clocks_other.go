//go:build !linux

package zeromq

import "time"

// clocks returns the time since then, without what the machine slept, and the time of
// the day, which goes on meanwhile and can be set.
func clocks(began time.Time) (awake, all time.Duration) {
	now := time.Now()
	return now.Sub(began), time.Duration(now.UnixNano())
}
