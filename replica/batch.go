package replica

import (
	"slices"
	"time"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/internal/kv"
	"github.com/zsync/zsync/store"
)

// The limits of a batch: each batch costs one flush of the disk and two commits,
// whatever its size.
const (
	batchChangesMax = 2048
	batchBytesMax   = 256 << 20
	batchWait       = 200 * time.Millisecond // after its first change, while more is in flight
)

// step is one change of a batch and what it makes of D.
type step struct {
	change store.Change
	key    diskKey // of what is changed or made
	made   bool    // there was nothing before
	after  *onDisk // nil: there is nothing left
}

// isUndo reports whether the step only takes back what another did: D never knew
// of it.
func (s *step) isUndo() bool { return s.key.node == 0 }

// batchState says how far a batch is. It goes one way.
type batchState uint8

const (
	batchOpen     batchState = iota // being filled
	batchFlushing                   // waits for what is staged to be durable
	batchReady                      // waits for directories that are being read
)

// batch is changes to the tree that are carried out together, and the overlay
// through which planning sees D as if they had been.
type batch struct {
	state     batchState
	number    uint64 // once it is under way
	intents   uint32 // the place of its first step among all that are under way
	mixed     bool   // it does more than make what was not there
	urgent    bool   // something of it was made elsewhere just now: it waits for nothing
	redo      bool   // it was under way when this device stopped, or its disk failed …
	delay     time.Duration
	notBefore time.Time // … and is not tried again before
	steps     []step
	bytes     int64 // that are placed
	opened    time.Time
	changed   map[diskKey]*onDisk   // the overlay; nil: gone
	slots     map[place]diskKey     // zero: empty
	inDir     map[uint64]int        // how many of changed are in a directory
	keys      map[uint64][]diskKey  // of changed, by node
	planned   map[uint64]bool       // nodes that need no more
	parked    []uint64              // nodes that were put out of the way
	left      []uint64              // directories that something was taken out of
	dropped   []uint64              // nodes of steps that were taken out again
	paths     map[uint64]zsync.Path // of directories; a cache, for one spell of planning
	placed    map[zsync.Digest]bool // contents
	slotted   map[place][]diskKey   // by what names have in common that may be one, of …
	indexed   int                   // … so many steps
}

func newBatch() batch {
	return batch{
		changed: map[diskKey]*onDisk{}, slots: map[place]diskKey{}, inDir: map[uint64]int{},
		keys: map[uint64][]diskKey{}, planned: map[uint64]bool{}, paths: map[uint64]zsync.Path{},
		placed: map[zsync.Digest]bool{},
	}
}

func (b *batch) sealed() bool { return b.state != batchOpen }

// mends reports whether the batch is to end, or to take back, what another has done.
func (b *batch) mends() bool { return b.redo || len(b.steps) > 0 && b.steps[0].isUndo() }

// ready reports whether directories must not be read now, but for those that have
// waited for long.
func (b *batch) ready() bool { return b.state >= batchReady }

func (b *batch) full() bool {
	return len(b.steps) >= batchChangesMax || b.bytes >= batchBytesMax || b.sealed()
}

// touches reports whether the batch holds a change of the node.
func (b *batch) touches(node uint64) bool { return len(b.keys[node]) > 0 }

// add appends a change that makes after of before; either may be nil. It refuses
// a second change of one file: only the first will tell what the file's Stat is
// then. A directory is known by its inode.
func (b *batch) add(now time.Time, change store.Change, before, after *onDisk) bool {
	if before != nil && before.kind != zsync.TypeDir && b.changed[before.key] != nil {
		return false
	}
	if len(b.steps) == 0 {
		b.opened = now
	}
	s := step{change: change, after: after}
	if change.Op == store.OpPlace {
		b.placed[change.Content] = true
	}
	if before != nil {
		b.mixed = true
		s.key = before.key
		b.set(before.key, before.place, nil)
	} else {
		s.key, s.made = after.key, true
	}
	if after != nil {
		if after.stat.Type == zsync.TypeOther && before != nil {
			after.stat = before.stat // until the disk tells
		}
		b.set(after.key, after.place, after)
	}
	if before.placeAsDir() != after.placeAsDir() {
		clear(b.paths)
	}
	b.steps = append(b.steps, s)
	b.bytes += change.Size
	return true
}

// set makes the overlay show d, or nothing, under key and at its place.
func (b *batch) set(key diskKey, at place, d *onDisk) {
	was, known := b.changed[key]
	if !known {
		b.keys[key.node] = append(b.keys[key.node], key)
	}
	if was != nil {
		b.inDir[was.place.parent]--
	}
	b.changed[key] = d
	b.slots[at] = diskKey{}
	if d != nil {
		b.slots[at] = key
		b.inDir[at.parent]++
	}
}

// park notes a node that is to be planned again before the batch is sealed.
func (b *batch) park(node uint64) { b.parked = append(b.parked, node) }

// emptied notes a directory that may be empty now.
func (b *batch) emptied(dir uint64) {
	if dir != rootNode && !slices.Contains(b.left[max(0, len(b.left)-1):], dir) {
		b.left = append(b.left, dir)
	}
}

