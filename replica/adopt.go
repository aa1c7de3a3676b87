package replica

import (
	"slices"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/internal/kv"
)

// adopt reports whether a difference between disk and D is none between disk and
// L: a touch, or a change that was made here and elsewhere alike, or that came by
// the log before it was found here. D takes it over; there is nothing to log.
func (r *Replica) adopt(tx kv.Tx, f *finding) bool {
	switch f.kind {
	case foundDir, foundFile:
		return r.adoptAt(tx, f)
	case foundMove:
		return r.adoptMove(tx, f)
	case foundMode:
		return r.adoptMode(tx, f)
	default:
		return r.adoptGone(tx, f)
	}
}

func (r *Replica) adoptAt(tx kv.Tx, f *finding) bool {
	parent, known := r.disk.dirNode(tx, f.path.Dir())
	if !known {
		return false
	}
	at := place{parent, f.path.Base()}
	if d := r.disk.at(tx, at); d != nil {
		return r.adoptKnown(tx, d, f)
	}
	if node, visible := r.tree.at(tx, parent, at.name); visible {
		return r.adoptMain(tx, node, at, f)
	}
	if node, _, visible := r.tree.copyAt(tx, parent, at.name); visible {
		return r.adoptCopy(tx, node, at, f)
	}
	return r.adoptProjected(tx, at, f)
}

// adoptKnown: D has the file. Equal content is a touch; a content that L shows
// of the same node is a change that both sides made, unless what was changed here
// is alive in L: then it has to be superseded.
func (r *Replica) adoptKnown(tx kv.Tx, d *onDisk, f *finding) bool {
	if f.kind == foundDir || d.kind == zsync.TypeDir {
		return f.kind == foundDir && d.kind == zsync.TypeDir
	}
	if f.stat.Type == d.kind && f.content == d.content {
		waited := d.young && !f.young
		d = d.clone()
		d.see(f)
		r.disk.put(tx, d)
		r.foundMode(tx, d, f)
		if waited {
			r.plan.wake() // see turn.mayDiffer
		}
		return true
	}
	s := r.tree.look(tx, d.key.node)
	v := s.find(f)
	if v == nil || s.outlives(d.dots, v) {
		return false
	}
	become := d.clone()
	become.take(f)
	become.dots = v.dots
	r.disk.put(tx, become)
	r.settle(tx, d.key.node)
	return true
}

// outlives reports whether one of the dots names a live version of the node other
// than v: a person who put v's bytes over that version has ended it, and the log
// must hear of it.
func (s *shown) outlives(dots []zsync.Dot, v *version) bool {
	live := slices.Concat(s.main.dots, s.dirDots)
	for i := range s.copies {
		live = append(live, s.copies[i].version.dots...)
	}
	return slices.ContainsFunc(dots, func(dot zsync.Dot) bool {
		return slices.Contains(live, dot) && !slices.Contains(v.dots, dot)
	})
}

// see takes over how d looks now, but for the mode: a chmod that came with
// something else is logged on its own.
func (d *onDisk) see(f *finding) {
	mode := d.stat.Mode
	d.stat, d.young = f.stat, f.young
	d.stat.Mode = mode
}

// foundMode finds the chmod that see left out.
func (r *Replica) foundMode(tx kv.Tx, d *onDisk, f *finding) {
	if d.stat.Mode != f.stat.Mode && d.kind != zsync.TypeSymlink {
		r.found(tx, &finding{kind: foundMode, path: f.path, key: d.key, stat: f.stat})
	}
}

// adoptMain: L shows a node under this very name that this disk did not have.
func (r *Replica) adoptMain(tx kv.Tx, node uint64, at place, f *finding) bool {
	if r.disk.get(tx, mainKey(node)) != nil {
		return false // it is elsewhere on this disk: a rename that is not applied yet
	}
	s := r.tree.look(tx, node)
	d := &onDisk{key: mainKey(node), place: at}
	d.take(f)
	switch {
	case f.kind == foundDir && s.dir:
		d.dots = s.dirDots
	case f.kind == foundDir:
		return false
	default:
		v := s.find(f)
		if v == nil {
			return false
		}
		d.dots = v.dots
	}
	r.disk.put(tx, d)
	r.settle(tx, node)
	return true
}

// adoptCopy: L shows a conflict copy under this very name.
func (r *Replica) adoptCopy(tx kv.Tx, node uint64, at place, f *finding) bool {
	s := r.tree.look(tx, node)
	for i := range s.copies {
		c := &s.copies[i]
		key := diskKey{node: node, copy: c.version.dots[0]}
		if c.name != at.name || !c.version.is(f) || r.disk.get(tx, key) != nil {
			continue
		}
		d := &onDisk{key: key, place: at}
		d.take(f)
		d.dots = c.version.dots
		r.disk.put(tx, d)
		r.settle(tx, node)
		return true
	}
	return false
}

