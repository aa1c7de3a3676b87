package replica

import (
	"fmt"
	"slices"
	"strings"

	"golang.org/x/text/unicode/norm"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/internal/kv"
	"github.com/zsync/zsync/store"
)

// logged is the name that the log has for what lies at d's place.
func (d *onDisk) logged() zsync.Name {
	if d.stands != "" {
		return d.stands
	}
	return d.place.name
}

func (d *onDisk) loggedPlace() place { return place{d.place.parent, d.logged()} }

// named is the name that the log gets for d where it was found now. What a person put
// into another directory has the name that it had; what he gave another name, that.
func (d *onDisk) named(f *finding) zsync.Name {
	if base := f.path.Base(); base != d.place.name {
		return base
	}
	return d.logged()
}

func (d *onDisk) standsAt(f *finding) zsync.Name {
	if f.path.Base() != d.place.name {
		return ""
	}
	return d.stands
}

// inTheWay returns what is, after the batch, under the name that key is to have, or
// under one that the disk may take for it; or nil.
func (t *turn) inTheWay(p place, key diskKey) *onDisk {
	if in := t.at(p); in != nil && in.key != key {
		return in
	}
	n := t.replica.disk.nature
	if !n.Folds() {
		return nil
	}
	slot := place{p.parent, n.Key(p.name)}
	for _, other := range append(t.replica.disk.folded(t.tx, p), t.replica.batch.inSlot(n, slot)...) {
		if d := t.get(other); other != key && d != nil && d.place.parent == p.parent && n.Key(d.place.name) == slot.name {
			return d
		}
	}
	return nil
}

// inSlot returns what the batch puts under names that may be one: it may move it on.
func (b *batch) inSlot(n store.Nature, slot place) []diskKey {
	if b.slotted == nil {
		b.slotted = map[place][]diskKey{}
	}
	for ; b.indexed < len(b.steps); b.indexed++ {
		if after := b.steps[b.indexed].after; after != nil {
			at := place{after.place.parent, n.Key(after.place.name)}
			b.slotted[at] = append(b.slotted[at], after.key)
		}
	}
	return b.slotted[slot]
}

// rivalMayDiffer reports whether what has the name that a target could have but for it
// may be another than D says: its person may be about to give the name away, as a
// program does that saves a file under another spelling.
func (t *turn) rivalMayDiffer(target *target) bool {
	if target.stands == "" {
		return false
	}
	rival := t.inTheWay(place{target.place.parent, target.stands}, target.key)
	return rival != nil && t.mayDiffer(rival)
}

// spelled returns the entries of a directory under the names that D has for them, on a
// disk that may show another form of a name than it was given.
func (r *Replica) spelled(entries []store.Entry, known []*onDisk) []store.Entry {
	if !r.disk.nature.Forms {
		return entries
	}
	shown := make(map[string]bool, len(entries))
	for i := range entries {
		shown[entries[i].Name] = true
	}
	missing := map[string]zsync.Name{}
	for _, d := range known {
		if !shown[string(d.place.name)] && !isASCII(d.place.name) {
			missing[norm.NFC.String(string(d.place.name))] = d.place.name
		}
	}
	if len(missing) == 0 {
		return entries
	}
	entries = slices.Clone(entries)
	for i := range entries {
		if name, spelled := missing[norm.NFC.String(entries[i].Name)]; spelled {
			entries[i].Name = string(name)
		}
	}
	slices.SortFunc(entries, func(a, b store.Entry) int { return strings.Compare(a.Name, b.Name) })
	return entries
}

// adoptProjected: what was found is just what L wants there under a projected name, and
// this disk was not known to have it, as when D was lost.
func (r *Replica) adoptProjected(tx kv.Tx, at place, f *finding) bool {
	l := r.tree
	if l.names.plain || !strings.Contains(string(at.name), "~"+projectedMark) {
		return false
	}
	for _, node := range l.foldPeel(tx, l.names.slot(at), 1) {
		for _, t := range r.targets(tx, node) {
			if t.stands != "" && t.place == at && t.finds(f) && r.disk.get(tx, t.key) == nil {
				d := &onDisk{key: t.key, place: at, stands: t.stands}
				d.take(f)
				d.dots = t.dots
				r.disk.put(tx, d)
				r.settle(tx, node)
				return true
			}
		}
	}
	return false
}

func (t *target) finds(f *finding) bool {
	if t.version == nil {
		return f.kind == foundDir
	}
	return f.kind == foundFile && t.version.is(f)
}

// whyProjected says under which name something lies that cannot have its own; "" where
// it can.
func (r *Replica) whyProjected(tx kv.Tx, pairs []pair) string {
	for _, p := range pairs {
		if path, found := r.disk.pathOf(tx, p.from); found && p.from.stands != "" {
			return fmt.Sprintf("it lies here as %q, since this disk cannot hold that name (beside another that it takes for the same, or at all)", path)
		}
	}
	return ""
}

// pathLogged returns where the log has a place of D.
func (r *Replica) pathLogged(tx kv.Tx, p place) zsync.Path {
	path := zsync.Path(p.name)
	for depth := 0; p.parent != rootNode && depth < zsync.PathDepthMax; depth++ {
		d := r.disk.get(tx, mainKey(p.parent))
		if d == nil {
			break
		}
		p = d.loggedPlace()
		path = zsync.Path(p.name) + "/" + path
	}
	return path
}

// isMisspelled reports whether what was listed may be another directory than D has
// there: a disk that takes names for one shows it under a name that it does not have.
// The directory above tells.
func (r *Replica) isMisspelled(tx kv.Tx, l store.Listing) bool {
	if l.Path == "" || !r.disk.nature.Folds() || l.Err != nil {
		return false
	}
	d := r.disk.atPath(tx, l.Path)
	return d != nil && !d.stat.SameFile(l.Self)
}

// LoggedPath returns where the log has what lies at a path of this disk.
func (r *Replica) LoggedPath(tx kv.Tx, path zsync.Path) zsync.Path {
	if r.tree.names.plain || path == "" {
		return path
	}
	name := path.Base()
	if d := r.disk.atPath(tx, path); d != nil {
		name = d.logged()
	}
	return r.LoggedPath(tx, path.Dir()).Join(name)
}

// diskPath returns where this disk has what the log has at a path, or would have it.
func (r *Replica) diskPath(tx kv.Tx, path zsync.Path) zsync.Path {
	if r.tree.names.plain || path == "" {
		return path
	}
	if node, dot, found := r.tree.lookup(tx, path); found {
		key := mainKey(node)
		for _, c := range r.tree.look(tx, node).copies {
			if c.version.dot == dot {
				key.copy = c.version.dots[0]
			}
		}
		if at, has := r.disk.pathOf(tx, r.disk.get(tx, key)); has {
			return at
		}
	}
	return r.diskPath(tx, path.Dir()).Join(path.Base())
}

// onDisk is a step by the names of this disk.
func (r *Replica) onDisk(tx kv.Tx, s *Step) *Step {
	if r.tree.names.plain {
		return s
	}
	here := *s
	for _, path := range []*zsync.Path{&here.Path, &here.From, &here.Known} {
		*path = r.diskPath(tx, *path)
	}
	return &here
}