// get returns what the disk has under key after the batch, or nil.
func (t *turn) get(key diskKey) *onDisk {
	if d, changed := t.replica.batch.changed[key]; changed {
		return d
	}
	return t.replica.disk.get(t.tx, key)
}

// at returns what is at a place after the batch, or nil.
func (t *turn) at(p place) *onDisk {
	if key, changed := t.replica.batch.slots[p]; changed {
		return t.replica.batch.changed[key]
	}
	return t.replica.disk.at(t.tx, p)
}

// node returns what the disk has of a node after the batch.
func (t *turn) node(node uint64) []*onDisk {
	b := &t.replica.batch
	has := t.replica.disk.node(t.tx, node)
	if len(b.keys[node]) == 0 {
		return has
	}
	has = slices.DeleteFunc(slices.Clone(has), func(d *onDisk) bool {
		_, changed := b.changed[d.key]
		return changed
	})
	for _, key := range b.keys[node] {
		if d := b.changed[key]; d != nil {
			has = append(has, d)
		}
	}
	return has
}

// occupied reports whether a directory holds anything that D knows of, after the
// batch.
func (t *turn) occupied(dir uint64) (found bool) {
	b := &t.replica.batch
	if b.inDir[dir] > 0 {
		return true
	}
	kv.ScanPrefix(t.tx, bucketDiskPath, nodeKey(dir), func(_, raw []byte) bool {
		key, err := parseDiskKey(raw)
		if err != nil {
			t.tx.Fail(err)
			return false
		}
		_, changed := b.changed[key]
		found = !changed
		return !found
	})
	return found
}

// path returns where a place lies after the batch.
func (t *turn) path(p place) (zsync.Path, bool) {
	if p.parent == rootNode {
		return zsync.Path(p.name), true
	}
	b := &t.replica.batch
	if dir, cached := b.paths[p.parent]; cached {
		return dir.Join(p.name), true
	}
	path, found := pathOf(p, func(dir uint64) *onDisk { return t.get(mainKey(dir)) })
	if found {
		b.paths[p.parent] = path.Dir()
	}
	return path, found
}

// sealWhenDue closes the batch when it is full, has waited long enough, or when
// there is nothing to wait for.
func (r *Replica) sealWhenDue(t *turn) {
	b := &r.batch
	if len(b.steps) == 0 {
		return
	}
	waited := !t.now.Before(b.opened.Add(batchWait))
	nothing := r.contents.outstanding == 0 && len(r.plan.ready) == 0 && r.plan.cursor == cursorEnd
	if b.full() || r.mayGo(t.now) && (waited || nothing || b.urgent && r.contents.urgent == 0) {
		t.finish()
		r.flushOrApply(t.tx, t.now)
	}
}

// finish adds what only the end of a batch can tell: where what was parked goes,
// and which directories are empty.
func (t *turn) finish() {
	r := t.replica
	parked := r.batch.parked
	r.batch.parked = nil
	for _, node := range parked {
		t.plan(node)
	}
	for len(r.batch.left) > 0 {
		dirs := r.batch.left
		r.batch.left = nil
		for _, dir := range dirs {
			if d := t.get(mainKey(dir)); d != nil && !t.occupied(dir) {
				t.plan(dir)
			}
		}
	}
}

// abandonBatch forgets a batch of which nothing was done.
func (r *Replica) abandonBatch() {
	r.batch = newBatch()
	r.plan.lower(0)
}

// applyWhenQuiet orders the changes once no directory is being read: see
// orderLists. The intents are committed with the transaction that this Output
// waits for, so a crash at any time after finds out what was under way.
func (r *Replica) applyWhenQuiet(tx kv.Tx, now time.Time) {
	b := &r.batch
	if b.state != batchReady || len(r.scan.listing) > 0 || now.Before(b.notBefore) || !r.mayGo(now) {
		return
	}
	b.steps = slices.DeleteFunc(b.steps, func(s step) bool {
		drop := !b.redo && !s.isUndo() && (r.busy(s.change.Path) || s.change.From != "" && r.busy(s.change.From) || r.outdated(tx, &s))
		if drop {
			b.dropped = append(b.dropped, s.key.node)
		}
		return drop
	})
	if len(b.steps) == 0 {
		r.abandonBatch()
		return
	}
	r.send(tx, now)
}

// outdated reports whether D has come to know a file otherwise since the step was
// planned. Done again after a crash, such a step would take for its own work what a
// person did to the file.
func (r *Replica) outdated(tx kv.Tx, s *step) bool {
	if s.made || s.change.Old == nil || s.change.Old.Type == zsync.TypeDir {
		return false
	}
	d := r.disk.get(tx, s.key)
	return d == nil || !d.stillAs(*s.change.Old)
}

// stillAs reports whether D has learned nothing new of d since it had that Stat, as far
// as that can be told: a directory's own times say nothing.
func (d *onDisk) stillAs(old store.Stat) bool {
	if d.kind == zsync.TypeDir {
		return d.stat.SameFile(old)
	}
	return d.stat == old
}
