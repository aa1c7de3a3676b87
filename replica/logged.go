package replica

import (
	"github.com/zsync/zsync"
	"github.com/zsync/zsync/eventlog"
	"github.com/zsync/zsync/internal/kv"
)

// Logged says that the last Body became ev, which has been folded, in the same
// transaction: D takes over the versions that it made.
func (r *Replica) Logged(tx kv.Tx, ev eventlog.Event) {
	drafts := r.drafts
	r.drafts = nil
	if ev.Void {
		r.SetAuthor(false, false) // what this device says counts for nothing
		return
	}
	r.notePassing(tx, ev)
	nodes := make([]uint64, 0, len(drafts))
	for i := range drafts {
		nodes = r.logged(tx, ev, drafts, i, nodes)
	}
	r.tree.dirty.unmarkAll(tx, nodes)
	var last uint64
	for _, node := range nodes {
		if node != last {
			r.settle(tx, node)
		}
		last = node
	}
	r.plan.wake()
	r.disk.save(tx)
	r.more = true
}

// logged takes over one operation and returns nodes with those that it concerned.
func (r *Replica) logged(tx kv.Tx, ev eventlog.Event, drafts []draft, i int, nodes []uint64) []uint64 {
	dr := &drafts[i]
	if dr.drops != nil {
		r.forget(tx, dr.drops)
		nodes = append(nodes, dr.drops.key.node)
	}
	if after := dr.after; after != nil {
		r.name(tx, ev, dr, uint32(i))
		after.dots = loggedDots(ev.ID, dr, i)
		r.followMove(tx, dr)
		r.disk.put(tx, after)
		dropCached(tx, dr.finding)
		nodes = append(nodes, after.key.node)
	}
	if f := dr.finding; f != nil {
		r.findings.remove(f)
		r.loggedFinding(f)
		if dr.after != nil {
			r.foundMode(tx, dr.after, f)
		}
	}
	return nodes
}

// followMove lets hints find a directory that a person renamed.
func (r *Replica) followMove(tx kv.Tx, dr *draft) {
	if dr.finding == nil || dr.finding.kind != foundMove || dr.after.kind != zsync.TypeDir {
		return
	}
	if old := r.disk.get(tx, dr.after.key); old != nil {
		if from, found := r.disk.path(tx, old.place); found {
			r.scan.rename(r.now, from, dr.finding.path)
		}
	}
}

// name fills in the numbers that a new node and its directory got.
func (r *Replica) name(tx kv.Tx, ev eventlog.Event, dr *draft, index uint32) {
	after := dr.after
	if after.key.node == 0 {
		after.key.node = r.numberOf(tx, r.created(dr, ev.Header.Writer, ev.Header.Seq, index))
	}
	if after.place.parent == 0 {
		after.place.parent = r.numberOf(tx, dr.op.Parent)
	}
}

func (r *Replica) numberOf(tx kv.Tx, id zsync.NodeID) uint64 {
	node, found := r.tree.nodeOf(tx, id)
	if !found {
		panic("replica: a logged operation was not folded")
	}
	return node
}

func loggedDots(event zsync.EventID, dr *draft, i int) []zsync.Dot {
	if dr.noDot {
		return dr.carry
	}
	return addDot(dr.carry, zsync.Dot{Event: event, Index: uint32(i)})
}

// loggedFinding goes on where a finding had to be logged first.
func (r *Replica) loggedFinding(f *finding) {
	if f.young { // the hint that came with its hash may have met it waiting
		r.scan.hintAt(r.now, r.now.Add(youngAfter), f.path.Dir())
	}
	switch f.kind {
	case foundMove:
		r.scan.foundAgain(f.key)
		if f.back {
			r.scan.enqueue(f.path.Dir()) // its conflict copies were left alone
		}
		if f.stat.Type == zsync.TypeDir {
			r.scan.enqueue(f.path)
		}
	case foundGone:
		r.goneNow(f)
	}
}

// SetAuthor says whether this device may write to the log now, and else whether it
// may soon: a member waits until a peer has shown what it has of the log. What is
// found while it waits is logged then; what was set aside meanwhile, or before, is
// found again by a scan, without hashing.
func (r *Replica) SetAuthor(may, soon bool) {
	if !may && !soon && (r.author || r.soon) {
		r.aside = true
		r.findings = newFindings()
		r.drafts = nil
	}
	if may && !r.author && r.aside {
		r.aside = false
		r.scan.nextFull = r.now
	}
	r.author, r.soon = may, soon && !may
}
