package device

import (
	"time"

	"github.com/zsync/zsync/filemq"
)

const (
	// itemWeight is what an item counts beside its octets: a small one costs a file.
	itemWeight = 4 << 10
	// A session may owe us as much as it gives in owedFor, or in owedAlone where nobody
	// else has it, and owedMin in any case; but no more than lanes say.
	owedMin   = 512 << 10
	owedFor   = time.Second
	owedAlone = 2 * time.Second
	// owedUrgent is how much more of what someone may be waiting for.
	owedUrgent = 1 << 20
	// What is asked for at a time where several devices have it: what one gives in
	// half a second, within these bounds.
	stepMax   = 2 << 20
	stepFirst = 1 << 20
	stepMin   = 256 << 10
	stepItems = 256
	// paceStretch is how long a device is watched for each measurement of its pace.
	paceStretch = 100 * time.Millisecond
	// paceSlack is how long a device may give less than was measured before that shows.
	paceSlack = 500 * time.Millisecond
	// paceGuess is taken for the pace of a device that has not been measured, in
	// octets a second.
	paceGuess = 16 << 20
)

// debt is what a session owes us, and how fast it gives, in octets and itemWeight for
// each item.
type debt struct {
	owed  int64
	rate  int64     // a second; 0: not known yet
	heard time.Time // when it answered last, or was first owed something
	since time.Time // when the measurement at hand began …
	came  int64     // … and what came since
}

func weigh(items []Item) (weight int64) {
	for _, item := range items {
		weight += item.weight()
	}
	return weight
}

func (i Item) weight() int64 { return int64(i.Size) + itemWeight }

// asked notes what is owed from now on.
func (d *debt) asked(now time.Time, weight int64) {
	if d.owed == 0 {
		d.heard, d.since, d.came = now, now, 0
	}
	d.owed += weight
}

// arrived notes that something came, wanted or not: it took its time on the line.
func (d *debt) arrived(now time.Time, weight int64) {
	d.heard = now
	d.came += weight
	stretch := now.Sub(d.since)
	if stretch < paceStretch {
		return
	}
	rate := rateOf(d.came, stretch)
	if d.rate > 0 {
		rate = min((d.rate+rate)/2, 2*rate)
	}
	d.rate, d.since, d.came = rate, now, 0
}

func rateOf(weight int64, in time.Duration) int64 {
	return max(1, weight*int64(time.Second/time.Microsecond)/in.Microseconds())
}

// excuse passes over the time until now: it could not give anything.
func (d *debt) excuse(now time.Time) { d.heard, d.since, d.came = now, now, 0 }

// settled notes that something is owed no longer.
func (d *debt) settled(weight int64) { d.owed -= weight }

// eta returns how long it will take to give all that it owes, and more beside. What has
// not come for a while counts: had it still the pace that was measured, it would be here.
func (d *debt) eta(now time.Time, more int64) time.Duration {
	rate := d.rate
	if rate == 0 {
		rate = paceGuess
	}
	if waited := now.Sub(d.since); d.owed > 0 && waited > paceSlack {
		rate = min(rate, rateOf(d.came+filemq.ItemBytesMax, waited))
	}
	return time.Duration((d.owed+more)*int64(time.Second/time.Microsecond)/rate) * time.Microsecond
}

// room returns how much more a session may owe: more where nobody else has it.
func (s *session) room(alone bool) int64 {
	span, most := owedFor, s.most
	if alone {
		span = owedAlone
	}
	if s.debt.rate > 0 {
		most = min(most, max(s.debt.rate*int64(span/time.Second), owedMin))
	}
	return most - s.debt.owed
}

// step returns how much to ask for at a time.
func (s *session) step() int64 {
	step := int64(stepFirst)
	if s.debt.rate > 0 {
		step = min(max(s.debt.rate/2, stepMin), stepMax)
	}
	return min(step, s.most/2)
}
