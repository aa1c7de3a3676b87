package eventlog

import (
	"encoding/binary"
	"fmt"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/internal/kv"
	"github.com/zsync/zsync/internal/wire"
)

// Event returns the event with the given id. What it returns is valid until the
// transaction ends.
func (l *Log) Event(tx kv.Tx, id zsync.EventID) (Event, bool) {
	w, seq, found := l.find(tx, id)
	if !found {
		return Event{}, false
	}
	return l.event(tx, w, seq)
}

// Each calls yield for every event, void ones included, in the total order of
// (lamport, writer, seq), until yield returns false. Events are valid until the
// transaction ends.
func (l *Log) Each(tx kv.Tx, yield func(Event) bool) { l.each(tx, nil, yield) }

// EachAfter is [Log.Each] for the events after the place of another one in the
// total order.
func (l *Log) EachAfter(tx kv.Tx, after zsync.Stamp, yield func(Event) bool) {
	h := zsync.Header{Lamport: after.Lamport, Writer: after.Writer, Seq: after.Seq}
	l.each(tx, append(orderKey(&h), 0), yield)
}

// each yields the events from a key of the order on.
func (l *Log) each(tx kv.Tx, from []byte, yield func(Event) bool) {
	tx.Scan(bucketOrder, from, func(key, value []byte) bool {
		r := wire.NewReader(value)
		index := r.Uint32()
		if r.End() != nil || len(key) != 32 || int(index) >= len(l.writers) {
			tx.Fail(fmt.Errorf("%w: order", ErrCorrupt))
			return false
		}
		e, found := l.event(tx, l.writers[index], binary.BigEndian.Uint64(key[24:]))
		return found && yield(e)
	})
}

// Author returns the device of a writer that is known here.
func (l *Log) Author(id zsync.WriterID) (zsync.DeviceID, bool) {
	w := l.byID[id]
	if w == nil {
		return zsync.DeviceID{}, false
	}
	return w.Device, true
}

// Forked returns the writers that signed two events with one seq, ascending.
func (l *Log) Forked(tx kv.Tx) (writers []zsync.WriterID) {
	tx.Scan(bucketForks, nil, func(key, _ []byte) bool {
		writers = append(writers, zsync.WriterID(key))
		return true
	})
	return writers
}

// EachPastCut yields the events here that lie past the cut of a writer that signed two
// events with one seq, though their author had the right to them: they have no
// meaning, but their author said them. It is over when yield returns false. Events are
// valid until the transaction ends.
func (l *Log) EachPastCut(tx kv.Tx, yield func(Event) bool) {
	for _, w := range l.writers {
		for seq := w.Cut + 1; w.forked() && seq <= w.Head.Seq; seq++ {
			e, found := l.event(tx, w, seq)
			admitted := tx.Get(bucketVoid, position(w, seq)) == nil
			if !found || admitted && !yield(e) {
				return
			}
		}
	}
}

// Regressed reports whether a peer claims that events of a writer were lost here:
// that it holds event seq, whose id begins with prefix, and this log has not got
// it. Only the event itself proves it. A writer that was cut never regresses.
func (l *Log) Regressed(tx kv.Tx, id zsync.WriterID, seq uint64, prefix [8]byte) bool {
	w := l.byID[id]
	switch {
	case w == nil:
		return seq > 0
	case w.forked():
		return false
	case seq > w.Head.Seq:
		return true
	}
	held, found := l.idAt(tx, w, seq)
	return found && [8]byte(held[:8]) != prefix
}

// event reads a stored event.
func (l *Log) event(tx kv.Tx, w *writer, seq uint64) (Event, bool) {
	r, found := l.at(tx, w, seq)
	if !found {
		return Event{}, false
	}
	return Event{ID: r.id, Header: r.header, Author: w.Device, Body: r.Body, Void: l.void(tx, w, seq)}, true
}

func (l *Log) void(tx kv.Tx, w *writer, seq uint64) bool {
	return seq > w.Cut || tx.Get(bucketVoid, position(w, seq)) != nil
}

// at reads a stored event; one that should be there and cannot be read fails
// the transaction.
func (l *Log) at(tx kv.Tx, w *writer, seq uint64) (read, bool) {
	data := tx.Get(bucketLog, position(w, seq))
	if data == nil {
		return read{}, false
	}
	e, err := DecodeEnvelope(data)
	if err != nil {
		tx.Fail(fmt.Errorf("%w: log: %w", ErrCorrupt, err))
		return read{}, false
	}
	r := read{Envelope: e, id: eventID(e.Header)}
	if r.header, err = parseHeader(e.Header); err != nil {
		tx.Fail(fmt.Errorf("%w: log: %w", ErrCorrupt, err))
		return read{}, false
	}
	return r, true
}

// idAt returns the id of a stored event.
func (l *Log) idAt(tx kv.Tx, w *writer, seq uint64) (zsync.EventID, bool) {
	switch seq {
	case w.Head.Seq:
		return w.Head.ID, seq > 0
	case w.End.Seq:
		return w.End.ID, seq > 0
	}
	e, err := DecodeEnvelope(tx.Get(bucketLog, position(w, seq)))
	return eventID(e.Header), err == nil
}

// find returns where the event with the given id is stored.
func (l *Log) find(tx kv.Tx, id zsync.EventID) (*writer, uint64, bool) {
	r := wire.NewReader(tx.Get(bucketHash, id[:16]))
	index, seq := r.Uint32(), r.Uint64()
	rest := r.Bytes(16)
	if r.End() != nil || string(rest) != string(id[16:]) || int(index) >= len(l.writers) {
		return nil, 0, false
	}
	return l.writers[index], seq, true
}

// headerOf returns the header of an event that is here, and whether it counts:
// one that lies past a cut does not, whether in its chain or merely noted.
func (l *Log) headerOf(tx kv.Tx, id zsync.EventID) (h zsync.Header, counts, found bool) {
	if w, seq, found := l.find(tx, id); found {
		r, found := l.at(tx, w, seq)
		return r.header, seq <= w.Cut, found
	}
	e, err := DecodeEnvelope(tx.Get(bucketBeyond, id[:16]))
	if err != nil || eventID(e.Header) != id {
		return h, false, false
	}
	h, err = parseHeader(e.Header)
	return h, false, err == nil
}
