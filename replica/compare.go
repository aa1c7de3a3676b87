package replica

import (
	"encoding/binary"
	"slices"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/internal/kv"
)

// dirModeLeast is added to the mode of every directory on this disk: without it
// nothing could be synced in there.
const dirModeLeast = 0o700

// target is one thing that L wants on this disk: the main version of a node, or
// a conflict copy.
type target struct {
	key     diskKey
	place   place
	kind    zsync.FileType
	mode    uint32
	dots    []zsync.Dot
	version *version   // nil for a directory
	stands  zsync.Name // for which name of the log that of the place stands, if for another: see projection
}

// targets returns all that L wants of a node, which its caller must not change.
func (s *shown) targets(node uint64) (all []*target) {
	if s.wanted != nil || !s.visible {
		return s.wanted
	}
	main := &s.first
	*main = target{key: mainKey(node), place: s.place, mode: s.mode}
	if s.dir {
		main.kind, main.dots = zsync.TypeDir, s.dirDots
	} else {
		main.kind, main.dots, main.version = s.main.kind, s.main.dots, &s.main
	}
	all = append(s.alone[:0], main)
	for i := range s.copies {
		c := &s.copies[i]
		all = append(all, &target{
			key:     diskKey{node: node, copy: c.version.dots[0]},
			place:   place{s.place.parent, c.name},
			kind:    c.version.kind,
			mode:    s.copyMode,
			dots:    c.version.dots,
			version: &c.version,
		})
	}
	return all
}

// sameContent reports whether d holds what t wants, whatever it is called.
func (t *target) sameContent(d *onDisk) bool {
	return d != nil && d.kind == t.kind && (t.version == nil || d.content == t.version.content)
}

// sameAttributes leaves out what the disk made of mode and mtime: a file system
// that keeps neither would never come to rest.
func (t *target) sameAttributes(d *onDisk) bool {
	return d.mode == t.mode && (t.version == nil || d.mtimeNS == t.version.mtimeNS)
}

// missingBytes is what has to be fetched for t, in octets.
func (t *target) missingBytes() int64 {
	if t.kind == zsync.TypeFile {
		return t.version.size
	}
	return 0
}

// pair is a target and what of the disk is to become it: the same content if
// there is any, else what is to be replaced, or nil.
type pair struct {
	*target
	from *onDisk
}

func (p pair) fits() bool {
	return p.sameContent(p.from) && p.from.place == p.place && p.sameAttributes(p.from)
}

// matched pairs what L wants of a node with what D has of it. Equal content goes
// together first, so that a version that only changes its role (a conflict copy
// that becomes the main version) is renamed and not fetched.
func matched(targets []*target, has []*onDisk) (pairs []pair, rest []*onDisk) {
	pairs = make([]pair, len(targets))
	if len(has) == 0 {
		for i, t := range targets {
			pairs[i].target = t
		}
		return pairs, nil
	}
	if len(targets) == 1 && len(has) == 1 && targets[0].sameContent(has[0]) {
		pairs[0] = pair{targets[0], has[0]} // as nearly always
		return pairs, nil
	}
	rest = slices.Clone(has)
	take := func(fits func(t *target, d *onDisk) bool) {
		for i, t := range targets {
			if pairs[i].target = t; pairs[i].from != nil {
				continue
			}
			if n := slices.IndexFunc(rest, func(d *onDisk) bool { return fits(t, d) }); n >= 0 {
				pairs[i].from = rest[n]
				rest = slices.Delete(rest, n, n+1)
			}
		}
	}
	take(func(t *target, d *onDisk) bool { return t.key == d.key && t.sameContent(d) })
	take(func(t *target, d *onDisk) bool { return t.sameContent(d) })
	take(func(t *target, d *onDisk) bool {
		return t.key == d.key && t.kind != zsync.TypeDir && d.kind != zsync.TypeDir
	})
	return pairs, rest
}

