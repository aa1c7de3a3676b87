package device

import (
	"container/heap"
	"encoding/binary"
	"testing"
	"time"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/eventlog"
	"github.com/zsync/zsync/filemq"
	"github.com/zsync/zsync/security"
	"github.com/zsync/zsync/zre"
)

// swarm is the transfers of device m and other devices at lines of their own paces, in
// virtual time. An item's data begins with its digest.
type swarm struct {
	*transfers
	t         *testing.T
	now       time.Time
	link      *LinkMachine
	events    swarmEvents
	sequence  int
	far       map[byte]*supplier
	good      map[zsync.Digest]int
	unfetched int
	disk      time.Duration // that each order to stage takes
	owedMost  int64
	begun     time.Time
	buffer    [256 << 10]byte
}

// supplier is another device.
type supplier struct {
	name    byte
	fm      *filemq.Session
	conn    zre.Conn
	rate    int64 // octets a second of its line
	latency time.Duration
	free    time.Time // when all that it has said has left
	lacks   bool
	lies    bool
	mute    bool
	dead    bool
	asked   int
	sent    int64
}

type swarmEvent struct {
	at       time.Time
	sequence int
	act      func()
}

type swarmEvents []swarmEvent

func (e swarmEvents) Len() int      { return len(e) }
func (e swarmEvents) Swap(i, j int) { e[i], e[j] = e[j], e[i] }
func (e *swarmEvents) Push(x any)   { *e = append(*e, x.(swarmEvent)) }

func (e swarmEvents) Less(i, j int) bool {
	return e[i].at.Before(e[j].at) || e[i].at.Equal(e[j].at) && e[i].sequence < e[j].sequence
}

func (e *swarmEvents) Pop() any {
	last := (*e)[len(*e)-1]
	*e = (*e)[:len(*e)-1]
	return last
}

const megabyte = 1_000_000

var swarmStamp = zsync.Stamp{Lamport: 7, Writer: zsync.WriterID{1}, Seq: 7}

// newSwarm has a device a at rates[0] octets a second, b at rates[1], and so on.
func newSwarm(t *testing.T, rates ...int64) *swarm {
	w := &swarm{
		transfers: newTransfers(deviceNamed('m')), t: t, now: epoch, link: &LinkMachine{}, begun: epoch,
		far: map[byte]*supplier{}, good: map[zsync.Digest]int{},
	}
	for i, rate := range rates {
		w.join(byte('a'+i), rate)
	}
	w.run(func() bool { return len(w.events) == 0 })
	w.begun = w.now
	return w
}

func (w *swarm) join(name byte, rate int64) {
	w.entered(w.now, recordOf(name), "10.0.0.1", 7002)
	conn := zre.Conn(1<<32) + zre.Conn(name)
	w.add(w.now, conn, recordOf(name), false)
	w.far[name] = &supplier{
		name: name, conn: conn, rate: rate, latency: 5 * time.Millisecond, free: w.now,
		fm: filemq.NewSession(w.now, filemq.Config{}, true),
	}
	w.linked(deviceNamed(name), spaceNamed(1), true)
	w.after(0, func() { w.answer(w.far[name]) })
}

// knows says of devices that they had all of the log.
func (w *swarm) knows(names string) {
	for _, name := range []byte(names) {
		w.had(Had{spaceNamed(1), deviceNamed(name), []eventlog.Head{{Writer: swarmStamp.Writer, Seq: swarmStamp.Seq}}})
	}
}

func swarmItems(of byte, count int, size uint32) (items []Item) {
	for i := range count {
		item := Item{Size: size, Hash: zsync.Digest{of}, Offset: int64(i) * int64(size)}
		binary.BigEndian.PutUint64(item.Hash[8:], uint64(i)+1)
		items = append(items, item)
	}
	return items
}

// file fetches one big file whose author is device a.
func (w *swarm) file(count int, size uint32) (total int64) {
	items := swarmItems('f', count, size)
	for i := range items {
		items[i].Of = zsync.Digest{'F'}
	}
	total = int64(count) * int64(size)
	for len(items) > 0 {
		n := min(len(items), fetchItemsMax)
		w.fetch(Fetch{Space: spaceNamed(1), From: deviceNamed('a'), Stamp: swarmStamp, Prio: prioBulk, Total: total, Items: items[:n]})
		items = items[n:]
	}
	return total
}

