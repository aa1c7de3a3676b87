package sim

import (
	"errors"
	"time"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/internal/device"
	"github.com/zsync/zsync/internal/kv"
	"github.com/zsync/zsync/replica"
	"github.com/zsync/zsync/store"
)

// answerAfter is how long a person takes to confirm what is held back.
const answerAfter = 2 * time.Second

// answer has the person at a device confirm what a folder of it holds back.
func (n *Node) answer(to device.Address, f *folder) {
	for _, id := range f.machine.HeldBack() {
		if n.asked[id] {
			continue
		}
		n.asked[id] = true
		n.Confirmed++
		n.later(answerAfter, func() {
			delete(n.asked, id)
			n.post(to, device.Confirm{ID: id})
		})
	}
}

// own does what the owner of the machines does in production.
func (n *Node) own(what any) {
	switch order := what.(type) {
	case device.OpenFolder:
		n.open(order)
	case device.CloseFolder:
		delete(n.halted, order.Space)
		if f := n.folders[order.Space]; f != nil {
			delete(n.folders, order.Space)
			delete(n.wakes, device.Address{Part: device.Folder, Space: order.Space})
			n.post(device.Address{Part: device.Link}, device.Quit(order))
			n.closeRoot(f)
		}
	case device.LostRoot:
		if f := n.folders[order.Space]; f != nil {
			again := f.reg
			again.Entered = true
			n.own(device.CloseFolder(order))
			n.open(device.OpenFolder{Registration: again})
		}
	case device.WriteTrusted:
	}
}

// open opens a folder, unless the power goes meanwhile; one whose database fails
// is tried again.
func (n *Node) open(order device.OpenFolder) {
	if n.folders[order.Space] != nil {
		return
	}
	var f *folder
	var effects []device.Effect
	var err error
	if order.Scout {
		f, effects, err = n.scout(order)
	} else if !n.onDisk(n.disk(order.Dir), func() { f, effects, err = n.opened(order) }) {
		return
	}
	if n.dark() {
		return
	}
	if err != nil {
		n.failed(device.Address{Part: device.Folder, Space: order.Space}, err)
		n.reopen(order)
		return
	}
	n.folders[order.Space] = f
	n.deliver(effects)
	n.wake(device.Address{Part: device.Folder, Space: order.Space}, f.machine.Deadline())
}

func (n *Node) opened(order device.OpenFolder) (*folder, []device.Effect, error) {
	root, err := store.Open(n.Disks[order.Dir], store.Options{})
	if err != nil {
		return nil, nil, err
	}
	f := &folder{root: root, reg: order.Registration}
	staged, err := root.Staged()
	var effects []device.Effect
	if err == nil {
		effects, err = n.machine(f, order.Cache, staged, root.Unfinished()...)
	}
	if err != nil {
		return nil, nil, errors.Join(err, root.Close())
	}
	return f, effects, nil
}

// scout opens a folder's machine without a directory.
func (n *Node) scout(order device.OpenFolder) (*folder, []device.Effect, error) {
	f := &folder{reg: order.Registration}
	effects, err := n.machine(f, order.Cache, nil)
	return f, effects, err
}

// closeRoot lets go of a folder's directory; a scout has none.
func (n *Node) closeRoot(f *folder) {
	if f.root == nil {
		return
	}
	if err := f.root.Close(); err != nil {
		n.world.fail(err)
	}
}

// machine opens a folder's machine on its database, which borrows the hashes of
// another where one is named.
func (n *Node) machine(f *folder, cache spaceID, staged []zsync.Digest, unfinished ...zsync.Digest) (effects []device.Effect, err error) {
	db := n.spaces[f.reg.Space]
	if db == nil {
		db = n.database()
		n.spaces[f.reg.Space] = db
	}
	if old := n.spaces[cache]; old != nil {
		err := old.View(func(from kv.Tx) error {
			return db.Update(func(into kv.Tx) error {
				replica.ExportCache(from, into)
				return nil
			})
		})
		if err != nil {
			return nil, err
		}
	}
	cfg := device.FolderConfig{
		Registration: f.reg, Keys: n.keys, Cert: n.cert, Seed: n.world.seed(),
		Staged: staged, Unfinished: unfinished, Verify: n.world.verify,
	}
	if f.root != nil {
		if nature, known := f.root.Nature(); known {
			cfg.Nature = &nature
		}
	}
	f.machine, effects, err = device.OpenFolderMachine(n.clock(), db, cfg)
	return effects, err
}
