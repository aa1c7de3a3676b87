package sim

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/internal/device"
	"github.com/zsync/zsync/internal/kv"
	"github.com/zsync/zsync/security"
	"github.com/zsync/zsync/store"
	"github.com/zsync/zsync/store/crashfs"
	"github.com/zsync/zsync/zre"
)

// machineDelay is how long a fact waits in a machine's queue, diskDelay how long a
// worker takes.
const (
	machineDelay = 100 * time.Microsecond
	diskDelay    = time.Millisecond
)

// Node is one device: what survives a power cut, and what runs.
type Node struct {
	Name   string
	Closed bool // nobody can dial it
	// Confirmed is how often its person was asked about something held back.
	Confirmed int

	world *World
	index int
	keys  *security.Keys
	cert  security.Certificate

	// What is on the disk.
	home   *kv.Memory
	spaces map[spaceID]*kv.Memory
	Disks  map[string]*crashfs.FS // by directory
	ticked map[string]time.Time
	made   made

	// What runs.
	alive     bool
	epoch     int // of this run: what was planned for an earlier one does not happen
	uuid      zre.UUID
	link      *device.LinkMachine
	homes     *device.HomeMachine
	folders   map[spaceID]*folder
	halted    map[spaceID]bool // failed, and opened again unless they are closed before
	admission device.Admission
	sockets   [2]map[zre.Conn]*socket
	incoming  int
	wakes     map[device.Address]time.Time
	idle      map[device.Address]int // turns on end that were due, did nothing, and left it due
	rising    bool                   // it is off and will start
	asked     map[string]bool        // ids of what is held back, while the person thinks
	fate      fate
	skew      time.Duration // of its clock in this run
	ahead     time.Duration // how far its disks' clock is beyond its own
	woes      woes
	touched   time.Time // by a person, the last time
}

type spaceID = zsync.SpaceID

type folder struct {
	machine *device.FolderMachine
	root    *store.Root
	reg     device.Registration
}

// Add makes a device and starts it.
func (w *World) Add(name string) *Node {
	keys, err := security.GenerateKeys(&stream{source: w})
	if err != nil {
		panic("sim: " + err.Error())
	}
	n := &Node{
		Name: name, world: w, index: len(w.Nodes), keys: keys, cert: keys.Certify(name, 1),
		spaces: make(map[spaceID]*kv.Memory), Disks: make(map[string]*crashfs.FS), ticked: make(map[string]time.Time),
	}
	n.home = n.database()
	w.Nodes = append(w.Nodes, n)
	n.Start()
	return n
}

// stream gives random octets from the world's source.
type stream struct{ source *World }

func (s *stream) Read(into []byte) (int, error) {
	for i := range into {
		into[i] = byte(s.source.random.Uint32())
	}
	return len(into), nil
}

func (w *World) seed() (seed [32]byte) {
	_, _ = (&stream{w}).Read(seed[:]) // never fails
	return seed
}

func (n *Node) host() string { return fmt.Sprintf("10.0.0.%d", n.index+1) }

func (n *Node) endpoint(p port) string { return fmt.Sprintf("tcp://%s:%d", n.host(), 7001+int(p)) }

func (n *Node) identity(p port) []byte {
	if p == mailboxPort {
		return append([]byte{1}, n.uuid[:]...)
	}
	return nil
}

// Order gives the device an order of a person.
func (n *Node) Order(order any) {
	switch order.(type) {
	case device.Pair, device.Peer:
		n.post(device.Address{Part: device.Link}, order)
	default:
		n.post(device.Address{Part: device.Home}, order)
	}
}

// fact hands what the sockets saw to the link.
func (n *Node) fact(p port, fact device.NetFact) {
	if p == mailboxPort {
		n.post(device.Address{Part: device.Link}, device.MailboxFacts{fact})
		return
	}
	n.post(device.Address{Part: device.Link}, device.TransferFacts{fact})
}

// post brings something to a part of the device in a moment. What is for a folder
// that is closed meanwhile is lost with its queue.
func (n *Node) post(to device.Address, what any) {
	epoch, f := n.epoch, n.folders[to.Space]
	n.world.at(n.world.now.Add(machineDelay), func() {
		if n.alive && n.epoch == epoch && (to.Part != device.Folder || f == n.folders[to.Space]) {
			n.take(to, what)
		}
	})
}

// deliver passes effects on; it is the switch that run.go is in production.
func (n *Node) deliver(effects []device.Effect) {
	for _, e := range effects {
		switch e.To.Part {
		case device.Disk:
			n.work(e.To.Space, e.What)
		case device.Mailbox:
			n.orders(mailboxPort, e.What.(device.NetOrders))
		case device.Transfer:
			n.orders(transferPort, e.What.(device.NetOrders))
		case device.Gate:
			n.admission = e.What.(device.Admission)
		default:
			n.post(e.To, e.What)
		}
	}
}

