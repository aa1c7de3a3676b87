package device

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/filemq"
	"github.com/zsync/zsync/security"
	"github.com/zsync/zsync/zre"
)

// couple is the transfers of two devices and the lines between them. The first has the
// lower id, so it dials.
type couple struct {
	t     *testing.T
	now   time.Time
	ends  [2]*end
	lines []*strand
}

type end struct {
	*transfers
	link   *LinkMachine
	keys   *security.Keys
	trust  *security.Trust
	dialed int
	asked  map[zre.Conn]int // items, by session
	held   []Effect         // what the folder was asked for and has not answered
	hold   bool
	staged map[string]int
}

// strand is a connection, with its number at either end.
type strand struct {
	conns [2]zre.Conn
	cut   bool
}

func newCouple(t *testing.T) *couple {
	c := &couple{t: t, now: epoch}
	names := []string{"one", "two"}
	if keysOf(t, names[0]).Device().Compare(keysOf(t, names[1]).Device()) > 0 {
		slices.Reverse(names)
	}
	for i, name := range names {
		keys := keysOf(t, name)
		c.ends[i] = &end{
			transfers: newTransfers(keys.Device()), link: &LinkMachine{}, keys: keys, trust: security.NewTrust(),
			asked: map[zre.Conn]int{}, staged: map[string]int{},
		}
	}
	for i, e := range c.ends {
		cert := c.ends[1-i].keys.Certify("peer", 1)
		must(t, e.trust.Enrol(c.now, cert))
		record, _ := e.trust.ByKey(cert.Curve)
		e.entered(c.now, record, "10.0.0.1", 7002)
		e.linked(cert.Device(), spaceNamed(1), true)
	}
	c.run()
	return c
}

// run carries everything to where it goes until nothing is left.
func (c *couple) run() {
	for again := true; again; {
		again = false
		for i, e := range c.ends {
			e.advance(c.now)
			e.drain(c.now, e.link)
			for _, effect := range e.link.take() {
				again = true
				c.carry(i, effect)
			}
		}
	}
}

// pass lets time go by, with a look at the line each second that says what look does.
func (c *couple) pass(seconds, i int, look Path) {
	for range seconds {
		c.now = c.now.Add(time.Second)
		if look != (Path{}) {
			c.ends[i].fact(c.now, NetFact{Kind: NetPath, Conn: c.main().conns[i], Path: look}, nil)
		}
		c.run()
	}
}

func (c *couple) main() *strand { return c.lines[0] }

func (c *couple) carry(i int, e Effect) {
	from, to := c.ends[i], c.ends[1-i]
	switch what := e.What.(type) {
	case NetOrders:
		for _, dial := range what.Dial {
			from.dialed++
			l := &strand{}
			l.conns[i], l.conns[1-i] = dial.Conn, zre.Conn(1<<32+len(c.lines))
			c.lines = append(c.lines, l)
		}
		for _, send := range what.Send {
			if l := c.line(i, send.Conn); l != nil && !l.cut {
				to.fact(c.now, NetFact{Kind: NetReceived, Conn: l.conns[1-i], Key: from.keys.Key(), Frames: send.Frames}, to.trust)
			}
		}
		for _, conn := range what.Hangup {
			if l := c.line(i, conn); l != nil && !l.cut {
				c.cut(l)
			}
		}
	case Serve:
		from.asked[what.Session] += len(what.Reads)
		if from.hold {
			from.held = append(from.held, e)
			return
		}
		from.answer(c.now, what)
	case StagePieces:
		for _, piece := range what.Pieces {
			from.staged[texts[piece.Content]]++
		}
		from.disposed(c.now, Disposed{Session: what.Session, Cost: what.Cost})
	default:
		c.t.Fatalf("%T", what)
	}
}

func (c *couple) line(i int, conn zre.Conn) *strand {
	at := slices.IndexFunc(c.lines, func(l *strand) bool { return l.conns[i] == conn })
	if at < 0 {
		return nil
	}
	return c.lines[at]
}

