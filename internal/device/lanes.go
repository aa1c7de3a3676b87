package device

import (
	"time"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/filemq"
	"github.com/zsync/zsync/zre"
)

// A line that loses packets slows down each TCP connection, far below what it could
// carry: at 0.5 % and 20 ms one gets 10 Mbit/s of any line. Where the system can be
// asked not to take a lost packet for a full line (see internal/zeromq), one connection
// does. Elsewhere the side that dialled opens more sessions beside the one in use, lanes,
// for as long as they bring something. Requests are spread over them.
const (
	// besideMax is how many sessions one side opens beside the one in use, besideFirst
	// how many at first; then there are twice as many in all.
	besideMax   = 7
	besideFirst = 3
	// besideWindowBytes is what the peer may have under way on each of them.
	besideWindowBytes = 3 << 20
	// laneOwedBytes is what is asked for at once on each of several sessions. On one
	// that is alone it is owedFirst, and as much more as has come, up to owedBytes: on a
	// slow line what was asked for on the first session would else be waited for long
	// after the others are done.
	laneOwedBytes = 1 << 20
	owedFirst     = 2 << 20
	owedBytes     = 16 << 20

	// A line loses packets where at least resentMin segments of a look, and one in
	// resentOneIn, had to be sent again; or one in disorderedOneIn of those that came
	// had to wait for another.
	resentMin       = 2
	resentOneIn     = 1000
	disorderedMin   = 16
	disorderedOneIn = 100
	// It is full, and that is why it loses them, where a round trip takes more than
	// twice as long as the shortest, and fullSlack.
	fullSlack = 2 * time.Millisecond

	// busySegments is how much of a look shows that there is something to do: answers
	// may still be on their way when all is answered.
	busySegments = 256
	// trialMax is how long new sessions may take to prove useful: laneGain times as
	// much as without, in fifths, in one of trialLooks. laneRest is the pause after
	// they did not, laneRestMore times as long each time up to laneRestMax: what it was
	// without them is soon said too high, of a connection that has just begun.
	trialLooks    = 2
	trialMax      = 10 * time.Second
	laneGain      = 6
	laneGainFifth = 5
	laneRest      = 5 * time.Second
	laneRestMore  = 4
	laneRestMax   = 20 * time.Minute
	// laneIdle is how long sessions stay without a request, laneClean how long while
	// nothing is lost, laneAgain the pause after one was lost.
	laneIdle  = 10 * time.Second
	laneClean = 30 * time.Second
	laneAgain = 10 * time.Second
)

// lanes is what a route knows of how the sessions with a device fare, and how many
// are wanted beside the one in use.
type lanes struct {
	look    Path // of all sessions together, since the last judgement
	looked  bool
	beside  int             // wanted while there is something to do
	before  int             // wanted before the trial
	rate    int             // segments a look before the trial
	trialBy time.Time       // when the trial must have proved something; zero: there is none
	failed  int             // looks of the trial that proved nothing
	opened  time.Time       // when the last session beside another opened
	rest    time.Duration   // after the last trial that proved nothing; 0: none since one that did
	restTo  time.Time       // no trial before
	lossyAt time.Time       // when the line lost something last
	busyAt  time.Time       // when something was asked for last
	dialAt  time.Time       // no session beside another is dialled before
	ended   filemq.Counters // of sessions beside others that are over
}

func sessionConfig(beside bool) filemq.Config {
	cfg := filemq.Config{Rationed: true, WindowMax: windowBytesMax, BesideMax: besideMax, Beside: beside}
	if beside {
		cfg.Window, cfg.WindowMax = besideWindowBytes, besideWindowBytes
	}
	return cfg
}

// fares notes how a session has fared.
func (t *transfers) fares(fact NetFact) {
	s := t.sessions[fact.Conn]
	if s == nil || t.routes[s.peer] == nil {
		return
	}
	l := &t.routes[s.peer].lanes
	l.look.add(fact.Path)
	l.looked = true
}

