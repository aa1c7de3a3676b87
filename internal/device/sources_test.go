package device

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/filemq"
	"github.com/zsync/zsync/security"
	"github.com/zsync/zsync/zre"
)

// desk is the transfers of device m, with other devices at the far ends of their
// sessions.
type desk struct {
	*transfers
	t    *testing.T
	now  time.Time
	link *LinkMachine
	far  map[byte]*far
	// What the transfers said: to the disk, to the folder, to the sockets.
	staged    []string
	unfetched []string
	nodes     int
	served    []ReadPart
	dials     []string
}

// far is another device: what it has and what it was asked for.
type far struct {
	fm    *filemq.Session
	conn  zre.Conn
	has   map[zsync.Digest]string
	asked []string
	said  []string // why something did not come, or why the session ended
	mute  bool     // it answers nothing
}

var texts = map[zsync.Digest]string{} // of every content in these tests

func newDesk(t *testing.T, names string) *desk {
	d := &desk{transfers: newTransfers(deviceNamed('m')), t: t, now: epoch, link: &LinkMachine{}, far: map[byte]*far{}}
	for _, name := range []byte(names) {
		d.arrive(name)
		d.linked(deviceNamed(name), spaceNamed(1), true)
	}
	d.run()
	return d
}

func recordOf(name byte) security.Record {
	return security.Record{Device: deviceNamed(name), Key: zsync.Key{name}, State: security.InCircle}
}

// arrive lets a device dial us, and its session open.
func (d *desk) arrive(name byte) {
	d.entered(d.now, recordOf(name), "10.0.0.1", 7002)
	conn := zre.Conn(1<<32) + zre.Conn(name)
	d.add(d.now, conn, recordOf(name), false)
	had := map[zsync.Digest]string{}
	if old := d.far[name]; old != nil {
		had = old.has
	}
	d.far[name] = &far{fm: filemq.NewSession(d.now, filemq.Config{}, true), conn: conn, has: had}
}

// have gives contents to a device.
func (d *desk) have(name byte, contents ...string) {
	for _, content := range contents {
		d.far[name].has[digestOf(content)] = content
	}
}

// want lets the folder fetch contents that a device is the author of.
func (d *desk) want(author byte, contents ...string) {
	q := Fetch{Space: spaceNamed(1), From: deviceNamed(author), Prio: prioSmall, Total: zsync.ContentChunkMax}
	for _, content := range contents {
		texts[digestOf(content)] = content
		q.Items = append(q.Items, Item{Hash: digestOf(content), Size: uint32(len(content))})
	}
	d.fetch(q)
	d.run()
}

// run carries everything to where it goes until nothing is left.
func (d *desk) run() {
	for again := true; again; {
		again = false
		d.advance(d.now)
		d.drain(d.now, d.link)
		for _, e := range d.link.take() {
			d.carry(e)
			again = true
		}
		for _, name := range sortedNames(d.far) {
			again = d.turn(d.far[name]) || again
		}
	}
}