func (c *couple) cut(l *strand) {
	l.cut = true
	for i, e := range c.ends {
		e.fact(c.now, NetFact{Kind: NetClosed, Conn: l.conns[i]}, nil)
	}
}

func (e *end) answer(now time.Time, what Serve) {
	parts := make([]SupplyPart, len(what.Reads))
	for i, read := range what.Reads {
		parts[i] = SupplyPart{Req: read.Req, Index: read.Index, Data: []byte(texts[read.Hash])}
	}
	e.supplied(now, Supply{Session: what.Session, Parts: parts})
}

// release answers what was held.
func (c *couple) release() {
	for _, e := range c.ends {
		held := e.held
		e.held, e.hold = nil, false
		for _, effect := range held {
			e.answer(c.now, effect.What.(Serve))
		}
	}
	c.run()
}

// want lets end i fetch contents of some size that the other one holds on to, named
// from a number on.
func (c *couple) want(i, first, count, size int) {
	c.ends[1-i].hold = true
	q := Fetch{Space: spaceNamed(1), From: c.ends[1-i].self, Prio: prioNormal, Total: zsync.ContentChunkMax}
	for n := range count {
		text := fmt.Sprintf("%*d", size, first+n)
		texts[digestOf(text)] = text
		q.Items = append(q.Items, Item{Hash: digestOf(text), Size: uint32(size)})
	}
	c.ends[i].fetch(q)
	c.run()
}

// open returns how many sessions are open at both ends, the one in use among them.
func (c *couple) open() int {
	c.t.Helper()
	a, b := len(c.ends[0].lanesOf(c.ends[1].self)), len(c.ends[1].lanesOf(c.ends[0].self))
	if a != b {
		c.t.Errorf("%d sessions at one end, %d at the other", a, b)
	}
	return a
}

const shortest = 20 * time.Millisecond

// What the dialling side sees of a line of 10 Mbit/s for each connection.
func losesSent(lanes int) Path {
	return Path{RoundTrip: 22 * time.Millisecond, LeastRoundTrip: shortest, Sent: 850 * lanes, Resent: 4 * lanes, Received: 20}
}

func losesReceived(lanes int) Path {
	return Path{RoundTrip: 22 * time.Millisecond, LeastRoundTrip: shortest, Sent: 20, Received: 850 * lanes, Disordered: 70 * lanes}
}

func TestALineThatLosesPacketsGetsMoreSessionsAsLongAsTheyBringMore(t *testing.T) {
	for fetcher, loses := range []func(int) Path{losesReceived, losesSent} {
		c := newCouple(t)
		c.want(fetcher, 0, 40, 300<<10)
		if c.open() != 1 {
			t.Fatalf("fetcher %d: %d sessions before anything is known", fetcher, c.open())
		}
		var steps []int
		for range 6 {
			c.pass(1, 0, loses(c.open()))
			steps = append(steps, c.open())
		}
		if want := []int{4, 8, 8, 8, 8, 8}; !slices.Equal(steps, want) {
			t.Errorf("fetcher %d: %d sessions, want %d", fetcher, steps, want)
		}
		if c.ends[0].dialed != 1+besideMax || c.ends[1].dialed != 0 {
			t.Errorf("fetcher %d: %d and %d were dialled", fetcher, c.ends[0].dialed, c.ends[1].dialed)
		}
	}
}

func TestRequestsAreSpreadOverTheSessionsWithADevice(t *testing.T) {
	for fetcher, loses := range []func(int) Path{losesReceived, losesSent} {
		c := newCouple(t)
		c.want(fetcher, 0, 200, 200<<10)
		for range 3 {
			c.pass(1, 0, loses(c.open()))
		}
		from := c.ends[1-fetcher]
		if len(from.asked) != 1+besideMax {
			t.Fatalf("fetcher %d: %d sessions were asked", fetcher, len(from.asked))
		}
		for conn, items := range from.asked {
			if most := owedAtFirst/(200<<10) + 1; items > most || items < laneOwedBytes/(200<<10) {
				t.Errorf("fetcher %d: %d items of session %d", fetcher, items, conn)
			}
		}
		c.release()
		c.whole(fetcher, 200)
	}
}

