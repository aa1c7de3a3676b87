package filemq

import "time"

// A line is slow when less than slowBelow octets a second go over it while there is
// more to send than it takes, and fast again from fastFrom on: between them nothing
// changes. Compressing takes a core's time for some 130 MB/s of text, which becomes a
// third: where a line takes 40 MB/s that is three times as fast, where it takes 130
// it is no faster.
const (
	slowBelow = 40_000_000
	fastFrom  = 80_000_000
	// doubtMin is how long the line may have nothing to do while items are compressed
	// before that is given up, to see how fast it is without. It doubles up to
	// doubtMax each time that it was slow after all.
	doubtMin = 5 * time.Second
	doubtMax = 80 * time.Second
	// lossesMax measurements in a row of less than went without compression end it
	// for lossPause: this end has not the time for it.
	lossesMax = 4
	lossPause = time.Minute
	// probedMin is how much must be on its way for a probe to say anything of the line:
	// behind less it measures the round trip.
	probedMin = 512 << 10
	// probesApart is the least time between two probes.
	probesApart = 2 * time.Second
	// lineSpan is the shortest time that a measurement takes.
	lineSpan = time.Millisecond
)

// line is what a provider knows of the way to its fetcher: whether it is so slow that
// compression pays. The credit that comes back says how fast all of it is, to the
// peer's disk; a HUGZ behind what is on its way says whether it is the line that takes
// the time. All amounts are cost, whether the item travelled compressed or not.
type line struct {
	slow bool

	granted, window int64 // credit granted in all, and first
	sent            int64
	mark            mark
	dry             bool // nothing was on its way at the mark
	idle            bool // there was nothing to send at some time since

	plain    int64 // what went in a second before items were compressed
	wire     int64 // octets of the last items, as they travelled …
	cost     int64 // … and their cost
	losses   int
	doubt    time.Duration
	patience time.Duration // 0: it has never been slow
	pause    time.Time     // it is taken for fast until then

	probe mark // the HUGZ that was not answered yet; zero: there is none
}

// mark is a moment.
type mark struct {
	at    time.Time
	acked int64 // the peer had disposed of so much of …
	sent  int64 // … what had been sent
}

// carried notes what was sent, and how long it was in octets.
func (l *line) carried(now time.Time, cost, octets int64) {
	if !l.slow && l.sent == l.mark.acked {
		l.mark, l.dry = mark{now, l.sent, l.sent}, true
	}
	l.sent += cost
	l.cost += cost
	l.wire += octets
	if l.cost > 16<<20 {
		l.cost, l.wire = l.cost/2, l.wire/2
	}
}

// earned measures by a grant of credit. probe: a HUGZ is to be sent now.
func (l *line) earned(now time.Time, credit int64) (probe bool) {
	if l.granted == 0 {
		l.window = credit
	}
	l.granted += credit
	next := mark{now, min(l.sent, l.granted-l.window), l.sent}
	last, dry, idle, span := l.mark, l.dry, l.idle, now.Sub(l.mark.at)
	if !last.at.IsZero() && span < lineSpan {
		return false
	}
	l.mark, l.dry, l.idle = next, false, false
	if last.at.IsZero() {
		return false
	}
	rate := (next.acked - last.acked) * int64(time.Second/time.Microsecond) / span.Microseconds()
	full := last.sent >= next.acked // all of it was on its way from the beginning
	if l.slow {
		l.compressed(now, rate, span, full, idle)
		return false
	}
	return (full || dry) && rate < slowBelow && l.probes(now, rate)
}

// probes reports whether to ask the peer for a sign of life behind what it was sent.
func (l *line) probes(now time.Time, rate int64) bool {
	if l.mark.sent-l.mark.acked < probedMin {
		return false
	}
	waits := !l.probe.at.IsZero() && l.mark.acked < l.probe.sent // else the peer did not answer
	if waits || now.Before(l.pause) || now.Before(l.probe.at.Add(probesApart)) {
		return false
	}
	l.plain, l.probe = rate, l.mark
	return true
}

// answered takes the answer to a probe: all that was sent before it has arrived.
func (l *line) answered(now time.Time) {
	probe := l.probe
	l.probe = mark{}
	if probe.at.IsZero() || l.slow {
		return
	}
	span := max(1, now.Sub(probe.at).Microseconds())
	if (probe.sent-probe.acked)*int64(time.Second/time.Microsecond)/span >= slowBelow {
		l.pause = now.Add(probesApart)
		return
	}
	l.slow, l.doubt, l.losses = true, 0, 0
	l.patience = min(max(2*l.patience, doubtMin), doubtMax)
}

// compressed judges a measurement of a time in which items were compressed.
func (l *line) compressed(now time.Time, rate int64, span time.Duration, full, idle bool) {
	if full {
		l.doubt, l.losses = 0, 0
		if rate/1024*l.wire/max(1, l.cost/1024) >= fastFrom {
			l.slow, l.patience = false, 0
		}
		return
	}
	l.doubt += min(span, time.Second)
	switch {
	case idle || rate >= l.plain:
		l.losses = 0
	default:
		l.losses++
	}
	if l.losses == lossesMax {
		l.slow, l.pause = false, now.Add(lossPause)
	}
	if l.doubt >= l.patience {
		l.slow = false
	}
}
