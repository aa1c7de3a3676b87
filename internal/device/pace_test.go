package device

import (
	"math/rand/v2"
	"testing"
	"time"
)

var rates = []Rate{RateMin, RateMin + 1, 500_000, 5 << 20, 999_999_937, RateMax}

// pour puts items through a bucket for some time, as soon as each may go and a little
// later at times, and returns how many octets that were and how often it waited.
func pour(b *bucket, from time.Time, some time.Duration, size func() int64) (octets int64, waits int, now time.Time) {
	random := rand.New(rand.NewPCG(1, 2))
	end := from.Add(some)
	for now = from; ; {
		if b.opens(now) {
			n := size()
			b.take(now, n)
			octets += n
			continue
		}
		waits++
		now = b.opensAt().Add(time.Duration(random.Int64N(int64(10 * time.Millisecond))))
		if now.After(end) {
			return octets, waits, now
		}
	}
}

func TestWhatGoesThroughABucketIsExactlyItsRateInTheLongRun(t *testing.T) {
	for _, rate := range rates {
		random := rand.New(rand.NewPCG(3, 4))
		var b bucket
		b.set(epoch, rate)
		some := min(time.Hour, time.Duration(1<<62/int64(rate)))
		octets, waits, now := pour(&b, epoch, some, func() int64 { return 1 + random.Int64N(min(1<<20, 1+int64(rate)/100)) })
		b.fill(now)
		if got, want := octets*nano+b.level, int64(rate)*int64(now.Sub(epoch)); got != want {
			t.Errorf("%d octets a second: %d billionths of an octet in %s, want %d", rate, got, some, want)
		}
		if most := int(some/grainTime) + 1; waits > most {
			t.Errorf("%d octets a second: woke %d times in %s, want %d at most", rate, waits, some, most)
		}
	}
}

func TestAfterARestABucketLetsNoMoreThroughThanABurstAndOneItem(t *testing.T) {
	const item = 1 << 20
	for _, rate := range rates {
		for _, rest := range []time.Duration{0, time.Second, 1000 * 24 * time.Hour, 1<<63 - 1} {
			var b bucket
			b.set(epoch, rate)
			now, octets := epoch.Add(rest), int64(0)
			for b.opens(now) {
				b.take(now, item)
				octets += item
			}
			if burst := int64(rate) * int64(burstTime) / nano; octets > burst+item {
				t.Errorf("%d octets a second: %d at once after %s, want %d at most", rate, octets, rest, burst+item)
			}
			if at := b.opensAt(); !at.After(now) || !b.opens(at) || at.Sub(now) > time.Second+time.Duration(octets*nano/int64(rate)) {
				t.Errorf("%d octets a second: it was to open after %s and does not", rate, at.Sub(now))
			}
		}
	}
}

func TestABucketWithoutALimitIsAlwaysOpen(t *testing.T) {
	var b bucket
	for range 1000 {
		b.take(epoch, 1<<40)
	}
	if !b.opens(epoch) {
		t.Error("it is shut")
	}
	b.set(epoch, RateMin)
	b.take(epoch, 1<<20)
	if b.opens(epoch) {
		t.Error("it is open")
	}
	if b.set(epoch, 0); !b.opens(epoch) {
		t.Error("it is shut after the limit was taken away")
	}
}

// Who changes a limit again and again gets no more than who leaves it.
func TestAChangeOfTheRateForgivesNothing(t *testing.T) {
	var b bucket
	b.set(epoch, 1<<20)
	b.take(epoch, 10<<20)
	for i := range 100 {
		b.set(epoch, Rate(1<<20+i))
	}
	b.set(epoch, 2<<20)
	if b.opens(epoch.Add(5 * time.Second)) {
		t.Error("it is open before what was used ahead of time has come in")
	}
	if at := b.opensAt(); at != epoch.Add(5*time.Second+grainTime) {
		t.Errorf("it opens after %s", at.Sub(epoch))
	}
	now := epoch.Add(time.Hour)
	b.fill(now)
	if b.set(now, RateMin); b.has() > int64(RateMin) {
		t.Errorf("%d octets are there at once at the lower rate", b.has())
	}
}

func TestWhatDidNotGoThroughAfterAllIsGivenBack(t *testing.T) {
	var b bucket
	b.set(epoch, 1<<20)
	b.take(epoch, 1<<20)
	b.take(epoch, -1<<20)
	if b.level != 0 {
		t.Errorf("%d billionths of an octet", b.level)
	}
	if b.take(epoch, -1<<30); b.level != b.holds(burstTime) {
		t.Errorf("%d octets can go at once", b.has())
	}
}

func TestAClockThatIsSetBackStopsNothing(t *testing.T) {
	var b bucket
	b.set(epoch, 1<<20)
	b.take(epoch, 1<<20)
	past := epoch.Add(-time.Hour)
	b.fill(past)
	if b.level != -1<<20*nano {
		t.Errorf("it brought %d billionths of an octet", b.level+1<<20*nano)
	}
	if !b.opens(past.Add(2 * time.Second)) {
		t.Error("it is shut")
	}
}

func TestFramesThatWaitForNobodyRunUpALimitedDebt(t *testing.T) {
	var b bucket
	b.set(epoch, RateMin)
	for range 100 {
		b.take(epoch, 1<<20)
	}
	if b.level != -debtMax*nano {
		t.Errorf("a debt of %d octets", -b.level/nano)
	}
}
