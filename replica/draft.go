package replica

import (
	"slices"
	"time"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/internal/kv"
)

// draft is one operation of a body, and what D says once it is logged.
type draft struct {
	op      Op
	id      zsync.NodeID // of the node that op creates, where its path tells; else zero
	after   *onDisk      // with the node and its directory still to be named, where they are new
	carry   []zsync.Dot  // versions that after has besides this operation's …
	noDot   bool         // … which makes none
	drops   *onDisk      // what D has no more
	finding *finding     // what is done with, with this operation
}

// drafting is one body being written.
type drafting struct {
	replica *Replica
	tx      kv.Tx
	writer  zsync.WriterID
	seq     uint64
	drafts  []draft
	bytes   int
	dirs    map[zsync.Path]dirRef
	used    map[zsync.NodeID]bool // created in this body
	removed map[diskKey]bool      // deleted in this body
	moved   map[diskKey]bool      // given another place in this body
	full    bool
}

// dirRef is a directory that a file is put in: of D, or made in this body.
type dirRef struct {
	node uint64 // 0: not yet numbered
	id   zsync.NodeID
}

// coalesce is how long a finding may wait for others to share its event, while
// more is being looked at.
const coalesce = 200 * time.Millisecond

// Body returns the operations waiting to be logged, as the body of the event
// that the given writer logs next at seq; nil when there are none that need be
// logged now, or this device may not author. It is asked for after each fact,
// and again until it is nil.
func (r *Replica) Body(tx kv.Tx, writer zsync.WriterID, seq uint64) []byte {
	r.drafts = nil
	if !r.mayAuthor() {
		return nil
	}
	r.judgeOwn(tx)
	live := r.logsLive()
	if !live && !r.worthLogging() {
		return nil
	}
	d := newDrafting(r, tx, writer, seq)
	d.drafts = make([]draft, 0, min(len(r.findings.at), BodyOpsMax))
	queued := len(r.scan.queue)
	if live {
		d.addLive()
	} else {
		d.addAll()
	}
	r.more = r.more || len(r.tree.dirty.fresh) > 0 || len(r.scan.queue) > queued
	r.disk.save(tx)
	return d.body()
}

func (d *drafting) addAll() {
	for kind := range foundKinds {
		if d.full || kind == foundGone && len(d.drafts) > 0 {
			return // what is gone is judged by the D that the rest leaves
		}
		d.replica.findings.each(kind, d.add)
	}
}

func newDrafting(r *Replica, tx kv.Tx, writer zsync.WriterID, seq uint64) *drafting {
	return &drafting{
		replica: r, tx: tx, writer: writer, seq: seq, bytes: bodyHeadBytesMax,
		dirs: map[zsync.Path]dirRef{}, used: make(map[zsync.NodeID]bool, min(len(r.findings.at), BodyOpsMax)), removed: map[diskKey]bool{}, moved: map[diskKey]bool{},
	}
}

// body ends the drafting: what is drafted waits to be logged. It is nil where nothing
// is.
func (d *drafting) body() []byte {
	if len(d.drafts) == 0 {
		return nil
	}
	d.replica.drafts = d.drafts
	ops := make(Body, len(d.drafts))
	for i := range d.drafts {
		ops[i] = d.drafts[i].op
	}
	return EncodeBody(ops)
}

// worthLogging reports whether the findings fill a body, have waited for long,
// or are all that is to be expected.
func (r *Replica) worthLogging() bool {
	s, n := &r.scan, r.findings.open()
	switch {
	case n == 0:
		return false
	case n >= BodyOpsMax || !r.now.Before(r.findings.since.Add(coalesce)):
		return true
	case len(s.queue) > 0 || len(s.listing) > 0:
		return false
	}
	return len(s.tasks) == 0 || r.findings.waiting(foundMove) > 0 // which the round waits for
}

// add drafts the operations of one finding. It is false when the body is full.
func (d *drafting) add(f *finding) bool {
	if f.leaves && d.replica.findings.held {
		return true
	}
	if !d.vacated(f) && d.replica.adopt(d.tx, f) {
		d.replica.findings.remove(f)
		return true
	}
	if f.kind == foundGone {
		return d.addGone(f)
	}
	drafts := d.drafted(f)
	if len(drafts) == 0 {
		d.replica.findings.remove(f)
		d.replica.scan.enqueue(f.path.Dir()) // which finds how it is now
		return true
	}
	drafts[len(drafts)-1].finding = f
	return d.append(drafts...)
}

// vacated reports whether a file or symlink was found where D has what this body moves
// away: it is another one, though D knows of the move only once it is logged.
func (d *drafting) vacated(f *finding) bool {
	if f.kind != foundFile || len(d.moved) == 0 {
		return false
	}
	dir, known := d.dir(f.path.Dir())
	if !known || dir.node == 0 {
		return false
	}
	old := d.replica.disk.at(d.tx, place{dir.node, f.path.Base()})
	return old != nil && d.moved[old.key]
}

