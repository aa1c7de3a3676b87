package filemq

import "time"

// An idle session costs nothing: it has no deadline and sends nothing, and
// whether its peer still lives is for ZRE to say. Only while requests are open,
// in either direction, does silence mean something.

func (s *Session) busy() bool { return s.fetcher.waiting > 0 || s.provider.items > 0 }

// wake begins to count silence, if the session was idle.
func (s *Session) wake(now time.Time) {
	if !s.busy() {
		s.heard, s.spoke = now, now
	}
}

// Deadline returns when Advance is next needed; zero: not before another fact.
func (s *Session) Deadline() time.Time {
	switch {
	case s.state == greeting:
		return s.greetBy
	case s.state == closed || !s.busy():
		return time.Time{}
	}
	next := earlier(s.heard.Add(deadAfter), s.spoke.Add(hugAfter))
	if s.fetcher.waiting > 0 {
		next = earlier(next, s.fetcher.stalledAt)
	}
	return next
}

// Advance acts on every deadline that has passed.
func (s *Session) Advance(now time.Time) {
	switch {
	case s.state == closed:
	case s.state == greeting:
		if reached(now, s.greetBy) {
			s.Close(now, "no greeting within "+greetAfter.String())
		}
	case s.busy():
		s.advance(now)
	}
}

func (s *Session) advance(now time.Time) {
	if reached(now, s.heard.Add(deadAfter)) {
		s.Close(now, "no sign of life for "+deadAfter.String())
		return
	}
	if s.fetcher.waiting > 0 && reached(now, s.fetcher.stalledAt) {
		s.stalled(now)
	}
	if s.state == open && reached(now, s.spoke.Add(hugAfter)) {
		s.send(now, Hugz{})
	}
}

// hug answers a HUGZ, if the last one was answered long enough ago: a flood of
// them is not worth a flood of answers.
func (s *Session) hug(now time.Time) {
	if now.Before(s.hugged.Add(hugzApart)) {
		s.counters.Ignored++
		return
	}
	s.hugged = now
	s.send(now, HugzOK{})
}

func reached(now, deadline time.Time) bool { return !now.Before(deadline) }

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}
