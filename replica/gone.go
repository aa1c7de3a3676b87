package replica

import "github.com/zsync/zsync"

// addGone drafts the removal of what D has; of a directory, after all that D has
// in it. What does not fit is for the next body: by then D has less.
func (d *drafting) addGone(f *finding) bool {
	old := d.replica.disk.get(d.tx, f.key)
	if old.kind == zsync.TypeDir && !d.goneBelow(old.key.node, 0) {
		return false
	}
	return d.gone(old, f)
}

// goneBelow drafts the removal of everything in a directory.
func (d *drafting) goneBelow(dir uint64, depth int) bool {
	return depth > zsync.PathDepthMax || d.replica.disk.eachKid(d.tx, dir, func(kid *onDisk) bool {
		return (kid.kind != zsync.TypeDir || d.goneBelow(kid.key.node, depth+1)) && d.gone(kid, nil)
	})
}

// gone drafts the removal of one thing. Where nothing of it is in L any more, or it
// is ignored, D forgets it at once.
func (d *drafting) gone(old *onDisk, f *finding) bool {
	r := d.replica
	if d.removed[old.key] {
		return true
	}
	if s := r.tree.look(d.tx, old.key.node); !s.hasAny(old.dots) || r.leftAside(d.tx, old) {
		r.forget(d.tx, old)
		if f != nil {
			r.findings.remove(f)
			r.goneNow(f)
		}
		return true
	}
	dels := d.dels(old.key.node, old.dots)
	dels[len(dels)-1].drops, dels[len(dels)-1].finding = old, f
	if !d.append(dels...) {
		return false
	}
	d.removed[old.key] = true
	return true
}
