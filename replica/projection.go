package replica

import (
	"cmp"
	"slices"
	"strconv"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/internal/kv"
	"github.com/zsync/zsync/store"
)

// The names of the log are exact, and there are disks that take two of them for one, or
// refuse some (see [store.Nature]). There the name that loses is projected: it lies on
// the disk as stem~c<hex of the node id>.ext, with 4 digits or as many as make it free.
// Which one that is, follows from L and the disk's nature alone. D remembers what the
// name stands for, and nothing else ever takes one name for another: a user's own file
// of such a name is a file like any other.

const (
	projectedMark   = "c"
	projectedDigits = 4
)

// projection is what L's names are on one disk, of a nature that is not plain.
type projection struct {
	nature store.Nature
	plain  bool
	slots  memo[place, []uint64]               // of bucketFolds
	groups memo[place, map[diskKey]zsync.Name] // names that are projected, by slot
}

func newProjection(n store.Nature) projection { return projection{nature: n, plain: n.IsPlain()} }

func (n *projection) forget() {
	n.slots.clear()
	n.groups.clear()
}

// project returns all that L wants of a node, under the names that it has on this disk.
func (l *tree) project(tx kv.Tx, node uint64, s *shown) []*target {
	targets := s.targets(node)
	if l.names.plain || len(targets) == 0 || node == rootNode {
		return targets
	}
	group := l.group(tx, l.names.slot(l.load(tx, node).location().place))
	if len(group) == 0 {
		return targets
	}
	targets = slices.Clone(targets) // the others are remembered
	for i, t := range targets {
		if name, projected := group[t.key]; projected {
			here := *t
			here.stands, here.place.name = t.place.name, name
			targets[i] = &here
		}
	}
	return targets
}

func (r *Replica) targets(tx kv.Tx, node uint64) []*target {
	return r.tree.project(tx, node, r.tree.look(tx, node))
}

// claim is one name that L shows of the nodes in one slot.
type claim struct {
	key  diskKey
	name zsync.Name
	real bool // not made up by L
	footing
	id zsync.NodeID
}

// compareClaims puts first who keeps the name: real names before those that L has made
// up; then as among rivals for one exact name, directories before files, then the
// oldest; and conflict copies last.
func compareClaims(a, b *claim) int {
	first := func(a, b bool) int {
		if a == b {
			return 0
		} else if a {
			return -1
		}
		return +1
	}
	return cmp.Or(
		first(!a.key.isCopy(), !b.key.isCopy()), first(a.real, b.real), first(a.dir, b.dir),
		a.stamp.Compare(b.stamp), a.id.Compare(b.id), a.key.copy.Compare(b.key.copy),
	)
}

// group returns the projected names of what takes one slot; nearly always none.
func (l *tree) group(tx kv.Tx, slot place) map[diskKey]zsync.Name {
	group, known := l.names.groups.get(slot)
	if !known {
		group = l.newGroup(tx, slot)
		l.names.groups.set(slot, group)
	}
	return group
}

func (l *tree) newGroup(tx kv.Tx, slot place) (group map[diskKey]zsync.Name) {
	claims := l.claims(tx, slot)
	n := l.names.nature
	given := givenNames{}
	for _, c := range claims {
		name, key := c.name, n.Key(c.name)
		taken := given[key] || !c.real && len(l.inSlot(tx, l.names.slot(place{slot.parent, c.name}))) > 0
		if taken || !n.Holds(name) {
			if group == nil {
				group = map[diskKey]zsync.Name{}
			}
			name = l.projectedName(tx, slot.parent, c, given)
			group[c.key] = name
		}
		given[n.Key(name)] = true
	}
	return group
}

func (l *tree) claims(tx kv.Tx, slot place) (claims []*claim) {
	for _, node := range l.inSlot(tx, slot) {
		s, r := l.look(tx, node), l.load(tx, node)
		for i, t := range s.targets(node) {
			real := i == 0 && t.place.name == r.location().place.name
			claims = append(claims, &claim{key: t.key, name: t.place.name, real: real, footing: r.footing(), id: r.id})
		}
	}
	slices.SortFunc(claims, compareClaims)
	return claims
}

// projectedName returns the first name that is free. Real names, of which this is none,
// never give way to it.
func (l *tree) projectedName(tx kv.Tx, parent uint64, c *claim, given givenNames) zsync.Name {
	n := l.names.nature
	base, digits := n.Fit(c.name), c.id.String()
	if base == "" {
		base = "_"
	}
	free := func(name zsync.Name) bool {
		return !given[n.Key(name)] && n.Holds(name) && len(l.inSlot(tx, l.names.slot(place{parent, name}))) == 0
	}
	for length := projectedDigits; length < len(digits); length += projectedDigits {
		name, whole := decorateIn(base, projectedMark+digits[:length], n.Room())
		if !whole {
			break
		}
		if free(name) {
			return name
		}
	}
	name, _ := decorateIn(base, projectedMark+digits, n.Room())
	for i := 2; !free(name) && i < countedMax; i++ {
		name, _ = decorateIn(base, projectedMark+digits+"~"+strconv.Itoa(i), n.Room())
	}
	return name
}

// countedMax bounds the names that are tried: L has no node of more versions.
const countedMax = 1 << 20
