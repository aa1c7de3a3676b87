package crashfs

import (
	"bytes"
	"maps"

	"github.com/zsync/zsync"
)

// Image returns another disk with all that is seen on this one, durable: what a
// copy of the whole disk is when it is put in its place. The clocks of the two are
// the same, their inodes too.
func (f *FS) Image() *FS {
	f.mu.Lock()
	defer f.mu.Unlock()
	g := New(f.random.Uint64())
	g.nowNS, g.used, g.self = f.nowNS, f.used, f.self
	g.size, g.exchange, g.flags, g.inodes, g.modes = f.size, f.exchange, f.flags, f.inodes, f.modes
	g.trouble, g.folds, g.strict = f.trouble, f.folds, f.strict
	g.root = f.root.copied(map[*node]*node{})
	return g
}

func (n *node) copied(seen map[*node]*node) *node {
	if had := seen[n]; had != nil {
		return had
	}
	c := &node{kind: n.kind, inode: n.inode, birthNS: n.birthNS, target: n.target, meta: n.meta, sum: n.sum}
	seen[n] = c
	c.data, c.known = bytes.Clone(n.data), bytes.Clone(n.data)
	if n.kind == zsync.TypeDir {
		c.entries = make(map[string]*node, len(n.entries))
		for _, name := range n.names() {
			c.entries[name] = n.entries[name].copied(seen)
		}
	}
	c.disk.meta, c.disk.data, c.disk.entries = c.meta, c.known, maps.Clone(c.entries)
	return c
}
