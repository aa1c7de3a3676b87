package replica

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/internal/kv"
	"github.com/zsync/zsync/store"
)

// join compares one directory with what D has in it, name by name. live: somebody
// is at work in it.
func (r *Replica) join(tx kv.Tx, now time.Time, l store.Listing, live bool) {
	r.nest(l)
	var known []*onDisk
	dir, inD := r.disk.dirNode(tx, l.Path)
	if inD {
		known = r.knownIn(tx, dir)
		l.Entries = r.spelled(l.Entries, known)
		r.joinKept(tx, dir, l)
	}
	j := &joining{replica: r, tx: tx, now: now, dir: l.Path, live: live}
	r.scan.listed[l.Path] = true
	r.problems.clearIn(l.Path, "name", "depth", "symlink")
	maps.DeleteFunc(r.scan.unusable, func(_ diskKey, dir zsync.Path) bool { return dir == l.Path })
	for _, e := range l.Entries {
		for len(known) > 0 && string(known[0].place.name) < e.Name {
			j.absent(known[0], l)
			known = known[1:]
		}
		if len(known) > 0 && string(known[0].place.name) == e.Name {
			j.known(known[0], e)
			known = known[1:]
		} else {
			j.unknown(e)
		}
	}
	for _, d := range known {
		j.absent(d, l)
	}
	if l.Err == nil {
		r.retain(l)
	}
	switch {
	case errors.Is(l.Err, store.ErrNested):
		r.problems.set(l.Path, CodeNested, l.Err.Error())
	case l.Err != nil:
		r.unreadable(now, l.Path, l.Path, l.Err)
	default:
		r.readable(l.Path)
		r.problems.clear(l.Path, CodeNested)
	}
}

// knownIn returns what D has in a directory. What is called as the private
// directory is left alone, whoever made D know it.
func (r *Replica) knownIn(tx kv.Tx, dir uint64) []*onDisk {
	return slices.DeleteFunc(r.disk.kids(tx, dir), func(d *onDisk) bool {
		if d.place.name != zsync.PrivateDir {
			return false
		}
		r.dropTree(tx, d)
		return true
	})
}

// retain drops what was found in a directory before and is not there any more.
func (r *Replica) retain(l store.Listing) {
	entry := func(name zsync.Name) (e store.Entry) { // none has no name
		i, found := slices.BinarySearchFunc(l.Entries, string(name), func(e store.Entry, name string) int {
			return strings.Compare(e.Name, name)
		})
		if found {
			e = l.Entries[i]
		}
		return e
	}
	present := func(name zsync.Name) bool { return entry(name).Name != "" }
	r.findings.retain(l.Path, present)
	r.retainFailed(l.Path, entry)
	maps.DeleteFunc(r.scan.held, func(path zsync.Path, _ store.Entry) bool {
		return path.Dir() == l.Path && !present(path.Base())
	})
}

// joinKept has a directory that L has no more looked at again, when what zsync
// left alone in it is gone.
func (r *Replica) joinKept(tx kv.Tx, dir uint64, l store.Listing) {
	if len(l.Entries) > 0 || l.Err != nil {
		return
	}
	if d := r.disk.get(tx, mainKey(dir)); d != nil && d.kept {
		d = d.clone()
		d.kept = false
		r.disk.put(tx, d)
		r.tree.dirty.mark(dir)
	}
}

// joining is one directory being compared.
type joining struct {
	replica *Replica
	tx      kv.Tx
	now     time.Time
	dir     zsync.Path
	live    bool
}

// absent notes what D has and the directory has not. A directory that could not
// be read to its end says nothing of what it did not show.
func (j *joining) absent(d *onDisk, l store.Listing) {
	r, path := j.replica, l.Path.Join(d.place.name)
	switch {
	case l.Err != nil:
	case d.apart || r.leavesKnown(j.tx, d, path):
		r.dropTree(j.tx, d) // whoever removed what is ignored, removed it here alone
	default:
		r.scan.missing[d.key] = absence{path: path}
	}
}

// known looks at an entry that D has under this name.
func (j *joining) known(d *onDisk, e store.Entry) {
	r := j.replica
	delete(r.scan.missing, d.key)
	asBefore := d.kind == zsync.TypeFile && e.Stat.Type == d.kind && d.looksAs(e.Stat)
	if asBefore && !d.apart && len(r.findings.at) == 0 && len(r.problems.why) == 0 {
		return // as in nearly all listings of what was just written here
	}
	isDir, path := e.Stat.Type == zsync.TypeDir, j.dir.Join(d.place.name)
	if r.leavesKnown(j.tx, d, path) {
		r.readable(path)
		if !d.apart {
			r.markTreeApart(j.tx, d)
		}
		return
	}
	if d.apart {
		if !r.rejoin(j.tx, d, path) {
			j.unknown(e)
			return
		}
		d = r.disk.get(j.tx, d.key)
	}
	r.problems.clear(path, "renamed")
	if f := r.findings.at[path]; f != nil && (f.kind == foundGone || isDir) {
		r.findings.remove(f) // it is back, or has another mode again
	}
	switch {
	case isDir != (d.kind == zsync.TypeDir) || e.Stat.Type == zsync.TypeOther:
		// What D has was deleted; what took its place is looked at once that is logged.
		r.scan.missing[d.key] = absence{path: path, replaced: true}
	case isDir:
		j.knownDir(d, e, path)
	case d.looksAs(e.Stat):
		r.readable(path) // it is another than the one that could not be read
	default:
		j.changed(d, e, path)
	}
}

