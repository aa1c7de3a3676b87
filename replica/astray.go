package replica

import (
	"encoding/binary"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/internal/kv"
)

// bucketAstray holds the nodes that lie on this disk where nothing is ignored, while
// the log has them in a place that the whole folder ignores: node u64 -> nothing. A
// device moved them there that had not heard of the pattern. If it were left at that,
// some devices would have a file that is not ignored and others would not; so the
// node is moved back to where it lies here. Who moved it has it there too, as a file
// that is ignored and its own.
const bucketAstray = "astray"

// astray returns where D has a node that is to be moved back, or nil. Of a pattern of
// this device alone others know nothing: for them it is where it belongs.
func (r *Replica) astray(tx kv.Tx, node uint64) (d *onDisk, path zsync.Path) {
	d, s := r.disk.get(tx, mainKey(node)), r.tree.look(tx, node)
	if d == nil || d.apart || d.kept || !s.visible || d.loggedPlace() == s.place {
		return nil, ""
	}
	if d.loggedPlace() == r.tree.load(tx, node).location().place {
		return nil, "" // it is ignored for the name that it has because another has this one
	}
	to := r.dirApart(tx, s.place.parent, 0).path.Join(s.place.name)
	if !r.apart.shared.ignoresWithin(string(to), s.dir) {
		return nil, ""
	}
	path, found := r.disk.path(tx, d.place)
	if !found || r.apart.leavesDir(path.Dir()) || r.leavesKnown(tx, d, path) {
		return nil, ""
	}
	return d, path
}

// noteAstray remembers to move a node back.
func (r *Replica) noteAstray(tx kv.Tx, node uint64) {
	if d, _ := r.astray(tx, node); d != nil {
		tx.Put(bucketAstray, nodeKey(node), []byte{})
		r.apart.strayed = true
	}
}

// isAstray reports whether a finding that moves something back still says so.
func (r *Replica) isAstray(tx kv.Tx, f *finding) bool {
	d, path := r.astray(tx, f.key.node)
	return f.back && d != nil && path == f.path
}

// bringStraysBack has logged what moves nodes back, as if a person had done it. What
// is being looked at waits until it is known what it is.
func (r *Replica) bringStraysBack(tx kv.Tx) {
	if !r.apart.strayed || !r.mayAuthor() || r.lost || !r.scan.complete || r.batch.sealed() || r.underWay.any() {
		return
	}
	var nodes []uint64
	tx.Scan(bucketAstray, nil, func(key, _ []byte) bool {
		nodes = append(nodes, binary.BigEndian.Uint64(key))
		return len(nodes) < turnNodes
	})
	r.apart.strayed = len(nodes) == turnNodes
	for _, node := range nodes {
		d, path := r.astray(tx, node)
		if d != nil && (d.young || r.busy(path)) {
			r.apart.strayed = true
			continue
		}
		tx.Delete(bucketAstray, nodeKey(node))
		if d != nil {
			r.findings.add(r.now, &finding{
				kind: foundMove, path: path, key: d.key, stat: d.stat,
				content: d.content, listLen: d.listLen, target: d.target, back: true,
			})
		}
	}
}
