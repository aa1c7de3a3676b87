package replica

import "slices"

// nodeIndex finds nodes by a hash of something that the database says of them, for
// eight octets a node. It says where to look and no more: another hash may begin
// alike. The zero index is empty.
//
// It is in memory alone and made anew from the database at each start, because keys
// that come in no order are what costs a database most: each is in another page.
type nodeIndex struct {
	fresh []uint64   // entries in no order
	runs  [][]uint64 // ascending entries, the longest run first
	size  int        // entries in runs …
	gone  int        // … and how many of these were removed
}

// An entry is the hash's first 31 bits, the node in 32 bits, and one that says that it
// was removed.
const (
	entryHashShift = 33
	entryGone      = 1

	// indexNodeMax is the last node that an entry has room for: a log of that many is
	// larger than any disk. Nodes above it are not found.
	indexNodeMax = 1<<32 - 1
)

func indexEntry(hash, node uint64) uint64 {
	return hash>>entryHashShift<<entryHashShift | node<<1
}

const (
	indexFreshMax = 256 // entries that are looked through one by one
	indexGrowth   = 4   // how much longer each run is than the next, at least
)

// build makes the index of entries, which it keeps.
func (x *nodeIndex) build(entries []uint64) {
	slices.Sort(entries)
	*x = nodeIndex{size: len(entries)}
	if len(entries) > 0 {
		x.runs = [][]uint64{entries}
	}
}

func (x *nodeIndex) add(hash, node uint64) {
	if node > indexNodeMax {
		return
	}
	x.fresh = append(x.fresh, indexEntry(hash, node))
	if len(x.fresh) < indexFreshMax {
		return
	}
	slices.Sort(x.fresh)
	x.runs = append(x.runs, slices.Clone(x.fresh))
	x.size += len(x.fresh)
	x.fresh = x.fresh[:0]
	for n := len(x.runs); n > 1 && indexGrowth*len(x.runs[n-1]) > len(x.runs[n-2]); n-- {
		x.merge()
	}
}

// replace puts a node elsewhere; 0 is nowhere.
func (x *nodeIndex) replace(from, to, node uint64) {
	if from == to {
		return
	}
	if from != 0 {
		x.remove(from, node)
	}
	if to != 0 {
		x.add(to, node)
	}
}

// merge makes one run of the last two.
func (x *nodeIndex) merge() {
	n := len(x.runs)
	a, b := x.runs[n-2], x.runs[n-1]
	both := make([]uint64, 0, len(a)+len(b))
	for len(a) > 0 && len(b) > 0 {
		if a[0] <= b[0] {
			both, a = append(both, a[0]), a[1:]
		} else {
			both, b = append(both, b[0]), b[1:]
		}
	}
	x.runs[n-1] = nil
	x.runs = x.runs[:n-1]
	x.runs[n-2] = append(append(both, a...), b...)
}

// remove takes out what one add put in.
func (x *nodeIndex) remove(hash, node uint64) {
	entry := indexEntry(hash, node)
	if i := slices.Index(x.fresh, entry); i >= 0 {
		last := len(x.fresh) - 1
		x.fresh[i] = x.fresh[last]
		x.fresh = x.fresh[:last]
		return
	}
	for _, run := range x.runs {
		i, _ := slices.BinarySearch(run, entry|entryGone) // the last of those that are alike is before it
		if i == 0 || run[i-1] != entry {
			continue
		}
		run[i-1] |= entryGone
		if x.gone++; x.gone > x.size/2 {
			x.tidy()
		}
		return
	}
}

// tidy gives back the room of what was removed.
func (x *nodeIndex) tidy() {
	left := make([]uint64, 0, x.size-x.gone)
	for _, run := range x.runs {
		for _, entry := range run {
			if entry&entryGone == 0 {
				left = append(left, entry)
			}
		}
	}
	fresh := x.fresh
	x.build(left)
	x.fresh = fresh
}

// find appends to nodes those with that hash, and perhaps some others: each one once,
// ascending, and at most so many of them, the lowest.
func (x *nodeIndex) find(hash uint64, most int, nodes []uint64) []uint64 {
	from := indexEntry(hash, 0)
	for _, entry := range x.fresh {
		if (entry^from)>>entryHashShift == 0 {
			nodes = append(nodes, entry>>1&indexNodeMax)
		}
	}
	for _, run := range x.runs {
		i, _ := slices.BinarySearch(run, from)
		last := uint64(entryGone)
		for taken := 0; i < len(run) && taken < most && (run[i]^from)>>entryHashShift == 0; i++ {
			if run[i]&entryGone == 0 && run[i] != last {
				last = run[i]
				nodes = append(nodes, last>>1&indexNodeMax)
				taken++
			}
		}
	}
	slices.Sort(nodes)
	nodes = slices.Compact(nodes)
	return nodes[:min(len(nodes), most)]
}
