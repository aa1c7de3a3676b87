package sim

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/zsync/zsync/internal/device"
	"github.com/zsync/zsync/internal/kv"
	"github.com/zsync/zsync/store/crashfs"
	"github.com/zsync/zsync/zre"
)

var (
	errPowerOff = errors.New("sim: the power is off")
	errRefused  = errors.New("sim: the database refuses a commit")
)

// reopenAfter is how long a folder whose database failed stays closed, as in
// production.
const reopenAfter = 5 * time.Second

// fate is what is going to go wrong with a device by itself. The counts are of
// steps and commits until then; 0: it does not.
type fate struct {
	steps    int // disk steps
	commits  int // commits of any of its databases
	after    bool
	refusals int // commits until one that the disk refuses
	dark     bool
}

// made counts what a device did: every crash point of it.
type made struct{ Steps, Commits, Turns int }

// CrashAtStep cuts the power when the disks are about to make that many more steps.
func (n *Node) CrashAtStep(steps int) { n.fate.steps = steps }

// CrashAtCommit cuts the power at the commit that many further on: before it took
// effect, or (after) once it has and before anybody heard of it.
func (n *Node) CrashAtCommit(commits int, after bool) { n.fate.commits, n.fate.after = commits, after }

// RefuseCommit lets a database refuse the commit that many further on, as a disk
// that is full does. The device stays up.
func (n *Node) RefuseCommit(commits int) { n.fate.refusals = commits }

// Made returns how many disk steps, commits and turns the device made so far.
func (n *Node) Made() (steps, commits, turns int) { return n.made.Steps, n.made.Commits, n.made.Turns }

// database returns a database of this device's, whose commits are counted.
func (n *Node) database() *kv.Memory {
	db := kv.NewMemory()
	db.Commit = n.commit
	return db
}

// commit is asked before each commit.
func (n *Node) commit() error {
	if n.fate.dark {
		return errPowerOff
	}
	n.made.Commits++
	if n.woes.databaseFull {
		n.world.Fired[DatabaseFull]++
		return errRefused
	}
	if n.fate.refusals > 0 {
		if n.fate.refusals--; n.fate.refusals == 0 {
			n.world.Fired[DatabaseError]++
			return errRefused
		}
	}
	if n.fate.commits == 0 {
		return nil
	}
	if n.fate.commits--; n.fate.commits > 0 {
		return nil
	}
	n.fate.dark = true
	if n.fate.after {
		return nil
	}
	return errPowerOff
}

// dark reports whether the power went during a commit, and then cuts it.
func (n *Node) dark() bool {
	if n.fate.dark {
		n.Crash()
	}
	return !n.alive
}

// onDisk does something with a disk, and reports whether the power is still on.
func (n *Node) onDisk(disk *crashfs.FS, do func()) bool {
	before := disk.Steps()
	if n.fate.steps > 0 {
		disk.CrashAt(before + n.fate.steps)
	}
	do()
	steps := disk.Steps() - before
	n.made.Steps += steps
	if n.fate.steps == 0 {
		return true
	}
	if steps >= n.fate.steps {
		n.Crash()
		return false
	}
	n.fate.steps -= steps
	disk.CrashAt(0)
	return true
}

// Start begins a run from what is on the disk.
func (n *Node) Start() {
	w := n.world
	n.alive = true
	n.epoch++
	if n.skew = 0; w.Skew > 0 {
		n.skew = time.Duration(w.random.Int64N(int64(2*w.Skew))) - w.Skew
		w.Fired[OtherClock]++
	}
	seed := w.seed()
	n.uuid = zre.UUID(seed[:16])
	n.folders = make(map[spaceID]*folder)
	n.halted = make(map[spaceID]bool)
	n.wakes = make(map[device.Address]time.Time)
	n.idle = make(map[device.Address]int)
	n.asked = make(map[string]bool)
	n.sockets = [2]map[zre.Conn]*socket{{}, {}}
	if err := n.begin(); err != nil && !n.dark() {
		n.failed(device.Address{Part: device.Home}, err)
	}
}

func (n *Node) begin() error {
	now := n.clock()
	trust, circle, err := device.Known(n.home, "")
	if err != nil {
		return err
	}
	homes, atHome, err := device.OpenHomeMachine(now, n.home, device.HomeConfig{Keys: n.keys, Cert: n.cert, Seed: n.world.seed(), Verify: n.world.verify})
	if err != nil {
		return err
	}
	if n.dark() {
		return nil
	}
	link, atLink := device.NewLinkMachine(now, device.LinkConfig{
		Keys: n.keys, Certificate: n.cert, UUID: n.uuid, Name: n.Name, Endpoint: n.endpoint(mailboxPort),
		TransferPort: 7002, Trust: trust, Circle: circle,
	})
	n.homes, n.link = homes, link
	n.deliver(atLink)
	n.deliver(atHome)
	n.wake(device.Address{Part: device.Link}, link.Deadline())
	n.wake(device.Address{Part: device.Home}, homes.Deadline())
	return nil
}

// Crash cuts the power: what was not durable is gone, or half gone.
func (n *Node) Crash() {
	if !n.alive {
		return
	}
	n.world.Fired[PowerCut]++
	n.die()
	for _, dir := range slices.Sorted(maps.Keys(n.Disks)) {
		n.Disks[dir] = n.Disks[dir].Crash()
	}
}

// Kill ends the program alone: what it wrote stays as it is.
func (n *Node) Kill() {
	if !n.alive {
		return
	}
	n.world.Fired[Kill]++
	n.die()
	for _, f := range n.folders {
		n.closeRoot(f)
	}
}

func (n *Node) die() {
	n.breakConns(func(*socket) bool { return true })
	n.alive = false
	n.epoch++
	n.fate = fate{}
}

// Alive reports whether the device runs.
func (n *Node) Alive() bool { return n.alive }

// failed does what device.Running does when a machine's turn failed: a folder is
// closed and opened again from its database after a while, without home the device
// stops. What no device should meet ends the run.
func (n *Node) failed(at device.Address, err error) {
	switch f := n.folders[at.Space]; {
	case !injected(err):
		n.world.fail(fmt.Errorf("%s: %w", n.Name, err))
	case at.Part == device.Folder && f != nil:
		n.own(device.CloseFolder{Space: at.Space})
		n.reopen(device.OpenFolder{Registration: f.reg})
	case at.Part == device.Home:
		n.Kill()
	}
}

// reopen opens a folder that failed in a while, unless it is closed meanwhile: its
// directory may be another one's then.
func (n *Node) reopen(order device.OpenFolder) {
	n.halted[order.Space] = true
	n.later(reopenAfter, func() {
		if n.halted[order.Space] {
			n.open(order)
		}
	})
}

// later plans something for this run of the device.
func (n *Node) later(d time.Duration, do func()) {
	epoch := n.epoch
	n.world.at(n.world.now.Add(d), func() {
		if n.alive && n.epoch == epoch {
			do()
		}
	})
}
