package replica

import (
	"bytes"
	"encoding/binary"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/eventlog"
	"github.com/zsync/zsync/internal/kv"
)

// fold takes one admitted event into L and marks as dirty every node whose
// shown may have changed. Events may come in any order and more than once: what
// L is afterwards depends on their set alone.
func (l *tree) fold(tx kv.Tx, ev eventlog.Event) error {
	if !ev.Void && ev.Header.Kind == zsync.KindSettings {
		l.foldSettings(tx, ev)
	}
	if ev.Void || ev.Header.Kind != zsync.KindFS || tx.Get(bucketFolded, ev.ID[:]) != nil {
		return tx.Err()
	}
	body, err := DecodeBody(ev.Body)
	if err != nil {
		l.malformed++
	}
	f := newFolding(l, tx, ev, len(body))
	for i := range body {
		f.apply(uint32(i), &body[i])
	}
	f.settle()
	f.hang()
	f.finish()
	if len(l.dirty.fresh) > freshMax {
		l.dirty.save(tx)
	}
	return tx.Err()
}

// refoldStep is how many records are read before they are reset.
const refoldStep = 4096

// refold empties L, folds every event that each yields, and marks all nodes
// dirty. Nodes keep their numbers, because D names them by these.
func (l *tree) refold(tx kv.Tx, each func(yield func(eventlog.Event) bool)) error {
	l.resetRecords(tx)
	for _, bucket := range []string{bucketKids, bucketFolds, bucketFolded, bucketGhosts, bucketFallen, bucketSettings} {
		tx.Drop(bucket)
	}
	l.malformed, l.ruled = 0, true
	l.forget()
	each(func(ev eventlog.Event) bool { return l.fold(tx, ev) == nil })
	return tx.Err()
}

// resetRecords leaves of each record no more than its node's id.
func (l *tree) resetRecords(tx kv.Tx) {
	for from := rootNode; ; {
		var nodes []uint64
		tx.Scan(bucketNodes, nodeKey(from), func(key, _ []byte) bool {
			nodes = append(nodes, binary.BigEndian.Uint64(key))
			return len(nodes) < refoldStep
		})
		for _, node := range nodes {
			l.store(tx, node, &record{id: l.nodeID(tx, node)})
			l.dirty.mark(node)
		}
		l.dirty.save(tx)
		if len(nodes) < refoldStep || tx.Err() != nil {
			return
		}
		from = nodes[len(nodes)-1] + 1
	}
}

// folding is one event on its way into L. The records that it touches are
// changed in memory and stored once, at its end.
type folding struct {
	tree   *tree
	tx     kv.Tx
	event  origin
	made   []uint64                 // by operation: the node that got a head from it, or 0
	early  map[uint32]bool          // this event's operations that were superseded before they came
	folded map[zsync.EventID][]byte // what bucketFolded says of other events
	nodes  map[uint64]*touched
	order  []*touched // in the order of first touch: maps have none
	walks  int
}

// touched is a record at hand, and what the rest of L took it for before.
type touched struct {
	*record
	number  uint64
	before  footing
	hung    bool  // in bucketKids, and counted by its parent …
	under   place // … here
	altered bool  // its own heads, places or mode changed
	placed  bool  // its places changed
	unsaved bool  // something of it changed
	stood   int   // record.at before
	walk    int   // the last walk that came by
	rooted  bool  // its way up is known to end at the root
}

// footing is what the names of other nodes can depend on; zero for a node that
// nobody sees.
type footing struct {
	visible, dir bool
	place        place
	stamp        zsync.Stamp
}

func (r *record) footing() footing {
	if !r.visible() {
		return footing{}
	}
	at := r.location()
	return footing{visible: true, dir: r.dir(), place: at.place, stamp: at.by.stamp()}
}

func newFolding(l *tree, tx kv.Tx, ev eventlog.Event, operations int) *folding {
	f := &folding{
		tree: l, tx: tx,
		event: origin{
			event: ev.ID, author: ev.Author, writer: ev.Header.Writer,
			seq: ev.Header.Seq, lamport: ev.Header.Lamport, wallMS: ev.Header.WallMS,
		},
		made:   make([]uint64, operations),
		early:  map[uint32]bool{},
		folded: map[zsync.EventID][]byte{},
		nodes:  make(map[uint64]*touched, operations),
		order:  make([]*touched, 0, operations),
	}
	f.takeGhosts()
	return f
}

// takeGhosts moves what was noted of this event's operations before it came out
// of the database.
func (f *folding) takeGhosts() {
	var keys [][]byte
	kv.ScanPrefix(f.tx, bucketGhosts, f.event.event[:], func(key, _ []byte) bool {
		keys = append(keys, bytes.Clone(key))
		return true
	})
	for _, key := range keys {
		f.early[binary.BigEndian.Uint32(key[32:])] = true
		f.tx.Delete(bucketGhosts, key)
	}
}

