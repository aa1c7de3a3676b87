package eventlog

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/internal/kv"
	"github.com/zsync/zsync/internal/wire"
)

// noCut is the cut of a writer without a proven fork.
const noCut = math.MaxUint64

// point is one event of a chain; Seq 0 is before the first.
type point struct {
	_       struct{} `cbor:",toarray"`
	Seq     uint64
	Lamport uint64
	ID      zsync.EventID
}

// writer is the state of one chain. Its index is local to this database.
type writer struct {
	_      struct{} `cbor:",toarray"`
	ID     zsync.WriterID
	Key    [32]byte // Ed25519 public key
	Device zsync.DeviceID
	Head   point           // the last event stored
	Cut    uint64          // the last seq that counts; noCut
	End    point           // the last event stored that counts: Head, but for a cut
	Tip    bool            // no event of another writer is known to cover End
	Auth   []zsync.EventID // the membership frontier last written on this chain

	index uint32
}

func (w *writer) forked() bool { return w.Cut != noCut }

func (l *Log) openWriters(tx kv.Tx) error {
	var err error
	tx.Scan(bucketWriters, nil, func(key, value []byte) bool {
		w := &writer{index: uint32(len(l.writers))}
		if err = wire.Unmarshal(value, w); err != nil {
			err = fmt.Errorf("%w: writer: %w", ErrCorrupt, err)
			return false
		}
		if string(key) != string(indexKey(w)) {
			err = fmt.Errorf("%w: a writer is missing", ErrCorrupt)
			return false
		}
		l.writers = append(l.writers, w)
		l.adopt(w)
		return true
	})
	return err
}

func (w *writer) save(tx kv.Tx) { tx.Put(bucketWriters, indexKey(w), wire.Marshal(w)) }

func indexKey(w *writer) []byte { return binary.BigEndian.AppendUint32(nil, w.index) }

// position is the key of an event in the buckets log and void.
func position(w *writer, seq uint64) []byte {
	return binary.BigEndian.AppendUint64(indexKey(w), seq)
}

func orderKey(h *zsync.Header) []byte {
	key := binary.BigEndian.AppendUint64(make([]byte, 0, 32), h.Lamport)
	return binary.BigEndian.AppendUint64(append(key, h.Writer[:]...), h.Seq)
}