// append adds drafts that belong together, unless the body has no room for all.
func (d *drafting) append(drafts ...draft) bool {
	bytes := 0
	for i := range drafts {
		bytes += drafts[i].op.bytesMax()
	}
	if len(d.drafts)+len(drafts) > BodyOpsMax || d.bytes+bytes > BodyBytesMax {
		d.full = true
		return false
	}
	d.bytes += bytes
	for _, one := range drafts {
		if one.op.Create != CreateNone {
			d.used[d.replica.created(&one, d.writer, d.seq, uint32(len(d.drafts)))] = true
		}
		d.drafts = append(d.drafts, one)
	}
	return true
}

// drafted says a finding in operations; none, when it is out of date.
func (d *drafting) drafted(f *finding) []draft {
	dir, known := d.dir(f.path.Dir())
	if !known {
		return nil
	}
	switch f.kind {
	case foundMode:
		return d.mode(f)
	case foundMove:
		return d.move(f, dir)
	default:
		return d.put(f, dir)
	}
}

// dir returns the directory at path, on disk or in this body.
func (d *drafting) dir(path zsync.Path) (dirRef, bool) {
	if path == "" {
		return dirRef{node: rootNode}, true
	}
	if ref, known := d.dirs[path]; known {
		return ref, true
	}
	node, inD := d.replica.disk.dirNode(d.tx, path)
	if !inD {
		return dirRef{}, false
	}
	ref := dirRef{node: node, id: d.replica.tree.nodeID(d.tx, node)}
	d.dirs[path] = ref
	return ref, true
}

// put says that a file, symlink or directory was made or changed.
func (d *drafting) put(f *finding, dir dirRef) []draft {
	at := place{dir.node, f.path.Base()}
	if dir.node != 0 {
		if old := d.replica.disk.at(d.tx, at); old != nil && !d.moved[old.key] {
			return d.edit(f, dir, old)
		}
		if node, shown := d.replica.tree.at(d.tx, dir.node, at.name); shown && d.replica.disk.get(d.tx, mainKey(node)) == nil {
			op := f.put(dir.id, at.name)
			op.Node = d.replica.tree.nodeID(d.tx, node)
			return []draft{{op: op, after: f.onDisk(mainKey(node), at)}}
		}
	}
	return []draft{d.create(f, dir)}
}

// create makes a node.
func (d *drafting) create(f *finding, dir dirRef) draft {
	name := f.path.Base()
	op := f.put(dir.id, name)
	op.Create = CreateDerived
	id := d.replica.tree.opNode(op, d.writer, d.seq, 0)
	if d.used[id] || d.taken(id, dir, name) {
		op.Create, id = CreateFresh, zsync.NodeID{}
	} else if f.kind == foundDir {
		// Things may be known to be in it, since before it was deleted.
		node, _ := d.replica.tree.nodeOf(d.tx, id)
		d.dirs[f.path] = dirRef{node: node, id: id}
	}
	if op.Create == CreateFresh && f.kind == foundDir {
		d.dirs[f.path] = dirRef{id: d.replica.tree.opNode(op, d.writer, d.seq, uint32(len(d.drafts)))}
	}
	return draft{op: op, id: id, after: f.onDisk(diskKey{}, place{dir.node, name})}
}

// created returns the id of the node that the index-th operation of an event is about.
func (r *Replica) created(dr *draft, writer zsync.WriterID, seq uint64, index uint32) zsync.NodeID {
	if dr.id.IsZero() {
		return r.tree.opNode(dr.op, writer, seq, index)
	}
	return dr.id
}

// taken reports whether the derived id of a new node is in use, or was moved.
func (d *drafting) taken(id zsync.NodeID, dir dirRef, name zsync.Name) bool {
	node, numbered := d.replica.tree.nodeOf(d.tx, id)
	if !numbered {
		return false
	}
	if dir.node != 0 {
		if _, state := d.replica.tree.derived(d.tx, dir.node, name); state == derivedAlive || state == derivedDeadMoved {
			return true
		}
	}
	return d.replica.disk.get(d.tx, mainKey(node)) != nil
}

// edit says that what D has was changed. A changed conflict copy becomes a file
// of its own.
func (d *drafting) edit(f *finding, dir dirRef, old *onDisk) []draft {
	if f.kind == foundDir || old.kind == zsync.TypeDir {
		return nil
	}
	if old.key.isCopy() {
		return d.promote(f, dir, old)
	}
	op := f.put(dir.id, old.logged())
	op.Node = d.replica.tree.nodeID(d.tx, old.key.node)
	if op.HasMode = f.stat.Mode != old.stat.Mode; !op.HasMode {
		op.Mode = 0
	}
	after := f.onDisk(old.key, old.place)
	after.stands = old.stands
	if !op.HasMode {
		after.mode = old.mode
	}
	op.Supersedes = old.dots[:min(len(old.dots), SupersedesMax)]
	return append([]draft{{op: op, after: after}}, d.dels(old.key.node, old.dots[len(op.Supersedes):])...)
}