// named returns the record of the node with that id, which gets one if it has none.
func (f *folding) named(id zsync.NodeID) *touched {
	number, isNew := f.tree.number(f.tx, id)
	if !isNew {
		return f.numbered(number)
	}
	t := f.add(number, &record{id: id})
	t.unsaved = true
	return t
}

func (f *folding) numbered(number uint64) *touched {
	if t := f.nodes[number]; t != nil {
		return t
	}
	return f.add(number, f.tree.read(f.tx, number))
}

func (f *folding) add(number uint64, r *record) *touched {
	t := &touched{record: r, number: number, before: r.footing(), stood: r.at}
	t.hung, t.under = t.before.visible, t.before.place
	f.nodes[number] = t
	f.order = append(f.order, t)
	return t
}

func (f *folding) apply(index uint32, op *Op) {
	by := operation{origin: f.event, index: index}
	for _, dot := range op.Supersedes {
		f.supersede(index, dot)
	}
	if op.Kind == OpDel {
		return
	}
	t := f.named(f.tree.opNode(*op, by.writer, by.seq, index))
	t.altered = true
	if op.HasMode {
		t.setMode(register{mode: op.Mode, kind: op.Type, by: by})
	}
	if op.Kind == OpAttr {
		return
	}
	f.locate(t, op, by)
	f.made[index] = t.number
	if !f.early[index] {
		t.addHead(head{
			by: by, weak: op.Kind == OpMove, kind: op.Type, content: op.Content,
			size: op.Size, listLen: op.ListLen, mtimeNS: op.MtimeNS, target: op.Target,
		})
	}
}

// locate adds the place that a Put or Move names to the node's candidates.
func (f *folding) locate(t *touched, op *Op, by operation) {
	create := op.Create != CreateNone
	if op.Kind == OpPut && !t.betterBase(by, create) {
		return
	}
	parent := f.named(op.Parent)
	parent.unsaved = parent.unsaved || !parent.parent
	parent.parent = true
	c := candidate{place: place{parent: parent.number, name: op.Name}, by: by}
	if op.Kind == OpMove {
		t.addMove(c)
	} else {
		t.base, t.based, t.created = c, true, create
	}
	t.placed = true
}

// supersede removes a head from whichever node has it. The operation that made
// it may not have come yet; then it will find that it came too late.
func (f *folding) supersede(index uint32, dot zsync.Dot) {
	if dot.Event == (zsync.EventID{}) {
		dot.Event = f.event.event
	}
	var node uint64
	switch {
	case dot.Event != f.event.event:
		node = f.madeBy(dot)
	case dot.Index < index:
		node = f.made[dot.Index]
	default:
		f.early[dot.Index] = true
	}
	if node == 0 {
		return
	}
	if t := f.numbered(node); t.removeHead(dot) {
		t.altered = true
		f.tree.ended = append(f.tree.ended, ended{node, dot, f.event})
	}
}

// madeBy returns the node that got a head from an operation of another event;
// 0 if there is none, or none yet.
func (f *folding) madeBy(dot zsync.Dot) uint64 {
	nodes, cached := f.folded[dot.Event]
	if !cached {
		nodes = f.tx.Get(bucketFolded, dot.Event[:])
		f.folded[dot.Event] = nodes
	}
	if nodes == nil {
		f.tx.Put(bucketGhosts, binary.BigEndian.AppendUint32(bytes.Clone(dot.Event[:]), dot.Index), nil)
	}
	return nodeIn(nodes, dot.Index)
}

func nodeIn(nodes []byte, index uint32) uint64 {
	if at := 8 * int(index); at+8 <= len(nodes) {
		return binary.BigEndian.Uint64(nodes[at:])
	}
	return 0
}

// finish stores the records and says what they changed for others.
func (f *folding) finish() {
	for _, t := range f.order {
		if t.number == rootNode {
			continue
		}
		if t.altered || t.unsaved {
			f.tree.store(f.tx, t.number, t.record)
		}
		f.note(t)
	}
	f.tree.born = f.tree.born[:0]
	nodes := make([]byte, 0, 8*len(f.made))
	for _, node := range f.made {
		nodes = binary.BigEndian.AppendUint64(nodes, node)
	}
	f.tx.Put(bucketFolded, f.event.event[:], nodes)
}

// note marks as dirty what t changed: itself, and those that share its name or
// take theirs from whether it is in use.
func (f *folding) note(t *touched) {
	f.tree.looks.drop(t.number)
	now := t.footing()
	if t.altered || now != t.before {
		f.tree.dirty.mark(t.number)
		f.tree.noteFolds(f.tx, t.before, now)
	}
	if now == t.before {
		return
	}
	f.tree.moved = f.tree.moved || t.before.visible && t.before.dir && now.place != t.before.place
	if t.before.visible {
		f.noteName(t.before.place, t.number)
	}
	if now.visible && (!t.before.visible || now.place != t.before.place) {
		f.noteName(now.place, t.number)
	}
}

func (f *folding) noteName(p place, noted uint64) {
	for _, node := range f.tree.namesakes(f.tx, p) {
		if node != noted {
			f.tree.looks.drop(node)
			f.tree.dirty.mark(node)
		}
	}
}
