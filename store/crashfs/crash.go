package crashfs

import (
	"maps"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/zsync/zsync"
)

// change is one thing that happened to names, wholly or not at all.
type change struct {
	sets []set
	// after: everything before it happened first. Moving directories about in
	// another order than it was done could tie them into a ring.
	after bool
}

// set gives a name in a directory to a node, or (nil) to nobody.
type set struct {
	dir  *node
	name string
	node *node
	same string // as the disk compares the name: record fills it in
}

// record does a change, as the program sees it.
func (f *FS) record(c change) {
	for i := range c.sets {
		c.sets[i].same = f.same(c.sets[i].name)
	}
	for _, s := range c.sets {
		if s.node == nil {
			delete(s.dir.entries, s.name)
		} else {
			s.dir.entries[s.name] = s.node
			f.altered(s.node)
		}
		s.dir.meta.mtimeNS = f.nowNS
		f.altered(s.dir)
	}
	f.journal = append(f.journal, c)
}

// commit does changes on the disk.
func (f *FS) commit(changes []change) {
	for _, c := range changes {
		for _, s := range c.sets {
			if s.node == nil {
				delete(s.dir.disk.entries, s.name)
			} else {
				s.dir.disk.entries[s.name] = s.node
			}
		}
	}
}

// syncDir makes the names in a directory durable, and with them what happened
// before to the same names and to others that were part of the same changes.
func (f *FS) syncDir(dir *node) {
	needed := make([]bool, len(f.journal))
	names := map[name]bool{}
	all := false
	for i := len(f.journal) - 1; i >= 0; i-- {
		c := f.journal[i]
		needed[i] = all || c.touches(dir) || c.shares(names)
		if needed[i] {
			all = all || c.after
			c.addNames(names)
		}
	}
	var kept, done []change
	for i, c := range f.journal {
		if needed[i] {
			done = append(done, c)
		} else {
			kept = append(kept, c)
		}
	}
	f.commit(done)
	f.journal = kept
}

// name is one place for an entry.
type name struct {
	dir  *node
	name string
}

func (c change) touches(dir *node) bool {
	return slices.ContainsFunc(c.sets, func(s set) bool { return s.dir == dir })
}

func (c change) shares(names map[name]bool) bool {
	return slices.ContainsFunc(c.sets, func(s set) bool { return names[name{s.dir, s.same}] })
}

func (c change) addNames(names map[name]bool) {
	for _, s := range c.sets {
		names[name{s.dir, s.same}] = true
	}
}

// Crash returns the disk as it may be found after the power was cut now. The FS
// itself is of no more use.
func (f *FS) Crash() *FS {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.crashed = true
	f.commit(f.survivors())
	g := New(f.random.Uint64())
	g.nowNS = f.nowNS + int64(time.Second)
	g.size, g.exchange, g.flags, g.inodes, g.modes = f.size, f.exchange, f.flags, f.inodes, f.modes
	g.trouble, g.folds, g.strict = f.trouble, f.folds, f.strict
	g.root = f.root.survive(f.random, map[*node]*node{})
	g.self = g.root.inode
	g.root.each(func(n *node) { g.used += int64(len(n.data)) })
	return g
}

// survivors chooses which changes of names the disk has seen: often all or none,
// else some, of one name always the earlier before the later.
func (f *FS) survivors() []change {
	chance := []float64{0, 0.5, 0.9, 1}[f.random.IntN(4)]
	lost := map[name]bool{}
	anyLost := false
	var kept []change
	for _, c := range f.journal {
		if f.random.Float64() < chance && !c.shares(lost) && !(c.after && anyLost) {
			kept = append(kept, c)
			continue
		}
		anyLost = true
		c.addNames(lost)
	}
	return kept
}

// survive returns the node as the disk has it after a crash, with all below.
func (n *node) survive(random *rand.Rand, seen map[*node]*node) *node {
	if had := seen[n]; had != nil {
		return had
	}
	s := &node{kind: n.kind, inode: n.inode, birthNS: n.birthNS, target: n.target, meta: n.disk.meta}
	seen[n] = s
	if random.IntN(2) == 0 {
		s.meta = n.meta
	}
	if n.kind == zsync.TypeFile {
		s.data = n.torn(random)
	}
	if n.kind == zsync.TypeDir {
		s.entries = map[string]*node{}
		for _, name := range slices.Sorted(maps.Keys(n.disk.entries)) {
			s.entries[name] = n.disk.entries[name].survive(random, seen)
		}
	}
	s.disk.meta, s.disk.data, s.disk.entries = s.meta, s.data, maps.Clone(s.entries)
	s.known = s.data
	s.data = slices.Clone(s.data)
	return s
}

// torn chooses which pages of a file were written, and which of its sizes it has.
func (n *node) torn(random *rand.Rand) []byte {
	size := len(n.disk.data)
	if random.IntN(2) == 0 && string(n.known) != string(n.data) {
		size = len(n.data)
	}
	chance := []float64{0, 0.5, 1}[random.IntN(3)]
	return n.mixed(func(int) bool { return random.Float64() < chance }, size)
}
