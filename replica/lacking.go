package replica

import (
	"maps"
	"slices"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/internal/kv"
)

// Lack is a path that waits for a content.
type Lack struct {
	Path zsync.Path
	Want Want
}

// Lacking returns the first paths that wait for contents that hold is true of, at most
// that many, in the order of the nodes, which is the same at each call; and how many
// more are known to. What is to be brought back from the past is no path yet.
func (r *Replica) Lacking(tx kv.Tx, most int, hold func(zsync.Digest) bool) (lacks []Lack, more int) {
	cs := &r.contents
	for _, node := range slices.Sorted(maps.Keys(cs.ofNode)) {
		for _, content := range cs.ofNode[node] {
			c := cs.by[content]
			switch {
			case node == pastNode || c == nil || c.copying || cs.has(content) || !hold(content):
			case len(lacks) == most:
				more++
			default:
				lacks = append(lacks, Lack{r.pathFor(tx, node, content), c.want})
			}
		}
	}
	return lacks, more
}

// pathFor is where a node shows a content.
func (r *Replica) pathFor(tx kv.Tx, node uint64, content zsync.Digest) zsync.Path {
	s := r.tree.look(tx, node)
	for _, t := range s.targets(node) {
		if t.version != nil && t.version.content == content {
			return r.tree.shownPath(tx, t.place)
		}
	}
	return r.tree.shownPath(tx, s.place)
}
