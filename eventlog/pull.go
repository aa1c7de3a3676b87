package eventlog

import (
	"slices"
	"time"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/internal/kv"
	"github.com/zsync/zsync/internal/wire"
)

// considerAll asks every peer that seems to hold something else.
func (x *Exchange) considerAll(tx kv.Tx, now time.Time) {
	for _, p := range x.peers {
		x.consider(tx, now, p)
	}
}

func (x *Exchange) consider(tx kv.Tx, now time.Time, p *peer) {
	if !p.pending(x.log.Frontier()) || now.Before(p.retryAt) {
		return
	}
	x.whisperVV(tx, p, false)
	p.answerBy = now.Add(answerWait)
	p.retryAt = now.Add(askEvery)
}

// receivedVV compares a peer's heads with the own ones. Where both sides asked
// at once, each question is the other's answer.
func (x *Exchange) receivedVV(tx kv.Tx, now time.Time, p *peer, data []byte) error {
	body, err := decode[vvBody](data, x.log.meta.Space)
	if err != nil {
		return err
	}
	if !body.Answer && p.answerBy.IsZero() && !p.sated() {
		x.whisperVV(tx, p, true)
	}
	p.answerBy = time.Time{}
	lacking := x.compare(tx, now, p, body.Heads)
	if !p.eventsBy.IsZero() {
		return nil
	}
	free := slices.DeleteFunc(slices.Clone(lacking), func(s span) bool { return x.pulledElsewhere(p, s.Writer) })
	switch {
	case len(free) > 0:
		p.gained = false
		clear(p.search)
		x.pull(now, p, free)
	case len(lacking) > 0:
		p.blocked = true
		p.retryAt = now.Add(eventsWait)
	default:
		p.level = true
	}
	return nil
}

// compare returns what the peer's heads show to be lacking here, and what may
// help parked events on. It also takes note of a claim that own events were lost.
func (x *Exchange) compare(tx kv.Tx, now time.Time, p *peer, heads []headPrefix) []span {
	var spans []span
	equal := 0
	for _, h := range heads {
		s, lacking := x.log.lacking(tx, h)
		if lacking {
			spans = append(spans, s)
		} else if w := x.log.byID[h.Writer]; w != nil && w.End.Seq == h.Seq {
			equal++
		}
		if h.Writer == x.log.own && x.log.Regressed(tx, h.Writer, h.Seq, h.Prefix) {
			x.doubt(now)
		}
	}
	x.compared = true
	if equal == len(heads) && equal == len(x.log.Heads()) {
		p.told(x.log.Frontier(), x.log.Frontier())
		return nil
	}
	return append(spans, x.log.asks(spans)...)
}

// lacking returns what one head of a peer shows to be lacking here. An event
// that is here under another id is asked for, too: both together prove a fork.
func (l *Log) lacking(tx kv.Tx, h headPrefix) (span, bool) {
	w := l.byID[h.Writer]
	if h.Seq == 0 {
		return span{}, false
	}
	if w == nil {
		return span{Writer: h.Writer, From: 1, To: h.Seq}, true
	}
	if to := min(h.Seq, w.Cut); to > w.End.Seq {
		return span{Writer: h.Writer, From: w.End.Seq + 1, To: to}, true
	}
	if h.Seq > w.End.Seq {
		return span{}, false
	}
	held, found := l.idAt(tx, w, h.Seq)
	return span{Writer: h.Writer, From: h.Seq, To: h.Seq}, found && [8]byte(held[:8]) != h.Prefix
}

// asks returns what parked events wait for and no frontier shows, beyond what
// spans ask for: the openings of writers that were cut before their first
// event, and what lies past cuts.
func (l *Log) asks(spans []span) []span {
	var asks []span
	asked := func(id zsync.WriterID) bool {
		named := func(s span) bool { return s.Writer == id }
		return slices.ContainsFunc(spans, named) || slices.ContainsFunc(asks, named)
	}
	tails := false
	for _, w := range l.parking.waiting {
		tails = tails || w.need.ask == askTail
		if w.need.ask == askWriter && !asked(w.need.writer) {
			asks = append(asks, span{Writer: w.need.writer, From: 1, To: 1})
		}
	}
	for _, w := range l.sorted {
		if tails && w.forked() && !asked(w.ID) {
			asks = append(asks, span{Writer: w.ID, From: w.Cut + 1, To: noCut})
		}
	}
	return asks
}