// add adds how another connection to the same device fared.
func (p *Path) add(o Path) {
	if p.LeastRoundTrip == 0 || o.LeastRoundTrip < p.LeastRoundTrip {
		p.LeastRoundTrip = o.LeastRoundTrip
	}
	if p.RoundTrip == 0 || o.RoundTrip < p.RoundTrip { // a full line delays all, a lost segment one
		p.RoundTrip = o.RoundTrip
	}
	if !o.Steady { // what was lost did no harm elsewhere
		p.Resent += o.Resent
	}
	p.Sent += o.Sent
	p.Received += o.Received
	p.Disordered += o.Disordered
}

func (p Path) lossy() bool {
	return p.Resent >= resentMin && p.Resent*resentOneIn >= p.Sent ||
		p.Disordered >= disorderedMin && p.Disordered*disorderedOneIn >= p.Received
}

func (p Path) full() bool { return p.RoundTrip > 2*p.LeastRoundTrip+fullSlack }

// judge decides after a look, of about a second, how many sessions are wanted beside
// the one in use; most: that both sides take. busy: there is something to do, else the
// look tells nothing. ready: most that were wanted are open.
func (l *lanes) judge(now time.Time, busy, ready bool, most int) {
	look := l.look
	l.look, l.looked = Path{}, false
	if !busy {
		return
	}
	rate, lossy := look.Sent+look.Received, look.lossy()
	if lossy {
		l.lossyAt = now
	}
	switch {
	case !l.trialBy.IsZero():
		l.judgeTrial(now, ready, rate)
	case !lossy && now.Sub(l.lossyAt) >= laneClean:
		l.beside = 0
	}
	if l.trialBy.IsZero() && lossy && !look.full() && l.beside < most && !now.Before(l.restTo) {
		l.before, l.rate, l.failed, l.trialBy = l.beside, rate, 0, now.Add(trialMax)
		l.beside = min(max(besideFirst, 2*l.beside+1), most)
	}
}

// judgeTrial ends a trial once the new sessions have been open for half a look, or did
// not come to be.
func (l *lanes) judgeTrial(now time.Time, ready bool, rate int) {
	late := !now.Before(l.trialBy)
	if !late && (!ready || now.Sub(l.opened) < time.Second/2) {
		return
	}
	proved := ready && rate*laneGainFifth >= l.rate*laneGain
	if l.failed++; !proved && !late && l.failed < trialLooks {
		return // it may just have been the end of what was asked for
	}
	l.trialBy = time.Time{}
	if proved {
		l.rest = 0
		return
	}
	l.beside, l.rest = l.before, min(max(laneRest, laneRestMore*l.rest), laneRestMax)
	l.restTo = now.Add(l.rest)
}

// lane keeps as many sessions beside the one in use with a device as are wanted. Only
// the side that dialled that one opens any.
func (t *transfers) lane(now time.Time, device zsync.DeviceID) {
	r := t.routes[device]
	l := &r.lanes
	if !l.looked && l.beside == 0 && l.busyAt.IsZero() {
		return
	}
	main := t.openTo(device)
	if main == nil || !main.dialled {
		l.look, l.looked = Path{}, false
		return
	}
	own, ready := t.besides(main)
	busy := t.isBusy(device) || l.look.Sent+l.look.Received >= busySegments
	if l.looked {
		l.judge(now, busy, 2*ready >= l.beside, min(besideMax, main.fm.BesideMax()))
	}
	wanted := l.wanted(now, busy)
	t.openBeside(now, r, wanted-len(own))
	for i := len(own) - 1; i >= wanted; i-- {
		own[i].retired, t.stirred = now, true
	}
	if wanted == 0 && len(own) == 0 {
		l.busyAt = time.Time{}
	}
}

// wanted returns how many sessions there should be beside the one in use: none once
// nothing has been asked for for a while, which proves nothing.
func (l *lanes) wanted(now time.Time, busy bool) int {
	if busy {
		l.busyAt = now
	}
	if now.Sub(l.busyAt) < laneIdle {
		return l.beside
	}
	if !l.trialBy.IsZero() {
		l.trialBy, l.beside = time.Time{}, l.before
	}
	return 0
}

