package zre

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/zsync/zsync"
)

// actor is what lives at a station of a world: a Node, or a model of another
// implementation.
type actor interface {
	Require(now time.Time, endpoint string, key zsync.Key)
	Join(now time.Time, group string) bool
	Leave(now time.Time, group string)
	Whisper(now time.Time, peer UUID, content []byte) bool
	Shout(now time.Time, group string, content []byte)
	Stop(now time.Time)
	Received(now time.Time, c Conn, from Origin, frames [][]byte)
	Opened(now time.Time, c Conn)
	Closed(now time.Time, c Conn, why error)
	Advance(now time.Time)
	Deadline() time.Time
	Output() Output
}

var (
	_ actor = (*Node)(nil)
	_ actor = (*zyre)(nil)
)

// epoch is when every world begins.
var epoch = time.Unix(1_000_000_000, 0).UTC()

const latency = time.Millisecond

// world is some stations joined by pipes, in virtual time. A pipe is what
// ZeroMQ makes of a TCP connection between a DEALER and a ROUTER.
type world struct {
	t        failer
	now      time.Time
	log      strings.Builder
	quiet    bool // leave PINGs out of the log
	stations []*station
	pipes    []*pipe
	queue    []arrival // ascending by time, then order
	order    int
	blocked  map[string]bool // "AB": A cannot dial B
	hangs    map[string]bool // "AB": B does not answer a handshake of A: it does not know its key
	lose     map[string]int  // "AB": so many of the next messages from A to B are lost
	told     map[string]map[UUID]*seen
}

type station struct {
	name     string
	run      byte // how often it was started
	zyre     bool
	secure   bool
	address  string
	actor    actor
	incoming Conn // the number of the latest incoming connection
}

type pipe struct {
	from, to *station
	run      [2]byte // of either station
	dialled  Conn    // its number at from; 0: hung up
	incoming Conn    // its number at to; 0: not open
	identity string
	frozen   bool // half open: nothing arrives, and nobody is told
}

type arrival struct {
	at    time.Time
	order int
	act   func()
}

// failer is what a testing.T and a rapid.T have in common here.
type failer interface {
	Fatalf(format string, args ...any)
}

func newWorld(t failer) *world {
	return &world{t: t, now: epoch, blocked: map[string]bool{}, hangs: map[string]bool{}, lose: map[string]int{}, told: map[string]map[UUID]*seen{}}
}

func (w *world) station(name string) *station {
	for _, s := range w.stations {
		if s.name == name {
			return s
		}
	}
	w.t.Fatalf("no station %s", name)
	return nil
}

func (s *station) key() zsync.Key {
	if !s.secure {
		return zsync.Key{}
	}
	return zsync.Key{s.name[0]}
}

func (s *station) uuid() UUID       { return UUID{s.name[0], 15: s.run} }
func (s *station) endpoint() string { return "tcp://" + s.address + ":7000" }

// start brings a station to life, with a new UUID: as a zsync node, as one that
// is not duplex ("simplex"), or as C Zyre ("zyre"); "plain" ones without keys.
func (w *world) start(name string, options ...string) *station {
	s := &station{name: name, address: fmt.Sprintf("10.0.0.%d", name[0]-'A'+1)}
	w.stations = append(w.stations, s)
	slices.SortFunc(w.stations, func(a, b *station) int { return cmp.Compare(a.name, b.name) })
	s.secure = !slices.Contains(options, "plain")
	s.zyre = slices.Contains(options, "zyre")
	w.restart(s, options...)
	return s
}

func (w *world) restart(s *station, options ...string) {
	s.run++
	delete(w.told, s.name)
	if s.zyre {
		s.actor = &zyre{t: w.t, self: s.uuid(), endpoint: s.endpoint(), key: s.key(), name: s.name}
		return
	}
	cfg := Config{UUID: s.uuid(), Name: s.name, Endpoint: s.endpoint(), Key: s.key()}
	if !slices.Contains(options, "simplex") {
		cfg.Headers = []Header{{headerDuplex, "1;transfer=7001"}}
	}
	if slices.Contains(options, "unnamed") {
		cfg.Endpoint = "tcp://0.0.0.0:7000"
	}
	s.actor = NewNode(cfg)
}

// kill ends a station. Its connections break, unless it vanishes with its network.
func (w *world) kill(s *station, silently bool) {
	for _, p := range slices.Clone(w.pipes) {
		if p.from == s || p.to == s {
			p.frozen = p.frozen || silently
			w.breakPipe(p)
		}
	}
	s.actor = nil
}