func (x *Exchange) pulledElsewhere(p *peer, w zsync.WriterID) bool {
	return slices.ContainsFunc(x.peers, func(o *peer) bool {
		return o != p && slices.ContainsFunc(o.spans, func(s span) bool { return s.Writer == w })
	})
}

func (x *Exchange) pull(now time.Time, p *peer, spans []span) {
	p.spans = spans[:min(len(spans), spansMax)]
	p.eventsBy = now.Add(p.patience)
	x.whisper(p, MessagePull, wire.Marshal(pullBody{x.log.meta.Space, p.spans, eventsBytesMax}))
}

// receivedPull gives what is asked for and here. An answer without events says
// that there is nothing.
func (x *Exchange) receivedPull(tx kv.Tx, p *peer, data []byte) error {
	if p.sated() {
		return nil
	}
	body, err := decode[pullBody](data, x.log.meta.Space)
	if err != nil {
		return err
	}
	if len(body.Spans) > spansMax {
		return malformed("pull of %d spans, at most %d", len(body.Spans), spansMax)
	}
	limit := int(min(body.Credit, eventsBytesMax))
	envelopes, more := x.log.gather(tx, body.Spans, limit)
	if envelopes == nil {
		envelopes = [][]byte{}
	}
	x.whisper(p, MessageEvents, wire.Marshal(eventsBody{x.log.meta.Space, envelopes, more}))
	return nil
}

// receivedEvents merges an answer and asks for the rest of it, or for what
// proves a fork where it did not fit.
func (x *Exchange) receivedEvents(tx kv.Tx, now time.Time, p *peer, data []byte) (Merged, error) {
	body, err := decode[eventsBody](data, x.log.meta.Space)
	if err != nil {
		return Merged{}, err
	}
	envelopes, bad := decodeEnvelopes(body.Envelopes)
	merged, err := x.log.Merge(tx, envelopes, x.auth)
	merged.Bad += bad
	if err != nil || p.eventsBy.IsZero() {
		return merged, err
	}
	p.gained = p.gained || merged.gained()
	rest, moved := remaining(p.spans, envelopes)
	if !body.More || !moved {
		rest = nil
	}
	rest = append(rest, p.searches(merged.astray)...)
	if len(rest) > 0 {
		p.patience = eventsWait
		x.pull(now, p, rest)
		return merged, nil
	}
	x.finish(tx, now, p, p.gained)
	return merged, nil
}

// remaining returns what is left of spans after the events received, each
// writer's in order, and whether they brought any span forward.
func remaining(spans []span, received []Envelope) (rest []span, moved bool) {
	highest := make(map[zsync.WriterID]uint64)
	for _, e := range received {
		if h, err := parseHeader(e.Header); err == nil {
			highest[h.Writer] = max(highest[h.Writer], h.Seq)
		}
	}
	for _, s := range spans {
		if at := highest[s.Writer]; at >= s.From {
			moved = true
			if at >= s.To {
				continue
			}
			s.From = at + 1
		}
		rest = append(rest, s)
	}
	return rest, moved
}

// searches returns the spans that would prove the forks that strays hint at.
func (p *peer) searches(strays []stray) (spans []span) {
	for _, s := range strays {
		if window, useful := p.below(s); useful {
			spans = append(spans, window)
		}
	}
	return spans
}

// finish ends a pull. The next question to a peer that still differs follows at
// once after a gain, later after none.
func (x *Exchange) finish(tx kv.Tx, now time.Time, p *peer, gained bool) {
	p.spans, p.eventsBy = nil, time.Time{}
	if gained {
		p.retryAt, p.backoff, p.patience = now, retryMin, eventsWait
	} else {
		p.wait(now)
	}
	x.unblock(now)
	x.considerAll(tx, now)
}

// unblock lets peers be asked whose gifts had been expected from another one.
func (x *Exchange) unblock(now time.Time) {
	for _, p := range x.peers {
		if p.blocked {
			p.blocked, p.retryAt = false, now
		}
	}
}

// receivedNak takes it that the peer will answer nothing until it tells heads.
func (x *Exchange) receivedNak(now time.Time, p *peer, data []byte) error {
	if _, err := decode[nakBody](data, x.log.meta.Space); err != nil {
		return err
	}
	p.spans, p.answerBy, p.eventsBy, p.level = nil, time.Time{}, time.Time{}, true
	x.unblock(now)
	return nil
}
