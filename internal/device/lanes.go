package device

import (
	"time"

	"github.com/zsync/zsync/filemq"
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
	// that is alone it is owedAtFirst, and as much more as has come, up to owedBytes: on a
	// slow line what was asked for on the first session would else be waited for long
	// after the others are done.
	laneOwedBytes = 1 << 20
	owedAtFirst   = 2 << 20
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

// owes returns how much may be asked for at once on a session, of so many with its
// device, in octets.
func (l *lanes) owes(s *session, open int) int64 {
	if open > 1 || l.beside > 0 {
		return laneOwedBytes
	}
	return min(owedAtFirst+s.came, owedBytes)
}
