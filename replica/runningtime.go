package replica

import "time"

// RunningTime is how long a copy has run in all, from start to start. A clock that is
// set, or a device that sleeps, adds little to it.
type RunningTime struct {
	Total time.Duration
	since time.Time // Total was brought forward last; zero: not since the start
}

// runningStepMax is the most that one look at the clock adds: the device may have
// slept, or its clock have been set.
const runningStepMax = time.Hour

// Count brings the total forward to now. The first time after a start it only begins.
func (t *RunningTime) Count(now time.Time) {
	if !t.since.IsZero() {
		t.Total += min(max(now.Sub(t.since), 0), runningStepMax)
	}
	t.since = now
}
