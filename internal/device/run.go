package device

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/internal/kv"
	"github.com/zsync/zsync/internal/meter"
	"github.com/zsync/zsync/store"
)

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
	Nature     *store.Nature // as in FolderConfig
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
	Look         func() Sight    // at the machine's clocks and network; nil: there is no need
	GiveBack     func()          // to the system, the memory that much work has left; nil: there is no need
	Log          *slog.Logger
	Stages       *meter.Stages // where what this device does is counted; nil: nowhere that it is read
}

// Running is a device whose machines run, each in its own goroutine. With their loops
// it is the one place where a clock is read.
type Running struct {
	host  Host
	group *errgroup.Group
	ctx   context.Context
	cfg   HomeConfig

	link *loop
	home *loop
	Link *LinkMachine
	Home *HomeMachine

	steps *homeLoop // of home
	first []Effect  // of the machines' opening, for when everything runs
	owner chan any  // OpenFolder, CloseFolder, reopening; one goroutine does them
	// unwritten is what the file of trusted keys should say and does not yet; the owner's.
	unwritten *WriteTrusted

	// folders is read by every goroutine that delivers; a channel would make each
	// effect wait for the owner.
	mutex   sync.RWMutex
	folders map[zsync.SpaceID]*runningFolder
	halted  map[zsync.SpaceID]Halted

	worked atomic.Uint64 // orders that the disks were given
	moved  atomic.Uint64 // see Moved
}

// Moved returns a number that is another one whenever what a status says of the folders
// may have changed.
func (r *Running) Moved() uint64 { return r.moved.Load() }

// NewRunning prepares a device; Run starts it.
func NewRunning(host Host, store kv.Store, home HomeConfig, link LinkConfig) (*Running, error) {
	now := time.Now()
	if host.Stages == nil {
		host.Stages = new(meter.Stages)
	}
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
	r.link.name, r.link.turns = "what this device keeps of its connections", &host.Stages.Link
	r.steps = &homeLoop{HomeMachine: r.Home}
	r.home = newLoop(r.steps, time.Now, r.deliver)
	r.home.name, r.home.turns = "this device", &host.Stages.Home
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
	r.group.Go(r.watch)
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

// watchEvery is the pause between two looks at whether the machine slept or moved.
const watchEvery = 3 * time.Second

// lookAround tells the link what has changed since it was done last.
func (r *Running) lookAround(v *vigil) {
	sight := r.host.Look()
	if around, moved := v.moves(sight); moved {
		r.link.post(around)
	}
	if what := v.see(sight); what != nil {
		r.link.post(what)
	}
}

// watch lets the link know when the machine slept, or its network changed, and gives
// back the memory that work has left.
func (r *Running) watch() error {
	var v vigil
	var l lull
	for {
		if r.host.Look != nil {
			r.lookAround(&v)
		}
		if l.see(r.worked.Load()) && r.host.GiveBack != nil {
			r.host.GiveBack()
		}
		select {
		case <-r.ctx.Done():
			return nil
		case <-time.After(watchEvery):
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
	case Home, Owner, Folder, Disk:
		r.moved.Add(1)
	}
	switch to.Part {
	case Link:
		r.link.post(what)
	case Home:
		r.say(r.home, what)
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
			r.say(f.loop, what)
		} else if f != nil && f.opened.Disk != nil {
			r.worked.Add(1)
			f.opened.Disk.Do(what)
		}
	}
}

// say hands a machine what it is told. A device that says more than it can take in
// is named.
func (r *Running) say(to *loop, what any) {
	if said, heard := what.(Heard); !to.post(what) && heard {
		r.link.post(Offended{said.From.Device(), OffenceFlood})
	}
}

func (r *Running) folder(space zsync.SpaceID) *runningFolder {
	r.mutex.RLock()
	defer r.mutex.RUnlock()
	return r.folders[space]
}

// Do has home or the link take an order from a person, in a turn of its own, and
// waits until it was taken; an error of home is the answer to the order.
func (r *Running) Do(order any) error {
	switch order := order.(type) {
	case Confirm:
		return r.confirm(order)
	case Limits:
		r.link.hand(order)
		return nil
	}
	refused, err := ask(r.home, answerTime, func() error { return r.order(order) })
	if errors.Is(err, errEnded) {
		return fmt.Errorf("the device is stopping")
	}
	return cmp.Or(err, refused)
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
	effects, err := r.steps.order(time.Now(), order)
	var refused *Refusal
	if err != nil && !errors.As(err, &refused) {
		r.group.Go(func() error { return err }) // ends the device: home is of no more use
	}
	r.deliver(effects)
	return err
}

func (r *Running) ask(order any) {
	r.link.post(order)
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
		done, err := ask(f.loop, most, holds)
		if done || err != nil {
			return
		}
	}
}