// besides returns the sessions beside main that are wanted still, ascending, and how
// many of them are open.
func (t *transfers) besides(main *session) (all []*session, ready int) {
	for _, s := range t.sorted() {
		if !s.beside || !s.retired.IsZero() || t.elder(s) != main {
			continue
		}
		if all = append(all, s); s.open {
			ready++
		}
	}
	return all, ready
}

// elder returns the session that one is beside of: the last that the same side opened
// before it.
func (t *transfers) elder(s *session) (elder *session) {
	for _, other := range t.sorted() {
		if !other.beside && other.peer == s.peer && other.dialled == s.dialled && other.conn < s.conn {
			elder = other
		}
	}
	return elder
}

// lanesOf returns the open sessions over which requests to a device are spread, that
// in use first.
func (t *transfers) lanesOf(device zsync.DeviceID) (open []*session) {
	main := t.openTo(device)
	if main == nil {
		return nil
	}
	open = append(open, main)
	all, _ := t.besides(main)
	for _, s := range all {
		if s.open {
			open = append(open, s)
		}
	}
	return open
}

// owes returns how much may be asked for at once on a session, of so many with its
// device, in octets.
func (l *lanes) owes(s *session, open int) int64 {
	if open > 1 || l.beside > 0 {
		return laneOwedBytes
	}
	return min(owedFirst+s.came, owedBytes)
}

// isBusy reports whether anything that is asked for between a device and this one has
// not been answered: only then has a session a deadline.
func (t *transfers) isBusy(device zsync.DeviceID) bool {
	for _, s := range t.sessions {
		if s.peer == device && s.open && !s.fm.Deadline().IsZero() {
			return true
		}
	}
	return false
}

func (t *transfers) openBeside(now time.Time, r *route, count int) {
	if t.stopping || now.Before(r.lanes.dialAt) {
		return
	}
	for range count {
		t.conns++
		t.at(t.begin(now, t.conns, r.record, true, true), r.endpoint)
		t.dial = append(t.dial, zre.Dial{Conn: t.conns, Endpoint: r.endpoint, Key: r.record.Key})
	}
}

// closeRetired closes a session of which nothing more is asked, once what was asked for
// has come, or has not for too long.
func (t *transfers) closeRetired(now time.Time, s *session) {
	if s.retired.IsZero() || s.open && !s.fm.Deadline().IsZero() && now.Sub(s.retired) < laneIdle {
		return
	}
	s.fm.Close(now, "one session less is needed")
}

// dropBeside ends the sessions beside one that ends. One that ends by itself is not
// replaced at once.
func (t *transfers) dropBeside(now time.Time, s *session) {
	r := t.routes[s.peer]
	switch {
	case s.beside && r != nil:
		count(&r.lanes.ended, s.fm.Counters())
		if s.retired.IsZero() {
			r.lanes.dialAt = now.Add(laneAgain)
		}
	case !s.beside:
		for _, other := range t.sorted() {
			if other.beside && other.peer == s.peer && t.elder(other) == s {
				t.drop(now, other)
				t.hangup = append(t.hangup, other.conn)
			}
		}
	}
}

// laneDeadline returns when lane or closeRetired has something to do next.
func (t *transfers) laneDeadline(device zsync.DeviceID) (next time.Time) {
	l := &t.routes[device].lanes
	if l.busyAt.IsZero() {
		return next
	}
	return l.busyAt.Add(laneIdle)
}

// counters returns what the sessions with a device have done.
func (t *transfers) counters(device zsync.DeviceID) (all filemq.Counters) {
	if r := t.routes[device]; r != nil {
		all = r.lanes.ended
	}
	for _, s := range t.lanesOf(device) {
		count(&all, s.fm.Counters())
	}
	return all
}

func count(all *filemq.Counters, one filemq.Counters) {
	all.SentFrames += one.SentFrames
	all.ReceivedFrames += one.ReceivedFrames
	all.SentItems += one.SentItems
	all.ReceivedItems += one.ReceivedItems
	all.SentBytes += one.SentBytes
	all.ReceivedBytes += one.ReceivedBytes
	all.BadItems += one.BadItems
	all.Ignored += one.Ignored
}
