package device

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/zsync/zsync/filemq"
	"github.com/zsync/zsync/zre"
)

// market is the transfers of device m, and devices that fetch from it, or that it
// fetches from, in virtual time. Frames take none; a disk reads one portion after
// another, an item in diskItem and a MiB in diskMebibyte.
type market struct {
	*transfers
	t      *testing.T
	now    time.Time
	link   *LinkMachine
	dealer map[byte]*dealer
	disk   []Serve
	idleAt time.Time // when the disk has read what it reads
	stuck  map[byte]bool
	frames map[byte]int64 // octets of frames that went to a device
	read   int64          // octets that lie read and unsent, or are being read
	most   int64          // of these, at any moment
	lossy  bool           // devices may give a session up
}

const (
	diskItem     = 20 * time.Microsecond
	diskMebibyte = 2 * time.Millisecond
)

// dealer is another device.
type dealer struct {
	fm    *filemq.Session
	conn  zre.Conn
	space byte
	size  uint32 // of the items that it wants; 0: it wants no more
	left  int    // how many of them it wants yet
	got   int64  // octets
	cost  int64  // of them
	gave  int64
	asks  uint64
}

var blank = make([]byte, filemq.ItemBytesMax)

func newMarket(t *testing.T, limits Limits, names string) *market {
	m := &market{
		transfers: newTransfers(deviceNamed('m')), t: t, now: epoch, link: &LinkMachine{}, dealer: map[byte]*dealer{},
		idleAt: epoch, stuck: map[byte]bool{}, frames: map[byte]int64{},
	}
	m.limit(m.now, limits)
	m.on(Networks{netip.MustParsePrefix("10.0.0.0/24")})
	for _, name := range []byte(names) {
		m.meet(name, filemq.Config{})
	}
	return m
}

// meet opens a session with a device: one with a capital name is on the same network.
func (m *market) meet(name byte, cfg filemq.Config) *dealer {
	address := "203.0.113.1"
	if name < 'a' {
		address = "10.0.0.2"
	}
	m.entered(m.now, recordOf(name), address, 7002)
	for space := range byte(3) {
		m.linked(deviceNamed(name), spaceNamed(space), true)
	}
	conn := zre.Conn(1<<32) + zre.Conn(name)
	m.at(m.add(m.now, conn, recordOf(name), false), address)
	d := &dealer{fm: filemq.NewSession(m.now, cfg, true), conn: conn, space: 1}
	m.dealer[name] = d
	m.settleAll()
	return d
}

// run lets some time go by.
func (m *market) run(some time.Duration) {
	for end := m.now.Add(some); ; {
		m.settleAll()
		next := m.deadline()
		for _, d := range m.dealer {
			next = earliest(next, d.fm.Deadline())
		}
		if len(m.disk) > 0 {
			next = earliest(next, m.idleAt)
		}
		if next.IsZero() || next.After(end) {
			m.now = end
			return
		}
		if next.Before(m.now) {
			m.t.Fatal("it would wake at once, for ever")
		}
		m.now = next
		m.carryOut()
	}
}

// carryOut lets the disk answer what it has read.
func (m *market) carryOut() {
	for len(m.disk) > 0 && !m.idleAt.After(m.now) {
		in := m.disk[0]
		m.disk = m.disk[1:]
		supply := Supply{Session: in.Session}
		for _, q := range in.Reads {
			supply.Parts = append(supply.Parts, SupplyPart{Req: q.Req, Index: q.Index, Data: blank[:q.Size]})
			m.read -= int64(q.Size)
		}
		m.supplied(m.now, supply)
		m.spin()
	}
}

// spin has the disk begin with the next portion.
func (m *market) spin() {
	if len(m.disk) == 0 {
		return
	}
	var octets, items time.Duration
	for _, q := range m.disk[0].Reads {
		octets, items = octets+time.Duration(q.Size), items+1
	}
	m.idleAt = m.now.Add(items*diskItem + octets*diskMebibyte>>20)
}

// settleAll carries everything to where it goes until nothing is left.
func (m *market) settleAll() {
	for again := true; again; {
		again = false
		m.advance(m.now)
		m.drain(m.now, m.link)
		for _, e := range m.link.take() {
			m.carry(e)
			again = true
		}
		for _, name := range sortedDealers(m.dealer) {
			again = m.turn(name, m.dealer[name]) || again
		}
	}
	m.most = max(m.most, m.read)
}