// whole checks that end i has each content, once.
func (c *couple) whole(i, count int) {
	c.t.Helper()
	if n := len(c.ends[i].staged); n != count {
		c.t.Errorf("%d contents came, want %d", n, count)
	}
	for text, times := range c.ends[i].staged {
		if times != 1 {
			c.t.Errorf("%q came %d times", text[len(text)-4:], times)
		}
	}
}

func TestSessionsThatBringNothingAreLetGo(t *testing.T) {
	c := newCouple(t)
	c.want(0, 0, 40, 300<<10)
	if c.pass(1, 0, losesReceived(1)); c.open() != 1+besideFirst {
		t.Fatalf("%d sessions are tried", c.open())
	}
	c.pass(2, 0, losesReceived(1)) // the other side sends by BBR, or its disk is slow
	if n := len(c.ends[0].lanesOf(c.ends[1].self)); n != 1 {
		t.Errorf("%d sessions are asked", n)
	}
	c.release()
	if c.open() != 1 || len(c.ends[0].sessions) != 1 {
		t.Errorf("%d sessions, %d are known", c.open(), len(c.ends[0].sessions))
	}
	c.whole(0, 40)
}

func TestSessionsThatBringNothingAreTriedLessAndLess(t *testing.T) {
	var l lanes
	var tries []int
	for second := range 600 {
		now := epoch.Add(time.Duration(second) * time.Second)
		before := l.beside
		l.look = losesReceived(1)
		l.judge(now, true, true, besideMax)
		if l.beside > before {
			tries = append(tries, second)
			l.opened = now
		}
	}
	if want := []int{0, 7, 29, 111, 433}; !slices.Equal(tries, want) {
		t.Errorf("tried at %d, want %d", tries, want)
	}
}

func TestOneSessionIsEnoughWhereNothingIsLostOrTheLineIsFull(t *testing.T) {
	for what, look := range map[string]Path{
		"nothing is lost":           {RoundTrip: shortest, LeastRoundTrip: shortest, Sent: 8000, Received: 100},
		"the line is full":          {RoundTrip: 3 * shortest, LeastRoundTrip: shortest, Sent: 8000, Resent: 40},
		"losses do no harm":         {RoundTrip: shortest, LeastRoundTrip: shortest, Sent: 8000, Resent: 40, Steady: true},
		"one was lost":              {RoundTrip: shortest, LeastRoundTrip: shortest, Sent: 300, Resent: 1},
		"a few came in other order": {RoundTrip: shortest, LeastRoundTrip: shortest, Received: 8000, Disordered: 40},
	} {
		c := newCouple(t)
		c.want(0, 0, 40, 300<<10)
		if c.pass(20, 0, look); c.open() != 1 || c.ends[0].dialed != 1 {
			t.Errorf("%s: %d sessions", what, c.open())
		}
	}
}

func TestIdleSessionsAreLetGoAndOpenedAtOnceWhenThereIsWorkAgain(t *testing.T) {
	c := newCouple(t)
	c.want(0, 0, 40, 300<<10)
	for range 4 {
		c.pass(1, 0, losesReceived(c.open()))
	}
	c.release()
	sent := c.ends[1].counters(c.ends[0].self).SentBytes
	if c.open() != 8 {
		t.Fatalf("%d sessions", c.open())
	}
	for range 3 { // as the loops do
		if due := earliest(c.ends[0].deadline(), c.ends[1].deadline()); !due.IsZero() {
			c.now = due
			c.run()
		}
	}
	if c.open() != 1 {
		t.Errorf("%d sessions when nothing is to be done", c.open())
	}
	if due := earliest(c.ends[0].deadline(), c.ends[1].deadline()); !due.IsZero() {
		t.Errorf("something is due at %s though all is done", due)
	}
	if now := c.ends[1].counters(c.ends[0].self).SentBytes; now != sent || sent == 0 {
		t.Errorf("%d octets were sent, before the sessions ended %d", now, sent)
	}
	if c.want(0, 100, 40, 300<<10); c.open() != 8 {
		t.Errorf("%d sessions when there is work again", c.open())
	}
	if c.pass(40, 0, Path{RoundTrip: shortest, LeastRoundTrip: shortest, Received: 6000}); c.open() != 1 {
		t.Errorf("%d sessions when the line has lost nothing for long", c.open())
	}
	c.release()
	c.whole(0, 80)
}

