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
}

// HomeMachine keeps what a device is by itself and with its circle: whom it
// trusts, which folders it keeps, and the circle's log, which says who the other
// devices are and which space each label means. All of it is in device.db. After
// a turn that failed with anything but a [Refusal], it is of no more use.
type HomeMachine struct {
	cfg     HomeConfig
	store   kv.Store
	draws   *draws
	circle  *space // nil: none yet
	loss    Mark   // the last one of this device's state
	folders map[Label]Registration
	scouts  map[zsync.SpaceID]Label // spaces that a folder here may move into, with its label
	joined  map[zsync.SpaceID]bool  // folders and scouts that this device is a member of
	serve   string                  // where folders offered are put; "": nowhere
	met     map[zsync.DeviceID]security.Certificate
	joining uint64 // spaces that this device is not yet a member of
	silent  string // why nothing may be written to the circle's log; "": it may
	failed  error  // of a turn: what is in memory may be ahead of the database
	out     []Effect
}

const (
	bucketHome    = "home"
	bucketFolders = "folders"

	keyTrust  = "trust"
	keyCircle = "circle"
	keyServe  = "serve"
)

// circleRecord is how device.db remembers the circle.
type circleRecord struct {
	Space    zsync.SpaceID   `cbor:"1,keyasint"`
	Founding *foundingRecord `cbor:"2,keyasint,omitempty"`
}

// OpenHomeMachine reads device.db, and orders the opening of every folder in it.
func OpenHomeMachine(now time.Time, store kv.Store, cfg HomeConfig) (*HomeMachine, []Effect, error) {
	h := &HomeMachine{
		cfg: cfg, store: store, draws: &draws{seed: cfg.Seed},
		folders: make(map[Label]Registration), scouts: make(map[zsync.SpaceID]Label),
		joined: make(map[zsync.SpaceID]bool), met: make(map[zsync.DeviceID]security.Certificate),
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
	anew := &HomeMachine{
		cfg: h.cfg, store: h.store, draws: h.draws, joined: h.joined, met: h.met,
		folders: make(map[Label]Registration), scouts: make(map[zsync.SpaceID]Label),
		silent: "this device cannot write to the log of the circle and only listens to it: " + why.Error(),
	}
	if h.circle != nil {
		anew.emit(Address{Part: Link}, Quit{h.circle.id}) // what follows enters it, and so hears who is there
	}
	*h = *anew
	return h.begin(now)
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
	return next
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
		h.circle.linked(tx, now, in.Peer)
	case Unlinked:
		h.circle.unlinked(now, in.Device)
	case Heard:
		return h.heard(tx, now, in)
	case AskProgress:
		if h.circle != nil {
			h.circle.tellers.asks()
		}
	}
	return nil
}

// heard takes a log message of the circle.
func (h *HomeMachine) heard(tx kv.Tx, now time.Time, in Heard) error {
	merged, err := h.circle.heard(tx, now, in)
	if err != nil {
		return err
	}
	h.fold(tx, merged)
	return nil
}

// meet takes a device that was paired by key one step further into one circle
// with this one.
func (h *HomeMachine) meet(tx kv.Tx, now time.Time, in security.Met) error {
	switch in.Next {
	case security.StepFound, security.StepInvite, security.StepSettled:
		h.met[in.Cert.Device()] = in.Cert
		if h.circle == nil {
			return h.found(tx, now)
		}
	case security.StepJoin:
		if !h.keeps(in.Circle) && (h.circle == nil || !h.circle.log.HasGenesis()) {
			return h.openCircle(tx, now, circleRecord{Space: in.Circle})
		}
	case security.StepAwait: // the other one founds it and says so
	}
	return nil
}

// keeps reports whether a space is that of a folder here.
func (h *HomeMachine) keeps(id zsync.SpaceID) bool { return h.keptElsewhere("", id) }

// found begins the circle.
func (h *HomeMachine) found(tx kv.Tx, now time.Time) error {
	founding, id, err := h.conceive(now, eventlog.Circle)
	if err != nil {
		return err
	}
	return h.openCircle(tx, now, circleRecord{Space: id.Space(), Founding: founding.record()})
}

// conceive fixes a genesis and learns its id, in a database of its own that is
// then forgotten; the space's machine writes the same genesis again.
func (h *HomeMachine) conceive(now time.Time, t eventlog.Type) (*Founding, zsync.EventID, error) {
	f := &Founding{Nonce: h.draws.next(), Incarnation: h.draws.next(), Wall: now}
	var id zsync.EventID
	err := kv.NewMemory().Update(func(tx kv.Tx) error {
		author := authorFor(h.cfg.Keys, zsync.SpaceID{}, f.Incarnation, 0)
		_, genesis, err := eventlog.Found(tx, t, author, f.Nonce, wallMS(f.Wall), security.OpenMembers(tx))
		id = genesis.ID
		return err
	})
	f.Genesis = id
	return f, id, err
}

// openCircle takes up a circle: the one remembered, founded, or joined.
func (h *HomeMachine) openCircle(tx kv.Tx, now time.Time, record circleRecord) error {
	tx.Put(bucketHome, []byte(keyCircle), wire.Marshal(record))
	circle, err := openSpace(tx, now, spaceConfig{
		id: record.Space, keys: h.cfg.Keys, cert: h.cfg.Cert, draws: h.draws,
		founding: record.Founding.founding(), kind: eventlog.Circle, loss: h.loss,
	})
	if err != nil {
		return err
	}
	circle.silent = h.silent != ""
	h.circle = circle
	h.tellLink(tx)
	h.emit(Address{Part: Link}, Enter{record.Space})
	return nil
}

// tellLink says which circle this is and who is in it.
func (h *HomeMachine) tellLink(tx kv.Tx) {
	is := CircleIs{Space: h.circle.id}
	for _, member := range h.circle.members.List(tx) {
		is.Members = append(is.Members, member.Cert)
	}
	h.emit(Address{Part: Link}, is)
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

// speak claims the labels that nobody has claimed, then admits the devices that
// were paired here, so that a newcomer finds the claims in its past.
func (h *HomeMachine) speak(tx kv.Tx, now time.Time) error {
	c := h.circle
	c.member = c.right(tx) != security.RightNone
	may := c.mayAppend(tx, now)
	c.waiting = c.member && !may && !c.silent
	if !may {
		return nil
	}
	if body := h.unclaimed(tx); body != nil {
		ev, err := c.append(tx, now, zsync.KindFolder, body)
		if err != nil {
			return err
		}
		h.fold(tx, eventlog.Merged{Fresh: []eventlog.Event{ev}})
	}
	for _, device := range sortedDevices(h.met) {
		if err := c.admit(tx, now, h.met[device]); err != nil {
			return err
		}
		if c.members.Right(tx, device) != security.RightNone {
			delete(h.met, device)
			h.tellLink(tx)
		}
	}
	return nil
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
