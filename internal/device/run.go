package device

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/internal/kv"
	"github.com/zsync/zsync/replica"
)

// reopenAfter is how long a folder that failed stays halted before it is opened
// again.
const reopenAfter = 5 * time.Second

// Network is one link's sockets: the ZRE mailbox or the transfer link.
type Network interface {
	Do(NetOrders)            // never blocks
	Facts() <-chan []NetFact // closed when the sockets are
	Run(context.Context) error
}

// Gatekeeper keeps strangers out of both links.
type Gatekeeper interface {
	Admit(Admission)
	Knocks() <-chan Knocked
}

// Workers carry out disk orders of one folder; what they find out they post.
type Workers interface {
	Do(order any) // never blocks
	Close() error // waits for the orders under way
}

// Opened is a folder's root and database, ready for its machine.
type Opened struct {
	Store  kv.Store
	Disk   Workers // nil for a scout
	Staged []zsync.Digest
	// Unfinished are contents that are staged in part.
	Unfinished []zsync.Digest
}

// Host is what a running device needs of the world: its doors to the network and
// to the disk.
type Host struct {
	Mailbox, Transfer Network
	Gate              Gatekeeper
	// Open opens a folder; what its workers and watches find out goes to post.
	Open func(order OpenFolder, post func(to Address, what any)) (Opened, error)
	// OldStore opens the database of a space that was left, to read; nil when
	// there is none.
	OldStore     func(zsync.SpaceID) kv.Store
	WriteTrusted func(text []byte) error
	Seed         func() [32]byte // fresh random octets
	Log          *slog.Logger
}

// Running is a device whose machines run, each in its own goroutine. It is the
// one place where a clock is read.
type Running struct {
	host  Host
	group *errgroup.Group
	ctx   context.Context
	cfg   HomeConfig

	link *loop
	home *loop
	Link *LinkMachine
	Home *HomeMachine

	first []Effect // of the machines' opening, for when everything runs
	owner chan any // OpenFolder, CloseFolder, reopening; one goroutine does them

	// folders is read by every goroutine that delivers; a channel would make each
	// effect wait for the owner.
	mutex   sync.RWMutex
	folders map[zsync.SpaceID]*runningFolder
	halted  map[zsync.SpaceID]Halted
}

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

// ownerQueue is how many folders may wait to be opened or closed.
const ownerQueue = 4096

// NewRunning prepares a device; Run starts it.
func NewRunning(host Host, store kv.Store, home HomeConfig, link LinkConfig) (*Running, error) {
	now := time.Now()
	r := &Running{
		host: host, cfg: home, owner: make(chan any, ownerQueue),
		folders: make(map[zsync.SpaceID]*runningFolder), halted: make(map[zsync.SpaceID]Halted),
	}
	var atHome, atLink []Effect
	var err error
	if r.Home, atHome, err = OpenHomeMachine(now, store, home); err != nil {
		return nil, err
	}
	r.Link, atLink = NewLinkMachine(now, link)
	r.link = newLoop(linkLoop{r.Link}, time.Now, r.deliver)
	r.home = newLoop(r.Home, time.Now, r.deliver)
	r.first = append(atLink, atHome...)
	return r, nil
}

// Run runs the device until the context ends, says goodbye, and returns once
// everything has stopped.
func (r *Running) Run(ctx context.Context) error {
	inner, cancel := context.WithCancel(context.Background())
	defer cancel()
	r.group, r.ctx = errgroup.WithContext(inner)
	for _, network := range []Network{r.host.Mailbox, r.host.Transfer} {
		r.group.Go(func() error { return network.Run(r.ctx) })
	}
	r.group.Go(r.listen)
	r.group.Go(func() error { return r.link.run(r.ctx) })
	r.group.Go(func() error { return r.home.run(r.ctx) })
	r.group.Go(r.own)
	r.deliver(r.first)
	r.group.Go(func() error {
		select {
		case <-ctx.Done():
			r.goodbye()
			cancel()
		case <-r.ctx.Done():
		}
		return nil
	})
	err := r.group.Wait()
	r.closeAll()
	return err
}

// goodbyeTime is how long the sockets have to send the last messages.
const goodbyeTime = 100 * time.Millisecond

func (r *Running) goodbye() {
	r.link.post(Stop{})
	time.Sleep(goodbyeTime)
}