// adoptMove: L has the node where it was moved to already.
func (r *Replica) adoptMove(tx kv.Tx, f *finding) bool {
	d := r.moved(tx, f)
	parent, known := r.disk.dirNode(tx, f.path.Dir())
	if d == nil || !known || f.edited || f.key.isCopy() {
		return false
	}
	to := place{parent, f.path.Base()}
	s := r.tree.look(tx, f.key.node)
	if !s.visible || s.place != (place{parent, d.named(f)}) || r.disk.at(tx, to) != nil {
		return false
	}
	r.moveOnDisk(tx, d, to, f)
	r.settle(tx, f.key.node)
	return true
}

// moveOnDisk gives what D has another place, and has a directory walked there.
func (r *Replica) moveOnDisk(tx kv.Tx, d *onDisk, to place, f *finding) {
	d = d.clone()
	d.place, d.stands = to, d.standsAt(f)
	d.see(f)
	r.disk.put(tx, d)
	r.scan.foundAgain(d.key)
	r.foundMode(tx, d, f)
	if d.kind == zsync.TypeDir {
		r.scan.enqueue(f.path)
	}
}

func (r *Replica) adoptMode(tx kv.Tx, f *finding) bool {
	d := r.disk.get(tx, f.key)
	if d == nil {
		return true
	}
	if !f.key.isCopy() && r.tree.look(tx, f.key.node).mode != f.stat.Mode {
		return false
	}
	d = d.clone()
	d.stat, d.mode = f.stat, f.stat.Mode
	r.disk.put(tx, d)
	r.settle(tx, f.key.node)
	return true
}

// adoptGone: no version that D has of it is in L any more, so there is nothing
// to delete.
func (r *Replica) adoptGone(tx kv.Tx, f *finding) bool {
	d := r.disk.get(tx, f.key)
	if path, known := r.disk.pathOf(tx, d); !known || path != f.path {
		return true // it was found elsewhere since
	}
	s := r.tree.look(tx, d.key.node)
	if d.kind == zsync.TypeDir && r.disk.holds(tx, d.key.node) || s.hasAny(d.dots) {
		return false
	}
	r.forget(tx, d)
	r.goneNow(f)
	return true
}

// goneNow has what took the place of something deleted looked at.
func (r *Replica) goneNow(f *finding) {
	if f.replaced {
		r.scan.enqueue(f.path.Dir())
	}
}

// forget drops what D has and has its node and its directory looked at again.
// What D still has in a directory that is gone is somewhere else, or gone too:
// the next scan shall find out.
func (r *Replica) forget(tx kv.Tx, d *onDisk) {
	r.clearDamage(tx, d)
	r.disk.drop(tx, d.key)
	r.tree.dirty.mark(d.key.node)
	if d.place.parent != rootNode {
		r.tree.dirty.mark(d.place.parent)
	}
	if d.kind != zsync.TypeDir {
		return
	}
	for _, kid := range r.disk.kids(tx, d.key.node) {
		r.disk.displace(tx, kid)
		r.scan.hintSoon(r.now, "")
	}
}

// take makes d what was found.
func (d *onDisk) take(f *finding) {
	d.kind, d.stat, d.young, d.kept = f.stat.Type, f.stat, f.young, false
	d.mode, d.mtimeNS = f.stat.Mode, f.stat.MtimeNS
	d.content, d.listLen, d.target = f.content, f.listLen, f.target
	if d.kind == zsync.TypeDir {
		d.mtimeNS = 0
	}
}

// find returns the version that was found, if L shows it.
func (s *shown) find(f *finding) *version {
	if s.visible && !s.dir && s.main.is(f) {
		return &s.main
	}
	for i := range s.copies {
		if v := &s.copies[i].version; v.is(f) {
			return v
		}
	}
	return nil
}

func (v *version) is(f *finding) bool { return v.kind == f.stat.Type && v.content == f.content }

// hasAny reports whether any of the dots is alive.
func (s *shown) hasAny(dots []zsync.Dot) bool {
	if sharesDot(s.dirDots, dots) || sharesDot(s.main.dots, dots) {
		return true
	}
	for i := range s.copies {
		if sharesDot(s.copies[i].version.dots, dots) {
			return true
		}
	}
	return false
}

// sharesDot compares two ascending lists.
func sharesDot(a, b []zsync.Dot) bool {
	for len(a) > 0 && len(b) > 0 {
		switch c := a[0].Compare(b[0]); {
		case c == 0:
			return true
		case c < 0:
			a = a[1:]
		default:
			b = b[1:]
		}
	}
	return false
}