// promote makes a conflict copy, changed or moved by the user, an ordinary file.
func (d *drafting) promote(f *finding, dir dirRef, old *onDisk) []draft {
	op := f.put(dir.id, old.named(f))
	op.Create = CreateFresh
	made := draft{op: op, after: f.onDisk(diskKey{}, place{dir.node, f.path.Base()}), drops: old}
	made.after.stands = old.standsAt(f)
	return append([]draft{made}, d.dels(old.key.node, old.dots)...)
}

// dels removes versions, as many an operation as it may.
func (d *drafting) dels(node uint64, dots []zsync.Dot) (drafts []draft) {
	id := d.replica.tree.nodeID(d.tx, node)
	for some := range slices.Chunk(dots, SupersedesMax) {
		drafts = append(drafts, draft{op: Op{Kind: OpDel, Node: id, Supersedes: some}})
	}
	return drafts
}

func (d *drafting) mode(f *finding) []draft {
	old := d.replica.disk.get(d.tx, f.key)
	if old == nil {
		return nil
	}
	after := old.clone()
	after.stat, after.mode = f.stat, f.stat.Mode
	op := Op{Kind: OpAttr, Node: d.replica.tree.nodeID(d.tx, f.key.node), HasMode: true, Mode: f.stat.Mode}
	return []draft{{op: op, after: after, carry: old.dots, noDot: true}}
}

// move says that what D has is elsewhere now, and what it holds there if that is
// new.
func (d *drafting) move(f *finding, dir dirRef) []draft {
	old := d.replica.moved(d.tx, f)
	if old == nil {
		return nil
	}
	if old.key.isCopy() {
		return d.promote(f, dir, old)
	}
	to := place{dir.node, f.path.Base()}
	if in := d.replica.disk.at(d.tx, to); in != nil && (in.key != old.key || !d.replica.isAstray(d.tx, f)) {
		return nil
	}
	op := Op{
		Kind: OpMove, Node: d.replica.tree.nodeID(d.tx, old.key.node), Parent: dir.id, Name: old.named(f),
		Type: old.kind, Content: old.content, Size: old.size(), ListLen: old.listLen, MtimeNS: old.mtimeNS, Target: old.target,
		Supersedes: d.weak(old),
	}
	if v := d.replica.meant(d.tx, old); v != nil { // the damage of this disk is nobody's version
		op.Content, op.Size, op.ListLen = v.content, v.size, v.listLen
	}
	d.moved[old.key] = true
	after := old.clone()
	after.place, after.stands = to, old.standsAt(f)
	after.see(f)
	carry := slices.DeleteFunc(slices.Clone(old.dots), func(dot zsync.Dot) bool { return slices.Contains(op.Supersedes, dot) })
	drafts := []draft{{op: op, after: after, carry: carry}}
	if !f.edited {
		return drafts
	}
	// What was there when it was moved is on this disk no more, so the move alone must
	// not bring it back: there may be nobody who has it.
	after.dots = addDot(after.dots, zsync.Dot{Index: uint32(len(d.drafts))})
	return append(drafts, d.edit(f, dir, after)...)
}

// weak returns the versions of d that only say that it was moved before.
func (d *drafting) weak(old *onDisk) (dots []zsync.Dot) {
	for _, h := range d.replica.tree.load(d.tx, old.key.node).heads {
		if dot := h.by.dot(); h.weak && slices.Contains(old.dots, dot) && len(dots) < SupersedesMax {
			dots = append(dots, dot)
		}
	}
	slices.SortFunc(dots, zsync.Dot.Compare)
	return dots
}

// put is the operation that writes what was found, as a new file would be.
func (f *finding) put(parent zsync.NodeID, name zsync.Name) Op {
	op := Op{
		Kind: OpPut, Parent: parent, Name: name, Type: f.stat.Type,
		Content: f.content, ListLen: f.listLen, MtimeNS: f.stat.MtimeNS, Target: f.target,
	}
	switch f.stat.Type {
	case zsync.TypeFile:
		op.Size = f.stat.Size
	case zsync.TypeDir:
		op.MtimeNS = 0
	}
	if f.stat.Type != zsync.TypeSymlink {
		op.HasMode, op.Mode = true, f.stat.Mode&modeMask
	}
	return op
}

func (f *finding) onDisk(key diskKey, at place) *onDisk {
	d := &onDisk{key: key, place: at}
	d.take(f)
	return d
}
