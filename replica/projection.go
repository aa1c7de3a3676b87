package replica

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"slices"
	"strconv"
	"strings"

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

// The buckets of projection, empty for a disk that holds all names.
const (
	bucketNature    = "nature"    // "nature" -> flags u8 | longest name u16: what the indexes below are made for
	bucketFolds     = "folds"     // parent u64 | slot | 0x00 | node u64 -> nothing: the visible nodes, by what the disk makes of their names
	bucketDiskFolds = "diskfolds" // directory's node u64 | key | 0x00 | disk key -> nothing: what D has, by what names have in common that are one
)

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

var keyNature = []byte("nature")

const (
	natureCases = 1 << iota
	natureForms
	natureStrict
)

// natureOf returns the nature that the database is kept for.
func natureOf(tx kv.Tx) (n store.Nature) {
	value := tx.Get(bucketNature, keyNature)
	switch len(value) {
	case 0:
	case 3:
		n.Cases, n.Forms, n.Strict = value[0]&natureCases != 0, value[0]&natureForms != 0, value[0]&natureStrict != 0
		n.Long = int(binary.BigEndian.Uint16(value[1:]))
	default:
		tx.Fail(fmt.Errorf("replica: a disk's nature of %d octets", len(value)))
	}
	return n
}

func putNature(tx kv.Tx, n store.Nature) {
	var flags byte
	for i, set := range []bool{n.Cases, n.Forms, n.Strict} {
		if set {
			flags |= 1 << i
		}
	}
	tx.Put(bucketNature, keyNature, binary.BigEndian.AppendUint16([]byte{flags}, uint16(n.Long)))
}

// SetNature says what the folder's disk makes of names. It comes before Start; without
// it, it is taken to be as it was at the last.
func (r *Replica) SetNature(tx kv.Tx, n store.Nature) {
	if n == r.tree.names.nature {
		return
	}
	putNature(tx, n)
	r.tree.names, r.disk.nature = newProjection(n), n
	tx.Drop(bucketFolds)
	tx.Drop(bucketDiskFolds)
	if !n.IsPlain() {
		r.tree.indexFolds(tx)
		r.disk.indexFolds(tx)
	}
	r.tree.markAll(tx)
}

func newProjection(n store.Nature) projection { return projection{nature: n, plain: n.IsPlain()} }

// indexFolds makes the index of L's names anew.
func (l *tree) indexFolds(tx kv.Tx) {
	var keys [][]byte
	tx.Scan(bucketKids, nil, func(key, _ []byte) bool {
		keys = append(keys, slices.Clone(key))
		return true
	})
	for _, key := range keys {
		end := len(key) - 9
		p := place{binary.BigEndian.Uint64(key), zsync.Name(key[8:end])}
		tx.Put(bucketFolds, l.key.kids(l.names.slot(p), binary.BigEndian.Uint64(key[end+1:])), nil)
	}
}

// markAll has every node looked at again.
func (l *tree) markAll(tx kv.Tx) {
	var nodes []uint64
	tx.Scan(bucketNodes, nil, func(key, _ []byte) bool {
		nodes = append(nodes, binary.BigEndian.Uint64(key))
		return true
	})
	for _, node := range nodes {
		if l.dirty.mark(node); len(l.dirty.fresh) > freshMax {
			l.dirty.save(tx)
		}
	}
}

// slot is the place that a name takes on this disk: names that are one, and names that
// are one when what the disk refuses of them is left out.
func (n *projection) slot(p place) place {
	return place{p.parent, n.nature.Key(n.nature.Fit(p.name))}
}

func (n *projection) forget() {
	n.slots.clear()
	n.groups.clear()
}

// inSlot returns the visible nodes whose location takes a slot, ascending.
func (l *tree) inSlot(tx kv.Tx, slot place) []uint64 {
	nodes, known := l.names.slots.get(slot)
	if !known {
		kv.ScanPrefix(tx, bucketFolds, l.key.kids(slot), func(key, _ []byte) bool {
			nodes = append(nodes, binary.BigEndian.Uint64(key[len(key)-8:]))
			return true
		})
		l.names.slots.set(slot, nodes)
	}
	return nodes
}

// hangFold puts a node into the slot of its location, or takes it out.
func (l *tree) hangFold(tx kv.Tx, p place, node uint64, in bool) {
	if l.names.plain {
		return
	}
	slot := l.names.slot(p)
	if in {
		tx.Put(bucketFolds, l.key.kids(slot, node), nil)
	} else {
		tx.Delete(bucketFolds, l.key.kids(slot, node))
	}
	l.names.slots.drop(slot)
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

// noteFolds marks as dirty whose names on this disk may depend on what has changed of a
// node: all that takes the same slot, or would but for what was put to its name.
func (l *tree) noteFolds(tx kv.Tx, before, now footing) {
	if l.names.plain {
		return
	}
	l.names.groups.clear()
	for _, f := range []footing{before, now} {
		if !f.visible {
			continue
		}
		slot := l.names.slot(f.place)
		for _, node := range l.foldPeel(tx, slot, layersMax+1) {
			l.dirty.mark(node)
		}
	}
}

// foldPeel is peel by slots.
func (l *tree) foldPeel(tx kv.Tx, slot place, layers int) []uint64 {
	nodes := slices.Clip(l.inSlot(tx, slot))
	if layers == 0 || !strings.Contains(string(slot.name), "~") {
		return nodes
	}
	stem, ext := split(slot.name)
	for _, reading := range []struct{ text, ext string }{{stem, ext}, {string(slot.name), ""}} {
		before, suffix, found := cutLast(reading.text)
		if !found {
			continue
		}
		nodes = append(nodes, l.suffixed(tx, slot, strings.TrimPrefix(suffix, projectedMark))...)
		nodes = append(nodes, l.suffixed(tx, slot, suffix)...)
		if before += reading.ext; before != "" {
			nodes = append(nodes, l.foldPeel(tx, place{slot.parent, zsync.Name(before)}, layers-1)...)
		}
	}
	if isNumber(ext) {
		nodes = append(nodes, l.inSlot(tx, place{slot.parent, zsync.Name(stem)})...)
	}
	return nodes
}
