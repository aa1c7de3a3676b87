package device

import (
	"time"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/eventlog"
	"github.com/zsync/zsync/internal/kv"
	"github.com/zsync/zsync/internal/wire"
	"github.com/zsync/zsync/security"
)

const (
	// freshFor is how long a device that was in no circle would leave the one that it
	// has come into for another: of devices that start at one time, several may found
	// one before any two of these meet.
	freshFor = time.Minute
	// movesMax is how often a device goes from one circle to another in one run. Those
	// that differ about which of two gives way would have it go back and forth.
	movesMax = 8
)

// circleRecord is how device.db remembers the circle.
type circleRecord struct {
	Space    zsync.SpaceID   `cbor:"1,keyasint"`
	Founding *foundingRecord `cbor:"2,keyasint,omitempty"`
}

// heard takes a log message of the circle. One of a circle that was left was under
// way when it was.
func (h *HomeMachine) heard(tx kv.Tx, now time.Time, in Heard) error {
	if space, named := eventlog.SpaceOf(in.Body); !named || !h.isCircle(space) {
		return nil
	}
	merged, err := h.circle.heard(tx, now, in)
	if err != nil {
		return err
	}
	h.fold(tx, now, merged)
	return nil
}

func (h *HomeMachine) isCircle(id zsync.SpaceID) bool { return h.circle != nil && h.circle.id == id }

// meet takes a device that was paired by key one step further into one circle
// with this one. Only who says that it is in the circle is made a member of it: of
// several circles that it could have taken up, it takes up one.
func (h *HomeMachine) meet(tx kv.Tx, now time.Time, in security.Met) error {
	h.place(in)
	switch in.Next {
	case security.StepFound:
		if h.circle != nil && h.hold(tx, now) == security.Taken && h.moves < movesMax {
			h.abandon(tx)
			h.circle = nil
		}
		if h.circle == nil {
			h.fresh = now.Add(freshFor)
			return h.found(tx, now)
		}
	case security.StepJoin:
		if h.circle == nil && !h.keeps(in.Circle) {
			h.fresh = now.Add(freshFor)
			return h.openCircle(tx, now, circleRecord{Space: in.Circle})
		}
	case security.StepYield:
		if h.circle != nil && h.hold(tx, now) != security.Firm && !h.isCircle(in.Circle) && !h.keeps(in.Circle) {
			h.abandon(tx)
			return h.openCircle(tx, now, circleRecord{Space: in.Circle})
		}
	case security.StepInvite, security.StepAwait, security.StepSettled, security.StepApart: // it is the other one's turn, or nobody's
	}
	return nil
}

// place notes which circle a device says that it is in.
func (h *HomeMachine) place(in security.Met) {
	device := in.Cert.Device()
	delete(h.met, device)
	delete(h.away, device)
	switch {
	case h.circle == nil || in.Circle.IsZero():
	case h.isCircle(in.Circle):
		h.met[device] = in.Cert
	default:
		h.away[device] = true
	}
}

// hold tells how firmly this device is in its circle. One that has lost its log does
// not know who else is in it.
func (h *HomeMachine) hold(tx kv.Tx, now time.Time) security.Hold {
	switch {
	case h.circle.right(tx) == security.RightNone:
		return security.Taken
	case h.moves == movesMax || h.circle.forgot(tx):
		return security.Firm
	case now.Before(h.fresh) || h.alone(tx):
		return security.Loose
	}
	return security.Firm
}

// alone reports whether every other member of the circle has gone over to another
// one. What this device has claimed in it, it claims again in the other.
func (h *HomeMachine) alone(tx kv.Tx) bool {
	for _, member := range h.circle.members.List(tx) {
		if member.Device != h.cfg.Keys.Device() && !h.away[member.Device] {
			return false
		}
	}
	return true
}

// loosen lets the link know when this device has become more or less firm.
func (h *HomeMachine) loosen(tx kv.Tx, now time.Time) {
	if !now.Before(h.fresh) {
		h.fresh = time.Time{}
	}
	if h.hold(tx, now) != h.holds {
		h.tellLink(tx, now)
	}
}

// abandon leaves the circle for another one. Its log goes; the folders stay with
// their own, and are claimed in the circle that follows.
func (h *HomeMachine) abandon(tx kv.Tx) {
	h.moves++
	h.emit(Address{Part: Link}, Quit{h.circle.id})
	h.circle.members.Forget(tx)
	eventlog.Forget(tx)
	for _, bucket := range []string{bucketDevice, bucketClaims, bucketRebased} {
		tx.Drop(bucket)
	}
	clear(h.met)
	clear(h.away)
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
		verify: h.cfg.Verify,
	})
	if err != nil {
		return err
	}
	circle.silent = h.silent != ""
	h.circle = circle
	h.tellLink(tx, now)
	h.emit(Address{Part: Link}, Enter{record.Space})
	return nil
}

// tellLink says which circle this is, who is in it, and how firmly this device is.
func (h *HomeMachine) tellLink(tx kv.Tx, now time.Time) {
	h.holds = h.hold(tx, now)
	is := CircleIs{Space: h.circle.id, Holds: h.holds}
	for _, member := range h.circle.members.List(tx) {
		is.Members = append(is.Members, member.Cert)
	}
	h.emit(Address{Part: Link}, is)
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
		h.fold(tx, now, eventlog.Merged{Fresh: []eventlog.Event{ev}})
	}
	for _, device := range sortedDevices(h.met) {
		if err := c.admit(tx, now, h.met[device]); err != nil {
			return err
		}
		if c.members.Right(tx, device) != security.RightNone {
			delete(h.met, device)
			h.tellLink(tx, now)
		}
	}
	return nil
}
