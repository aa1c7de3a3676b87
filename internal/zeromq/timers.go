package zeromq

import (
	"slices"
	"time"
)

// timers are calls that the loop makes to itself later, soonest first. None is
// ever cancelled: each looks whether it still applies.
type timers []timer

type timer struct {
	at   time.Time
	call func()
}

func (t *timers) after(d time.Duration, call func()) {
	at := time.Now().Add(d)
	i, _ := slices.BinarySearchFunc(*t, at, func(x timer, at time.Time) int {
		if x.at.After(at) {
			return 1
		}
		return -1
	})
	*t = slices.Insert(*t, i, timer{at, call})
}

// fire makes the calls that are due.
func (t *timers) fire() {
	for len(*t) > 0 && !(*t)[0].at.After(time.Now()) {
		call := (*t)[0].call
		*t = (*t)[1:]
		call()
	}
}

// wait returns how long until the first is due, rounded up to milliseconds,
// which is what poll counts in; negative when there is none.
func (t timers) wait() time.Duration {
	if len(t) == 0 {
		return -1
	}
	return max(0, time.Until(t[0].at).Truncate(time.Millisecond)+time.Millisecond)
}