// looksAs reports whether an entry that was d has not changed.
func (d *onDisk) looksAs(stat store.Stat) bool {
	return d.stat.Unchanged(stat) && d.stat.Mode == stat.Mode && !d.young
}

func (j *joining) knownDir(d *onDisk, e store.Entry, path zsync.Path) {
	r := j.replica
	another := !d.stat.SameFile(e.Stat)
	if another {
		mode := d.stat.Mode
		d = d.clone()
		d.stat = e.Stat
		d.stat.Mode = mode
		r.disk.put(j.tx, d)
	}
	if e.Stat.Mode != d.stat.Mode {
		r.found(j.tx, &finding{kind: foundMode, path: path, key: d.key, stat: e.Stat})
	}
	if another || r.scan.unwalked(path) {
		r.scan.enqueue(path)
	}
}

func (j *joining) changed(d *onDisk, e store.Entry, path zsync.Path) {
	r := j.replica
	if j.noted(path, e) {
		return
	}
	if e.Stat.Type == zsync.TypeSymlink {
		j.symlink(e, path)
		return
	}
	live := j.live && !d.stat.Unchanged(e.Stat)  // a young one is only looked at again
	r.hash(j.tx, j.now, path, e.Stat, nil, live) // after a chmod too: an edit before it may have kept size and mtime
}

// noted reports whether that very entry has been found already and waits to be
// logged. A new directory is walked all the same.
func (j *joining) noted(path zsync.Path, e store.Entry) bool {
	r := j.replica
	f := r.findings.at[path]
	switch {
	case f == nil:
		return false
	case f.kind == foundDir && e.Stat.Type == zsync.TypeDir && f.stat.SameFile(e.Stat):
		f.stat = e.Stat
		if r.scan.unwalked(path) {
			r.scan.enqueue(path)
		}
		return true
	case f.stat == e.Stat:
		return true
	}
	r.findings.remove(f)
	return false
}

// unknown looks at an entry that D does not have.
func (j *joining) unknown(e store.Entry) {
	r := j.replica
	if e.Stat.Type == zsync.TypeOther {
		return
	}
	path := j.dir.Join(zsync.Name(e.Name))
	if r.leavesEntry(j.tx, path, e.Stat.Type == zsync.TypeDir) {
		j.unusable(e)
		return
	}
	if _, err := zsync.ParseName(e.Name); err != nil {
		r.problems.set(path, "name", err.Error())
		j.unusable(e)
		return
	}
	if strings.Count(string(path), "/") >= zsync.PathDepthMax {
		r.problems.set(path, "depth", fmt.Sprintf("deeper than %d directories", zsync.PathDepthMax))
		j.unusable(e)
		return
	}
	if j.noted(path, e) {
		return
	}
	if from := r.disk.sameInode(j.tx, e.Stat); len(from) > 0 {
		r.hold(j.tx, path, e, from)
		return
	}
	j.appeared(e, path)
}

// unusable notes what D has that has a name now that is left alone: it was not
// deleted. That lasts until the directory is read again.
func (j *joining) unusable(e store.Entry) {
	for _, d := range j.replica.disk.sameInode(j.tx, e.Stat) {
		if d.surely(e.Stat) {
			j.replica.scan.unusable[d.key] = j.dir
		}
	}
}

// appeared looks at an entry that was nowhere before.
func (j *joining) appeared(e store.Entry, path zsync.Path) {
	switch e.Stat.Type {
	case zsync.TypeDir:
		j.replica.foundDir(j.tx, path, e.Stat, j.live)
	case zsync.TypeSymlink:
		j.symlink(e, path)
	default:
		j.replica.hash(j.tx, j.now, path, e.Stat, nil, j.live)
	}
}

func (j *joining) symlink(e store.Entry, path zsync.Path) {
	j.replica.readable(path)
	if e.Target == "" || len(e.Target) > zsync.SymlinkBytesMax {
		j.replica.problems.set(path, "symlink", fmt.Sprintf("target of %d octets, at most %d", len(e.Target), zsync.SymlinkBytesMax))
		return
	}
	f := &finding{kind: foundFile, path: path, stat: e.Stat, live: j.live, target: e.Target, content: store.ContentOf([]byte(e.Target))}
	j.replica.found(j.tx, f)
}

// foundDir notes a new directory and has it listed: what is in it is found
// before the directory itself is logged.
func (r *Replica) foundDir(tx kv.Tx, path zsync.Path, stat store.Stat, live bool) {
	r.scan.fresh[path] = true
	if live {
		r.scan.enqueueLive(path)
	} else {
		r.scan.enqueue(path)
	}
	r.found(tx, &finding{kind: foundDir, path: path, stat: stat})
}