// files fetches many small files whose author is device a.
func (w *swarm) files(count int, size uint32) (total int64) {
	for items := swarmItems('s', count, size); len(items) > 0; {
		n := min(len(items), fetchItemsMax)
		w.fetch(Fetch{Space: spaceNamed(1), From: deviceNamed('a'), Stamp: swarmStamp, Prio: prioSmall, Total: zsync.ContentChunkMax, Items: items[:n]})
		items = items[n:]
	}
	return int64(count) * int64(size)
}

func (w *swarm) after(delay time.Duration, act func()) {
	w.sequence++
	heap.Push(&w.events, swarmEvent{w.now.Add(delay), w.sequence, act})
}

// run lets everything happen in its time until done.
func (w *swarm) run(done func() bool) {
	w.t.Helper()
	for w.turn(); !done(); w.turn() {
		next := w.deadline()
		switch {
		case len(w.events) > 0 && (next.IsZero() || !next.Before(w.events[0].at)):
			e := heap.Pop(&w.events).(swarmEvent)
			w.now = e.at
			e.act()
		case next.IsZero() || next.After(w.begun.Add(time.Hour)):
			w.t.Fatalf("it stands still after %v, %d came", w.now.Sub(w.begun), len(w.good))
		default:
			w.now = next
		}
	}
}

// finish runs until so many items have come, and returns how long that took.
func (w *swarm) finish(count int) time.Duration {
	w.t.Helper()
	w.run(func() bool { return len(w.good) >= count })
	took := w.now.Sub(w.begun)
	w.run(func() bool { return len(w.events) == 0 }) // what is on its way still
	for _, s := range w.sorted() {
		if s.debt.owed != 0 {
			w.t.Errorf("%d octets are owed at the end", s.debt.owed)
		}
	}
	return took
}

func (w *swarm) turn() {
	w.advance(w.now)
	w.drain(w.now, w.link)
	for _, e := range w.link.take() {
		w.carry(e)
	}
	for _, s := range w.sorted() {
		w.owedMost = max(w.owedMost, s.debt.owed)
		if s.debt.owed < 0 || s.debt.owed == 0 != (len(s.requests) == 0) {
			w.t.Fatalf("%d octets are owed in %d requests", s.debt.owed, len(s.requests))
		}
	}
}

func (w *swarm) carry(e Effect) {
	switch what := e.What.(type) {
	case NetOrders:
		for _, send := range what.Send {
			for _, f := range w.far {
				if f.conn == send.Conn && !f.dead {
					w.after(f.latency, func() { w.hear(f, send.Frames[0]) })
				}
			}
		}
	case StagePieces:
		w.after(w.disk, func() { w.stage(what) })
	case Unfetched:
		w.unfetched += len(what.Items)
	default:
		w.t.Fatalf("%T", what)
	}
}

func (w *swarm) stage(in StagePieces) {
	answer := Disposed{Session: in.Session, Space: spaceNamed(1), Peer: in.Peer, Cost: in.Cost}
	for _, piece := range in.Pieces {
		if [32]byte(piece.Data) == piece.Hash {
			w.good[piece.Hash]++
			continue
		}
		item := Item{Hash: piece.Hash, Offset: piece.Offset, Size: uint32(len(piece.Data))}
		if piece.Content != piece.Hash {
			item.Of = piece.Content
		}
		answer.Bad++
		answer.Total = piece.Size
		answer.Lost = append(answer.Lost, item)
	}
	w.disposed(w.now, answer)
}

// hear lets a device act on a frame.
func (w *swarm) hear(f *supplier, frame []byte) {
	f.fm.Received(w.now, frame)
	w.answer(f)
}

func (w *swarm) answer(f *supplier) {
	for out := f.fm.Output(); len(out.Reads)+len(out.Send) > 0; out = f.fm.Output() {
		for _, frame := range out.Send {
			w.say(f, frame)
		}
		for _, read := range out.Reads {
			w.read(f, read)
		}
	}
}