func sortedNames(of map[byte]*far) (names []byte) {
	for name := range of {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

func (d *desk) carry(e Effect) {
	switch what := e.What.(type) {
	case NetOrders:
		for _, dial := range what.Dial {
			d.dials = append(d.dials, dial.Endpoint)
		}
		for _, send := range what.Send {
			for _, f := range d.far {
				if f.conn == send.Conn {
					f.fm.Received(d.now, send.Frames[0])
				}
			}
		}
	case StagePieces:
		for _, piece := range what.Pieces {
			d.staged = append(d.staged, string(piece.Data))
		}
		d.disposed(d.now, Disposed{Session: what.Session, Cost: what.Cost})
	case Unfetched:
		for _, item := range what.Items {
			d.unfetched = append(d.unfetched, texts[item.Hash])
		}
	case GotNodes:
		d.nodes += len(what.Nodes)
	case Serve:
		d.served = append(d.served, what.Reads...)
	default:
		d.t.Fatalf("%T", what)
	}
}

// turn lets a far device answer what it was asked.
func (d *desk) turn(f *far) (moved bool) {
	out := f.fm.Output()
	for _, read := range out.Reads {
		f.asked = append(f.asked, texts[read.Hash])
		switch content, has := f.has[read.Hash]; {
		case f.mute:
		case has:
			f.fm.Supplied(d.now, read.Req, read.Index, []byte(content))
		default:
			f.fm.Refused(d.now, read.Req, read.Index, filemq.CodeAbsent)
		}
	}
	for _, missing := range out.Missing {
		f.said = append(f.said, "missing "+string('0'+byte(missing.Code)))
	}
	if out.Closed != "" {
		f.said = append(f.said, out.Closed)
	}
	for _, frame := range out.Send {
		d.fact(d.now, NetFact{Kind: NetReceived, Conn: f.conn, Frames: [][]byte{frame}}, nil)
	}
	return len(out.Send)+len(out.Reads) > 0
}

func (d *desk) expect(what string, got []string, want ...string) {
	d.t.Helper()
	if !slices.Equal(got, want) {
		d.t.Errorf("%s: %q, want %q", what, got, want)
	}
}

func TestAnItemIsAskedOfItsAuthorFirst(t *testing.T) {
	for _, author := range []byte("abz") {
		d := newDesk(t, "abz")
		for _, name := range []byte("abz") {
			d.have(name, "x", "y")
		}
		d.want(author, "x", "y")
		for _, name := range []byte("abz") {
			if name == author {
				d.expect("the author was asked for", d.far[name].asked, "x", "y")
			} else {
				d.expect("another was asked for", d.far[name].asked)
			}
		}
		d.expect("staged", d.staged, "x", "y")
	}
}

func TestAnItemThatTheAuthorLacksIsAskedOfAnother(t *testing.T) {
	d := newDesk(t, "ab")
	d.have('a', "x", "z")
	d.have('b', "y")
	d.want('a', "x", "y", "z")
	d.expect("the author was asked for", d.far['a'].asked, "x", "y", "z")
	d.expect("the other was asked for", d.far['b'].asked, "y")
	slices.Sort(d.staged)
	d.expect("staged", d.staged, "x", "y", "z")
	d.expect("given back", d.unfetched)
}

func TestAnItemOfAnAuthorThatIsAwayIsAskedOfWhoIsHere(t *testing.T) {
	d := newDesk(t, "b")
	d.have('b', "x")
	d.want('a', "x")
	d.expect("staged", d.staged, "x")
}

func TestWhatEverybodyWasAskedForGoesBackToTheFolder(t *testing.T) {
	d := newDesk(t, "abc")
	d.have('b', "x")
	d.want('a', "x", "y", "z")
	for _, name := range []byte("abc") {
		if n := strings.Count(strings.Join(d.far[name].asked, ""), "y"); n != 1 {
			t.Errorf("%c was asked %d times for what it lacks", name, n)
		}
	}
	slices.Sort(d.unfetched)
	d.expect("given back", d.unfetched, "y", "z")
	d.expect("staged", d.staged, "x")
	if n := d.queued(); n != 0 {
		t.Errorf("%d items are still queued", n)
	}
	d.have('c', "y") // and may be asked for again
	d.want('a', "y")
	d.expect("staged", d.staged, "x", "y")
}

func TestItemsWaitWhileNobodyIsHere(t *testing.T) {
	d := newDesk(t, "")
	d.want('a', "x")
	d.expect("given back", d.unfetched)
	d.arrive('a')
	d.have('a', "x")
	d.linked(deviceNamed('a'), spaceNamed(1), true)
	d.run()
	d.expect("staged", d.staged, "x")
}

func TestALostSessionPutsItsItemsBackInTheQueue(t *testing.T) {
	d := newDesk(t, "ab")
	d.far['a'].mute = true
	d.have('b', "x", "y")
	d.want('a', "x", "y")
	d.expect("the other was asked for", d.far['b'].asked)
	d.fact(d.now, NetFact{Kind: NetClosed, Conn: d.far['a'].conn}, nil)
	d.run()
	d.expect("staged", d.staged, "x", "y")
}

func TestWhatALostSessionWasAskedForMayBeAskedOfItAgain(t *testing.T) {
	d := newDesk(t, "a")
	d.far['a'].mute = true
	d.want('a', "x", "y")
	d.fact(d.now, NetFact{Kind: NetClosed, Conn: d.far['a'].conn}, nil)
	d.run()
	d.expect("given back", d.unfetched)
	d.arrive('a')
	d.have('a', "x", "y")
	d.run()
	d.expect("staged", d.staged, "x", "y")
}

func TestNothingIsAskedOfADeviceThatIsNotInTheSpacesGroup(t *testing.T) {
	d := newDesk(t, "a")
	d.arrive('b') // linked, and in no group
	d.have('b', "x")
	d.want('b', "x")
	d.expect("the outsider was asked for", d.far['b'].asked)
	d.expect("the member was asked for", d.far['a'].asked, "x")
	d.expect("given back", d.unfetched, "x")

	d.linked(deviceNamed('b'), spaceNamed(2), true) // in the group of another
	d.want('b', "x")
	d.expect("the outsider was asked for", d.far['b'].asked)
	d.linked(deviceNamed('b'), spaceNamed(1), true)
	d.want('b', "x")
	d.expect("the newcomer was asked for", d.far['b'].asked, "x")
}

func TestNothingIsServedToADeviceThatIsNotInTheSpacesGroup(t *testing.T) {
	d := newDesk(t, "a")
	d.arrive('b')
	d.run()
	for _, name := range []byte("ab") {
		item := filemq.Item{Hash: digestOf("x"), Size: 1}
		if _, ok := d.far[name].fm.Request(d.now, filemq.Request{Space: spaceNamed(1), Items: []filemq.Item{item}}); !ok {
			t.Fatal("no room")
		}
		d.run()
	}
	if len(d.served) != 1 {
		t.Errorf("%d reads reached the folder, want the member's alone", len(d.served))
	}
	d.expect("the outsider", d.far['b'].said, "missing 1")
	d.expect("the member", d.far['a'].said)
}

func TestUrgentItemsGoFirst(t *testing.T) {
	d := newDesk(t, "")
	for _, each := range []struct {
		text string
		prio uint8
	}{{"bulk", prioBulk}, {"normal", prioNormal}, {"small", prioSmall}} {
		texts[digestOf(each.text)] = each.text
		d.fetch(Fetch{Space: spaceNamed(1), Prio: each.prio, Items: []Item{{Hash: digestOf(each.text), Size: uint32(len(each.text))}}})
	}
	d.arrive('a')
	d.have('a', "bulk", "normal", "small")
	d.linked(deviceNamed('a'), spaceNamed(1), true)
	d.run()
	d.expect("asked for", d.far['a'].asked, "small", "normal", "bulk")
}

func TestWhatIsNoLongerWantedIsNotAskedFor(t *testing.T) {
	d := newDesk(t, "")
	d.want('a', "x", "y")
	d.unfetch(d.now, Unfetch{Space: spaceNamed(1), Contents: []zsync.Digest{digestOf("x")}})
	d.arrive('a')
	d.have('a', "x", "y")
	d.linked(deviceNamed('a'), spaceNamed(1), true)
	d.run()
	d.expect("asked for", d.far['a'].asked, "y")
	d.quit(d.now, spaceNamed(1))
	d.want('a', "z")
	d.expect("asked for after the folder closed", d.far['a'].asked, "y")
}

// A folder's machine that met a failure of its database begins anew, and asks again.
func TestWhatAFolderAskedForBeforeItBeganAnewIsNotAskedElsewhere(t *testing.T) {
	d := newDesk(t, "ab")
	d.far['a'].mute = true
	d.have('b', "x", "y")
	d.want('a', "x", "y")
	d.takeBack(d.now, spaceNamed(1))
	d.run()
	d.fact(d.now, NetFact{Kind: NetClosed, Conn: d.far['a'].conn}, nil)
	d.run()
	d.expect("the other was asked for", d.far['b'].asked)
}

// Had the folder of a device that is in sync asked for it, the other would bring it
// a minute later: a write to the disk for nothing.
func TestWhatIsNoLongerWantedIsNotAskedElsewhereWhenThePeerDoesNotAnswer(t *testing.T) {
	d := newDesk(t, "ab")
	d.far['a'].mute = true
	d.have('b', "x", "y", "z")
	d.want('a', "x", "y")
	d.want('a', "z")
	d.unfetch(d.now, Unfetch{Space: spaceNamed(1), Contents: []zsync.Digest{digestOf("x"), digestOf("z")}})
	d.run()
	d.fact(d.now, NetFact{Kind: NetClosed, Conn: d.far['a'].conn}, nil)
	d.run()
	d.expect("the other was asked for", d.far['b'].asked, "y")
}

func TestPiecesOfAContentThatIsNoLongerWantedAreNotAskedElsewhere(t *testing.T) {
	d := newDesk(t, "ab")
	d.far['a'].mute = true
	big := digestOf("big")
	d.fetch(Fetch{Space: spaceNamed(1), From: deviceNamed('a'), Prio: prioNormal, Total: 3 << 20, Items: []Item{{Of: big, Hash: digestOf("x"), Size: 1}}})
	d.run()
	d.unfetch(d.now, Unfetch{Space: spaceNamed(1), Contents: []zsync.Digest{big}})
	d.run()
	d.expect("the other was asked for", d.far['b'].asked)
	if n := d.queued(); n != 0 {
		t.Errorf("%d items are queued", n)
	}
}

func TestAListNodeThatIsAnotherIsAskedElsewhere(t *testing.T) {
	d := newDesk(t, "ab")
	node := digestOf("node")
	d.far['a'].has[node] = "nodE"
	d.far['b'].has[node] = "node"
	d.fetch(Fetch{Space: spaceNamed(1), From: deviceNamed('a'), Prio: prioLists, Total: 3 << 20, Items: []Item{{Of: digestOf("big"), Hash: node, Size: 4, Lists: true}}})
	d.run()
	if d.nodes != 1 {
		t.Errorf("%d nodes reached the folder", d.nodes)
	}
}

func TestPiecesThatTheDiskFoundBadAreAskedElsewhere(t *testing.T) {
	d := newDesk(t, "ab")
	d.have('a', "x")
	d.have('b', "x")
	d.disposed(d.now, Disposed{Space: spaceNamed(1), Peer: deviceNamed('a'), Total: 1, Lost: []Item{{Hash: digestOf("x"), Size: 1}}})
	d.run()
	d.expect("the culprit was asked for", d.far['a'].asked)
	d.expect("staged", d.staged, "x")
}

func TestTheThirdBadPieceEndsTheSession(t *testing.T) {
	d := newDesk(t, "a")
	conn := d.far['a'].conn
	for i := range 3 {
		if d.sessions[conn] == nil {
			t.Fatalf("ended after %d", i)
		}
		d.disposed(d.now, Disposed{Session: conn, Bad: 1})
	}
	if d.sessions[conn] != nil {
		t.Error("the session goes on")
	}
}

func TestTheLowerDeviceDialsAndTheOtherAfterAWhile(t *testing.T) {
	d := &desk{transfers: newTransfers(deviceNamed('m')), t: t, now: epoch, link: &LinkMachine{}, far: map[byte]*far{}}
	d.entered(d.now, recordOf('z'), "10.0.0.2", 7002)
	d.entered(d.now, recordOf('a'), "10.0.0.1", 7002)
	d.run()
	d.expect("dialled at once", d.dials, "tcp://10.0.0.2:7002")
	d.now = d.now.Add(otherSideWait)
	d.run()
	d.expect("dialled after a while", d.dials, "tcp://10.0.0.2:7002", "tcp://10.0.0.1:7002")
}

func TestTheLowerDeviceThatCameTooEarlyIsDialledAtOnce(t *testing.T) {
	for what, c := range map[string]struct {
		knocks time.Duration // before it is here
		dials  int
	}{
		"before it is here": {50 * time.Millisecond, 1}, "when it is here": {0, 1}, "long before": {otherSideWait, 0},
	} {
		d := &desk{transfers: newTransfers(deviceNamed('m')), t: t, now: epoch, link: &LinkMachine{}, far: map[byte]*far{}}
		if c.knocks > 0 {
			d.knocked(d.now, recordOf('a').Key)
		}
		d.now = d.now.Add(c.knocks)
		d.entered(d.now, recordOf('a'), "10.0.0.1", 7002)
		d.run()
		if c.knocks == 0 {
			d.knocked(d.now, recordOf('a').Key)
			d.run()
		}
		if len(d.dials) != c.dials {
			t.Errorf("knocks %s: %d dials", what, len(d.dials))
		}
	}
}

func TestARedialWaitsLongerEachTime(t *testing.T) {
	d := &desk{transfers: newTransfers(deviceNamed('m')), t: t, now: epoch, link: &LinkMachine{}, far: map[byte]*far{}}
	d.entered(d.now, recordOf('z'), "10.0.0.2", 7002)
	var waits []time.Duration
	for range 9 {
		d.run()
		for _, s := range d.sorted() {
			d.fact(d.now, NetFact{Kind: NetClosed, Conn: s.conn}, nil)
		}
		next := d.deadline()
		waits = append(waits, next.Sub(d.now))
		d.now = next
	}
	for i, wait := range waits {
		if want := min(redialMin<<i, redialMax); wait != want {
			t.Errorf("redial %d after %s, want %s", i, wait, want)
		}
	}
}

func TestOneKeyOpensAFewSessionsAndAStrangerNone(t *testing.T) {
	d := newDesk(t, "")
	trust := security.NewTrust()
	keys := keysOf(t, "peer")
	must(t, trust.Enrol(d.now, keys.Certify("peer", 1)))
	ohai := filemq.NewSession(d.now, filemq.Config{}, true).Output().Send[0]
	for i := range 2 * sessionsPerKeyMax {
		d.fact(d.now, NetFact{Kind: NetReceived, Conn: zre.Conn(1<<32 + i), Key: keys.Key(), Frames: [][]byte{ohai}}, trust)
	}
	d.fact(d.now, NetFact{Kind: NetReceived, Conn: 1 << 40, Key: zsync.Key{9}, Frames: [][]byte{ohai}}, trust)
	if n := len(d.sessions); n != sessionsPerKeyMax {
		t.Errorf("%d sessions, want %d", n, sessionsPerKeyMax)
	}
}

func TestWhatComesLateForAClosedSessionOpensNoOther(t *testing.T) {
	d := newDesk(t, "")
	trust := security.NewTrust()
	keys := keysOf(t, "peer")
	must(t, trust.Enrol(d.now, keys.Certify("peer", 1)))
	far := filemq.NewSession(d.now, filemq.Config{}, true)
	say := func(frame []byte) {
		d.fact(d.now, NetFact{Kind: NetReceived, Conn: 1 << 32, Key: keys.Key(), Frames: [][]byte{frame}}, trust)
	}
	for _, frame := range far.Output().Send {
		say(frame)
	}
	if len(d.sessions) != 1 {
		t.Fatalf("%d sessions after the greeting", len(d.sessions))
	}
	nom := filemq.Encode(filemq.Nom{Credit: 1})
	say(filemq.Encode(filemq.OhaiOK{})) // breaks the protocol
	for range 40 {
		say(nom)
	}
	if len(d.sessions) != 0 || len(d.hangup) != 1 {
		t.Errorf("%d sessions and %d hung up, want 0 and 1", len(d.sessions), len(d.hangup))
	}
}

func TestWhatIsUrgentIsAskedForThoughAPeerHasAllTheItemsAndRequestsThatItTakes(t *testing.T) {
	for what, fill := range map[string]func(d *desk){
		"items": func(d *desk) {
			q := Fetch{Space: spaceNamed(1), From: deviceNamed('a'), Prio: prioBulk, Total: zsync.ContentChunkMax}
			for i := range 8192 {
				q.Items = append(q.Items, Item{Hash: zsync.Digest{byte(i), byte(i >> 8), 1}, Size: zsync.ContentChunkMax})
			}
			d.fetch(q)
		},
		"requests": func(d *desk) {
			for i := range 2 * filemq.RequestsMax {
				of := zsync.Digest{byte(i), byte(i >> 8), 2}
				d.fetch(Fetch{
					Space: spaceNamed(1), From: deviceNamed('a'), Prio: prioBulk, Total: 1 << 30,
					Items: []Item{{Of: of, Hash: of, Size: zsync.ContentChunkMax}},
				})
			}
		},
	} {
		t.Run(what, func(t *testing.T) {
			d := newDesk(t, "a")
			d.far['a'].mute = true
			fill(d)
			d.run()
			if len(d.transfers.queue[prioBulk]) == 0 {
				t.Fatal("there is room for all")
			}
			d.fetch(Fetch{
				Space: spaceNamed(1), From: deviceNamed('a'), Prio: prioUrgent, Total: zsync.ContentChunkMax,
				Items: []Item{{Hash: digestOf("photo"), Size: 5}},
			})
			d.run()
			if left := d.transfers.queue[prioUrgent]; len(left) > 0 {
				t.Errorf("%d items wait", len(left[0].items))
			}
			if len(d.transfers.queue[prioBulk]) == 0 {
				t.Error("the rest is asked for, too")
			}
		})
	}
}