func sortedDealers(of map[byte]*dealer) (names []byte) {
	for name := range of {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

func (m *market) carry(e Effect) {
	switch what := e.What.(type) {
	case NetOrders:
		for _, send := range what.Send {
			name := byte(send.Conn - 1<<32)
			m.frames[name] += int64(len(send.Frames[0]))
			m.dealer[name].fm.Received(m.now, send.Frames[0])
		}
	case Serve:
		if m.stuck[e.To.Space[0]] {
			return
		}
		for _, q := range what.Reads {
			m.read += int64(q.Size)
		}
		if m.disk = append(m.disk, what); len(m.disk) == 1 {
			m.spin()
		}
	case StagePieces:
		m.disposed(m.now, Disposed{Session: what.Session, Cost: what.Cost})
	case Unfetched:
	default:
		m.t.Fatalf("%T", what)
	}
}

// turn lets another device take what came, ask for more, and answer what it was asked.
func (m *market) turn(name byte, d *dealer) (moved bool) {
	for d.left > 0 && d.fm.Room() >= filemq.RequestItemsMax {
		items := make([]filemq.Item, min(d.left, filemq.RequestItemsMax))
		for i := range items {
			d.asks++
			items[i] = filemq.Item{Hash: digestOf(string(name)), Offset: d.asks, Size: d.size}
		}
		d.left -= len(items)
		if _, ok := d.fm.Request(m.now, filemq.Request{Space: spaceNamed(d.space), Prio: prioNormal, Items: items}); !ok {
			m.t.Fatal("no room")
		}
	}
	d.fm.Advance(m.now)
	out := d.fm.Output()
	for _, got := range out.Got {
		d.got, d.cost = d.got+int64(len(got.Data)), d.cost+got.Cost
		d.fm.Disposed(m.now, got.Cost)
	}
	for _, read := range out.Reads {
		d.gave += int64(read.Size)
		d.fm.Supplied(m.now, read.Req, read.Index, blank[:read.Size])
	}
	if m.lossy {
		d.left += len(out.Missing)
	}
	if out.Closed != "" {
		m.closed(name, d, out.Closed)
		return true
	}
	for _, frame := range out.Send {
		m.fact(m.now, NetFact{Kind: NetReceived, Conn: d.conn, Frames: [][]byte{frame}}, nil)
	}
	return len(out.Send)+len(out.Got)+len(out.Reads) > 0
}

// closed opens another session with a device that gave one up, where the test lets it.
func (m *market) closed(name byte, d *dealer, why string) {
	if !m.lossy {
		m.t.Fatalf("%c: %s", name, why)
	}
	m.fact(m.now, NetFact{Kind: NetClosed, Conn: d.conn}, nil)
	again := m.meet(name, filemq.Config{})
	again.size, again.left, again.got, again.cost = d.size, d.left, d.got, d.cost
}

// wants lets a device ask for items.
func (m *market) wants(name byte, size uint32, items int) {
	m.dealer[name].size, m.dealer[name].left = size, items
}

// between fails where a figure is not within limits.
func (m *market) between(what string, got, least, most int64) {
	m.t.Helper()
	if got < least || got > most {
		m.t.Errorf("%s: %d octets, want %d to %d", what, got, least, most)
	}
}

const plenty = 1 << 30

// What they are given differs by one item at most, and what has arrived by what is
// under way besides.
func TestPeersGetEqualSharesHoweverTheyAsk(t *testing.T) {
	for what, limits := range map[string]Limits{"without a limit": {}, "with one": {WAN: Limit{Up: 20 << 20}}} {
		m := newMarket(t, limits, "bc")
		m.meet('a', filemq.Config{Window: windowBytesMax})
		m.wants('a', 2000, plenty)
		m.wants('b', filemq.ItemBytesMax, plenty)
		m.wants('c', 287<<10, plenty)
		for m.dealer['a'].cost < 20<<20 {
			m.run(10 * time.Millisecond)
		}
		a, b, c := m.dealer['a'].cost, m.dealer['b'].cost, m.dealer['c'].cost
		if apart := max(a, b, c) - min(a, b, c); apart > readBytesMax/2 {
			t.Errorf("%s: %d, %d and %d octets", what, a, b, c)
		}
	}
}

func TestWhoWantsOnePhotoDoesNotWaitForWhoWantsAMillionFiles(t *testing.T) {
	for _, size := range []uint32{1, 4000, 100 << 10} {
		m := newMarket(t, Limits{}, "b")
		m.meet('a', filemq.Config{Window: windowBytesMax})
		m.wants('a', size, plenty)
		m.run(time.Second)
		before, began := m.dealer['a'].got, m.now
		m.wants('b', filemq.ItemBytesMax, 3)
		for m.dealer['b'].got < 3*filemq.ItemBytesMax {
			if m.run(time.Millisecond); m.now.Sub(began) > time.Second {
				t.Fatalf("items of %d: %d octets in a second", size, m.dealer['b'].got)
			}
		}
		m.between("meanwhile the other got", m.dealer['a'].got-before, 1, readBytesMax+4*filemq.ItemBytesMax)
	}
}

func TestWhatIsSentKeepsToTheLimitFromTheMomentItIsSet(t *testing.T) {
	const rate, item = 256 << 10, 287 << 10
	m := newMarket(t, Limits{}, "abL")
	m.wants('a', item, plenty)
	m.wants('b', item, plenty)
	m.run(time.Second / 10)
	sent := func() int64 { return m.frames['a'] + m.frames['b'] }
	if sent() < 100*rate {
		t.Fatalf("only %d octets were sent without a limit", sent())
	}
	m.limit(m.now, Limits{WAN: Limit{Up: rate}})
	before := sent()
	m.wants('L', item, 100)
	m.run(time.Second)
	if got := m.dealer['L'].got; got != 100*item {
		t.Errorf("who is on this network got %d octets", got)
	}
	m.between("sent after what was read before", sent()-before, 1, readBytesMax+item)
	m.run(59 * time.Second)
	m.between("sent", sent()-before, 60*rate-rate/4-item, 60*rate+rate/4+item)
	before = sent()
	m.limit(m.now, Limits{WAN: Limit{Up: rate / 2}})
	m.run(60 * time.Second)
	m.between("sent at half of it", sent()-before, 30*rate-rate/4-item, 30*rate+rate/4+item)
	before = sent()
	m.on(Networks{netip.MustParsePrefix("203.0.113.0/24")})
	m.run(time.Second / 10)
	m.between("sent once they are on this network", sent()-before, 100*rate, plenty)
}

// Where nothing but the limit holds it up, what is sent is what it says, and nothing is
// read that has to wait.
func TestALimitedLinkIsUsedInFull(t *testing.T) {
	for _, item := range []uint32{100, 5000, 287 << 10, filemq.ItemBytesMax} {
		const rate = 256 << 10
		m := newMarket(t, Limits{WAN: Limit{Up: rate}}, "ab")
		m.wants('a', item, plenty)
		m.wants('b', item, plenty)
		m.run(60 * time.Second)
		m.between("sent", m.frames['a']+m.frames['b'], 60*rate-int64(item)-rate/10, 60*rate+rate/4+int64(item))
		m.between("read ahead", m.most, 1, rate/4+int64(item))
	}
}

func TestWhatIsReceivedKeepsToTheLimit(t *testing.T) {
	const rate, item = 512 << 10, 287 << 10
	m := newMarket(t, Limits{WAN: Limit{Down: rate}}, "abL")
	ask := func(name byte) {
		q := Fetch{Space: spaceNamed(1), From: deviceNamed(name), Prio: prioNormal, Total: 1 << 40}
		for i := range int64(filemq.RequestItemsMax) {
			q.Items = append(q.Items, Item{Of: digestOf("big"), Hash: digestOf("piece"), Offset: i * item, Size: item})
		}
		m.fetch(q)
	}
	ask('a')
	ask('b')
	m.run(60 * time.Second)
	got := func() int64 { return m.dealer['a'].gave + m.dealer['b'].gave }
	m.between("received", got(), 60*rate-rate/20-2*item-rate/100, 60*rate+rate/4)
	m.between("the first's part", m.dealer['a'].gave, got()/2-2*item, got()/2+2*item)
	before := got()
	m.limit(m.now, Limits{WAN: Limit{Down: rate / 2}})
	m.run(60 * time.Second)
	m.between("received at half of it", got()-before, 30*rate-rate/20-2*item-rate/100, 30*rate+rate/4+2*item)
	ask('L')
	m.run(time.Millisecond)
	if m.dealer['L'].gave != filemq.RequestItemsMax*item {
		t.Errorf("of who is on this network %d octets came", m.dealer['L'].gave)
	}
	m.limit(m.now, Limits{})
	m.run(time.Millisecond)
	if got() != 2*filemq.RequestItemsMax*item {
		t.Errorf("%d octets came after the limit was taken away", got())
	}
}

// Each waits longer for its turn than a device waits for an answer: it asks anew, and
// gives the session up in the end. Its turn comes all the same.
func TestALimitThatIsTooLowForAllStillBringsEachItsPart(t *testing.T) {
	m := newMarket(t, Limits{WAN: Limit{Up: RateMin}}, "abcde")
	m.lossy = true
	for _, name := range []byte("abcde") {
		m.wants(name, filemq.ItemBytesMax, 50)
	}
	const hours = 2
	m.run(hours * time.Hour)
	var all int64
	for _, name := range []byte("abcde") {
		m.between(string(name)+" got", m.dealer[name].got, hours*3600*int64(RateMin)/5-2*filemq.ItemBytesMax, plenty)
		all += m.dealer[name].got
	}
	m.between("all got", all, 1, hours*3600*int64(RateMin)+2*filemq.ItemBytesMax)
}

func TestNothingWakesWhereNothingWaits(t *testing.T) {
	m := newMarket(t, Limits{LAN: Limit{1 << 20, 1 << 20}, WAN: Limit{1 << 20, 1 << 20}}, "aL")
	m.wants('a', 1<<20, 3)
	m.run(time.Minute)
	if at := m.pace.deadline(); !at.IsZero() {
		t.Errorf("it wakes at %s", at)
	}
}

func TestARequestDoesNotWaitForTheLimit(t *testing.T) {
	m := newMarket(t, Limits{WAN: Limit{Up: RateMin}}, "ab")
	m.wants('a', filemq.ItemBytesMax, plenty)
	m.run(10 * time.Second)
	m.fetch(Fetch{Space: spaceNamed(1), From: deviceNamed('b'), Items: []Item{{Hash: digestOf("x"), Size: 1}}})
	m.run(0)
	if m.dealer['b'].gave != 1 {
		t.Error("it waited")
	}
}

func TestAFolderWhoseDiskHangsHoldsUpNoOther(t *testing.T) {
	m := newMarket(t, Limits{}, "abcdefghijkl")
	m.stuck[2] = true
	for _, name := range []byte("abcdefghijk") {
		m.dealer[name].space = 2
		m.wants(name, filemq.ItemBytesMax, plenty)
	}
	m.run(time.Second)
	m.wants('l', filemq.ItemBytesMax, 100)
	m.run(time.Second)
	if got := m.dealer['l'].got; got != 100*filemq.ItemBytesMax {
		t.Errorf("%d octets came from the other disk", got)
	}
}

func TestReadsOfAFolderThatCloses(t *testing.T) {
	for what, limits := range map[string]Limits{"without a limit": {}, "with one": {WAN: Limit{Up: 1 << 20}}} {
		m := newMarket(t, limits, "ab")
		m.stuck[2] = true
		m.dealer['a'].space = 2
		m.wants('a', filemq.ItemBytesMax, 100)
		m.run(time.Second)
		m.quit(m.now, spaceNamed(2))
		m.run(time.Second)
		for _, s := range m.sorted() {
			if s.fm.Reading() > 0 || s.fm.Reserved() > 0 {
				t.Errorf("%s: %d reads are still under way", what, s.fm.Reading())
			}
		}
		if m.dealer['a'].fm.Asking() {
			t.Errorf("%s: the peer still waits", what)
		}
	}
}

func TestWhereAnAddressIs(t *testing.T) {
	networks := Networks{netip.MustParsePrefix("192.168.1.0/24"), netip.MustParsePrefix("2001:db8:0:1::/64"), netip.MustParsePrefix("100.64.0.1/32")}
	for address, want := range map[string]reach{
		"tcp://192.168.1.9:7002": nearby, "192.168.1.9": nearby, "::ffff:192.168.1.9": nearby,
		"tcp://[2001:db8:0:1::9]:7002": nearby, "tcp://[2001:db8:0:2::9]:7002": distant,
		"tcp://192.168.2.9:7002": distant, "10.0.0.1": distant, "203.0.113.9": distant, "100.64.0.2": distant,
		"tcp://127.0.0.1:7002": nearby, "::1": nearby, "fe80::1%eth0": nearby, "tcp://[fe80::1%eth0]:7002": nearby, "169.254.1.1": nearby,
		"tcp://box.example:7002": distant, "": distant, "tcp://*:1": distant,
	} {
		if got := networks.reachOf(address); got != want {
			t.Errorf("%q: %d, want %d", address, got, want)
		}
	}
}
