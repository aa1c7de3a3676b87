package device

import (
	"bufio"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// sample is how much was left some time after a sync began: in an estimate's own
// terms, which count twice what is received and then put in its place.
type sample struct {
	at   time.Duration
	left work
}

// trace is one run from its beginning until nothing is left.
type trace []sample

// recorded reads a trace of a real run: milliseconds, files, octets in each line.
func recorded(t *testing.T, name string) (run trace) {
	t.Helper()
	file, err := os.Open(filepath.Join("testdata", "progress", name))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	for lines := bufio.NewScanner(file); lines.Scan(); {
		if strings.HasPrefix(lines.Text(), "#") {
			continue
		}
		var ms int64
		var s sample
		if _, err := fmt.Sscan(lines.Text(), &ms, &s.left.files, &s.left.bytes); err != nil {
			t.Fatalf("%s: %q: %v", name, lines.Text(), err)
		}
		s.at = time.Duration(ms) * time.Millisecond
		run = append(run, s)
	}
	return run
}

// verdict is how an estimate did on a trace: of the samples after the first tenth of
// the work, how many had an estimate, and how wrong it was.
type verdict struct {
	samples, told int
	worst, mean   float64 // of the whole duration, foretold against actual
	jump          float64 // the largest change of the foretold duration from one sample to the next
}

func (v verdict) String() string {
	return fmt.Sprintf("%d of %d samples told, wrong by %.1f %% at worst, %.1f %% in the mean; jumps of %.1f %%",
		v.told, v.samples, 100*v.worst, 100*v.mean, 100*v.jump)
}

// judge replays a trace. Only samples between from and to count, and of the duration
// what is a pause does not.
func judge(run trace, from, to time.Duration) (v verdict) {
	var e estimate
	began := time.Unix(1e9, 0)
	end := run[len(run)-1].at
	whole, done, last := run[0].left.in(fileCost), 0.0, 0.0
	for i, s := range run[1:] {
		whole += max(0, s.left.in(fileCost)-run[i].left.in(fileCost))
	}
	for i, s := range run[:len(run)-1] {
		if i > 0 {
			done += max(0, run[i-1].left.in(fileCost)-s.left.in(fileCost))
		}
		e.saw(began.Add(s.at), s.left)
		o := e.outlook(began.Add(s.at))
		if done < whole/10 || s.at < from || s.at > to {
			continue
		}
		v.samples++
		if o.Left == 0 {
			last = 0
			continue
		}
		foretold := (s.at + o.Left).Seconds() / end.Seconds()
		v.told++
		v.worst = max(v.worst, math.Abs(foretold-1))
		v.mean += math.Abs(foretold - 1)
		if last > 0 {
			v.jump = max(v.jump, math.Abs(foretold/last-1))
		}
		last = foretold
	}
	v.mean /= float64(max(1, v.told))
	return v
}

const always = time.Duration(math.MaxInt64)

// TestTheEndIsForetoldWithinAFifthAfterATenthOfTheWork: from the moment at which a
// tenth of the work is done, whenever an estimate says how long the rest takes, the
// whole duration that follows from it is within 20 % of what it was in the end.
func TestTheEndIsForetoldWithinAFifthAfterATenthOfTheWork(t *testing.T) {
	for _, c := range []struct {
		name string
		told float64 // the least share of the samples that say something
	}{
		{"W1", 0.7}, {"W2", 0.1}, {"W2-at-once", 0}, {"mixed", 0.3},
	} {
		v := judge(recorded(t, c.name), 0, always)
		t.Logf("%s: %s", c.name, v)
		if v.worst > 0.2 || v.jump > 0.2 || float64(v.told) < c.told*float64(v.samples) {
			t.Errorf("%s: %s", c.name, v)
		}
	}
}

// made makes a trace: in each tenth of a second speed says how many octets go, where a
// file costs so many beside its own.
func made(sizes []int64, cost int64, speed func(at time.Duration) int64) (run trace) {
	var left work
	for _, size := range sizes {
		left.add(work{1, size})
	}
	var at time.Duration
	var may int64
	for len(sizes) > 0 {
		run = append(run, sample{at, left})
		at += 100 * time.Millisecond
		for may += speed(at); len(sizes) > 0 && may >= sizes[0]+cost; sizes = sizes[1:] {
			may -= sizes[0] + cost
			left.add(work{-1, -sizes[0]})
		}
	}
	return append(run, sample{at: at})
}

// alike are so many files of one size.
func alike(n int, size int64) (sizes []int64) {
	for range n {
		sizes = append(sizes, size)
	}
	return sizes
}

func TestAnEstimateHoldsInWhateverWayTheWorkGoes(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	var small, both []int64
	for i := range 40_000 {
		small = append(small, 1000+random.Int64N(7000))
		if both = append(both, small[i]); i%80 < 4 && i/2000%2 == 0 {
			both = append(both, 3<<20)
		}
	}
	even := func(octets int64) func(time.Duration) int64 { return func(time.Duration) int64 { return octets } }
	pauses := func(at time.Duration) int64 {
		if at > 30*time.Second && at <= 70*time.Second {
			return 0
		}
		return 1 << 20
	}
	halves := func(at time.Duration) int64 {
		if at > time.Minute {
			return 500_000
		}
		return 1_000_000
	}
	bursts := func(at time.Duration) int64 {
		if at%(3*time.Second) == 0 {
			return 30_000_000
		}
		return 0
	}
	noisy := func(time.Duration) int64 { return random.Int64N(2_000_000) }
	for _, c := range []struct {
		name     string
		run      trace
		from, to time.Duration // what is judged
		told     float64
	}{
		{"even", made(alike(600, 1_000_000), fileCost, even(1_000_000)), 0, always, 0.95},
		{"small files", made(small, 50_000, even(3_000_000)), 0, always, 0.95},
		{"noise", made(alike(6000, 100_000), fileCost, noisy), 0, always, 0.95},
		{"bursts", made(alike(1200, 1_000_000), fileCost, bursts), 0, always, 0.7},
		// No file costs what is taken for granted at first.
		{"small and large, files for nothing", made(both, 300, even(2_000_000)), 0, always, 0.95},
		{"small and large, dear files", made(both, 200_000, even(10_000_000)), 0, always, 0.9},
		// Nobody can know before the speed halves; a tenth of the whole later it is known.
		{"half the speed", made(alike(1200, 1_000_000), fileCost, halves), 79 * time.Second, always, 0.99},
		// Nor that there will be a pause; afterwards it counts for no speed.
		{"pause", made(alike(1000, 1<<20), 0, pauses), 71 * time.Second, always, 0.98},
	} {
		v := judge(c.run, c.from, c.to)
		t.Logf("%s, %s: %s", c.name, c.run[len(c.run)-1].at, v)
		if v.worst > 0.2 || float64(v.told) < c.told*float64(v.samples) {
			t.Errorf("%s: %s", c.name, v)
		}
	}
	if v := judge(made(alike(1000, 1<<20), 0, pauses), 36*time.Second, 69*time.Second); v.samples == 0 || v.told > 0 {
		t.Errorf("in a pause: %s", v)
	}
}

func TestNothingIsForetoldBeforeItCanBeTrusted(t *testing.T) {
	began := time.Unix(1e9, 0)
	at := func(s float64) time.Time { return began.Add(time.Duration(s * float64(time.Second))) }
	var e estimate
	for i := range 20 { // two seconds
		e.saw(at(float64(i)/10), work{1000 - int64(i), 1e9 - 1e6*int64(i)})
		if o := e.outlook(at(float64(i) / 10)); o.Left != 0 {
			t.Fatalf("after %d steps: %+v", i, o)
		}
	}
	for i := range 20 { // more is found all the time
		e.saw(at(2+float64(i)/10), work{2000 + 900*int64(i), 2e9 + 900e6*int64(i)})
		e.saw(at(2.05+float64(i)/10), work{1990 + 900*int64(i), 1990e6 + 900e6*int64(i)})
		if o := e.outlook(at(2.05 + float64(i)/10)); o.Left != 0 || o.BytesPerSecond == 0 {
			t.Fatalf("while it grows, at %d: %+v", i, o)
		}
	}
	e.saw(at(10), work{})
	if e != (estimate{}) {
		t.Errorf("when all is done: %+v", e)
	}
}

func TestOctetsOfALargeFileGoAsTheyAreReceived(t *testing.T) {
	var r rest
	now := time.Unix(1e9, 0)
	for i, c := range []struct{ need, received, want work }{
		{work{2, 1000}, work{}, work{2, 1000}},
		{work{2, 1000}, work{0, 300}, work{2, 700}},
		{work{2, 1000}, work{1, 900}, work{2, 100}},
		{work{1, 100}, work{1, 900}, work{1, 100}},  // in its place
		{work{1, 100}, work{2, 1000}, work{1, 0}},   // received
		{work{0, 0}, work{2, 1000}, work{0, 0}},     // in its place
		{work{3, 500}, work{2, 1000}, work{3, 500}}, // new ones
		{work{1, 200}, work{2, 1000}, work{1, 200}}, // two were here already
		{work{1, 200}, work{2, 1100}, work{1, 100}},
	} {
		if got := r.saw(now.Add(time.Duration(i)*time.Second), c.need, c.received); got != c.want {
			t.Errorf("%d: %+v, not %+v", i, got, c.want)
		}
	}
}
