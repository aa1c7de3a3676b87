package eventlog

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/internal/kv"
	"github.com/zsync/zsync/internal/wire"
)

// The bounds of what waits for events that are not here. Pulling brings back
// what was dropped.
const (
	parkEventsMax    = 1000
	parkBytesMax     = 4 << 20
	parkStrangersMax = 100 // of writers that are not here, so that no signature could be checked
)

// ask says how to get at what a parked event waits for, where comparing
// frontiers alone may never bring it.
type ask uint8

const (
	askNothing ask = iota // the frontier of a peer will show it
	askWriter             // the writer named is not here: its first event helps
	askTail               // an auth: it may lie past a cut
)

// need is what an event waits for: an event id's or a writer id's first 16
// octets.
type need struct {
	key    [16]byte
	ask    ask
	writer zsync.WriterID // to ask for, with askWriter
}

// waiting is the outline of one parked event.
type waiting struct {
	arrival  uint64
	need     need
	id       [16]byte
	size     int
	verified bool // the signature was checked
}

func (w *waiting) key() []byte {
	return append(w.need.key[:len(w.need.key):len(w.need.key)], w.id[:]...)
}

// candidate is an envelope to be merged, perhaps for the second time.
type candidate struct {
	Envelope
	verified bool
}

// parking is the outline of bucket park, ascending by arrival.
type parking struct {
	waiting   []waiting
	bytes     int
	strangers int
}

// parkedHead is the length of a parked event's value before the envelope:
// arrival, verified, ask, writer.
const parkedHead = 8 + 1 + 1 + 16

func (p *parking) open(tx kv.Tx) error {
	var err error
	tx.Scan(bucketPark, nil, func(key, value []byte) bool {
		if len(key) != 32 || len(value) < parkedHead {
			err = fmt.Errorf("%w: park", ErrCorrupt)
			return false
		}
		r := wire.NewReader(value)
		w := waiting{arrival: r.Uint64(), verified: r.Uint8() == 1, size: len(value) - parkedHead}
		w.need = need{key: [16]byte(key), ask: ask(r.Uint8())}
		r.Fill(w.need.writer[:])
		w.id = [16]byte(key[16:])
		p.waiting = append(p.waiting, w)
		p.count(&w, +1)
		return true
	})
	slices.SortFunc(p.waiting, func(a, b waiting) int { return cmp.Compare(a.arrival, b.arrival) })
	return err
}

func (p *parking) count(w *waiting, sign int) {
	p.bytes += sign * w.size
	if !w.verified {
		p.strangers += sign
	}
}

// add parks an event until n is here. The oldest make room; a stranger beyond
// its share is not taken.
func (p *parking) add(tx kv.Tx, r *read, n need, verified bool) {
	encoded := r.Encode()
	w := waiting{arrival: 1, need: n, id: [16]byte(r.id[:16]), size: len(encoded), verified: verified}
	if tx.Get(bucketPark, w.key()) != nil || !verified && p.strangers >= parkStrangersMax {
		return
	}
	if last := len(p.waiting) - 1; last >= 0 {
		w.arrival = p.waiting[last].arrival + 1
	}
	value := binary.BigEndian.AppendUint64(make([]byte, 0, parkedHead+len(encoded)), w.arrival)
	value = append(value, 0, byte(n.ask))
	if verified {
		value[8] = 1
	}
	value = append(append(value, n.writer[:]...), encoded...)
	tx.Put(bucketPark, w.key(), value)
	p.waiting = append(p.waiting, w)
	p.count(&w, +1)
	for len(p.waiting) > parkEventsMax || p.bytes > parkBytesMax {
		p.remove(tx, 0)
	}
}

func (p *parking) remove(tx kv.Tx, at int) {
	w := p.waiting[at]
	tx.Delete(bucketPark, w.key())
	p.count(&w, -1)
	p.waiting = slices.Delete(p.waiting, at, at+1)
}

// take removes and returns what waits for key.
func (p *parking) take(tx kv.Tx, key [16]byte) []candidate {
	return p.takeWhere(tx, func(w *waiting) bool { return w.need.key == key })
}

// takeAll removes and returns everything.
func (p *parking) takeAll(tx kv.Tx) []candidate {
	return p.takeWhere(tx, func(*waiting) bool { return true })
}

func (p *parking) takeWhere(tx kv.Tx, match func(*waiting) bool) []candidate {
	var taken []candidate
	p.waiting = slices.DeleteFunc(p.waiting, func(w waiting) bool {
		if !match(&w) {
			return false
		}
		// The value is copied: it is valid only until it is deleted.
		value := slices.Clone(tx.Get(bucketPark, w.key()))
		e, err := DecodeEnvelope(value[min(parkedHead, len(value)):])
		if err != nil {
			tx.Fail(fmt.Errorf("%w: park: %w", ErrCorrupt, err))
		}
		tx.Delete(bucketPark, w.key())
		p.count(&w, -1)
		taken = append(taken, candidate{e, w.verified})
		return true
	})
	return taken
}

// awaitsWriter reports whether something waits for the writer with the given id.
func (p *parking) awaitsWriter(id zsync.WriterID) bool {
	return slices.ContainsFunc(p.waiting, func(w waiting) bool {
		return w.need.key == [16]byte(id) || w.need.ask == askWriter && w.need.writer == id
	})
}

// awaited reports whether something waits for the event with the given id.
func (p *parking) awaited(id zsync.EventID) bool {
	return slices.ContainsFunc(p.waiting, func(w waiting) bool { return w.need.key == [16]byte(id[:16]) })
}
