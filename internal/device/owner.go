package device

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/internal/kv"
	"github.com/zsync/zsync/replica"
)

// reopenAfter is how long a folder that failed stays halted before it is opened
// again.
const reopenAfter = 5 * time.Second

// ownerQueue is how many folders may wait to be opened or closed.
const ownerQueue = 4096

// runningFolder is a folder's machine with its loop and its doors.
type runningFolder struct {
	reg     Registration
	machine *FolderMachine
	loop    *loop
	opened  Opened
	stop    context.CancelFunc
}

// Halted is a folder that could not be opened, or whose machine failed.
type Halted struct {
	Registration
	Why string
}

// own opens and closes folders, one at a time, since two of them may share a
// directory for a moment.
func (r *Running) own() error {
	for {
		select {
		case <-r.ctx.Done():
			return nil
		case what := <-r.owner:
			switch order := what.(type) {
			case OpenFolder:
				r.open(order)
			case CloseFolder:
				r.close(order.Space)
			case reopen:
				r.reopen(order)
			case LostRoot:
				r.lostRoot(order.Space)
			case Noticed:
				r.host.Log.Warn(order.Name + " " + order.Why)
			case WriteTrusted:
				r.writeTrusted(order)
			case rewriteTrusted:
				if r.unwritten != nil {
					r.writeTrusted(*r.unwritten)
				}
			}
			r.moved.Add(1) // once more: it may have taken long
		}
	}
}

// open starts a folder's machine. A folder that cannot be opened is halted, says
// why, and is tried again.
func (r *Running) open(order OpenFolder) {
	if r.folder(order.Space) != nil {
		return
	}
	f, effects, err := r.start(order)
	r.mutex.Lock()
	before := r.halted[order.Space]
	if err != nil {
		r.halted[order.Space] = Halted{order.Registration, haltedWhy(err)}
	} else {
		delete(r.halted, order.Space)
		r.folders[order.Space] = f
	}
	r.mutex.Unlock()
	if err != nil {
		if before.Why != haltedWhy(err) {
			r.host.Log.Warn("folder halted", "folder", order.Label, "path", order.Dir, "err", err)
		}
		time.AfterFunc(reopenAfter, func() { r.retry(order) })
		return
	}
	r.deliver(effects)
	r.attend(f, order)
}

// lostRoot closes a folder whose directory is gone, and tries to open it until it
// is back.
func (r *Running) lostRoot(space zsync.SpaceID) {
	f := r.folder(space)
	if f == nil {
		return
	}
	reg := f.reg
	reg.Entered = true
	r.close(space)
	r.open(OpenFolder{Registration: reg})
}

// retry opens a folder again unless the device has stopped meanwhile.
func (r *Running) retry(order OpenFolder) {
	r.mutex.RLock()
	_, still := r.halted[order.Space]
	r.mutex.RUnlock()
	if still && r.ctx.Err() == nil {
		r.owner <- order
	}
}

func (r *Running) start(order OpenFolder) (*runningFolder, []Effect, error) {
	opened, err := r.host.Open(order, r.Post)
	if err != nil {
		return nil, nil, err
	}
	if !order.Cache.IsZero() {
		if err := r.lendCache(order.Cache, opened.Store); err != nil {
			return nil, nil, errors.Join(err, opened.close())
		}
	}
	m, effects, err := OpenFolderMachine(time.Now(), opened.Store, FolderConfig{
		Registration: order.Registration, Keys: r.cfg.Keys, Cert: r.cfg.Cert, Seed: r.host.Seed(),
		Staged: opened.Staged, Unfinished: opened.Unfinished, Nature: opened.Nature,
	})
	if err != nil {
		return nil, nil, errors.Join(err, opened.close())
	}
	return r.runningFolder(order.Registration, m, opened), effects, nil
}

