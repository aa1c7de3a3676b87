package replica

import (
	"encoding/binary"
	"slices"
	"time"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/internal/kv"
	"github.com/zsync/zsync/store"
)

// plans reports whether there is planning now. There is none before the first full
// scan: what is missing may lie on this disk unseen.
func (r *Replica) plans() bool { return r.cfg.Applies && r.scan.complete && !r.lost }

// planDue is when planOn has something to do again: while all rest, a batch that is
// being filled waits with them.
func (r *Replica) planDue() time.Time {
	if !r.plan.asleep.IsZero() {
		return r.plan.asleep
	}
	due := r.plan.deadline()
	if r.batch.state == batchOpen && len(r.batch.steps) > 0 && r.mayGo(r.now) {
		due = earlier(due, r.batch.opened.Add(batchWait))
	}
	return due
}

// planOn goes on planning, for a bounded number of nodes. While a batch is under way
// its outcome is awaited: only contents are ordered.
func (r *Replica) planOn(tx kv.Tx, now time.Time) {
	p := &r.plan
	if !r.plans() {
		return
	}
	if p.stirred(now); !p.asleep.IsZero() {
		return
	}
	clear(r.batch.paths)
	t := &turn{replica: r, tx: tx, now: now, active: map[uint64]bool{}}
	if r.mayFill(now) {
		t.fillBatch()
	} else {
		t.orderAhead()
	}
	slices.SortStableFunc(r.out.Want, Want.before)
	r.more = r.more || t.looked >= turnNodes
}

// fillBatch plans what a content came for, and then goes on in the order of nodes.
func (t *turn) fillBatch() {
	r := t.replica
	p := &r.plan
	if !r.underWay.any() && len(r.batch.steps) == 0 {
		p.alone = time.Time{} // it is planned first
	}
	t.planLive(t.plan, r.batch.full)
	for t.looked < turnNodes && len(p.ready) > 0 && !r.batch.full() {
		node := p.ready[0]
		p.ready = p.ready[1:]
		if t.urgent = r.contents.urgentFor(node); node != pastNode {
			t.plan(node)
		}
	}
	t.urgent = false
	full := func() bool { return r.batch.full() || r.contents.full() }
	for t.looked < turnNodes && p.cursor != cursorEnd && !full() {
		p.cursor = t.walk(p.cursor, t.plan, full)
	}
	if p.cursor == cursorEnd {
		r.sweep()
	}
	r.sealWhenDue(t)
}

// orderAhead has the contents for the next batches come while one is carried out.
// What else is to be done for a node is left for then.
func (t *turn) orderAhead() {
	r := t.replica
	p := &r.plan
	t.planLive(t.order, func() bool { return len(p.ready) >= WantsMax })
	full := func() bool { return len(p.ready) >= WantsMax || r.contents.full() }
	for t.looked < turnNodes && p.cursor != cursorEnd && !full() {
		p.cursor = t.walk(p.cursor, t.order, full)
	}
}

// walk takes some nodes from the cursor on and returns the new cursor.
func (t *turn) walk(from uint64, take func(node uint64), full func() bool) uint64 {
	r := t.replica
	var nodes []uint64
	most := min(turnNodes-t.looked, WantsMax-r.contents.outstanding)
	t.tx.Scan(bucketTodo, nodeKey(from), func(key, _ []byte) bool {
		nodes = append(nodes, binary.BigEndian.Uint64(key))
		return len(nodes) < most
	})
	r.plan.cursor = cursorEnd // so that lower shows below
	for _, node := range nodes {
		if full() {
			return min(node, r.plan.cursor)
		}
		take(node)
	}
	if len(nodes) < most {
		return r.plan.cursor
	}
	return min(nodes[most-1]+1, r.plan.cursor)
}

// sweep gives up the staging files that no node wants, once all were asked.
func (r *Replica) sweep() {
	if r.plan.swept {
		return
	}
	r.plan.swept = true
	r.contents.giveUp(r)
}

// turn is one spell of planning.
type turn struct {
	replica *Replica
	tx      kv.Tx
	now     time.Time
	active  map[uint64]bool // being planned: what asks for them again is a cycle
	looked  int
	urgent  bool // what is planned was heard of just now
}

// plan brings one node closer to what L wants: its changes go to the batch, what
// it lacks is ordered. It may plan other nodes that are in its way first.
func (t *turn) plan(node uint64) {
	r := t.replica
	if t.active[node] || r.underWay.touches(node) || r.batch.planned[node] || r.plan.resting(node) || len(t.active) > zsync.PathDepthMax {
		return
	}
	t.active[node] = true
	defer delete(t.active, node)
	pairs, rest, due := t.due(node)
	switch {
	case !due:
	case !t.contentsReady(node, pairs):
		t.prepare(node, pairs)
	case t.carryOut(node, pairs, rest):
		r.batch.planned[node] = true
	case r.underWay.any():
		r.plan.await(node)
	default:
		r.plan.block(node)
	}
}

// order orders what a node lacks. What has more to be done for it than to wait for
// that is planned later.
func (t *turn) order(node uint64) {
	r := t.replica
	if r.underWay.touches(node) || r.batch.planned[node] || r.plan.resting(node) {
		return
	}
	has := func(p pair) bool { return p.from != nil }
	if pairs, _, due := t.due(node); due && (t.contentsReady(node, pairs) || slices.ContainsFunc(pairs, has)) {
		if t.urgent {
			r.plan.ready = slices.Insert(r.plan.ready, 0, node)
			return
		}
		r.plan.ready = append(r.plan.ready, node)
	}
}

