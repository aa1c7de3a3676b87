package eventlog

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/internal/kv"
	"github.com/zsync/zsync/internal/wire"
)

// Verify reads an event and checks all of it anew, from the octets as they are
// stored: its id, its body, its writer's signature, and that its author's device
// has signed for the writer. An error says what is not as it must be.
func (l *Log) Verify(tx kv.Tx, id zsync.EventID) (Event, error) {
	w, seq, found := l.find(tx, id)
	if !found {
		return Event{}, fmt.Errorf("%w: no such event", ErrCorrupt)
	}
	r, err := l.verified(tx, w, seq)
	if err != nil {
		return Event{}, err
	}
	first := r
	if seq != 1 {
		if first, err = l.verified(tx, w, 1); err != nil {
			return Event{}, fmt.Errorf("first event of the writer: %w", err)
		}
	}
	open, space, err := opening(&first)
	switch {
	case err != nil:
		return Event{}, err
	case r.id != id:
		return Event{}, fmt.Errorf("%w: the event stored has the id %s", ErrCorrupt, r.id)
	case open.Writer != w.Key || zsync.DeviceOf(open.Device[:]) != w.Device || !open.endorsed(space):
		return Event{}, fmt.Errorf("%w: its writer is not endorsed by the device that it names", ErrCorrupt)
	}
	return Event{ID: r.id, Header: r.header, Author: w.Device, Body: r.Body, Void: l.void(tx, w, seq)}, nil
}

// verified reads a stored event and checks its signature.
func (l *Log) verified(tx kv.Tx, w *writer, seq uint64) (read, error) {
	e, err := DecodeEnvelope(tx.Get(bucketLog, position(w, seq)))
	if err != nil {
		return read{}, err
	}
	r, err := parse(e, l.meta.Space)
	switch {
	case err != nil:
		return read{}, err
	case r.header.Writer != w.ID || r.header.Seq != seq:
		return read{}, fmt.Errorf("%w: another event is stored in its place", ErrCorrupt)
	case !r.signedBy(w.Key[:]):
		return read{}, fmt.Errorf("%w: the signature is not its writer's", ErrCorrupt)
	}
	return r, nil
}

// WithPrefix returns the ids of at most a given number of events that begin with
// the given lower-case hexadecimal digits, ascending.
func (l *Log) WithPrefix(tx kv.Tx, digits string, most int) (ids []zsync.EventID, err error) {
	whole, err := hex.DecodeString(digits[:min(len(digits), 32)&^1])
	if err != nil {
		return nil, fmt.Errorf("%q are not hexadecimal digits", digits)
	}
	tx.Scan(bucketHash, whole, func(key, value []byte) bool {
		r := wire.NewReader(value)
		r.Bytes(4 + 8)
		id := append(bytes.Clone(key), r.Bytes(16)...)
		text := hex.EncodeToString(id)
		if r.End() == nil && strings.HasPrefix(text, digits) {
			ids = append(ids, zsync.EventID(id))
		}
		return strings.HasPrefix(text, hex.EncodeToString(whole)) && len(ids) < most
	})
	return ids, nil
}