func (r *Running) runningFolder(reg Registration, m *FolderMachine, opened Opened) *runningFolder {
	f := &runningFolder{reg: reg, machine: m, loop: newLoop(&folderLoop{FolderMachine: m}, time.Now, r.turned), opened: opened}
	f.loop.name = fmt.Sprintf("the folder %q", reg.Label)
	f.loop.turns, f.loop.merges = &r.host.Stages.Folder, &r.host.Stages.Merge
	f.loop.merged = func() int64 { return m.merged }
	return f
}

// turned passes on the effects of a folder's turn. It has moved also where there are
// none: what a person has confirmed may change nothing else.
func (r *Running) turned(effects []Effect) {
	r.moved.Add(1)
	r.deliver(effects)
}

func (o Opened) close() error {
	if o.Disk == nil {
		return o.Store.Close()
	}
	return errors.Join(o.Disk.Close(), o.Store.Close())
}

// lendCache copies the hashes that an old database knows into a new one.
func (r *Running) lendCache(from zsync.SpaceID, into kv.Store) error {
	old := r.host.OldStore(from)
	if old == nil {
		return nil
	}
	err := old.View(func(oldTx kv.Tx) error {
		return into.Update(func(tx kv.Tx) error {
			replica.ExportCache(oldTx, tx)
			return nil
		})
	})
	return errors.Join(err, old.Close())
}

// attend runs a folder's loop; when its machine fails, the folder is closed and
// opened again from its database.
func (r *Running) attend(f *runningFolder, order OpenFolder) {
	ctx, stop := context.WithCancel(r.ctx)
	f.stop = stop
	r.group.Go(func() error {
		err := f.loop.run(ctx)
		if err == nil {
			return nil
		}
		r.host.Log.Error("folder halted", "folder", order.Label, "err", err)
		r.mutex.Lock()
		r.halted[order.Space] = Halted{order.Registration, haltedWhy(err)}
		r.mutex.Unlock()
		r.moved.Add(1)
		time.AfterFunc(reopenAfter, func() {
			if r.ctx.Err() == nil {
				again := order.Registration
				again.Entered = true
				r.owner <- reopen{f, OpenFolder{Registration: again}}
			}
		})
		return nil
	})
}

// reopen asks the owner to open a folder whose machine failed, if it is still the
// one that is kept.
type reopen struct {
	failed *runningFolder
	order  OpenFolder
}

func (r *Running) reopen(again reopen) {
	if r.folder(again.order.Space) == again.failed {
		r.close(again.order.Space)
		r.open(again.order)
	}
}

// close stops a folder's machine and lets go of its directory and database.
func (r *Running) close(space zsync.SpaceID) {
	r.mutex.Lock()
	f := r.folders[space]
	delete(r.folders, space)
	delete(r.halted, space) // which ends the trying again
	r.mutex.Unlock()
	if f == nil {
		return
	}
	r.link.post(Quit{space})
	f.stop()
	<-f.loop.done
	if err := f.opened.close(); err != nil {
		r.host.Log.Warn("folder did not close cleanly", "folder", f.reg.Label, "err", err)
	}
}

// closeAll closes the folders with the lock let go: their workers finish what they
// are at, and post it.
func (r *Running) closeAll() {
	r.mutex.Lock()
	folders := r.folders
	r.folders = nil
	r.mutex.Unlock()
	for _, f := range folders {
		if err := f.opened.close(); err != nil {
			r.host.Log.Warn("folder did not close cleanly", "folder", f.reg.Label, "err", err)
		}
	}
}

// rewriteTrusted asks the owner to write the file of trusted keys, which failed.
type rewriteTrusted struct{}

// writeTrusted writes the file of trusted keys, now or once the disk takes it.
func (r *Running) writeTrusted(order WriteTrusted) {
	err := r.host.WriteTrusted(order.Text)
	if err == nil {
		r.unwritten = nil
		return
	}
	if r.unwritten == nil {
		r.host.Log.Warn("the file of trusted keys was not renewed", "err", err)
	}
	r.unwritten = &order
	time.AfterFunc(reopenAfter, func() {
		if r.ctx.Err() == nil {
			r.owner <- rewriteTrusted{}
		}
	})
}
