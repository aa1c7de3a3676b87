package replica

import (
	"github.com/zsync/zsync"
	"github.com/zsync/zsync/internal/kv"
)

// PathOf returns where a node is in the folder, as L has it now or had it last;
// "" for the root and for a node that was never heard of.
func (r *Replica) PathOf(tx kv.Tx, node zsync.NodeID) zsync.Path {
	number, known := r.tree.nodeOf(tx, node)
	if !known || number == rootNode {
		return ""
	}
	return r.pathAt(tx, r.tree.load(tx, number).location().place)
}

// PathIn returns the path of a name in a directory, wherever that is now.
func (r *Replica) PathIn(tx kv.Tx, dir zsync.NodeID, name zsync.Name) zsync.Path {
	return r.PathOf(tx, dir).Join(name)
}

// PathBefore returns where a node was before the operation with the given stamp
// moved it: the newest of its older places.
func (r *Replica) PathBefore(tx kv.Tx, node zsync.NodeID, at zsync.Stamp) zsync.Path {
	number, known := r.tree.nodeOf(tx, node)
	if !known {
		return ""
	}
	record := r.tree.load(tx, number)
	for _, move := range record.moves {
		if move.by.stamp().Compare(at) < 0 {
			return r.pathAt(tx, move.place)
		}
	}
	if record.based {
		return r.pathAt(tx, record.base.place)
	}
	return ""
}

// pathAt climbs from a place to the root. Places in force form a tree, so the
// climb ends.
func (r *Replica) pathAt(tx kv.Tx, at place) zsync.Path {
	path := zsync.Path(at.name)
	for at.parent != rootNode {
		at = r.tree.load(tx, at.parent).location().place
		path = zsync.Path(at.name) + "/" + path
	}
	return path
}
