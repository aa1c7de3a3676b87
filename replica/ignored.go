package replica

import (
	"encoding/binary"
	"maps"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/internal/kv"
	"github.com/zsync/zsync/store"
)

// bucketIgnored holds the nodes that this disk has otherwise than L and that are left
// so, since they are ignored: node u64 -> nothing.
const bucketIgnored = "ignored"

// apart is what this device leaves alone in the folder: what is ignored, and folders
// within the folder. It stays in L and on the disk, each as it is; D keeps what it
// knew, marked, until the next look at it after it is ignored no more. What is
// missing then was deleted while nobody looked, so D forgets it, and L is asked.
type apart struct {
	rules   ignorer
	shared  ignorer                // those of rules that are not of this device alone
	nested  map[zsync.Path]bool    // directories that are folders of their own
	dirs    memo[uint64, dirApart] // of L
	stale   bool                   // nested has changed
	strayed bool                   // there may be something in bucketAstray
}

// dirApart is where L shows a directory, and whether it is left alone.
type dirApart struct {
	path zsync.Path
	left bool
}

func newApart() apart { return apart{nested: map[zsync.Path]bool{}, strayed: true} }

// leaves reports whether what is at a path of this disk is left alone, if the
// directory that it is in is not.
func (a *apart) leaves(path zsync.Path, dir bool) bool {
	return a.rules.ignores(string(path), dir) || dir && a.nested[path]
}

// leavesDir reports whether a directory is left alone, or one on the way to it.
func (a *apart) leavesDir(path zsync.Path) bool {
	if a.rules.ignoresWithin(string(path), true) {
		return true
	}
	for dir := path; len(a.nested) > 0 && dir != ""; dir = dir.Dir() {
		if a.nested[dir] {
			return true
		}
	}
	return false
}

// leavesKnown reports whether what D has at path is left alone. A conflict copy is
// if its node is, whatever its own name.
func (r *Replica) leavesKnown(tx kv.Tx, d *onDisk, path zsync.Path) bool {
	if d.key.isCopy() {
		return r.leavesNode(tx, d.key.node)
	}
	if d.stands != "" {
		path = path.Dir().Join(d.stands)
	}
	return r.apart.leaves(path, d.kind == zsync.TypeDir)
}

// leavesNode reports whether the place that L gives a node is left alone.
func (r *Replica) leavesNode(tx kv.Tx, node uint64) bool {
	if node == rootNode {
		return false
	}
	s := r.tree.look(tx, node)
	if !s.visible {
		return false
	}
	in := r.dirApart(tx, s.place.parent, 0)
	return in.left || r.apart.leaves(in.path.Join(s.place.name), s.dir)
}

func (r *Replica) dirApart(tx kv.Tx, node uint64, depth int) (dir dirApart) {
	if node == rootNode || depth > zsync.PathDepthMax {
		return dirApart{}
	}
	dir, known := r.apart.dirs.get(node)
	if !known {
		at := r.tree.look(tx, node).place
		in := r.dirApart(tx, at.parent, depth+1)
		dir.path = in.path.Join(at.name)
		dir.left = in.left || r.apart.leaves(dir.path, true)
		r.apart.dirs.set(node, dir)
	}
	return dir
}

// leave reports whether a node is left as it is on this disk.
func (r *Replica) leave(tx kv.Tx, node uint64) bool {
	left := false
	for _, d := range r.disk.node(tx, node) {
		left = left || d.apart
	}
	if !left && !r.leavesNode(tx, node) {
		return false
	}
	tx.Put(bucketIgnored, nodeKey(node), []byte{})
	r.noteAstray(tx, node)
	return true
}

// letGo makes D forget what is ignored where it lies, and is wanted elsewhere, where
// it is not: it is there to stay, and the node is fetched.
func (r *Replica) letGo(tx kv.Tx, node uint64) {
	for _, d := range r.disk.node(tx, node) {
		if !d.apart || r.leavesNode(tx, node) || !r.tree.look(tx, node).visible {
			continue
		}
		if path, found := r.disk.path(tx, d.place); found && (r.apart.leavesDir(path.Dir()) || !d.key.isCopy() && r.leavesKnown(tx, d, path)) {
			r.setAsideTree(tx, d)
			r.dropTree(tx, d)
		}
	}
}

// takeRules takes over what the log, or a person here, changed of the patterns. Where
// only directories were renamed, what is ignored may be another all the same.
func (r *Replica) takeRules(tx kv.Tx) {
	if !r.tree.ruled && !r.tree.moved && !r.apart.stale {
		return
	}
	r.apart.dirs.clear()
	if r.tree.ruled || r.apart.stale {
		r.abandonOpenBatch()
		r.lookAtTodo(tx)
	}
	if r.tree.ruled {
		before := r.apart.rules
		r.takePatterns(tx)
		r.setApart(tx, rootNode, "", false, &before, 0)
		r.dropLeftFindings(tx)
		r.scan.nextFull = r.now
	}
	r.tree.ruled, r.tree.moved, r.apart.stale = false, false, false
	r.lookAtLeft(tx)
}

// setApart marks what is ignored by the old patterns or the new in a directory of D:
// what the new ones do not ignore loses the mark when it is looked at.
func (r *Replica) setApart(tx kv.Tx, dir uint64, path zsync.Path, left bool, before *ignorer, depth int) {
	if depth > zsync.PathDepthMax {
		return
	}
	r.disk.eachKid(tx, dir, func(d *onDisk) bool {
		at, isDir := path.Join(d.logged()), d.kind == zsync.TypeDir
		leaves := left || !d.key.isCopy() && before.ignores(string(at), isDir) || r.leavesKnown(tx, d, at)
		if leaves {
			r.markApart(tx, d)
		}
		if isDir {
			r.setApart(tx, d.key.node, at, leaves, before, depth+1)
		}
		return true
	})
}

