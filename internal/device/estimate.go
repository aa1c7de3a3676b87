package device

import (
	"math"
	"time"
)

// work is how much is to go, or went.
type work struct{ files, bytes int64 }

// The limits of an estimate.
const (
	// fileCost is what a file costs beside its octets, in octets, as long as nothing
	// else was learned: a small one takes as long as so many octets of a large one.
	fileCost = 16 << 10
	// A file costs between fileCostMin and fileCostMax octets.
	fileCostMin, fileCostMax = 256, 1 << 20

	// estimateStep is the shortest time over which what went is looked at.
	estimateStep = 100 * time.Millisecond
	// What went counts less the longer ago it is: by half of its weight and more after
	// a quarter of the time that the work takes already, within these bounds.
	memoryMin, memoryMax = 2 * time.Second, time.Minute
	// pauseMin is how long nothing has to go before that may be a pause, after which the
	// speed is what it was, and not the speed itself.
	pauseMin = 5 * time.Second
	// calmMin is how long the work must not have grown before its end is foretold, and
	// calmShare the same as a share of the time that it takes already.
	calmMin   = 500 * time.Millisecond
	calmShare = 10
	// An end is foretold from stepsMin steps or more, not sooner than foretellAfter, and
	// where not even one part in doneMin is done, not before slowAfter.
	stepsMin      = 4
	foretellAfter = 2 * time.Second
	doneMin       = 40
	slowAfter     = 20 * time.Second
	// unsureMax is how far apart two durations may be that are both likely.
	unsureMax = 1.25
	// lessonMin is the shortest time from which is learned what a file costs, and
	// lessonsMin how many such times have to agree.
	lessonMin  = time.Second
	lessonsMin = 6
)

// estimate foretells how long the rest of some work takes, from how much was left at
// other times. It takes files and octets for what costs time: so many octets a second,
// and each file as long as so many octets more, which it learns where files of
// different sizes are among the work. It says nothing before it can be trusted: at the
// beginning, while the work grows, and in a pause.
type estimate struct {
	left   work
	total  work      // all that there was, done or not
	began  time.Time // when the first of it was done; zero: nothing was
	moved  time.Time // when some was done last
	grew   time.Time // when there was more to do, last
	paused time.Duration

	step  step // not over yet
	steps int
	// What the steps did, each weighing less the older it is.
	seconds, files, bytes float64

	lesson  step // the steps that are not yet learned from
	lessons lessons
}

// step is what was done in some time.
type step struct {
	began time.Time
	done  work
}

// Outlook is what an estimate foretells.
type Outlook struct {
	// Left is how long the rest takes; 0: nobody knows.
	Left time.Duration
	// BytesPerSecond is how fast the octets went lately; 0: they did not.
	BytesPerSecond float64
}

// saw takes how much is left now.
func (e *estimate) saw(now time.Time, left work) {
	if left.files <= 0 && left.bytes <= 0 {
		*e = estimate{}
		return
	}
	done := work{max(0, e.left.files-left.files), max(0, e.left.bytes-left.bytes)}
	e.grow(now, work{max(0, left.files-e.left.files), max(0, left.bytes-e.left.bytes)})
	e.left = left
	if done == (work{}) {
		return
	}
	e.move(now)
	e.step.done.add(done)
	if now.Sub(e.step.began) >= estimateStep {
		e.close(now)
	}
}

func (w *work) add(more work) { w.files, w.bytes = w.files+more.files, w.bytes+more.bytes }

// grow takes in more work. A little more changes little.
func (e *estimate) grow(now time.Time, more work) {
	e.total.add(more)
	if cost := e.lessons.cost(); e.grew.IsZero() || more.in(cost) > e.left.in(cost)/50 {
		e.grew = now
	}
}

// in returns work in octets, with each file costing so many.
func (w work) in(cost float64) float64 { return float64(w.bytes) + cost*float64(w.files) }

// move notes that something was done. What is done first ends the time to get going,
// which tells nothing of the speed; so does what ends a pause.
func (e *estimate) move(now time.Time) {
	switch gap := now.Sub(e.moved); {
	case e.began.IsZero():
		e.began = now
		e.step, e.lesson = step{began: now}, step{began: now}
	case gap > e.pause():
		e.paused += gap
		e.step, e.lesson = step{began: now}, step{began: now}
	}
	e.moved = now
}

// pause is how long nothing is done in a pause at least.
func (e *estimate) pause() time.Duration {
	if e.steps < stepsMin {
		return math.MaxInt64 // nobody knows yet how it goes
	}
	return max(pauseMin, 4*e.elapsed(e.moved)/time.Duration(e.steps))
}

// elapsed is how long the work takes already, without its pauses.
func (e *estimate) elapsed(now time.Time) time.Duration { return now.Sub(e.began) - e.paused }

