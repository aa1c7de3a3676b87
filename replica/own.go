package replica

import (
	"github.com/zsync/zsync"
	"github.com/zsync/zsync/internal/kv"
)

// holdsOwn reports whether what was deleted and replaced here is held back.
func (r *Replica) holdsOwn() bool {
	h := r.brake.hold(r.cfg.Device)
	return h != nil && !h.Passing
}

// takesAway reports whether a finding may take something out of the visible tree.
// A move does not, and a scan waits until it is logged.
func (r *Replica) takesAway(tx kv.Tx, f *finding) bool {
	if r.cfg.Device.IsZero() {
		return false
	}
	switch f.kind {
	case foundGone:
		return true
	case foundFile:
		d := r.disk.atPath(tx, f.path)
		return d != nil && d.kind != zsync.TypeDir && d.content != f.content
	default:
		return false
	}
}

// judgeOwn holds back what was found here, or lets it go. While a scan is under way
// nothing is let go: it may find the rest of what was held back.
func (r *Replica) judgeOwn(tx kv.Tx) {
	b, fs := &r.brake, &r.findings
	h := b.hold(r.cfg.Device)
	if h == nil && fs.held && r.scan.busy() {
		return // not yet decided
	}
	fs.held = r.holdsOwn()
	if h != nil && (h.Passing || r.lost || r.scan.busy()) || h == nil && fs.leaving == 0 || fs.judged {
		return
	}
	w := r.weighOwn(tx, h != nil)
	over := w.left > brakeLimit(w.files)
	switch {
	case h == nil && over && r.scan.busy():
		fs.held = true // what is being hashed may be the same under other names
		return
	case h == nil && over:
		h = &hold{Author: r.cfg.Device, Deletes: w.deletes, Replaces: w.replaces, Of: w.files}
		b.begin(tx, r.cfg.Space, h)
	case h != nil && over && fs.leaving > 0:
		h.Deletes, h.Replaces, h.Of = w.deletes, w.replaces, w.files
		b.keep(tx, h)
	case h != nil:
		b.drop(tx, h)
	}
	fs.judged, fs.held = true, r.holdsOwn()
}

// weighOwn counts what this device has taken out of the tree in a day, and what it
// would.
func (r *Replica) weighOwn(tx kv.Tx, held bool) weighed {
	o := &ownWeight{replica: r, tx: tx, found: map[diskKey]*onDisk{}}
	for kind := range foundKinds {
		r.findings.each(kind, o.take)
	}
	known := r.brake.tally[r.cfg.Device]
	most := known + len(o.order)
	if !held && most <= brakeLimit(int(r.disk.totals.files)) {
		return weighed{left: most, files: int(r.disk.totals.files)}
	}
	w := r.weigh(tx, r.cfg.Device, held)
	w.deletes, w.replaces = 0, 0 // of what was logged, this disk has nothing any more
	for _, key := range o.order {
		d := o.found[key]
		if o.seen(d) {
			continue
		}
		if _, counted := r.ownLeft(tx, key.node); !counted {
			w.left++
		}
		if o.gone[key] {
			w.deletes++
		} else {
			w.replaces++
		}
	}
	return w
}

func (r *Replica) ownLeft(tx kv.Tx, node uint64) (left, bool) {
	l, counted := getLeft(tx, node)
	return l, counted && l.author == r.cfg.Device
}

// ownWeight is what waits to be logged that takes something away.
type ownWeight struct {
	replica *Replica
	tx      kv.Tx
	order   []diskKey
	found   map[diskKey]*onDisk
	gone    map[diskKey]bool
	kept    map[zsync.Digest]bool // contents that were found, and will be seen
}

func (o *ownWeight) take(f *finding) bool {
	if o.gone == nil {
		o.gone, o.kept = map[diskKey]bool{}, map[zsync.Digest]bool{}
	}
	if f.kind == foundFile || f.kind == foundMove {
		o.kept[f.content] = true
	}
	if !f.leaves {
		return true
	}
	if f.kind == foundGone {
		o.add(o.replica.disk.get(o.tx, f.key), true)
	} else {
		o.add(o.replica.disk.atPath(o.tx, f.path), false)
	}
	return true
}

// add takes a file, or all files in a directory.
func (o *ownWeight) add(d *onDisk, gone bool) {
	switch {
	case d == nil || o.found[d.key] != nil:
	case d.kind == zsync.TypeDir:
		for _, kid := range o.replica.disk.kids(o.tx, d.key.node) {
			o.add(kid, gone)
		}
	default:
		o.found[d.key], o.gone[d.key] = d, gone
		o.order = append(o.order, d.key)
	}
}

// seen reports whether what d held is still in the tree under another name.
func (o *ownWeight) seen(d *onDisk) (found bool) {
	if o.kept[d.content] {
		return true
	}
	o.replica.disk.withContent(o.tx, d.content, func(other *onDisk) bool {
		found = o.found[other.key] == nil
		return !found
	})
	return found
}
