package replica

import (
	"encoding/binary"
	"fmt"
	"slices"
	"time"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/internal/kv"
)

// The buckets of the brake. Without them nothing is held back that was not before.
const (
	bucketLeft      = "left"      // node u64 -> left
	bucketBrake     = "brake"     // "ran" -> u64 ns; "count" -> u64; "hold" | author 32 -> hold
	bucketConfirmed = "confirmed" // writer 16 -> seq u64: up to which a person lets pass
)

// left says who ended, last, a version of a node that this disk has or had, and
// that leaves the visible tree with it.
type left struct {
	author  zsync.DeviceID
	writer  zsync.WriterID
	seq     uint64
	at      time.Duration // of the running time of this copy
	content zsync.Digest
}

const leftBytes = 32 + 16 + 8 + 8 + 32

func (l left) encode() []byte {
	value := make([]byte, 0, leftBytes)
	value = append(append(value, l.author[:]...), l.writer[:]...)
	value = binary.BigEndian.AppendUint64(value, l.seq)
	value = binary.BigEndian.AppendUint64(value, uint64(l.at))
	return append(value, l.content[:]...)
}

func decodeLeft(tx kv.Tx, value []byte) (l left, found bool) {
	if value == nil {
		return l, false
	}
	if len(value) != leftBytes {
		tx.Fail(fmt.Errorf("replica: a version that left, in %d octets", len(value)))
		return l, false
	}
	copy(l.author[:], value)
	copy(l.writer[:], value[32:])
	l.seq = binary.BigEndian.Uint64(value[48:])
	l.at = time.Duration(binary.BigEndian.Uint64(value[56:]))
	copy(l.content[:], value[64:])
	return l, true
}

func getLeft(tx kv.Tx, node uint64) (left, bool) {
	return decodeLeft(tx, tx.Get(bucketLeft, nodeKey(node)))
}

func eachLeft(tx kv.Tx, yield func(node uint64, l left) bool) {
	tx.Scan(bucketLeft, nil, func(key, value []byte) bool {
		l, ok := decodeLeft(tx, value)
		return ok && yield(binary.BigEndian.Uint64(key), l)
	})
}

// ended is one version that an event ended.
type ended struct {
	node uint64
	dot  zsync.Dot
	by   origin
}

// countEnded counts those of the versions which the events just folded have ended
// that leave the visible tree of this disk, once a node.
func (r *Replica) countEnded(tx kv.Tx) {
	counted := false
	for _, e := range r.tree.ended {
		if d := r.leaving(tx, e); d != nil {
			r.countLeft(tx, e, d.content)
			counted = true
		}
	}
	if counted {
		r.brake.saveRan(tx)
	}
	r.tree.ended = r.tree.ended[:0]
}

// leaving returns what this disk has of what was ended and would have no more, or
// nil.
func (r *Replica) leaving(tx kv.Tx, e ended) *onDisk {
	if r.cfg.Device.IsZero() || e.by.seq <= confirmedUpTo(tx, e.by.writer) {
		return nil
	}
	for _, d := range r.disk.node(tx, e.node) {
		if d.kind != zsync.TypeDir && slices.Contains(d.dots, e.dot) && !r.shows(tx, e.node, d) {
			return d
		}
	}
	return nil
}

// shows reports whether a node has a live version with what d holds.
func (r *Replica) shows(tx kv.Tx, node uint64, d *onDisk) bool {
	for _, h := range r.tree.load(tx, node).seen() {
		if h.kind == d.kind && h.content == d.content {
			return true
		}
	}
	return false
}

func (r *Replica) countLeft(tx kv.Tx, e ended, content zsync.Digest) {
	if was, counted := getLeft(tx, e.node); counted {
		r.brake.tally[was.author]--
	}
	l := left{author: e.by.author, writer: e.by.writer, seq: e.by.seq, at: r.brake.ran.Total, content: content}
	tx.Put(bucketLeft, nodeKey(e.node), l.encode())
	r.brake.tally[l.author]++
	r.brake.touched[l.author] = true
}

// dropLeft forgets all that a condition holds for.
func (r *Replica) dropLeft(tx kv.Tx, which func(node uint64, l left) bool) {
	var nodes []uint64
	eachLeft(tx, func(node uint64, l left) bool {
		if which(node, l) {
			nodes = append(nodes, node)
			r.brake.tally[l.author]--
		}
		return true
	})
	for _, node := range nodes {
		tx.Delete(bucketLeft, nodeKey(node))
	}
}