// listen passes what the sockets see on to the link, no faster than it is taken:
// what comes meanwhile waits with the peers.
func (r *Running) listen() error {
	mailbox, transfer := r.host.Mailbox.Facts(), r.host.Transfer.Facts()
	for {
		select {
		case <-r.ctx.Done():
			return nil
		case facts, ok := <-mailbox:
			if !ok {
				mailbox = nil
				continue
			}
			r.link.hand(MailboxFacts(facts))
		case facts, ok := <-transfer:
			if !ok {
				transfer = nil
				continue
			}
			r.link.hand(TransferFacts(facts))
		case knock := <-r.host.Gate.Knocks():
			r.link.post(knock)
		}
	}
}

// deliver passes effects on to the parts that they are for.
func (r *Running) deliver(effects []Effect) {
	for _, e := range effects {
		r.Post(e.To, e.What)
	}
}

// Post hands one fact or order to a part of the device. What is for a folder
// that is not open is dropped: its machine learns all of it again when it opens.
func (r *Running) Post(to Address, what any) {
	switch to.Part {
	case Link:
		r.link.post(what)
	case Home:
		r.home.post(what)
	case Mailbox:
		r.host.Mailbox.Do(what.(NetOrders))
	case Transfer:
		r.host.Transfer.Do(what.(NetOrders))
	case Gate:
		r.host.Gate.Admit(what.(Admission))
	case Owner:
		r.owner <- what
	case Folder, Disk:
		if f := r.folder(to.Space); f != nil && to.Part == Folder {
			f.loop.post(what)
		} else if f != nil && f.opened.Disk != nil {
			f.opened.Disk.Do(what)
		}
	}
}

func (r *Running) folder(space zsync.SpaceID) *runningFolder {
	r.mutex.RLock()
	defer r.mutex.RUnlock()
	return r.folders[space]
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
			case WriteTrusted:
				if err := r.host.WriteTrusted(order.Text); err != nil {
					r.host.Log.Warn("the file of trusted keys was not renewed", "err", err)
				}
			}
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
		r.halted[order.Space] = Halted{order.Registration, err.Error()}
	} else {
		delete(r.halted, order.Space)
		r.folders[order.Space] = f
	}
	r.mutex.Unlock()
	if err != nil {
		if before.Why != err.Error() {
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
		Staged: opened.Staged, Unfinished: opened.Unfinished,
	})
	if err != nil {
		return nil, nil, errors.Join(err, opened.close())
	}
	return &runningFolder{reg: order.Registration, machine: m, loop: newLoop(m, time.Now, r.deliver), opened: opened}, effects, nil
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
		r.halted[order.Space] = Halted{order.Registration, err.Error()}
		r.mutex.Unlock()
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

// Do has home or the link take an order from a person, in a turn of its own, and
// waits until it was taken; an error of home is the answer to the order.
func (r *Running) Do(order any) error {
	if order, is := order.(Confirm); is {
		return r.confirm(order)
	}
	var err error
	ran := r.home.call(func() { err = r.order(order) })
	if !ran {
		return fmt.Errorf("the device is stopping")
	}
	return err
}

func (r *Running) order(order any) error {
	switch order.(type) {
	case Pair, Peer:
		r.link.post(order)
		return nil
	case AskProgress:
		r.ask(order)
		return nil
	}
	effects, err := r.Home.Handle(time.Now(), []any{order})
	var refused *Refusal
	if err != nil && !errors.As(err, &refused) {
		r.group.Go(func() error { return err }) // ends the device: home is of no more use
	}
	r.deliver(effects)
	return err
}

func (r *Running) ask(order any) {
	r.home.post(order)
	r.mutex.RLock()
	defer r.mutex.RUnlock()
	for _, f := range r.folders {
		f.loop.post(order)
	}
}

// turn has a folder's machine take one input at once.
func (r *Running) turn(f *runningFolder, what any) error {
	effects, err := f.machine.Handle(time.Now(), []any{what})
	r.deliver(effects)
	return err
}

// waitEvery is the pause between two questions whether something holds.
const waitEvery = 20 * time.Millisecond

// wait asks between turns until something holds, for a limited time.
func (f *runningFolder) wait(most time.Duration, holds func() bool) {
	for deadline := time.Now().Add(most); time.Now().Before(deadline); time.Sleep(waitEvery) {
		done := false
		if ran := f.loop.call(func() { done = holds() }); done || !ran {
			return
		}
	}
}
