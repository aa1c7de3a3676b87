package replica

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"slices"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/internal/kv"
	"github.com/zsync/zsync/store"
)

// The buckets of L. All but nodes and dirty can be dropped and folded again; of nodes
// their ids must stay.
const (
	bucketNodes  = "nodes"  // node u64 -> record
	bucketKids   = "kids"   // parent u64 | name | 0x00 | node u64 -> nothing: the visible nodes, by location
	bucketFolded = "folded" // event id 32 -> for each operation the node u64 that got a head from it, or 0
	bucketGhosts = "ghosts" // event id 32 | index u32 -> nothing: superseded before it came
	bucketFallen = "fallen" // node u64 -> nothing: not at its newest place, to break a cycle
	bucketDirty  = "dirty"  // node u64 -> nothing: shown may have changed since the applier looked
)

// rootNode is the number of the folder's root, whose node id is zero. It has
// no record and is always a visible directory.
const rootNode = uint64(1)

// tree is L of one space: what the folder should be, by its log alone.
type tree struct {
	space     zsync.SpaceID
	next      uint64  // the next node's number; 0 until it is asked for
	malformed uint64  // bodies that did not decode, since it was opened
	dirty     *marks  // nodes whose shown may have changed since the applier looked
	ruled     bool    // patterns have changed since then
	moved     bool    // directories have another place since then
	ended     []ended // versions that were live, since the brake looked
	names     projection

	looks   memo[uint64, *shown]       // by node; what a fold may have changed is dropped
	records memo[uint64, *record]      // of bucketNodes
	numbers memo[zsync.NodeID, uint64] // of byID; 0: there is none
	slots   memo[place, []uint64]      // of bucketKids, as slot returns them

	indexed bool
	byID    nodeIndex      // all nodes, once indexed
	seed    [16]byte       // of idHash
	born    []zsync.NodeID // the last ones: their nodes have no record yet

	key   keyRoom
	value recordRoom
}

func newTree(space zsync.SpaceID) *tree {
	l := &tree{space: space, dirty: newMarks(), names: newProjection(store.Nature{})}
	l.looks.most = looksMax
	return l
}

// forget gives back the memory of what the database tells again.
func (l *tree) forget() {
	l.looks.clear()
	l.records.clear()
	l.numbers.clear()
	l.slots.clear()
	l.names.forget()
}

func nodeKey(node uint64) []byte { return binary.BigEndian.AppendUint64(nil, node) }

// nodeID returns the id of the node with that number.
func (l *tree) nodeID(tx kv.Tx, node uint64) zsync.NodeID { return l.load(tx, node).id }

// load returns what is known of a node: nothing, when there is no such number. It
// is shared, and not to be changed.
func (l *tree) load(tx kv.Tx, node uint64) *record {
	r, known := l.records.get(node)
	if !known {
		r = l.read(tx, node)
		l.records.set(node, r)
	}
	return r
}

// read returns the same for the caller alone.
func (l *tree) read(tx kv.Tx, node uint64) *record {
	value := tx.Get(bucketNodes, l.key.node(node))
	if value == nil {
		return &record{}
	}
	r, err := decodeRecord(value)
	if err != nil {
		tx.Fail(fmt.Errorf("replica: record of node %d: %w", node, err))
		return &record{}
	}
	return r
}

// store stores a record, which does not change any more.
func (l *tree) store(tx kv.Tx, node uint64, r *record) {
	l.records.set(node, r)
	tx.Put(bucketNodes, l.key.node(node), l.value.encode(r))
}

// slot returns the visible nodes whose location is p, ascending. It is shared.
func (l *tree) slot(tx kv.Tx, p place) []uint64 {
	nodes, known := l.slots.get(p)
	if !known {
		nodes = l.readSlot(tx, p)
		l.slots.set(p, nodes)
	}
	return nodes
}

func (l *tree) readSlot(tx kv.Tx, p place) []uint64 {
	prefix := l.key.kids(p)
	if !kv.HasPrefix(tx, bucketKids, prefix) {
		return nil // as of each new name
	}
	return nodesWith(tx, bucketKids, prefix)
}