func (w *world) after(d time.Duration, act func()) {
	w.order++
	a := arrival{at: w.now.Add(d), order: w.order, act: act}
	at, _ := slices.BinarySearchFunc(w.queue, a, func(a, b arrival) int {
		return cmp.Or(a.at.Compare(b.at), cmp.Compare(a.order, b.order))
	})
	w.queue = slices.Insert(w.queue, at, a)
}

// run lets d go by.
func (w *world) run(d time.Duration) {
	end := w.now.Add(d)
	for steps := 0; ; steps++ {
		if steps > 200_000 {
			w.t.Fatalf("a storm: %d steps and no end", steps)
		}
		w.flush()
		next, due := end, (*station)(nil)
		if len(w.queue) > 0 && !w.queue[0].at.After(next) {
			next = w.queue[0].at
		}
		for _, s := range w.stations {
			if s.actor != nil && !s.actor.Deadline().IsZero() && s.actor.Deadline().Before(next) {
				next, due = later(w.now, s.actor.Deadline()), s
			}
		}
		w.now = next
		switch {
		case due != nil:
			due.actor.Advance(w.now)
			if at := due.actor.Deadline(); !at.IsZero() && !at.After(w.now) {
				w.t.Fatalf("%s: the deadline %v is not over after Advance at %v", due.name, at, w.now)
			}
		case len(w.queue) > 0 && !w.queue[0].at.After(end):
			act := w.queue[0].act
			w.queue = w.queue[1:]
			act()
		default:
			return
		}
	}
}

// flush carries out what the stations want done.
func (w *world) flush() {
	for _, s := range w.stations {
		if s.actor == nil {
			continue
		}
		out := s.actor.Output()
		for _, d := range out.Dial {
			w.dial(s, d)
		}
		for _, m := range out.Send {
			w.send(s, m)
		}
		for _, c := range out.Hangup {
			w.hangup(s, c)
		}
		for _, e := range out.Events {
			w.tell(s, e)
		}
	}
}

func (w *world) logf(s *station, format string, args ...any) {
	fmt.Fprintf(&w.log, "%9.3f %s %s\n", w.now.Sub(epoch).Seconds(), s.name, strings.TrimSpace(fmt.Sprintf(format, args...)))
}

func (w *world) dial(from *station, d Dial) {
	w.logf(from, "dials %s: %s", conn(d.Conn), d.Endpoint)
	p := &pipe{from: from, dialled: d.Conn, identity: string(d.Identity), run: [2]byte{from.run}}
	w.pipes = append(w.pipes, p)
	w.after(latency, func() { w.connect(p, d) })
}

// connect completes the handshake of a pipe, or refuses it.
func (w *world) connect(p *pipe, d Dial) {
	for _, s := range w.stations {
		if s.endpoint() == d.Endpoint && s.actor != nil && s.key() == d.Key && !w.blocked[p.from.name+s.name] {
			p.to = s
		}
	}
	if p.dialled == 0 || !slices.Contains(w.pipes, p) {
		return
	}
	if p.to == nil {
		w.breakPipe(p)
		return
	}
	if w.hangs[p.from.name+p.to.name] {
		p.to = nil
		return
	}
	p.run[1] = p.to.run
	w.handOver(p)
	w.after(latency, func() {
		if p.dialled != 0 && w.lives(p, p.from) {
			w.logf(p.from, "opened %s", conn(p.dialled))
			p.from.actor.Opened(w.now, p.dialled)
		}
	})
}

// handOver gives a pipe its number at the ROUTER. One from the same routing id
// takes over the number, and the older pipe breaks: ROUTER_HANDOVER.
func (w *world) handOver(p *pipe) {
	for _, old := range slices.Clone(w.pipes) {
		if old != p && old.to == p.to && old.incoming != 0 && old.identity == p.identity && old.run[1] == p.run[1] {
			p.incoming, old.incoming = old.incoming, 0
			w.breakPipe(old)
		}
	}
	if p.incoming == 0 {
		p.to.incoming++
		p.incoming = FirstIncoming + p.to.incoming
	}
}

// lives reports whether a station is still the one that p was made with.
func (w *world) lives(p *pipe, s *station) bool {
	run := p.run[0]
	if s == p.to {
		run = p.run[1]
	}
	return s != nil && s.actor != nil && s.run == run
}

