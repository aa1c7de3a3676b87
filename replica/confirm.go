package replica

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/eventlog"
	"github.com/zsync/zsync/internal/kv"
	"github.com/zsync/zsync/internal/wire"
)

// ErrConfirm is wrapped by every error about the body of a confirm event. Such an
// event folds as if it said nothing, on every device alike.
var ErrConfirm = errors.New("malformed confirm body")

// ErrNotHeld is returned where nothing with the given id is held back.
var ErrNotHeld = errors.New("nothing with that id is held back here")

// Confirm is what a confirm event says (docs/formats.md section 2): a person lets
// the changes of a writer's events pass, up to and including that Seq, which is at
// least 1.
type Confirm struct {
	Writer zsync.WriterID `cbor:"1,keyasint"`
	Seq    uint64         `cbor:"2,keyasint"`
}

// confirmBytesMax is more than any Confirm takes, in octets.
const confirmBytesMax = 64

// EncodeConfirm writes the body of a confirm event.
func EncodeConfirm(c Confirm) []byte { return wire.Marshal(&c) }

// DecodeConfirm reads the body of a confirm event. It accepts exactly what
// [EncodeConfirm] writes; every error wraps [ErrConfirm].
func DecodeConfirm(data []byte) (c Confirm, err error) {
	if len(data) > confirmBytesMax {
		return Confirm{}, fmt.Errorf("%w: %d octets", ErrConfirm, len(data))
	}
	if err := wire.Unmarshal(data, &c); err != nil {
		return Confirm{}, fmt.Errorf("%w: %w", ErrConfirm, err)
	}
	if c.Seq == 0 {
		return Confirm{}, fmt.Errorf("%w: no event has seq 0", ErrConfirm)
	}
	return c, nil
}

// foldConfirm takes in what a person has let pass. What is known afterwards depends
// on the set of such events alone.
func (r *Replica) foldConfirm(tx kv.Tx, ev eventlog.Event) {
	if ev.Void || ev.Header.Kind != zsync.KindConfirm {
		return
	}
	c, err := DecodeConfirm(ev.Body)
	if err != nil {
		r.tree.malformed++
		return
	}
	if c.Seq <= confirmedUpTo(tx, c.Writer) {
		return
	}
	tx.Put(bucketConfirmed, c.Writer[:], binary.BigEndian.AppendUint64(nil, c.Seq))
	r.dropLeft(tx, func(_ uint64, l left) bool { return l.writer == c.Writer && l.seq <= c.Seq })
	r.brake.stirred = true
}

// confirmedUpTo returns the seq up to which a writer's changes pass.
func confirmedUpTo(tx kv.Tx, writer zsync.WriterID) uint64 {
	if value := tx.Get(bucketConfirmed, writer[:]); len(value) == 8 {
		return binary.BigEndian.Uint64(value)
	}
	return 0
}

// Confirm lets through what is held back under an id, because a person said so.
// What others logged is to be confirmed to all devices at once, see [Replica.ConfirmBody];
// what this device has not logged yet is logged first.
func (r *Replica) Confirm(tx kv.Tx, id string) error {
	for _, h := range r.brake.holds {
		switch {
		case h.ID != id:
		case h.Author == r.cfg.Device:
			h.Passing = true
			r.brake.keep(tx, h)
			return nil
		default:
			r.brake.due = append(r.brake.due, r.heldWriters(tx, h.Author)...)
			return nil
		}
	}
	return fmt.Errorf("%w: %q", ErrNotHeld, id)
}

// heldWriters names the writers of an author whose changes count, and up to where.
func (r *Replica) heldWriters(tx kv.Tx, author zsync.DeviceID) (all []Confirm) {
	eachLeft(tx, func(_ uint64, l left) bool {
		if l.author != author {
			return true
		}
		for i := range all {
			if all[i].Writer == l.writer {
				all[i].Seq = max(all[i].Seq, l.seq)
				return true
			}
		}
		all = append(all, Confirm{l.writer, l.seq})
		return true
	})
	return all
}

// ConfirmBody returns the body of the confirm event that is to be logged next; nil
// when there is none. It is asked for after [Replica.Body] was nil, and again until
// it is nil; the event is folded in the same transaction.
func (r *Replica) ConfirmBody(tx kv.Tx) []byte {
	if !r.mayAuthor() {
		return nil
	}
	r.ownPassed(tx)
	if len(r.brake.due) == 0 {
		return nil
	}
	next := r.brake.due[0]
	r.brake.due = r.brake.due[1:]
	return EncodeConfirm(next)
}

// ownPassed ends the passing of what this device held back, once all is logged.
func (r *Replica) ownPassed(tx kv.Tx) {
	h := r.brake.hold(r.cfg.Device)
	if h == nil || !h.Passing || r.findings.leaving > 0 || !r.scan.complete || h.Confirm == nil && r.scan.busy() {
		return
	}
	if h.Confirm != nil {
		r.brake.due = append(r.brake.due, *h.Confirm)
	}
	r.brake.drop(tx, h)
}

// notePassing remembers up to where a confirmation of what was held back here goes.
func (r *Replica) notePassing(tx kv.Tx, ev eventlog.Event) {
	if h := r.brake.hold(r.cfg.Device); h != nil && h.Passing {
		h.Confirm = &Confirm{ev.Header.Writer, ev.Header.Seq}
		r.brake.keep(tx, h)
	}
}