// nodesWith returns the nodes that end the keys of a bucket which begin with prefix.
func nodesWith(tx kv.Tx, bucket string, prefix []byte) (nodes []uint64) {
	tx.Scan(bucket, prefix, func(key, _ []byte) bool {
		if !bytes.HasPrefix(key, prefix) {
			return false
		}
		nodes = append(nodes, binary.BigEndian.Uint64(key[len(key)-8:]))
		return true
	})
	return nodes
}

// rivals is slot for a place that is the location of a visible node.
func (l *tree) rivals(tx kv.Tx, p place) []uint64 {
	nodes, known := l.slots.get(p)
	if !known {
		nodes = nodesWith(tx, bucketKids, l.key.kids(p))
		l.slots.set(p, nodes)
	}
	return nodes
}

// claimed reports whether p is the location of a visible node.
func (l *tree) claimed(tx kv.Tx, p place) bool { return len(l.slot(tx, p)) > 0 }

// hang puts a node into a slot.
func (l *tree) hang(tx kv.Tx, p place, node uint64) {
	nodes := l.slot(tx, p)
	if i, found := slices.BinarySearch(nodes, node); !found {
		l.slots.set(p, slices.Insert(slices.Clone(nodes), i, node))
	}
	tx.Put(bucketKids, l.key.kids(p, node), nil)
	l.hangFold(tx, p, node, true)
}

// unhang takes it out.
func (l *tree) unhang(tx kv.Tx, p place, node uint64) {
	l.slots.set(p, slices.DeleteFunc(slices.Clone(l.slot(tx, p)), func(n uint64) bool { return n == node }))
	tx.Delete(bucketKids, l.key.kids(p, node))
	l.hangFold(tx, p, node, false)
}

// derivedID is the id of the node that a first create at that path names. It
// follows from the name's NFC form, so that two devices whose disks normalise
// differently make one node.
func (l *tree) derivedID(parent zsync.NodeID, name zsync.Name) zsync.NodeID {
	text := append(append(append(l.value.octets[:0], "zsync/node/1"...), l.space[:]...), parent[:]...)
	if isASCII(name) {
		text = append(text, name...) // which NFC leaves as it is
	} else {
		text = norm.NFC.AppendString(text, string(name))
	}
	l.value.octets = text
	sum := sha256.Sum256(text)
	return zsync.NodeID(sum[:16])
}

func isASCII(name zsync.Name) bool {
	for i := range len(name) {
		if name[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// freshID is the id of the node that a create names where the derived one is
// in use. Only this operation can make it.
func (l *tree) freshID(writer zsync.WriterID, seq uint64, index uint32) zsync.NodeID {
	text := make([]byte, 0, 64)
	text = append(append(append(text, "zsync/fresh/1"...), l.space[:]...), writer[:]...)
	text = binary.BigEndian.AppendUint64(text, seq)
	text = binary.BigEndian.AppendUint32(text, index)
	sum := sha256.Sum256(text)
	return zsync.NodeID(sum[:16])
}

// opNode returns the id of the node that the index-th operation of an event is
// about.
func (l *tree) opNode(op Op, writer zsync.WriterID, seq uint64, index uint32) zsync.NodeID {
	switch op.Create {
	case CreateDerived:
		return l.derivedID(op.Parent, op.Name)
	case CreateFresh:
		return l.freshID(writer, seq, index)
	default:
		return op.Node
	}
}

// derivedState says what L knows of the node that a create at a path would name.
type derivedState uint8

const (
	derivedUnknown   derivedState = iota // no operation has written or moved it: create derived
	derivedDead                          // it has no live version and was never moved: create derived
	derivedAlive                         // it lives, here or elsewhere
	derivedDeadMoved                     // it is dead, but a new version would appear where it was moved to
)

// derived returns the id that a first create at that path would name, and what
// has become of that node.
func (l *tree) derived(tx kv.Tx, parent uint64, name zsync.Name) (zsync.NodeID, derivedState) {
	id := l.derivedID(l.nodeID(tx, parent), name)
	node, found := l.nodeOf(tx, id)
	if !found {
		return id, derivedUnknown
	}
	r := l.load(tx, node)
	switch {
	case r.visible():
		return id, derivedAlive
	case len(r.moves) > 0:
		return id, derivedDeadMoved
	case r.known():
		return id, derivedDead
	default:
		return id, derivedUnknown
	}
}
