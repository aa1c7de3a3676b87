package device

import "time"

// Rate is a number of octets a second; 0: as many as there can be.
type Rate int64

// The least and the highest rate that can be set. Below the least, one piece of a
// file takes longer than a peer waits for an answer; nothing here comes near the
// highest.
const (
	RateMin Rate = 16 << 10
	RateMax Rate = 8 << 30
)

// A bucket counts in billionths of an octet, so that no time is too short to bring
// something: nothing is ever rounded, and over any time the rate is exact.
const nano = int64(time.Second)

const (
	// burstTime is how long what is not used now may be used later.
	burstTime = 250 * time.Millisecond
	// grainTime is what a bucket that was empty gathers before it opens: who waits for
	// it wakes twenty times a second at most.
	grainTime = 50 * time.Millisecond
	// debtMax bounds what frames that wait for nobody can run up, in octets.
	debtMax = 64 << 20
)

// bucket lets octets through at a rate. It opens for as long as it is not empty, and
// what goes through then may be more than is in it: no item is divided. So within a
// time t no more goes through than rate*(t + burstTime) and one item. The zero bucket
// has no limit.
type bucket struct {
	rate  Rate
	level int64 // billionths of an octet; below 0: used ahead of time
	at    time.Time
	shut  bool // it was empty, and has not gathered a grain
}

// set changes the rate; what was used ahead of time stays used.
func (b *bucket) set(now time.Time, rate Rate) {
	if b.fill(now); rate == 0 {
		*b = bucket{}
		return
	}
	b.rate = rate
	b.level = min(b.level, b.holds(burstTime))
}

// holds is what comes in a short time, in billionths of an octet.
func (b *bucket) holds(some time.Duration) int64 { return int64(b.rate) * int64(some) }

// fill brings what has come since the last time. A clock that was set back brings
// nothing.
func (b *bucket) fill(now time.Time) {
	passed := max(0, now.Sub(b.at))
	if b.at = now; b.rate == 0 {
		return
	}
	if lacks := b.holds(burstTime) - b.level; int64(passed) > lacks/int64(b.rate) {
		b.level += lacks
	} else {
		b.level += int64(passed) * int64(b.rate)
	}
}

// opens reports whether something may go through.
func (b *bucket) opens(now time.Time) bool {
	if b.rate == 0 {
		return true
	}
	if b.fill(now); b.shut {
		b.shut = b.level < b.holds(grainTime)
	} else {
		b.shut = b.level <= 0
	}
	return !b.shut
}

// take notes that octets went through or, where they are fewer than none, that what
// was taken before did not.
func (b *bucket) take(now time.Time, octets int64) {
	if b.rate != 0 {
		b.fill(now)
		b.level = min(max(b.level-octets*nano, -debtMax*nano), b.holds(burstTime))
	}
}

// has is how many whole octets there are.
func (b *bucket) has() int64 { return max(0, b.level/nano) }

// opensAt is when a shut bucket opens, if nothing more goes through.
func (b *bucket) opensAt() time.Time {
	lacks := b.holds(grainTime) - b.level
	return b.at.Add(time.Duration(max(1, (lacks+int64(b.rate)-1)/int64(b.rate))))
}
