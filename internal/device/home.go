package device

import (
	"errors"
	"fmt"
	"time"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/eventlog"
	"github.com/zsync/zsync/internal/kv"
	"github.com/zsync/zsync/internal/wire"
	"github.com/zsync/zsync/security"
)

// HomeConfig is what the home machine starts from.
type HomeConfig struct {
	Keys *security.Keys
	Cert security.Certificate
	Seed [32]byte // fresh random octets at each start
	// FoldersMax is how many folders this device keeps before it takes no more that
	// others offer. Default, and at most, 256.
	FoldersMax int
	// Verify judges the signatures of events. Default: ed25519.Verify.
	Verify eventlog.Verify
}

func (c HomeConfig) withDefaults() HomeConfig {
	if c.FoldersMax <= 0 || c.FoldersMax > foldersMax {
		c.FoldersMax = foldersMax
	}
	return c
}

// HomeMachine keeps what a device is by itself and with its circle: whom it
// trusts, which folders it keeps, and the circle's log, which says who the other
// devices are and which space each label means. All of it is in device.db. After
// a turn that failed with anything but a [Refusal], it is of no more use, unless
// what failed was the disk: see homeLoop.
type HomeMachine struct {
	cfg     HomeConfig
	store   kv.Store
	draws   *draws
	circle  *space // nil: none yet
	loss    Mark   // the last one of this device's state
	folders map[Label]Registration
	scouts  map[zsync.SpaceID]Label                 // spaces that a folder here may move into, with its label
	joined  map[zsync.SpaceID]bool                  // folders and scouts that this device is a member of
	serve   string                                  // where folders offered are put; "": nowhere
	met     map[zsync.DeviceID]security.Certificate // in the circle, to be admitted to it
	away    map[zsync.DeviceID]bool                 // said that they are in another circle
	fresh   time.Time                               // until then the circle is; zero: it is not
	moves   int                                     // from one circle to another in this run
	holds   security.Hold                           // as the link was told
	joining uint64                                  // spaces that this device is not yet a member of
	silent  string                                  // why nothing may be written to the circle's log; "": it may
	failed  error                                   // of a turn: what is in memory may be ahead of the database
	out     []Effect
}

const (
	bucketHome    = "home"
	bucketFolders = "folders"

	keyTrust  = "trust"
	keyCircle = "circle"
	keyServe  = "serve"
)

// OpenHomeMachine reads device.db, and orders the opening of every folder in it.
func OpenHomeMachine(now time.Time, store kv.Store, cfg HomeConfig) (*HomeMachine, []Effect, error) {
	h := &HomeMachine{
		cfg: cfg.withDefaults(), store: store, draws: &draws{seed: cfg.Seed},
		folders: make(map[Label]Registration), scouts: make(map[zsync.SpaceID]Label),
		joined: make(map[zsync.SpaceID]bool), met: make(map[zsync.DeviceID]security.Certificate),
		away: make(map[zsync.DeviceID]bool),
	}
	err := h.begin(now)
	if errors.Is(err, eventlog.ErrRefused) {
		err = h.silence(now, err)
	}
	if err != nil {
		return nil, nil, err
	}
	return h, h.take(), nil
}

func (h *HomeMachine) begin(now time.Time) error {
	return h.store.Update(func(tx kv.Tx) error { return h.open(tx, now) })
}

// silence begins anew from the database after a turn in which the circle's log
// refused what this device had to say in it. From then on the device only listens
// there, and all the rest goes on.
func (h *HomeMachine) silence(now time.Time, why error) error {
	h.silent = "this device cannot write to the log of the circle and only listens to it: " + why.Error()
	return h.anew(now)
}

func (h *HomeMachine) open(tx kv.Tx, now time.Time) error {
	if err := h.readFolders(tx); err != nil {
		return err
	}
	h.serve = string(tx.Get(bucketHome, []byte(keyServe)))
	h.loss = getMark(tx, bucketHome, keyLoss)
	if data := tx.Get(bucketHome, []byte(keyCircle)); data != nil {
		var record circleRecord
		if err := wire.Unmarshal(data, &record); err != nil {
			return fmt.Errorf("device: circle in device.db: %w", err)
		}
		if err := h.openCircle(tx, now, record); err != nil {
			return err
		}
	}
	for _, label := range sortedLabels(h.folders) {
		reg := h.folders[label]
		reg.Entered = true
		h.openFolder(reg, zsync.SpaceID{})
	}
	return h.finish(tx, now)
}

