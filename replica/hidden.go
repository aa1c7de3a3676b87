package replica

import (
	"encoding/binary"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/internal/kv"
)

// bucketHidden holds the nodes that L shows as, or in, a private directory, and
// this disk has otherwise: node u64 -> nothing. Such a name is given to nothing:
// it would be taken for zsync's own, of this folder or of one within it.
const bucketHidden = "hidden"

// hide reports whether the node is one of those, or is ignored. It is left as it is on
// this disk.
func (r *Replica) hide(tx kv.Tx, node uint64, s *shown) bool {
	return s.visible && r.hidePrivate(tx, node, s) || r.leave(tx, node)
}

func (r *Replica) hidePrivate(tx kv.Tx, node uint64, s *shown) bool {
	parent := mainKey(s.place.parent)
	if s.place.name != zsync.PrivateDir && (parent.node == rootNode || r.disk.get(tx, parent) != nil) {
		return false // it can go where its directory is
	}
	path, private := r.privatePath(tx, s.place)
	if !private {
		return false
	}
	tx.Put(bucketHidden, nodeKey(node), []byte{})
	r.problems.set(path, "private", "is not made here: the name belongs to zsync")
	return true
}

// privatePath reports whether a place of L has a private name on its way, and
// returns the path down from it.
func (r *Replica) privatePath(tx kv.Tx, p place) (path zsync.Path, private bool) {
	for depth := 0; depth <= zsync.PathDepthMax; depth++ {
		if path == "" {
			path = zsync.Path(p.name)
		} else {
			path = zsync.Path(p.name) + "/" + path
		}
		private = private || p.name == zsync.PrivateDir
		if p.parent == rootNode {
			break
		}
		dir := p.parent
		if p = r.tree.load(tx, dir).location().place; p.name == zsync.PrivateDir {
			p.name = r.tree.finalName(tx, dir, p)
		}
	}
	return path, private
}

// unhide has everything hidden looked at again when one of it is so no more: it may
// have been a directory, with others in it.
func (r *Replica) unhide(tx kv.Tx, node uint64) {
	if tx.Get(bucketHidden, r.disk.key.node(node)) == nil {
		return
	}
	r.lookAtHidden(tx)
	tx.Drop(bucketHidden)
	r.problems.clearAll("private")
}

func (r *Replica) lookAtHidden(tx kv.Tx) {
	var nodes []uint64
	tx.Scan(bucketHidden, nil, func(key, _ []byte) bool {
		nodes = append(nodes, binary.BigEndian.Uint64(key))
		return true
	})
	for _, node := range nodes {
		r.tree.dirty.mark(node)
	}
}
