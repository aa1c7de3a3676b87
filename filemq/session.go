package filemq

import (
	"errors"
	"fmt"
	"time"
)

// Session is one end of one connection, from the greeting to the end of it:
//
//	greeting --OHAI / OHAI-OK--> open --KTHXBAI, RTFM, silence--> closed
//
// An open session is a fetcher (fetcher.go) and a provider (provider.go) that
// share a connection and nothing else. A closed one ignores every fact; after a
// lost connection a new Session begins on a new one. A Session is not safe for
// concurrent use.
type Session struct {
	cfg      Config
	dialled  bool
	state    state
	agreed   capabilities
	fetcher  fetcher
	provider provider
	zip      zipper

	greetBy time.Time // while greeting
	heard   time.Time // last frame of the peer, or when silence began to matter
	spoke   time.Time // last frame to the peer, or when silence began to matter
	hugged  time.Time // last HUGZ that was answered

	out      Output
	counters Counters
}

type state uint8

const (
	greeting state = iota
	open
	closed
)

// NewSession returns a session on a connection that has just been made. The end
// that dialled speaks first; a peer that has not greeted within 10 s is gone.
func NewSession(now time.Time, cfg Config, dialled bool) *Session {
	s := &Session{cfg: cfg.withDefaults(), dialled: dialled, greetBy: now.Add(greetAfter)}
	s.agreed = s.cfg.capabilities()
	if dialled {
		s.send(now, Ohai{Protocol: protocol, Version: protocolNum, Caps: s.agreed.dictionary()})
	}
	return s
}

// Received takes a frame from the peer, which it keeps: what comes out in Got
// aliases it. A frame that breaks the protocol closes this session and touches
// nothing else; one that is no FILEMQ is ignored.
func (s *Session) Received(now time.Time, frame []byte) {
	if s.state == closed {
		return
	}
	s.counters.ReceivedFrames++
	err := s.obey(now, frame)
	switch {
	case errors.Is(err, ErrSignature):
		s.counters.Ignored++
	case err != nil:
		s.fail(now, err)
	}
	s.proceed(now)
}

func (s *Session) obey(now time.Time, frame []byte) error {
	limit := FrameBytesMax
	if s.state == greeting {
		limit = greetingMax
	}
	if len(frame) > limit {
		return fmt.Errorf("%w: %d octets, at most %d", errTooLong, len(frame), limit)
	}
	c, err := Decode(frame)
	if err != nil {
		return fmt.Errorf("%w: %w", errMalformed, err)
	}
	s.heard = now
	if s.state == greeting {
		return s.greeted(now, c)
	}
	return s.command(now, c)
}

// greeted takes the first command of a peer.
func (s *Session) greeted(now time.Time, c Command) error {
	switch c := c.(type) {
	case Ohai:
		if s.dialled {
			return fmt.Errorf("%w: %T", errUnexpected, c)
		}
		if c.Protocol != protocol || c.Version != protocolNum {
			return fmt.Errorf("%w: %q %d", errVersion, c.Protocol, c.Version)
		}
		return s.begin(now, c.Caps)
	case OhaiOK:
		if !s.dialled {
			return fmt.Errorf("%w: %T", errUnexpected, c)
		}
		return s.begin(now, c.Caps)
	case Srsly, Rtfm, Kthxbai:
		return s.command(now, c)
	}
	return fmt.Errorf("%w: %T", errUnexpected, c)
}

// begin makes the session ready for both ends.
func (s *Session) begin(now time.Time, caps Dictionary) error {
	agreed, err := s.agreed.agree(caps)
	if err != nil {
		return err
	}
	if !s.dialled {
		s.send(now, OhaiOK{Caps: s.agreed.dictionary()})
	}
	s.agreed = agreed
	s.fetcher = newFetcher(min(s.cfg.Window, agreed.windowMax))
	s.provider = newProvider(agreed.windowMax, s.cfg.QueueMax)
	s.state = open
	s.out.Opened = true
	return nil
}

// command takes any later one.
func (s *Session) command(now time.Time, c Command) error {
	switch c := c.(type) {
	case Nom:
		return s.earned(now, c)
	case Gimme:
		return s.asked(now, c)
	case Bukkit:
		return s.delivered(now, c)
	case Noez:
		return s.denied(now, c)
	case Nvm:
		s.withdrawn(now, c)
	case Bump:
		s.provider.bump(c)
	case Hugz:
		s.hug(now)
	case HugzOK:
		s.provider.line.answered(now)
	case Kthxbai:
		s.shut("the peer closed the session")
	case Srsly:
		s.shut("the peer refused: " + printable(c.Reason))
	case Rtfm:
		s.shut("the peer found fault: " + printable(c.Reason))
	default:
		return fmt.Errorf("%w: %T", errUnexpected, c)
	}
	return nil
}

// BesideMax is how many sessions may be opened beside this one, which is open: what both
// ends take, 0 for a peer that knows of none.
func (s *Session) BesideMax() int { return s.agreed.besideMax }

// Close ends the session in good order. After a lost connection there is nobody
// to send to: drop the Output's Send.
func (s *Session) Close(now time.Time, reason string) {
	if s.state == closed {
		return
	}
	s.send(now, Kthxbai{})
	s.shut(reason)
}

// fail ends the session with a peer that broke the protocol.
func (s *Session) fail(now time.Time, err error) {
	if s.state == closed {
		return
	}
	s.send(now, farewell(err))
	s.shut(err.Error())
	s.out.Fault = isFault(err)
}

// shut answers what is still open and forgets everything.
func (s *Session) shut(reason string) {
	s.cancelAll(CodeLost)
	s.state = closed
	s.fetcher = fetcher{}
	s.provider = provider{}
	s.zip = zipper{}
	s.out.Reads = nil
	s.out.Closed = reason
}

// proceed does what the last fact made possible: read what the peer's credit
// now covers, and return the credit of what this end has disposed of.
func (s *Session) proceed(now time.Time) {
	if s.cfg.Rationed {
		return
	}
	s.orderReads()
	if credit := s.Owed(); credit > 0 {
		s.Grant(now, credit)
	}
}

// Output returns what is to be done since the last call.
func (s *Session) Output() Output {
	out := s.out
	s.out = Output{}
	return out
}

// Counters says what the session has done so far.
func (s *Session) Counters() Counters { return s.counters }

func (s *Session) send(now time.Time, c Command) { s.sendFrame(now, Encode(c)) }

func (s *Session) sendFrame(now time.Time, frame []byte) {
	s.spoke = now
	s.counters.SentFrames++
	s.out.Send = append(s.out.Send, frame)
}