// due compares a node with what L wants, and reports whether there is something to
// do for it that nothing forbids.
func (t *turn) due(node uint64) (pairs []pair, rest []*onDisk, due bool) {
	r := t.replica
	t.looked++
	s := r.tree.look(t.tx, node)
	pairs, rest = matched(r.tree.project(t.tx, node, s), t.node(node))
	switch {
	case settled(pairs, rest):
		if !r.batch.touches(node) {
			r.settle(t.tx, node)
			clear(r.batch.paths)
		}
	case r.hide(t.tx, node, s):
		r.settle(t.tx, node)
	case r.heldBack(t.tx, node) || t.busy(pairs, rest):
		r.plan.block(node)
	default:
		r.noteDamage(t.tx, pairs) // after a start, too
		return pairs, rest, true
	}
	return nil, nil, false
}

// busy reports whether the scan is looking at any of these places, or has found
// something there that is not logged yet.
func (t *turn) busy(pairs []pair, rest []*onDisk) bool {
	for _, p := range pairs {
		if t.busyAt(p.place) || p.from != nil && t.mayDiffer(p.from) || t.rivalMayDiffer(p.target) {
			return true
		}
	}
	return slices.ContainsFunc(rest, t.mayDiffer)
}

// mayDiffer reports whether d may be another than D says. A young file may have
// changed since it was hashed and look the same: it is hashed again first.
func (t *turn) mayDiffer(d *onDisk) bool {
	if !d.young {
		return t.busyAt(d.place)
	}
	if path, found := t.path(d.place); found {
		t.replica.scan.hintAt(t.now, t.now.Add(youngAfter), path.Dir())
	}
	return true
}

func (t *turn) busyAt(p place) bool {
	path, found := t.path(p)
	return found && t.replica.busy(path)
}

// busy: see [turn.busy]. What is found of a directory goes for all below it.
func (r *Replica) busy(path zsync.Path) bool {
	for ; path != ""; path = path.Dir() {
		if r.findings.at[path] != nil || r.scan.tasks[path] != nil {
			return true
		}
		if _, held := r.scan.held[path]; held {
			return true
		}
	}
	return false
}

// contentsReady reports whether everything that the node lacks is staged, and
// orders what is not.
func (t *turn) contentsReady(node uint64, pairs []pair) bool {
	var room [2]*version
	lacks := room[:0]
	for _, p := range pairs {
		if p.kind == zsync.TypeFile && !p.sameContent(p.from) && p.version.content != zsync.EmptyContent {
			lacks = append(lacks, p.version)
		}
	}
	return t.replica.contents.claim(t.replica, t.tx, node, lacks, t.urgent)
}

// prepare does what need not wait for a content on its way: what the node has
// goes to its new name, and a directory is made, so that others can go into it.
func (t *turn) prepare(node uint64, pairs []pair) {
	for _, p := range pairs {
		done := true
		switch {
		case p.from == nil && p.kind == zsync.TypeDir && t.get(p.key) == nil:
			done = t.fill(p)
		case p.from != nil && p.from.key == p.key && p.from.place != p.place:
			done = t.moveTo(p.key, p.target)
		}
		if !done {
			t.replica.plan.block(node)
		}
	}
}

// carryOut adds all changes for a node whose contents are at hand. It is false
// when something stood in the way.
func (t *turn) carryOut(node uint64, pairs []pair, rest []*onDisk) bool {
	whole := true
	for _, d := range rest {
		whole = t.remove(d) && whole
	}
	// What leaves the role of the main version goes before what takes it.
	for _, main := range []bool{false, true} {
		for _, p := range pairs {
			moves := p.from != nil && (p.from.place != p.place || p.from.key != p.key)
			if moves && p.key.isCopy() != main {
				whole = t.moveTo(p.from.key, p.target) && whole
			}
		}
	}
	for _, p := range pairs {
		whole = t.fill(p) && whole
	}
	return whole
}

// fill makes, replaces or touches up what is at its place by now.
func (t *turn) fill(p pair) bool {
	d := t.get(p.key)
	switch {
	case d == nil:
		if !t.dirReady(p.place.parent) || !t.vacate(p.place, p.key) {
			return false
		}
	case d.place != p.place || (d.kind == zsync.TypeDir) != (p.kind == zsync.TypeDir):
		return false // it could not be moved or removed yet
	case p.sameContent(d) && p.sameAttributes(d):
		return true
	}
	path, found := t.path(p.place)
	if !found {
		return false
	}
	change := p.change(d)
	change.Path = path
	return t.add(change, d, p.onDisk())
}

// change makes t of what is at its place, which may be nothing.
func (t *target) change(d *onDisk) store.Change {
	c := store.Change{Mode: t.mode}
	if d != nil {
		old := d.stat
		c.Old = &old
	}
	if v := t.version; v != nil {
		c.MtimeNS = v.mtimeNS
	} else {
		c.Mode |= dirModeLeast
	}
	switch {
	case t.sameContent(d):
		c.Op = store.OpAttr
	case t.kind == zsync.TypeDir:
		c.Op = store.OpMkdir
	case t.kind == zsync.TypeSymlink:
		c.Op, c.Target = store.OpSymlink, t.version.target
	default:
		c.Op, c.Content, c.Size = store.OpPlace, t.version.content, t.version.size
	}
	return c
}

// onDisk is what D will say of a target, but for its Stat.
func (t *target) onDisk() *onDisk {
	d := &onDisk{key: t.key, place: t.place, stands: t.stands, kind: t.kind, mode: t.mode, dots: t.dots}
	if v := t.version; v != nil {
		d.mtimeNS, d.content, d.listLen, d.target = v.mtimeNS, v.content, v.listLen, v.target
	}
	return d
}
