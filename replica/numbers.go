package replica

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"math/bits"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/internal/kv"
)

// nodeOf returns the number that the node has on this device.
func (l *tree) nodeOf(tx kv.Tx, id zsync.NodeID) (uint64, bool) {
	if id.IsZero() {
		return rootNode, true
	}
	node, known := l.numbers.get(id)
	if !known {
		node = l.find(tx, id)
		l.numbers.set(id, node)
	}
	return node, node != 0
}

// number gives the node a number, unless it has one.
func (l *tree) number(tx kv.Tx, id zsync.NodeID) (node uint64, isNew bool) {
	if node, found := l.nodeOf(tx, id); found {
		return node, false
	}
	if l.next == 0 {
		l.next = rootNode + 1
		if last, _ := tx.Last(bucketNodes); last != nil {
			l.next = binary.BigEndian.Uint64(last) + 1
		}
	}
	if node = l.next; node > indexNodeMax {
		tx.Fail(fmt.Errorf("replica: more than %d nodes", uint64(indexNodeMax)))
	}
	l.next++
	l.byID.add(l.idHash(id), node)
	l.born = append(l.born, id)
	l.numbers.set(id, node)
	return node, true
}

// find returns the number that a node has, or 0.
func (l *tree) find(tx kv.Tx, id zsync.NodeID) uint64 {
	l.index(tx)
	var room [1]uint64
	for _, node := range l.byID.find(l.idHash(id), math.MaxInt, room[:0]) {
		if l.hasID(tx, node, id) {
			return node
		}
	}
	return 0
}

// hasID reports whether that is the id of the node with that number.
func (l *tree) hasID(tx kv.Tx, node uint64, id zsync.NodeID) bool {
	if n := l.next - node; l.next > node && n <= uint64(len(l.born)) {
		return l.born[uint64(len(l.born))-n] == id
	}
	if r, known := l.records.get(node); known {
		return r.id == id
	}
	return bytes.HasPrefix(tx.Get(bucketNodes, l.key.node(node)), id[:])
}

// index makes the index by id when it is first asked, of all nodes.
func (l *tree) index(tx kv.Tx) {
	if l.indexed {
		return
	}
	l.indexed = true
	var entries []uint64
	if last, _ := tx.Last(bucketNodes); last != nil {
		entries = make([]uint64, 0, min(binary.BigEndian.Uint64(last), indexRoomMax))
	}
	tx.Scan(bucketNodes, nil, func(key, record []byte) bool {
		if node := binary.BigEndian.Uint64(key); node <= indexNodeMax && len(record) >= len(zsync.NodeID{}) {
			entries = append(entries, indexEntry(l.idHash(zsync.NodeID(record[:len(zsync.NodeID{})])), node))
		}
		return true
	})
	l.byID.build(entries)
}

// indexRoomMax is for how many nodes room is made at once, at most.
const indexRoomMax = 1 << 24

// idHash depends on what no other device knows: who writes to the log chooses ids.
func (l *tree) idHash(id zsync.NodeID) uint64 {
	const odd = 0x9e3779b97f4a7c15
	high, low := bits.Mul64(
		binary.LittleEndian.Uint64(id[:8])^binary.LittleEndian.Uint64(l.seed[:8]),
		binary.LittleEndian.Uint64(id[8:])^binary.LittleEndian.Uint64(l.seed[8:])^odd,
	)
	return (high ^ low) * odd
}