func (w *swarm) read(f *supplier, read filemq.Read) {
	f.asked++
	data := w.buffer[:read.Size]
	clear(data[:32])
	if !f.lies {
		copy(data, read.Hash[:])
	}
	switch {
	case f.mute:
	case f.lacks:
		f.fm.Refused(w.now, read.Req, read.Index, filemq.CodeAbsent)
	default:
		f.fm.Supplied(w.now, read.Req, read.Index, data)
	}
}

func (w *swarm) say(f *supplier, frame []byte) {
	if f.free.Before(w.now) {
		f.free = w.now
	}
	f.free = f.free.Add(time.Duration(int64(len(frame)) * int64(time.Second) / f.rate))
	w.after(f.free.Sub(w.now)+f.latency, func() {
		if f.dead {
			return
		}
		f.sent += int64(len(frame))
		w.fact(w.now, NetFact{Kind: NetReceived, Conn: f.conn, Frames: [][]byte{frame}}, security.NewTrust())
	})
}

func (w *swarm) die(name byte) {
	w.far[name].dead = true
	w.fact(w.now, NetFact{Kind: NetClosed, Conn: w.far[name].conn}, nil)
	delete(w.routes, deviceNamed(name))
	w.here = nil
}

func (w *swarm) sent() (octets int64) {
	for _, f := range w.far {
		octets += f.sent
	}
	return octets
}

// expect compares what a transfer took with the least that it can take.
func (w *swarm) expect(took time.Duration, total, rates int64, slack, again float64) {
	w.t.Helper()
	ideal := time.Duration(float64(total) / float64(rates) * float64(time.Second))
	w.t.Logf("%v, at best %v; %.3f of the octets came", took, ideal, float64(w.sent())/float64(total))
	if float64(took) > slack*float64(ideal) {
		w.t.Errorf("it took %v, at best it takes %v", took, ideal)
	}
	if float64(w.sent()) > again*float64(total) {
		w.t.Errorf("%d octets came of %d", w.sent(), total)
	}
	if w.owedMost > owedBytes+owedUrgent {
		w.t.Errorf("one owed %d octets", w.owedMost)
	}
}

func TestABigFileComesFromAllThatHaveItAtTheSumOfTheirPaces(t *testing.T) {
	w := newSwarm(t, 10*megabyte, 20*megabyte, 30*megabyte)
	w.knows("abc")
	total := w.file(1000, 256<<10)
	w.expect(w.finish(1000), total, 60*megabyte, 1.06, 1.05)
	for name, f := range w.far {
		if share := float64(f.sent) / float64(total); share < 0.9*float64(f.rate)/(60*megabyte) {
			t.Errorf("%c sent %.2f of it", name, share)
		}
	}
}

func TestManySmallFilesComeFromAllThatHaveThemAtTheSumOfTheirPaces(t *testing.T) {
	w := newSwarm(t, 4*megabyte, 10*megabyte, 6*megabyte)
	w.knows("abc")
	total := w.files(20_000, 4<<10)
	w.expect(w.finish(20_000), total, 20*megabyte, 1.1, 1.08)
}

func TestASlowDeviceDoesNotHoldUpTheEnd(t *testing.T) {
	w := newSwarm(t, 100_000, 20*megabyte, 30*megabyte)
	w.knows("abc")
	total := w.file(1000, 256<<10)
	w.expect(w.finish(1000), total, 50*megabyte, 1.08, 1.05)
}

func TestADeviceThatBecomesSlowDoesNotHoldUpTheEnd(t *testing.T) {
	w := newSwarm(t, 30*megabyte, 30*megabyte)
	w.knows("ab")
	total := w.file(1000, 256<<10)
	w.run(func() bool { return len(w.good) > 500 })
	w.far['a'].rate = 50_000
	w.expect(w.finish(1000), total, 40*megabyte, 1.1, 1.1)
}

func TestADeviceThatAnswersNothingHoldsUpNothing(t *testing.T) {
	w := newSwarm(t, 30*megabyte, 30*megabyte)
	w.far['a'].mute = true
	total := w.file(400, 256<<10)
	w.run(func() bool { return len(w.good) >= 400 })
	took := w.now.Sub(w.begun)
	if took > helpSilent+5*time.Second {
		t.Errorf("it took %v", took)
	}
	w.expect(took, total, 20*megabyte, 1.5, 1.05)
}

