package replica

import (
	"fmt"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/store"
)

// remove takes away what L does not want. A directory goes when it is empty,
// which the end of the batch may find.
func (t *turn) remove(d *onDisk) bool {
	if d.kept {
		return true
	}
	if d.kind == zsync.TypeDir {
		return t.removeDir(d)
	}
	path, found := t.path(d.place)
	if !found {
		return false
	}
	old := d.stat
	if !t.add(store.Change{Op: store.OpRemove, Path: path, Old: &old}, d, nil) {
		return false
	}
	t.replica.batch.emptied(d.place.parent)
	return true
}

func (t *turn) removeDir(d *onDisk) bool {
	path, found := t.path(d.place)
	if !found {
		return false
	}
	if t.occupied(d.key.node) {
		t.keep(d)
		return false
	}
	old := d.stat
	if !t.add(store.Change{Op: store.OpRmdir, Path: path, Old: &old}, d, nil) {
		return false
	}
	t.replica.batch.emptied(d.place.parent)
	return true
}

// keep leaves a directory that is not wanted where all that it holds is left alone.
func (t *turn) keep(d *onDisk) {
	r := t.replica
	if r.batch.inDir[d.key.node] > 0 || !r.holdsLeftAlone(t.tx, d.key.node) {
		return
	}
	d = d.clone()
	d.kept = true
	r.disk.put(t.tx, d)
	r.tree.dirty.mark(d.key.node)
}

// dirReady reports whether a directory is on this disk, or will be when the
// changes before are done, wherever that is.
func (t *turn) dirReady(node uint64) bool {
	if t.isDir(node) {
		return true
	}
	t.plan(node)
	return t.isDir(node)
}

func (t *turn) isDir(node uint64) bool {
	if node == rootNode {
		return true
	}
	d := t.get(mainKey(node))
	return d != nil && d.kind == zsync.TypeDir
}

// moveTo gives what the disk has under from another place, and another key where
// its version has another role now.
func (t *turn) moveTo(from diskKey, target *target) bool {
	d, key, to := t.get(from), target.key, target.place
	if d == nil || from != key && t.get(key) != nil {
		return false
	}
	if d.place != to {
		inside := d.kind == zsync.TypeDir && !t.outside(d.key.node, to.parent)
		if inside || !t.dirReady(to.parent) || !t.vacate(to, d.key) {
			return false
		}
		d = t.get(from) // it may have been parked on the way
	}
	after := d.clone()
	after.key, after.place, after.stands, after.kept = key, to, target.stands, false
	return t.rename(d, after)
}

func (t *turn) rename(d, after *onDisk) bool {
	from, found := t.path(d.place)
	to, toFound := t.path(after.place)
	if !found || !toFound {
		return false
	}
	old := d.stat
	change := store.Change{Op: store.OpRename, From: from, Path: to, Old: &old}
	if from == to { // only its role is another
		change.Op, change.From, change.Mode, change.MtimeNS = store.OpAttr, "", d.stat.Mode, d.stat.MtimeNS
	}
	return t.add(change, d, after)
}

// outside makes sure that directory node is not above dir on this disk, so that
// it can be moved there. Since L has no cycle, something between the two is to
// be moved away.
func (t *turn) outside(node, dir uint64) bool {
	for range zsync.PathDepthMax {
		if dir == rootNode {
			return true
		}
		if dir == node {
			return false
		}
		d := t.get(mainKey(dir))
		if d == nil {
			return false
		}
		if t.under(d.place.parent, node) {
			t.plan(dir)
			if d = t.get(mainKey(dir)); d == nil {
				return false
			}
		}
		dir = d.place.parent
	}
	return false
}

// under reports whether dir is node, or below it on this disk.
func (t *turn) under(dir, node uint64) bool {
	for range zsync.PathDepthMax {
		if dir == node {
			return true
		}
		d := t.get(mainKey(dir))
		if dir == rootNode || d == nil {
			return false
		}
		dir = d.place.parent
	}
	return true
}

// vacate makes a place free for key: whatever is there goes to its own new place
// first, or where that waits for this one in turn, out of the way.
func (t *turn) vacate(p place, key diskKey) bool {
	in := t.inTheWay(p, key)
	if in == nil {
		return true
	}
	if in.key.node != key.node && t.replica.leave(t.tx, in.key.node) {
		t.replica.dropTree(t.tx, in) // it stays, and a scan takes it for the user's own
		return t.inTheWay(p, key) == nil
	}
	if in.key.node != key.node {
		t.plan(in.key.node)
		if in = t.inTheWay(p, key); in == nil {
			return true
		}
		if t.tx.Get(bucketTodo, nodeKey(in.key.node)) == nil {
			t.replica.tree.dirty.mark(in.key.node)
			return false
		}
	}
	if t.replica.heldBack(t.tx, in.key.node) {
		return false
	}
	return t.park(in)
}

// park moves what is in the way to a name of its own at the root, until its
// place is free: later in this batch, unless that fails. It is an ordinary place
// to D, so a crash or a scan meanwhile changes nothing.
func (t *turn) park(d *onDisk) bool {
	to := place{rootNode, parkedName(d)}
	if d.place == to || t.at(to) != nil || t.mayDiffer(d) || t.replica.plan.resting(d.key.node) {
		return false
	}
	after := d.clone()
	after.place = to
	if !t.rename(d, after) {
		return false
	}
	t.replica.batch.park(d.key.node)
	return true
}

const parkedPrefix = ".zsync-parked-"

// parkedName is unlike any other: a node and a dot have one name only.
func parkedName(d *onDisk) zsync.Name {
	name := fmt.Sprintf(parkedPrefix+"%016x", d.key.node)
	if d.key.isCopy() {
		name += fmt.Sprintf("-%x-%d", d.key.copy.Event[:8], d.key.copy.Index)
	}
	return zsync.Name(name)
}