// openFolder orders the opening of a folder, or of a scout.
func (h *HomeMachine) openFolder(reg Registration, cache zsync.SpaceID) {
	reg.Loss = h.loss
	h.emit(Address{Part: Owner}, OpenFolder{Registration: reg, Cache: cache})
}

// NoteLoss writes down in device.db that the state of this device may be older than
// what it has published; mark is random. From then on each space opens a new writer
// at its first opening, however many starts later.
func NoteLoss(tx kv.Tx, mark Mark) { putMark(tx, bucketHome, keyLoss, mark) }

// Handle takes inputs in one turn and returns what is to be done after it.
func (h *HomeMachine) Handle(now time.Time, in []any) ([]Effect, error) {
	if h.failed != nil {
		return nil, h.failed
	}
	err := h.turn(now, in)
	if errors.Is(err, eventlog.ErrRefused) && h.silent == "" {
		if err = h.silence(now, err); err == nil {
			err = h.turn(now, in)
		}
	}
	if err != nil {
		return nil, h.fail(err)
	}
	return h.take(), nil
}

func (h *HomeMachine) turn(now time.Time, in []any) error {
	return h.store.Update(func(tx kv.Tx) error {
		for _, what := range in {
			if err := h.receive(tx, now, what); err != nil {
				return err
			}
		}
		if h.circle != nil {
			h.circle.advance(tx, now)
		}
		return h.finish(tx, now)
	})
}

// fail forgets what a failed turn had to say. But for a refusal, the machine is of
// no more use: it would build on what the database does not have.
func (h *HomeMachine) fail(err error) error {
	h.out = nil
	if h.circle != nil {
		h.circle.take()
	}
	var refused *Refusal
	if !errors.As(err, &refused) {
		h.failed = err
	}
	return err
}

// Deadline is when a turn is next needed without an input.
func (h *HomeMachine) Deadline() time.Time {
	if h.circle == nil {
		return time.Time{}
	}
	next := h.circle.deadline(h.circle.member)
	if h.circle.waiting {
		next = earliest(next, h.circle.confirmBy)
	}
	return earliest(next, h.fresh)
}

// receive is the switch from an input to the one method that it is for.
func (h *HomeMachine) receive(tx kv.Tx, now time.Time, what any) error {
	switch in := what.(type) {
	case SaveTrust:
		tx.Put(bucketHome, []byte(keyTrust), in.Text)
		h.emit(Address{Part: Owner}, WriteTrusted(in))
	case security.Met:
		return h.meet(tx, now, in)
	case Joined:
		h.joined[in.Space] = true
	case Watch:
		return h.watch(tx, now, in)
	case Unwatch:
		h.unwatch(tx, in.Label)
	case ServeAll:
		h.serve = in.Dir
		tx.Put(bucketHome, []byte(keyServe), []byte(in.Dir))
	case Linked:
		if h.isCircle(in.Space) {
			h.circle.linked(tx, now, in.Peer)
		}
	case Unlinked:
		if h.isCircle(in.Space) {
			h.circle.unlinked(now, in)
		}
	case Heard:
		return h.heard(tx, now, in)
	case AskProgress:
		if h.circle != nil {
			h.circle.tellers.asks()
		}
	}
	return nil
}

// finish writes what this device has to say in the circle, sees that the folders
// here are the circle's, and collects what the circle has to send.
func (h *HomeMachine) finish(tx kv.Tx, now time.Time) error {
	if h.circle == nil {
		return tx.Err()
	}
	if err := h.speak(tx, now); err != nil {
		return err
	}
	h.agree(tx)
	h.loosen(tx, now)
	c := h.circle
	h.joining = h.awaited()
	c.collect(now, line{Device: h.cfg.Keys.Device(), Linked: true, Applied: c.log.Frontier(), NeedFiles: h.joining})
	h.out = append(h.out, c.take()...)
	return tx.Err()
}

// awaited counts the spaces that this device keeps and is not yet a member of.
func (h *HomeMachine) awaited() (n uint64) {
	if !h.circle.member {
		n++
	}
	for _, folder := range h.folders {
		if !h.joined[folder.Space] {
			n++
		}
	}
	return n + uint64(len(h.scouts))
}

func (h *HomeMachine) emit(to Address, what any) { h.out = append(h.out, Effect{to, what}) }

func (h *HomeMachine) take() []Effect {
	out := h.out
	h.out = nil
	return out
}

// Refusal is an order of a person that makes no sense here. Nothing was changed.
type Refusal struct{ Why string }

func (r *Refusal) Error() string { return r.Why }
