package eventlog

import (
	"time"

	"github.com/zsync/zsync"
)

// peer is what an Exchange knows of one linked peer.
type peer struct {
	id       zsync.DeviceID
	frontier [16]byte // the last that it told
	heard    bool     // it told one
	level    bool     // this log lacks nothing of what it told

	answerBy time.Time // a VV is awaited
	eventsBy time.Time // EVENTS are awaited
	spans    []span    // what is being pulled
	gained   bool      // by this pull
	search   map[zsync.WriterID]search

	retryAt  time.Time     // not asked again before
	backoff  time.Duration // after the next round that brings nothing
	patience time.Duration // for EVENTS
	blocked  bool          // all that it could give is being pulled from others
	given    int           // octets of what it was sent in this turn
}

// search looks for the event where the peer's branch of a writer leaves ours,
// from the top down, in windows that double.
type search struct {
	lowest uint64 // of the events asked for so far
	width  uint64 // of the next window
}

// sated reports whether a peer was given so much in this turn that it has to ask
// again for more. An honest one has one question under way.
func (p *peer) sated() bool { return p.given > answersBytesMax }

func comparePeer(p *peer, id zsync.DeviceID) int { return p.id.Compare(id) }

func (p *peer) busy() bool { return !p.answerBy.IsZero() || !p.eventsBy.IsZero() }

// pending reports whether the peer should be asked what it has.
func (p *peer) pending(own [16]byte) bool {
	return p.heard && !p.level && p.frontier != own && !p.busy()
}

// told takes the peer's frontier.
func (p *peer) told(frontier, own [16]byte) {
	p.frontier, p.heard, p.level = frontier, true, frontier == own
	if p.level {
		p.backoff = retryMin
	}
}

// wait puts the next question off, each time longer.
func (p *peer) wait(now time.Time) {
	p.retryAt = now.Add(p.backoff)
	p.backoff = min(2*p.backoff, retryMax)
}

// below returns the next window to search below an event at seq that does not
// fit; false when that brings nothing lower.
func (p *peer) below(s stray) (span, bool) {
	found, searching := p.search[s.writer]
	if !searching {
		found = search{lowest: s.seq, width: 1}
	}
	if s.seq > found.lowest || s.seq < 2 {
		return span{}, false
	}
	to := s.seq - 1
	from := to - min(found.width, to) + 1
	p.search[s.writer] = search{lowest: from, width: 2 * found.width}
	return span{Writer: s.writer, From: from, To: to}, true
}
