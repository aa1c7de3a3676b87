package replica

import (
	"slices"
	"testing"

	"golang.org/x/text/unicode/norm"
	"pgregory.net/rapid"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/internal/kv"
	"github.com/zsync/zsync/store"
)

// Marks are taken as from one ordered set, whatever of them was saved and whenever
// the device was started anew.
func TestMarksAreTakenFromTheLowestOn(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		db, m := kv.NewMemory(), newMarks()
		want := map[uint64]bool{}
		nodes := rapid.Uint64Range(1, 9)
		fact := func(tx kv.Tx) {
			switch node := nodes.Draw(t, "node"); rapid.IntRange(0, 3).Draw(t, "what") {
			case 0, 1:
				m.mark(node)
				want[node] = true
			case 2:
				m.unmark(tx, node)
				delete(want, node)
			default:
				most := int(node)
				expected := lowestOf(want, most)
				if got := m.take(tx, most); !slices.Equal(got, expected) {
					t.Fatalf("took %v, want %v", got, expected)
				}
				for _, taken := range expected {
					delete(want, taken)
				}
			}
			if m.any(tx) != (len(want) > 0) {
				t.Fatalf("any is %t with %d marks", m.any(tx), len(want))
			}
		}
		for range rapid.IntRange(1, 12).Draw(t, "turns") {
			err := db.Update(func(tx kv.Tx) error {
				for range rapid.IntRange(1, 4).Draw(t, "facts") {
					fact(tx)
				}
				m.save(tx)
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			if rapid.Bool().Draw(t, "restart") {
				m = newMarks()
			}
		}
	})
}

func lowestOf(set map[uint64]bool, most int) (nodes []uint64) {
	for node := range set {
		nodes = append(nodes, node)
	}
	slices.Sort(nodes)
	return nodes[:min(most, len(nodes))]
}

func TestNodeIDsOfPlainNamesAreThoseOfTheirNormalForm(t *testing.T) {
	l := newTree(testSpace)
	rapid.Check(t, func(t *rapid.T) {
		parent := zsync.NodeID(rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "parent"))
		name := rapid.StringMatching(`[ -~]{1,9}`).Draw(t, "name")
		text := slices.Concat([]byte("zsync/node/1"), testSpace[:], parent[:])
		want := store.ContentOf(norm.NFC.AppendString(text, name))
		if got := l.derivedID(parent, zsync.Name(name)); got != zsync.NodeID(want[:16]) {
			t.Fatalf("%q in %v is %v", name, parent, got)
		}
	})
}