func TestWhatADeviceThatIsLostOwedComesFromTheOthers(t *testing.T) {
	w := newSwarm(t, 20*megabyte, 20*megabyte, 20*megabyte)
	w.knows("abc")
	total := w.file(1000, 256<<10)
	w.run(func() bool { return len(w.good) > 300 })
	w.die('a')
	w.expect(w.finish(1000), total, 46*megabyte, 1.1, 1.08)
}

func TestADeviceThatLiesIsLeftAndItsLiesComeFromTheOthers(t *testing.T) {
	w := newSwarm(t, 20*megabyte, 20*megabyte, 20*megabyte)
	w.knows("abc")
	w.far['a'].lies = true
	total := w.file(600, 256<<10)
	took := w.finish(600)
	w.expect(took, total, 40*megabyte, 1.15, 1.1)
	if w.far['a'].sent > 4*stepMax {
		t.Errorf("%d octets of lies", w.far['a'].sent)
	}
}

func TestADeviceThatLacksWhatItIsThoughtToHaveIsAskedOnceForEach(t *testing.T) {
	w := newSwarm(t, 20*megabyte, 20*megabyte, 20*megabyte)
	w.knows("abc")
	w.far['b'].lacks = true
	total := w.file(600, 256<<10)
	w.expect(w.finish(600), total, 40*megabyte, 1.1, 1.05)
	if w.far['b'].asked > 600 {
		t.Errorf("it was asked %d times for 600 items", w.far['b'].asked)
	}
}

func TestADeviceThatCannotHaveItYetIsNotAsked(t *testing.T) {
	w := newSwarm(t, 20*megabyte, 20*megabyte)
	w.far['b'].lacks = true
	total := w.file(400, 256<<10)
	w.expect(w.finish(400), total, 20*megabyte, 1.05, 1.01)
	if w.far['b'].asked > 0 {
		t.Errorf("it was asked %d times", w.far['b'].asked)
	}
}

func TestADeviceThatHasItFromNowOnIsAskedFromNowOn(t *testing.T) {
	w := newSwarm(t, 20*megabyte, 20*megabyte)
	total := w.file(1000, 256<<10)
	w.run(func() bool { return len(w.good) > 400 })
	w.knows("b")
	w.expect(w.finish(1000), total, 28*megabyte, 1.1, 1.05)
}

func TestADeviceThatComesLaterTakesItsShare(t *testing.T) {
	w := newSwarm(t, 5*megabyte)
	total := w.file(400, 256<<10)
	w.run(func() bool { return len(w.good) > 100 })
	w.join('b', 45*megabyte)
	w.knows("b")
	w.expect(w.finish(400), total, 15*megabyte, 1.1, 1.15)
}

// One that is alone in having it is kept busy whatever its pace, and the round trip.
func TestOneDeviceAloneIsAskedForMoreThanItsWindow(t *testing.T) {
	w := newSwarm(t, 120*megabyte)
	w.far['a'].latency = 20 * time.Millisecond
	total := w.file(2000, 256<<10)
	w.expect(w.finish(2000), total, 120*megabyte, 1.03, 1.01)
}

func TestASmallFileIsAskedOfItsAuthorAlone(t *testing.T) {
	w := newSwarm(t, 10*megabyte, 10*megabyte, 10*megabyte)
	w.knows("abc")
	w.files(10, 4<<10)
	w.finish(10)
	if w.far['a'].asked != 10 || w.far['b'].asked+w.far['c'].asked != 0 {
		t.Errorf("asked %d times of its author, %d and %d of others", w.far['a'].asked, w.far['b'].asked, w.far['c'].asked)
	}
}

// A slow disk here is no reason to have anything sent twice.
func TestNothingIsAskedTwiceBecauseTheDiskHereIsSlow(t *testing.T) {
	w := newSwarm(t, 50*megabyte, 50*megabyte)
	w.knows("ab")
	w.disk = 5 * time.Second
	total := w.file(400, 256<<10)
	w.finish(400)
	if float64(w.sent()) > 1.01*float64(total) {
		t.Errorf("%d octets came of %d", w.sent(), total)
	}
}
