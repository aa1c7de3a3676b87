package replica

import (
	"cmp"
	"encoding/binary"
	"slices"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/internal/kv"
)

// Item is one name of a folder as the log has it, for a person to see.
type Item struct {
	Version
	Mode    uint32
	MtimeNS int64 // nanoseconds since 1970 UTC; of a directory none
	Target  string
	Copy    bool // a conflict copy
	// As is the name under which it lies in its directory on this disk, which cannot
	// hold its own; "" where it can.
	As zsync.Name
}

// Items returns what the log has in a directory, ascending by name, or a file by
// itself. All of one directory is in memory, and no other. found: the log has
// something at that path.
func (r *Replica) Items(tx kv.Tx, path zsync.Path) (items []Item, found bool) {
	return r.tree.items(tx, path, func(t *target) (bool, zsync.Name) {
		d := r.disk.get(tx, t.key)
		switch {
		case d == nil || d.loggedPlace() != t.place:
			return false, ""
		case d.stands == "":
			return t.sameContent(d), ""
		}
		return t.sameContent(d), d.place.name
	})
}

// items is Items for any disk: here tells whether it has something as it should be,
// and as what.
func (l *tree) items(tx kv.Tx, path zsync.Path, here func(*target) (bool, zsync.Name)) (items []Item, found bool) {
	node, dot, found := l.lookup(tx, path)
	if !found {
		return nil, false
	}
	if s := l.look(tx, node); !s.dir || dot != (zsync.Dot{}) {
		for _, item := range l.itemsOf(tx, node, path.Dir(), here) {
			if item.Path == path {
				items = append(items, item)
			}
		}
		return items, true
	}
	for _, kid := range l.kids(tx, node) {
		items = append(items, l.itemsOf(tx, kid, path, here)...)
	}
	slices.SortFunc(items, func(a, b Item) int { return cmp.Compare(a.Path, b.Path) })
	return items, true
}

// kids returns the visible nodes that L has in a directory.
func (l *tree) kids(tx kv.Tx, dir uint64) (kids []uint64) {
	kv.ScanPrefix(tx, bucketKids, nodeKey(dir), func(key, _ []byte) bool {
		kids = append(kids, binary.BigEndian.Uint64(key[len(key)-8:]))
		return true
	})
	return kids
}

// itemsOf returns what is shown of a node in the directory dir.
func (l *tree) itemsOf(tx kv.Tx, node uint64, dir zsync.Path, here func(*target) (bool, zsync.Name)) (items []Item) {
	s := l.look(tx, node)
	for i, t := range s.targets(node) {
		v := s.versionFor(t)
		has, as := here(t)
		items = append(items, Item{
			Version: v.tell(dir.Join(t.place.name), t.kind, t.key, has),
			Mode:    t.mode, MtimeNS: v.mtimeNS, Target: v.target, Copy: i > 0, As: as,
		})
	}
	return items
}

// lookup returns what L shows at a path: a node, and, where it is one of its
// conflict copies, by which dot that is known.
func (l *tree) lookup(tx kv.Tx, path zsync.Path) (node uint64, dot zsync.Dot, found bool) {
	if path == "" {
		return rootNode, zsync.Dot{}, true
	}
	dir, inCopy, found := l.lookup(tx, path.Dir())
	if !found || inCopy != (zsync.Dot{}) {
		return 0, zsync.Dot{}, false
	}
	if node, found = l.at(tx, dir, path.Base()); found {
		return node, zsync.Dot{}, true
	}
	return l.copyAt(tx, dir, path.Base())
}