// close ends a step.
func (e *estimate) close(now time.Time) {
	took := now.Sub(e.step.began)
	memory := min(max(e.elapsed(now)/4, memoryMin), memoryMax)
	keep := math.Exp(-took.Seconds() / memory.Seconds())
	e.seconds = keep*e.seconds + took.Seconds()
	e.files = keep*e.files + float64(e.step.done.files)
	e.bytes = keep*e.bytes + float64(e.step.done.bytes)
	e.steps++
	e.lesson.done.add(e.step.done)
	if length := now.Sub(e.lesson.began); length >= max(lessonMin, e.elapsed(now)/32) {
		e.lessons.learn(length.Seconds(), e.lesson.done)
		e.lesson = step{began: now}
	}
	e.step = step{began: now}
}

// outlook returns what is to be expected now.
func (e *estimate) outlook(now time.Time) (o Outlook) {
	if e.seconds == 0 || now.Sub(e.moved) > e.pause() {
		return Outlook{}
	}
	o.BytesPerSecond = e.bytes / e.seconds
	if !e.trusted(now) {
		return o
	}
	left := e.rest(e.lessons.cost())
	left -= min(left/2, now.Sub(e.moved).Seconds()) // as if it were done evenly
	o.Left = time.Duration(min(left, math.MaxInt32) * float64(time.Second))
	return o
}

// rest is how many seconds the rest takes if a file costs so many octets.
func (e *estimate) rest(cost float64) float64 {
	return e.left.in(cost) / (e.bytes + cost*e.files) * e.seconds
}

// surely reports whether it makes little difference what a file costs, as far as that is
// not known: it does where what is left is not like what went.
func (e *estimate) surely(elapsed time.Duration) bool {
	low, high := e.lessons.bounds()
	one, other := elapsed.Seconds()+e.rest(low), elapsed.Seconds()+e.rest(high)
	return max(one, other) <= unsureMax*min(one, other)
}

// trusted reports whether enough was seen to foretell the end.
func (e *estimate) trusted(now time.Time) bool {
	elapsed := e.elapsed(now)
	cost := e.lessons.cost()
	whole := e.total.in(cost)
	enough := elapsed >= slowAfter || elapsed >= foretellAfter && whole-e.left.in(cost) >= whole/doneMin
	return e.steps >= stepsMin && enough && now.Sub(e.grew) >= max(calmMin, elapsed/calmShare) && e.surely(elapsed)
}

// lessons are sums over what was done in so many seconds each.
type lessons struct {
	n          int
	bb, bf, ff float64 // octets and files, by each other
	bt, ft, tt float64 // by seconds
}

func (l *lessons) learn(seconds float64, done work) {
	b, f := float64(done.bytes), float64(done.files)
	l.n++
	l.bb, l.bf, l.ff = l.bb+b*b, l.bf+b*f, l.ff+f*f
	l.bt, l.ft, l.tt = l.bt+b*seconds, l.ft+f*seconds, l.tt+seconds*seconds
}

// lessonDoubt is how much worse a cost has to explain what was seen for each doubling
// that is nearer to fileCost, before it is preferred: as a share of what is explained.
const lessonDoubt = 0.002

// cost is what a file costs beside its octets, in octets: what explains best how long
// each lesson took. Where all files are alike every cost does, and fileCost is left.
func (l *lessons) cost() float64 {
	best, least := float64(fileCost), math.Inf(1)
	for cost := range l.costs {
		wrong := l.wrong(cost) + lessonDoubt*math.Abs(math.Log2(cost/fileCost))
		if wrong < least {
			best, least = cost, wrong
		}
	}
	return best
}

// bounds are the least and the largest cost that explain not much worse what was seen
// than the best one does, and never near each other: what was learned from files of one
// size tells little of others.
func (l *lessons) bounds() (low, high float64) {
	if l.n < lessonsMin {
		return fileCost / 8, fileCost * 8
	}
	least := math.Inf(1)
	for cost := range l.costs {
		least = min(least, l.wrong(cost))
	}
	low, high = l.cost()/8, l.cost()*8
	for cost := range l.costs {
		if l.wrong(cost) <= least*(1+4/float64(l.n))+0.005 {
			low, high = min(low, cost), max(high, cost)
		}
	}
	return low, high
}

// costs yields what a file may cost; before there are enough lessons, what is taken for
// granted.
func (l *lessons) costs(yield func(float64) bool) {
	if l.n < lessonsMin {
		yield(fileCost)
		return
	}
	for cost := float64(fileCostMin); cost <= fileCostMax && yield(cost); {
		cost *= math.Sqrt2
	}
}

// wrong is the share of what was seen that a cost does not explain.
func (l *lessons) wrong(cost float64) float64 {
	uu := l.bb + 2*cost*l.bf + cost*cost*l.ff
	ut := l.bt + cost*l.ft
	return (l.tt - ut*ut/uu) / l.tt
}
