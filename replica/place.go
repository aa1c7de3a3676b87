package replica

import (
	"encoding/binary"
	"fmt"

	"github.com/zsync/zsync"
)

// orphanName is the name at the root of a node that no operation has placed, or
// all of whose places lie within itself.
func orphanName(id zsync.NodeID) zsync.Name { return zsync.Name("orphan~" + id.String()[:12]) }

// settle decides the place in force for every node, so that no directory lies
// in itself. All begin at their newest place. While there is a cycle, the node
// in it that was placed last falls back to the place it had before. The result
// does not depend on which cycle is looked at first: a cycle stays until its own
// youngest node has fallen, and no node is in two.
//
// Only a node whose places just changed, or one that has fallen before, can be
// in a cycle now: any other cycle would have been there before.
func (f *folding) settle() {
	var seeds []*touched
	for _, t := range f.order {
		if t.placed && t.parent {
			seeds = append(seeds, t)
		}
	}
	if len(seeds) == 0 {
		return
	}
	seeds = append(seeds, f.fallen()...)
	for _, t := range seeds {
		t.at = 0
	}
	for _, t := range seeds {
		f.untangle(t)
	}
	f.keepFallen()
}

// fallen returns the nodes that were not at their newest place.
func (f *folding) fallen() (nodes []*touched) {
	f.tx.Scan(bucketFallen, nil, func(key, _ []byte) bool {
		nodes = append(nodes, f.numbered(binary.BigEndian.Uint64(key)))
		return true
	})
	return nodes
}

// keepFallen writes down which nodes have fallen now.
func (f *folding) keepFallen() {
	for _, t := range f.order {
		t.unsaved = t.unsaved || t.at != t.stood
		switch {
		case t.at > 0 && t.stood == 0:
			f.tx.Put(bucketFallen, nodeKey(t.number), nil)
		case t.at == 0 && t.stood > 0:
			f.tx.Delete(bucketFallen, nodeKey(t.number))
		}
	}
}

// untangle breaks every cycle that the way up from t leads into. Where a node
// that fell makes a new cycle, that one lies on the same way.
func (f *folding) untangle(t *touched) {
	for {
		way, cycle := f.climb(t)
		if len(cycle) == 0 {
			for _, passed := range way {
				passed.rooted = true
			}
			return
		}
		youngest(cycle).at++
	}
}

// climb follows the parents from t to the root, or once around the cycle that
// is in the way.
func (f *folding) climb(t *touched) (way, cycle []*touched) {
	f.walks++
	for t.number != rootNode && !t.rooted {
		if t.walk == f.walks {
			for i, passed := range way {
				if passed == t {
					return way, way[i:]
				}
			}
		}
		t.walk = f.walks
		way = append(way, t)
		t = f.numbered(t.location().place.parent)
	}
	return way, nil
}

// youngest returns the node with the newest location.
func youngest(cycle []*touched) *touched {
	last := cycle[0]
	for _, t := range cycle[1:] {
		if t.location().by.stamp().Compare(last.location().by.stamp()) > 0 {
			last = t
		}
	}
	return last
}

// hang brings the directories' lists of visible nodes up to date. First every
// node leaves where it is no longer to be seen, then it enters where it now is:
// so either half moves within a graph without cycles, the old one and the new.
func (f *folding) hang() {
	for i := 0; i < len(f.order); i++ { // climbing lengthens it
		f.leave(f.order[i])
	}
	for i := 0; i < len(f.order); i++ {
		f.enter(f.order[i])
	}
}

// leave takes t out of its directory when it is not visible there, and then the
// directory out of its own, if t was all that kept it visible.
func (f *folding) leave(t *touched) {
	for t.hung && (!t.visible() || t.location().place != t.under) {
		t.hung = false
		f.tree.unhang(f.tx, t.under, t.number)
		t = f.numbered(t.under.parent)
		f.countKid(t, -1)
	}
}

// enter puts t into its directory when it is visible, and then the directory
// into its own.
func (f *folding) enter(t *touched) {
	for t.number != rootNode && !t.hung && t.visible() {
		t.hung, t.under = true, t.location().place
		f.tree.hang(f.tx, t.under, t.number)
		t = f.numbered(t.under.parent)
		f.countKid(t, +1)
	}
}

// countKid keeps the number of visible nodes in a directory; nobody asks how
// many there are at the root.
func (f *folding) countKid(t *touched, by int) {
	if t.number == rootNode {
		return
	}
	if t.kids == 0 && by < 0 {
		f.tx.Fail(fmt.Errorf("replica: record of node %d: more left it than were in it", t.number))
		return
	}
	t.kids += uint64(by)
	t.unsaved = true
}
