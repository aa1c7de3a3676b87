package sim

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/zsync/zsync/internal/device"
	"github.com/zsync/zsync/internal/kv"
	"github.com/zsync/zsync/store"
	"github.com/zsync/zsync/store/crashfs"
)

// Fault is one kind of thing that goes wrong.
type Fault string

// What can go wrong. The names are what [World.Fired] counts by.
const (
	PowerCut      Fault = "power cut"           // between two facts, at a step of a disk, at a commit
	Kill          Fault = "program ended"       // and nothing else
	Partition     Fault = "partition"           // two devices cannot reach each other
	Loss          Fault = "loss"                // of a message, with its connection
	Duplication   Fault = "duplication"         // of a message
	Reordering    Fault = "reordering"          // of messages on one connection
	DatabaseError Fault = "database error"      // one commit fails
	DatabaseFull  Fault = "database full"       // every commit fails for a while
	DiskFull      Fault = "disk full"           // the file system says so
	NoSpace       Fault = "no space in a write" // a call says so
	ReadError     Fault = "EIO on read"
	WriteError    Fault = "EIO on write"
	SyncError     Fault = "EIO on fsync" // what was to be written is lost at the next power cut
	OtherClock    Fault = "other clock"  // a start finds the clock years off
	ClockAhead    Fault = "clock ahead"  // a running device's clock jumps, as after a sleep
	DiskClock     Fault = "disk clock"   // a disk's clock jumps, either way
	Restore       Fault = "restore of home"
	RestoreImage  Fault = "unnoticed restore of home"
	RestoreAll    Fault = "restore of home and folder"
	LostDatabase  Fault = "loss of a folder's database"
	Clone         Fault = "clone of home and folder"
)

// Faults are all kinds of them.
func Faults() []Fault {
	return []Fault{
		PowerCut, Kill, Partition, Loss, Duplication, Reordering, DatabaseError, DatabaseFull, DiskFull, NoSpace,
		ReadError, WriteError, SyncError, OtherClock, ClockAhead, DiskClock, Restore, RestoreImage, RestoreAll,
		LostDatabase, Clone,
	}
}

var errIO = errors.New("sim: input/output error")

// injected reports whether an error is one that the world has made: a device may
// meet it, and has to live with it.
func injected(err error) bool {
	return errors.Is(err, errRefused) || errors.Is(err, errIO) || errors.Is(err, store.ErrNoSpace)
}

// diskOctets is how much a disk holds when it is not full.
const diskOctets = 1 << 40

// woes are what is wrong with a device for a while: of a thousand calls of its
// disks so many fail.
type woes struct {
	read, write, sync, space int
	databaseFull             bool
}

// trouble is asked by the device's disks before each call.
func (n *Node) trouble(call string, changes bool) error {
	w := n.world
	switch {
	case !changes && w.chance(n.woes.read):
		w.Fired[ReadError]++
		return errIO
	case changes && call == "sync" && w.chance(n.woes.sync):
		w.Fired[SyncError]++
		return errIO
	case changes && call != "sync" && w.chance(n.woes.write):
		w.Fired[WriteError]++
		return errIO
	case (call == "create" || call == "write" || call == "mkdir") && w.chance(n.woes.space):
		w.Fired[NoSpace]++
		return store.ErrNoSpace
	}
	return nil
}

// image is what a device's disks held at some time.
type image struct {
	home   *kv.Memory
	spaces map[spaceID]*kv.Memory
	folder *crashfs.FS
	ticked time.Time
}

func (n *Node) image(withFolder bool) *image {
	im := &image{home: n.home.Image(), spaces: make(map[spaceID]*kv.Memory), ticked: n.ticked[dir]}
	for space, db := range n.spaces {
		im.spaces[space] = db.Image()
	}
	if withFolder {
		im.folder = n.disk(dir).Image()
		im.ticked = n.ticked[dir]
	}
	return im
}

// become puts an image in the place of what a device that is off has; the folder
// stays where the image has none.
func (n *Node) become(im *image) {
	n.home = n.counted(im.home.Image())
	n.spaces = make(map[spaceID]*kv.Memory)
	for space, db := range im.spaces {
		n.spaces[space] = n.counted(db.Image())
	}
	if im.folder != nil {
		n.Disks[dir] = im.folder.Image()
		n.Disks[dir].Trouble(n.trouble)
		n.Disks[dir].Resize(diskOctets)
		n.ticked[dir] = im.ticked
	}
}

// KeepHome returns what ends the program and puts the home as it is now in the place of
// the one that the device has then. Nothing tells the device of that.
func (n *Node) KeepHome() (putBack func()) {
	kept := n.image(false)
	return func() {
		n.Kill()
		n.become(kept)
	}
}

// LoseDatabases ends the program and takes away the databases of its folders.
func (n *Node) LoseDatabases() {
	n.Kill()
	for space := range n.spaces {
		n.spaces[space] = n.database()
	}
}

func (n *Node) counted(db *kv.Memory) *kv.Memory {
	db.Commit = n.commit
	return db
}

// noteLoss does what the generation file is for: the start after a restore finds
// that the database and the file do not belong together.
func (n *Node) noteLoss() {
	seed := n.world.seed()
	commit := n.home.Commit
	n.home.Commit = nil
	err := n.home.Update(func(tx kv.Tx) error {
		device.NoteLoss(tx, device.Mark(seed[:16]))
		return nil
	})
	n.home.Commit = commit
	if err != nil {
		n.world.fail(fmt.Errorf("%s: %w", n.Name, err))
	}
}

// told reports whether another device knows all that happened on this one, and
// nothing happened in the last seconds.
func (n *Node) told() bool {
	mine, err := n.Status()
	if err != nil || mine.State != device.StateInSync || n.world.now.Sub(n.touched) < touchedLately {
		return false
	}
	return slices.ContainsFunc(n.world.Nodes, func(other *Node) bool {
		theirs, err := other.Status()
		return other != n && err == nil && theirs.State == device.StateInSync && theirs.Frontier == mine.Frontier
	})
}

const touchedLately = 3 * time.Second