// take steps the machine that something is for.
func (n *Node) take(to device.Address, what any) {
	var effects []device.Effect
	var err error
	var in []any
	if what != nil {
		in = []any{what}
	}
	now := n.clock()
	n.made.Turns++
	n.trace(to, what)
	var deadline time.Time
	switch to.Part {
	case device.Link:
		effects = n.link.Handle(now, in)
		deadline = n.link.Deadline()
		if supply, ok := what.(device.Supply); ok && supply.Release != nil {
			supply.Release() // as the loop does
		}
	case device.Home:
		effects, err = n.homes.Handle(now, in)
		deadline = n.homes.Deadline()
	case device.Folder:
		f := n.folders[to.Space]
		if f == nil {
			return
		}
		effects, err = f.machine.Handle(now, in)
		deadline = f.machine.Deadline()
		if err == nil {
			n.answer(to, f)
		}
	case device.Owner:
		n.own(what)
		return
	}
	switch {
	case n.dark():
	case err != nil:
		n.failed(to, err)
	default:
		if what == nil {
			n.spins(to, len(effects) == 0 && !deadline.IsZero() && !deadline.After(now))
		}
		n.wake(to, deadline)
		n.deliver(effects)
	}
}

// idleTurnsMax is how many turns on end a machine may ask for at once in which it
// does nothing: work that is split between turns takes some.
const idleTurnsMax = 50

// spins ends the run where a machine asks for turn after turn and does nothing: in
// production it would keep a core busy.
func (n *Node) spins(at device.Address, idle bool) {
	if !idle {
		delete(n.idle, at)
		return
	}
	if n.idle[at]++; n.idle[at] > idleTurnsMax {
		n.world.fail(fmt.Errorf("%s: the machine %d/%s is due again at once, turn after turn, and does nothing", n.Name, at.Part, at.Space))
	}
}

// trace tells what reaches a machine. Messages are told octet by octet, and they
// hold whatever went before.
func (n *Node) trace(to device.Address, what any) {
	if n.world.Trace == nil {
		return
	}
	_, err := fmt.Fprintf(n.world.Trace, "%s %s %d/%s %T\n", n.world.now.Sub(start), n.Name, to.Part, to.Space, what)
	switch facts := what.(type) {
	case device.MailboxFacts:
		_, err = fmt.Fprintf(n.world.Trace, "%d %x\n", facts[0].Conn, facts[0].Frames)
	case device.TransferFacts:
		_, err = fmt.Fprintf(n.world.Trace, "%d %x\n", facts[0].Conn, facts[0].Frames)
	}
	if err != nil {
		n.world.fail(err)
	}
}

// clock is what the device takes the time to be.
func (n *Node) clock() time.Time { return n.world.now.Add(n.skew) }

// wake plans a turn for a machine's deadline, unless one is planned before.
func (n *Node) wake(to device.Address, deadline time.Time) {
	if deadline.IsZero() {
		return
	}
	deadline = deadline.Add(-n.skew)
	if deadline.Before(n.world.now) {
		deadline = n.world.now
	}
	if planned, found := n.wakes[to]; found && planned.After(n.world.now) && !deadline.Before(planned) {
		return
	}
	n.wakes[to] = deadline
	epoch := n.epoch
	n.world.at(deadline.Add(machineDelay), func() {
		if n.alive && n.epoch == epoch && n.wakes[to].Equal(deadline) {
			delete(n.wakes, to)
			n.take(to, nil)
		}
	})
}

// disk returns the disk of a directory, made at first, its clock brought forward.
func (n *Node) disk(dir string) *crashfs.FS {
	disk := n.Disks[dir]
	if disk == nil {
		sum := sha256.Sum256([]byte(n.Name + dir))
		disk = crashfs.New(binary.BigEndian.Uint64(sum[:]) + uint64(n.world.random.Uint32()) + n.world.Tear<<32)
		disk.Trouble(n.trouble)
		if n.index < n.world.Sticks {
			disk.FoldNames()
			disk.ForbidNames()
		}
		n.Disks[dir] = disk
		n.ticked[dir] = start
	}
	now := n.clock().Add(n.ahead)
	disk.Advance(now.Sub(n.ticked[dir]))
	n.ticked[dir] = now
	return disk
}

// work has a worker carry out a disk order in a moment. The power may go while
// it does: then the order is half done, and nobody hears of it.
func (n *Node) work(space spaceID, order any) {
	epoch, f := n.epoch, n.folders[space]
	n.world.after(diskDelay, func() {
		if !n.alive || n.epoch != epoch || f == nil || f != n.folders[space] {
			return
		}
		var facts []device.Effect
		on := n.onDisk(n.disk(f.reg.Dir), func() {
			n.world.carry(f.root, space, order, func(to device.Address, what any) {
				facts = append(facts, device.Effect{To: to, What: what})
			})
		})
		if !on {
			return
		}
		for _, fact := range facts {
			n.post(fact.To, fact.What)
		}
	})
}

func sortedConns(sockets map[zre.Conn]*socket) []zre.Conn {
	return slices.Sorted(maps.Keys(sockets))
}