// settle compares a node with the disk. Where nothing but the names of versions
// differs, D takes them over and the node is done with; otherwise it is noted
// as one to be worked on.
func (r *Replica) settle(tx kv.Tx, node uint64) bool {
	r.dropOrphans(tx, node)
	r.letGo(tx, node)
	r.tree.dirty.unmark(tx, node)
	s := r.tree.look(tx, node)
	pairs, rest := matched(r.tree.project(tx, node, s), r.disk.node(tx, node))
	if settled(pairs, rest) {
		for _, p := range pairs {
			r.clearDamage(tx, p.from)
		}
		r.takeDots(tx, pairs)
		r.done(tx, node)
		r.unhide(tx, node)
		return true
	}
	if r.hide(tx, node, s) {
		r.done(tx, node)
		return true
	}
	r.unhide(tx, node)
	var missing int64
	for _, p := range pairs {
		if !p.sameContent(p.from) {
			missing += p.missingBytes()
		}
	}
	r.noteDamage(tx, pairs)
	r.need(tx, node, missing)
	return false
}

func settled(pairs []pair, rest []*onDisk) bool {
	for _, p := range pairs {
		if !p.fits() {
			return false
		}
	}
	for _, d := range rest {
		if !d.kept {
			return false
		}
	}
	return true
}

// takeDots brings the names of the versions in D up to date. Two of them may
// trade keys.
func (r *Replica) takeDots(tx kv.Tx, pairs []pair) {
	for _, p := range pairs {
		if p.from.key != p.key {
			r.disk.drop(tx, p.from.key)
		}
	}
	for _, p := range pairs {
		if p.from.key != p.key || !slices.Equal(p.from.dots, p.dots) || p.from.kept || p.from.stands != p.stands {
			d := p.from.clone()
			d.key, d.dots, d.stands, d.kept = p.key, p.dots, p.stands, false
			r.disk.put(tx, d)
		}
	}
}

// need notes that a node is to be worked on, and how much it lacks.
func (r *Replica) need(tx kv.Tx, node uint64, missing int64) {
	if was, noted := r.disk.todo(tx, node); noted {
		r.disk.totals.needBytes -= was
	} else {
		r.disk.totals.needFiles++
	}
	r.disk.totals.needBytes += missing
	tx.Put(bucketTodo, r.disk.key.node(node), r.disk.value.node(uint64(missing)))
	r.disk.needs.set(node, missing)
	r.plan.lower(node)
}

// needsNothing is what the memo of bucketTodo says of nodes that are not in it.
const needsNothing = -1

// todo returns what a node was noted to lack, if it was.
func (s *disk) todo(tx kv.Tx, node uint64) (missing int64, noted bool) {
	missing, known := s.needs.get(node)
	if !known {
		missing = needsNothing
		if value := tx.Get(bucketTodo, s.key.node(node)); value != nil {
			missing = int64(binary.BigEndian.Uint64(value))
		}
	}
	return missing, missing != needsNothing
}

// done notes that the disk has a node as L wants it.
func (r *Replica) done(tx kv.Tx, node uint64) {
	r.contents.release(r, node)
	r.plan.rested(node)
	was, noted := r.disk.todo(tx, node)
	if !noted {
		return
	}
	r.disk.totals.needFiles--
	r.disk.totals.needBytes -= was
	tx.Delete(bucketTodo, r.disk.key.node(node))
	r.disk.needs.set(node, needsNothing)
	r.brakeDone(tx, node)
}

// dropOrphans makes D forget what it has of a node in directories that it has no
// more.
func (r *Replica) dropOrphans(tx kv.Tx, node uint64) {
	for _, d := range r.disk.node(tx, node) {
		if r.disk.orphaned(tx, d) {
			r.disk.drop(tx, d.key)
		}
	}
}

// assess settles nodes whose view changed, or the disk's state of them.
func (r *Replica) assess(tx kv.Tx) {
	r.heard(tx, r.plan.unsettled)
	r.plan.unsettled = nil
	nodes := r.tree.dirty.take(tx, assessMax)
	for _, node := range nodes {
		r.plan.rested(node)
		r.settle(tx, node)
	}
	r.more = r.more || len(nodes) == assessMax
}

// assessMax is how many nodes are settled in one turn: mostly what one turn can hear
// of, so that their marks need not be written down.
const assessMax = 4096

// turnNodes is how many nodes are looked at in one turn, so that a transaction
// stays short.
const turnNodes = 1000