func (r *Replica) markApart(tx kv.Tx, d *onDisk) {
	if d.apart {
		return
	}
	d = d.clone()
	d.apart = true
	r.disk.put(tx, d)
	r.tree.dirty.mark(d.key.node)
}

// markTreeApart marks d and all that D has in it.
func (r *Replica) markTreeApart(tx kv.Tx, d *onDisk) {
	r.markApart(tx, d)
	if d.kind == zsync.TypeDir {
		r.setApart(tx, d.key.node, "", true, &ignorer{}, 0)
	}
}

// dropLeftFindings drops what was found, or is being looked at, of what is ignored
// now.
func (r *Replica) dropLeftFindings(tx kv.Tx) {
	for path, f := range maps.Clone(r.findings.at) {
		if r.leavesFound(tx, f) {
			r.findings.remove(f)
			delete(r.scan.fresh, path)
		}
	}
	r.dropLeftFailed()
	for key := range r.scan.missing {
		if d := r.disk.get(tx, key); d == nil || d.apart {
			delete(r.scan.missing, key)
		}
	}
	for path, e := range r.scan.held {
		if r.apart.leavesDir(path.Dir()) || r.apart.leaves(path, e.Stat.Type == zsync.TypeDir) {
			delete(r.scan.held, path)
		}
	}
}

// leavesFound reports whether a difference is about what is left alone.
func (r *Replica) leavesFound(tx kv.Tx, f *finding) bool {
	if r.apart.leavesDir(f.path.Dir()) {
		return true
	}
	d := r.disk.get(tx, f.key)
	if f.kind == foundFile {
		if in := r.disk.atPath(tx, f.path); in != nil {
			d = in
		}
	}
	switch {
	case d != nil && d.key.isCopy():
		return r.leavesNode(tx, d.key.node)
	case f.kind == foundGone:
		return d != nil && (d.apart || r.leavesKnown(tx, d, f.path))
	}
	return r.leavesEntry(tx, f.path, f.stat.Type == zsync.TypeDir)
}

// leavesEntry reports whether what a directory shows at path is left alone. What has
// the name of a conflict copy is if the file is that it is a copy of.
func (r *Replica) leavesEntry(tx kv.Tx, path zsync.Path, dir bool) bool {
	if !r.apart.leaves(path, dir) {
		return false
	}
	if parent, known := r.disk.dirNode(tx, path.Dir()); known && !dir && maybeCopy(path.Base()) {
		if node, _, found := r.tree.copyAt(tx, parent, path.Base()); found {
			return r.leavesNode(tx, node)
		}
	}
	return true
}

// abandonOpenBatch forgets changes that are not ordered yet: some may be of what is
// ignored now.
func (r *Replica) abandonOpenBatch() {
	if !r.batch.mends() {
		r.abandonBatch()
	}
}

func (r *Replica) lookAtTodo(tx kv.Tx) { r.markAll(tx, bucketTodo) }

// leftAside reports whether what D has is left alone where it lies, or where L has it.
func (r *Replica) leftAside(tx kv.Tx, d *onDisk) bool {
	if d.apart || r.leavesNode(tx, d.key.node) {
		return true
	}
	path, found := r.disk.path(tx, d.place)
	return found && (r.apart.leavesDir(path.Dir()) || r.leavesKnown(tx, d, path))
}

// lookAtLeft has everything that was left alone looked at again.
func (r *Replica) lookAtLeft(tx kv.Tx) {
	r.markAll(tx, bucketIgnored)
	tx.Drop(bucketIgnored)
}

func (r *Replica) markAll(tx kv.Tx, bucket string) {
	tx.Scan(bucket, nil, func(key, _ []byte) bool {
		r.tree.dirty.mark(binary.BigEndian.Uint64(key))
		return true
	})
}

// rejoin takes what was ignored into account again, as D knew it. What L has no more
// was not removed here, and is as good as new. It reports whether D has it still.
func (r *Replica) rejoin(tx kv.Tx, d *onDisk, path zsync.Path) bool {
	s := r.tree.look(tx, d.key.node)
	if !s.visible || d.key.isCopy() && !s.hasAny(d.dots) {
		r.dropTree(tx, d)
		return false
	}
	d = d.clone()
	d.apart = false
	r.disk.put(tx, d)
	r.tree.dirty.mark(d.key.node)
	if d.kind == zsync.TypeDir {
		r.scan.enqueue(path)
	}
	return true
}

// nest notes which directories in the listed one are folders of their own.
func (r *Replica) nest(l store.Listing) {
	if l.Err != nil {
		return
	}
	found := map[zsync.Path]bool{}
	for _, e := range l.Entries {
		if name, err := zsync.ParseName(e.Name); e.Nested && err == nil {
			found[l.Path.Join(name)] = true
		}
	}
	for path := range maps.Clone(r.apart.nested) {
		if path.Dir() == l.Path && !found[path] {
			delete(r.apart.nested, path)
			r.problems.clear(path, CodeNested)
			r.apart.stale = true
		}
	}
	for path := range found {
		r.apart.stale = r.apart.stale || !r.apart.nested[path]
		r.apart.nested[path] = true
		r.problems.set(path, CodeNested, "is a folder of its own, and is left to it")
	}
	if r.apart.stale {
		r.apart.dirs.clear()
	}
}

// holdsLeftAlone reports whether D has nothing in a directory but what is left alone.
func (r *Replica) holdsLeftAlone(tx kv.Tx, dir uint64) bool {
	return r.disk.eachKid(tx, dir, func(d *onDisk) bool { return d.kept || r.leftAside(tx, d) })
}
