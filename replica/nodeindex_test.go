package replica

import (
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/internal/kv"
)

// entries are all of an index, ascending.
func (x *nodeIndex) entries() []uint64 {
	all := slices.Concat(append(slices.Clone(x.runs), x.fresh)...)
	all = slices.DeleteFunc(all, func(entry uint64) bool { return entry&entryGone != 0 })
	slices.Sort(all)
	return all
}

func TestNodeIndexFindsWhatWasAddedAndNotRemoved(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		type pair struct{ hash, node uint64 }
		var x nodeIndex
		var model []pair
		hash := rapid.Map(rapid.Uint64Range(1, 40), func(n uint64) uint64 { return n << 58 })
		for range rapid.IntRange(0, 3).Draw(t, "builds") { // as after a start
			var entries []uint64
			for _, p := range model {
				entries = append(entries, indexEntry(p.hash, p.node))
			}
			x.build(entries)
			for range rapid.IntRange(0, 3000).Draw(t, "changes") {
				if n := len(model); n > 0 && rapid.IntRange(0, 9).Draw(t, "what") < 4 {
					i := rapid.IntRange(0, n-1).Draw(t, "which")
					x.remove(model[i].hash, model[i].node)
					model = slices.Delete(model, i, i+1)
					continue
				}
				p := pair{hash.Draw(t, "hash"), rapid.Uint64Range(2, 900).Draw(t, "node")}
				x.add(p.hash, p.node)
				model = append(model, p)
			}
		}
		of, most := hash.Draw(t, "of"), rapid.IntRange(1, 50).Draw(t, "most")
		var want []uint64
		for _, p := range model {
			if p.hash == of {
				want = append(want, p.node)
			}
		}
		slices.Sort(want)
		want = slices.Compact(want)
		want = want[:min(len(want), most)]
		if diff := cmp.Diff(want, x.find(of, most, nil)); diff != "" && len(want) > 0 {
			t.Fatal(diff)
		}
	})
}

func TestRenamesAreFoundAfterAStart(t *testing.T) {
	b := newBox(t, 'a')
	for i := range 300 {
		b.disk.User().Write(fmt.Sprintf("f%03d", i), fmt.Appendf(nil, "bytes %d", i))
	}
	b.scan()
	b.reopen()
	b.disk.User().Rename("f123", "renamed")
	events := len(b.log)
	b.scan()
	body, err := DecodeBody(b.log[events].Body)
	if err != nil || len(body) != 1 || body[0].Kind != OpMove {
		t.Errorf("a rename was logged as %+v, %v", body, err)
	}
	b.wantTotals()
}

func TestNodesWhoseIDsAreHashedAlikeAreToldApart(t *testing.T) {
	s := newSite(t, 1)
	s.script("put a one\nput b two\nput c three")
	numbers := s.numbers()
	s.tree = newTree(testSpace)
	s.view(func(tx kv.Tx) {
		s.tree.index(tx)
		for id := range numbers {
			for _, other := range numbers {
				s.tree.byID.add(s.tree.idHash(id), other)
			}
		}
		stranger := zsync.NodeID{1}
		for _, node := range numbers {
			s.tree.byID.add(s.tree.idHash(stranger), node)
		}
		for id, node := range numbers {
			if got, found := s.tree.nodeOf(tx, id); !found || got != node {
				t.Errorf("%v is node %d, and taken for %d", id, node, got)
			}
		}
		if node, found := s.tree.nodeOf(tx, stranger); found {
			t.Errorf("an id that no node has is taken for that of node %d", node)
		}
	})
}
