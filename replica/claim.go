package replica

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/internal/kv"
	"github.com/zsync/zsync/store"
)

// hold keeps a new entry whose identity D knows from other places until those
// have been looked at in this round: only if one of them is empty now, the entry
// was moved. A directory can carry the identity of another one that still
// stands (a snapshot, a mount), so this goes for directories too.
func (r *Replica) hold(tx kv.Tx, path zsync.Path, e store.Entry, from []*onDisk) {
	was, known := r.scan.held[path]
	r.scan.held[path] = e
	if known && was.Stat.SameFile(e.Stat) {
		return // those places are being looked at
	}
	for _, d := range from {
		if r.isMissing(tx, d) {
			continue
		}
		if was, found := r.disk.path(tx, d.place); found {
			r.scan.enqueue(was.Dir())
		}
	}
}

// isMissing reports whether this round found the place of d empty, or that of a
// directory above it.
func (r *Replica) isMissing(tx kv.Tx, d *onDisk) bool {
	for depth := 0; d != nil && depth <= zsync.PathDepthMax; depth++ {
		if _, missing := r.scan.missing[d.key]; missing {
			return true
		}
		if d.place.parent == rootNode {
			return false
		}
		d = r.disk.get(tx, mainKey(d.place.parent))
	}
	return false
}

// foundAgain notes that what was missing is known to be elsewhere. What is in its
// old place is looked at.
func (s *scanner) foundAgain(key diskKey) {
	if s.missing[key].replaced {
		s.enqueue(s.missing[key].path.Dir())
	}
	delete(s.missing, key)
}

// concludeRound is called when nothing is left to list. Directories that were
// moved come first, since what is below them can be told only afterwards, then
// files, and last what is gone. It reports whether there is more to list.
func (r *Replica) concludeRound(tx kv.Tx, now time.Time) bool {
	if len(r.scan.listed) == 0 {
		return false // there was none
	}
	if r.claim(tx, now, zsync.TypeDir) > 0 {
		return true
	}
	if r.findings.waiting(foundMove) > 0 {
		return false // they change D when they are logged
	}
	r.claim(tx, now, zsync.TypeFile)
	if r.findings.waiting(foundMove) > 0 || r.scan.claiming() {
		return false
	}
	r.concludeMissing(tx)
	r.endRound()
	return false
}

// claiming reports whether a file that was moved and changed is still hashed.
func (s *scanner) claiming() bool {
	for _, t := range s.tasks {
		if t.from != nil {
			return true
		}
	}
	return false
}

// claim settles what was held: directories, or else the rest.
func (r *Replica) claim(tx kv.Tx, now time.Time, kind zsync.FileType) (settled int) {
	claimed := map[diskKey]bool{}
	for _, path := range slices.Sorted(maps.Keys(r.scan.held)) {
		e := r.scan.held[path]
		if (e.Stat.Type == zsync.TypeDir) != (kind == zsync.TypeDir) {
			continue
		}
		delete(r.scan.held, path)
		settled++
		if from := r.movedFrom(tx, e.Stat, claimed); from != nil {
			claimed[from.key] = true
			r.foundMoved(tx, now, path, e, from)
			continue
		}
		j := &joining{replica: r, tx: tx, now: now, dir: path.Dir()}
		j.appeared(e, path)
	}
	return settled
}

// movedFrom returns what was moved to where stat was found, or nil.
func (r *Replica) movedFrom(tx kv.Tx, stat store.Stat, claimed map[diskKey]bool) *onDisk {
	for _, d := range r.disk.sameInode(tx, stat) {
		if d.surely(stat) && !claimed[d.key] && !d.apart && r.isMissing(tx, d) {
			return d
		}
	}
	return nil
}

// surely reports whether what has the inode of d is d. Where a file system does not
// tell births, a number may have been used again.
func (d *onDisk) surely(stat store.Stat) bool {
	return stat.BirthNS != 0 || stat.Type == zsync.TypeDir || d.stat.SameFile(stat)
}

// moved returns what a finding says was moved; nil where D has something else under
// that key since then.
func (r *Replica) moved(tx kv.Tx, f *finding) *onDisk {
	if d := r.disk.get(tx, f.key); d != nil && d.sameAs(f.stat) {
		return d
	}
	return nil
}

// sameAs reports whether an entry has the identity of d, whatever it holds.
func (d *onDisk) sameAs(stat store.Stat) bool {
	return d.kind == stat.Type && d.stat.Inode == stat.Inode && d.stat.BirthNS == stat.BirthNS
}

// foundMoved notes a move. What else became of a file is found by hashing it where
// its ctime is another too.
func (r *Replica) foundMoved(tx kv.Tx, now time.Time, path zsync.Path, e store.Entry, from *onDisk) {
	r.problems.clear(r.scan.missing[from.key].path, "renamed")
	f := &finding{kind: foundMove, path: path, key: from.key, stat: e.Stat, content: from.content, listLen: from.listLen, target: from.target}
	switch {
	case from.kind == zsync.TypeFile && (!from.stat.Unchanged(e.Stat) || from.young):
		r.hash(tx, now, path, e.Stat, &from.key, false)
		return
	case from.kind == zsync.TypeSymlink:
		f.target, f.content = e.Target, store.ContentOf([]byte(e.Target))
	}
	r.found(tx, f)
}

// concludeMissing takes what was not found anywhere for deleted.
func (r *Replica) concludeMissing(tx kv.Tx) {
	gone := make([]*finding, 0, len(r.scan.missing))
	for key, absent := range r.scan.missing {
		if len(r.scan.failed) > 0 && strings.HasPrefix(string(absent.path), parkedPrefix) {
			continue // D knows no place for it, so it may be in what could not be read
		}
		if !absent.replaced && r.leftAlone(tx, key) {
			why := fmt.Sprintf("has a name now, in %q, that is not synced: others keep it as it was", "/"+r.scan.unusable[key])
			r.problems.set(absent.path, "renamed", why)
			continue
		}
		r.problems.clear(absent.path, "renamed")
		if d := r.disk.get(tx, key); d != nil && r.leavesNode(tx, key.node) {
			r.dropTree(tx, d) // for others it is in a place that is ignored here
			r.scan.hintSoon(r.now, absent.path.Dir())
			continue
		}
		gone = append(gone, &finding{kind: foundGone, path: absent.path, key: key, replaced: absent.replaced})
	}
	// Children come before their directory.
	slices.SortFunc(gone, func(a, b *finding) int { return -compareFinding(a, b) })
	for _, f := range gone {
		r.found(tx, f)
	}
}

// leftAlone reports whether what is missing was only given a name that is left
// alone. What others have changed or removed since comes back, or is forgotten.
func (r *Replica) leftAlone(tx kv.Tx, key diskKey) bool {
	if _, unusable := r.scan.unusable[key]; !unusable {
		return false
	}
	d := r.disk.get(tx, key)
	if d == nil {
		return false
	}
	s := r.tree.shown(tx, key.node)
	return d.kind == zsync.TypeDir || s.hasAny(d.dots)
}

func (r *Replica) endRound() {
	s := &r.scan
	s.walked = s.walked || s.full
	s.full = false
	clear(s.listed)
	clear(s.missing)
	for dir := range s.fresh {
		if f := r.findings.at[dir]; f == nil {
			delete(s.fresh, dir)
		}
	}
	r.plan.wake()
}