// breakPipe closes a pipe and tells both ends, unless it is frozen.
func (w *world) breakPipe(p *pipe) {
	w.pipes = slices.DeleteFunc(w.pipes, func(o *pipe) bool { return o == p })
	tell := func(s *station, c Conn) {
		if c != 0 && !p.frozen && w.lives(p, s) {
			w.after(latency, func() {
				if w.lives(p, s) {
					w.logf(s, "closed %s", conn(c))
					s.actor.Closed(w.now, c, errors.New("broken"))
				}
			})
		}
	}
	tell(p.from, p.dialled)
	tell(p.to, p.incoming)
}

func (w *world) pipeAt(s *station, c Conn) *pipe {
	for _, p := range w.pipes {
		if p.from == s && p.dialled == c && w.lives(p, s) || p.to == s && p.incoming == c && w.lives(p, s) {
			return p
		}
	}
	return nil
}

func (w *world) hangup(s *station, c Conn) {
	w.logf(s, "hangs up %s", conn(c))
	p := w.pipeAt(s, c)
	switch {
	case p == nil:
		return
	case p.from == s:
		p.dialled = 0
	default:
		p.incoming = 0
	}
	w.breakPipe(p)
}

func (w *world) send(s *station, m Send) {
	c, err := ParseCommand(m.Frames)
	if err != nil {
		w.t.Fatalf("%s sends what cannot be read: %v", s.name, err)
	}
	if ping := c.ID == CommandPing || c.ID == CommandPingOK; !ping || !w.quiet {
		w.logf(s, "says %s: %s", conn(m.Conn), describe(c))
	}
	p := w.pipeAt(s, m.Conn)
	if p == nil {
		return
	}
	to := p.to
	if s == p.to {
		to = p.from
	}
	// ZeroMQ loses messages only by breaking or overflowing, so not the first of a
	// connection that goes on. Zyre would abort if it did; a Node need not care.
	if first := c.ID == CommandHello; w.lose[s.name+to.name] > 0 && !(first && to.zyre) {
		w.lose[s.name+to.name]--
		w.logf(s, "(lost)")
		return
	}
	w.after(latency, func() { w.deliver(p, s, to, m.Frames) })
}

func (w *world) deliver(p *pipe, from, to *station, frames [][]byte) {
	origin := Origin{Key: from.key(), Address: from.address}
	c := p.dialled
	if to == p.to {
		c, origin.Identity = p.incoming, []byte(p.identity)
	}
	if c != 0 && !p.frozen && slices.Contains(w.pipes, p) && w.lives(p, to) {
		to.actor.Received(w.now, c, origin, frames)
	}
}

func (w *world) tell(s *station, e Event) {
	if !s.zyre {
		w.witness(s, e)
	}
	text := fmt.Sprintf("  %s %s", e.Kind, peerName(e.Peer))
	switch e.Kind {
	case Join, Leave:
		text += " " + e.Group
	case Whisper, Shout:
		text += strings.TrimRight(" "+e.Group, " ") + fmt.Sprintf(" %q", e.Content)
	}
	fmt.Fprintf(&w.log, "%9.3f %s %s\n", w.now.Sub(epoch).Seconds(), s.name, "  ** "+strings.TrimSpace(text))
}

func peerName(u UUID) string { return fmt.Sprintf("%c%d", u[0], u[15]) }

func conn(c Conn) string {
	if c >= FirstIncoming {
		return fmt.Sprintf("in%d", c-FirstIncoming)
	}
	return fmt.Sprintf("out%d", c)
}

func describe(c Command) string {
	name := [...]string{"", "HELLO", "WHISPER", "SHOUT", "JOIN", "LEAVE", "PING", "PING-OK", "ELECT", "LEADER", "GOODBYE"}[c.ID]
	text := fmt.Sprintf("%s %d", name, c.Sequence)
	switch c.ID {
	case CommandHello:
		text += fmt.Sprintf(" %v status %d", c.Groups, c.Status)
	case CommandJoin, CommandLeave:
		text += fmt.Sprintf(" %s status %d", c.Group, c.Status)
	case CommandWhisper, CommandShout:
		text += strings.TrimRight(" "+c.Group, " ") + fmt.Sprintf(" %q", c.Content)
	case CommandElect, CommandLeader:
		text += " " + c.Group + " " + peerName(c.Node)
	}
	return text
}
