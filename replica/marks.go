package replica

import (
	"encoding/binary"
	"maps"
	"slices"

	"github.com/zsync/zsync/internal/kv"
)

// marks are the nodes to be settled: those in the bucket dirty, and those marked
// since they were last saved. Nearly all are settled in the transaction that marks
// them, and so never see the database.
type marks struct {
	fresh map[uint64]bool
	saved bool // there may be some in the bucket
	notes bool // what is marked is noted …
	noted []uint64
	key   keyRoom
}

// freshMax is how many marks are kept in memory within a transaction.
const freshMax = 16384

func newMarks() *marks { return &marks{fresh: map[uint64]bool{}, saved: true} }

func (m *marks) mark(node uint64) {
	m.fresh[node] = true
	if m.notes && len(m.noted) < liveNodesMax {
		m.noted = append(m.noted, node)
	}
}

// takeNoted returns what was marked since it was noted.
func (m *marks) takeNoted() (nodes []uint64) {
	nodes, m.noted, m.notes = m.noted, nil, false
	slices.Sort(nodes)
	return slices.Compact(nodes)
}

func (m *marks) unmark(tx kv.Tx, node uint64) {
	delete(m.fresh, node)
	if m.saved {
		tx.Delete(bucketDirty, m.key.node(node))
	}
}

// save stores what was marked, once for all that a fact changed.
func (m *marks) save(tx kv.Tx) {
	for _, node := range slices.Sorted(maps.Keys(m.fresh)) {
		tx.Put(bucketDirty, m.key.node(node), nil)
		m.saved = true
	}
	clear(m.fresh)
}

// take takes the marks off the lowest nodes that have one, and returns these.
func (m *marks) take(tx kv.Tx, most int) (nodes []uint64) {
	if m.saved {
		nodes = m.lowest(tx, most)
	}
	some := len(nodes) < most
	nodes = slices.AppendSeq(nodes, maps.Keys(m.fresh))
	slices.Sort(nodes)
	nodes = slices.Compact(nodes)
	all := some && len(nodes) <= most
	nodes = nodes[:min(most, len(nodes))]
	m.unmarkAll(tx, nodes)
	m.saved = m.saved && !all
	return nodes
}

func (m *marks) lowest(tx kv.Tx, most int) (nodes []uint64) {
	tx.Scan(bucketDirty, nil, func(key, _ []byte) bool {
		nodes = append(nodes, binary.BigEndian.Uint64(key))
		return len(nodes) < most
	})
	return nodes
}

// unmarkAll takes the marks off nodes that are about to be settled. It goes from
// the last to the first, since a database moves up what follows a key that it
// deletes.
func (m *marks) unmarkAll(tx kv.Tx, nodes []uint64) {
	for _, node := range slices.Backward(nodes) {
		m.unmark(tx, node)
	}
}

// any reports whether a node has a mark.
func (m *marks) any(tx kv.Tx) bool {
	return len(m.fresh) > 0 || m.saved && len(m.lowest(tx, 1)) > 0
}