func TestWhatADyingSessionOwesIsAskedOfTheOthers(t *testing.T) {
	for fetcher, loses := range []func(int) Path{losesReceived, losesSent} {
		c := newCouple(t)
		c.want(fetcher, 0, 60, 300<<10)
		for range 2 {
			c.pass(1, 0, loses(c.open()))
		}
		c.cut(c.lines[3])
		c.cut(c.lines[5])
		if c.run(); c.open() != 6 {
			t.Errorf("fetcher %d: %d sessions after two were lost", fetcher, c.open())
		}
		c.release()
		c.whole(fetcher, 60)
	}
}

func TestTheSessionsBesideOneEndWithIt(t *testing.T) {
	c := newCouple(t)
	c.want(0, 0, 60, 300<<10)
	for range 2 {
		c.pass(1, 0, losesReceived(c.open()))
	}
	c.cut(c.main())
	c.run()
	if a, b := len(c.ends[0].sessions), len(c.ends[1].sessions); a != 0 || b != 0 {
		t.Fatalf("%d and %d sessions", a, b)
	}
	c.pass(1, 0, Path{})
	c.release()
	c.whole(0, 60)
}

func TestADeviceThatKnowsOfNoSessionsBesideOthersIsOpenedNone(t *testing.T) {
	d := &desk{transfers: newTransfers(deviceNamed('a')), t: t, now: epoch, link: &LinkMachine{}, far: map[byte]*far{}}
	d.far['z'] = &far{fm: filemq.NewSession(d.now, filemq.Config{}, false), conn: firstTransferConn + 1, has: map[zsync.Digest]string{}, mute: true}
	d.entered(d.now, recordOf('z'), "10.0.0.2", 7002)
	d.linked(deviceNamed('z'), spaceNamed(1), true)
	d.want('z', "x")
	for range 5 {
		d.now = d.now.Add(time.Second)
		d.fact(d.now, NetFact{Kind: NetPath, Conn: firstTransferConn + 1, Path: losesReceived(1)}, nil)
		d.run()
	}
	if s := d.openTo(deviceNamed('z')); s == nil || len(d.dials) != 1 {
		t.Errorf("session %v, dialled %q", s, d.dials)
	}
}

func TestOneKeyOpensAFewSessionsBesideOthers(t *testing.T) {
	d := newDesk(t, "")
	trust := security.NewTrust()
	keys := keysOf(t, "peer")
	must(t, trust.Enrol(d.now, keys.Certify("peer", 1)))
	for i := range 40 {
		beside := i%2 == 1
		ohai := filemq.NewSession(d.now, sessionConfig(beside), true).Output().Send[0]
		d.fact(d.now, NetFact{Kind: NetReceived, Conn: zre.Conn(1<<32 + i), Key: keys.Key(), Frames: [][]byte{ohai}}, trust)
	}
	counts := map[bool]int{}
	for s := range maps.Values(d.sessions) {
		counts[s.beside]++
	}
	if counts[true] != besideMax || counts[false] != sessionsPerKeyMax {
		t.Errorf("%d sessions beside %d", counts[true], counts[false])
	}
}

func TestNothingIsDueForSessionsBesideOneThatIsGone(t *testing.T) {
	c := newCouple(t)
	c.want(0, 0, 40, 300<<10)
	c.pass(1, 0, losesReceived(1))
	for i, e := range c.ends {
		e.routes[c.ends[1-i].self].backoff = redialMax
	}
	c.cut(c.main())
	c.now = c.now.Add(laneIdle + time.Second)
	c.run()
	if due := c.ends[0].deadline(); !due.After(c.now) {
		t.Errorf("something is due since %v, and nothing is done about it", c.now.Sub(due))
	}
}
