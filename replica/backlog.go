package replica

import (
	"cmp"
	"container/heap"
)

const (
	// bulkBytes is from where on a file waits for all that are smaller, in octets.
	bulkBytes = 64 << 20
	// eldestTurn makes each 16th pick that of the file that has waited longest, so that
	// none waits for ever.
	eldestTurn = 16
)

// backlog are files that wait to be hashed: the small before the large, and the
// newest first. What a disk says of times orders nothing but work.
type backlog struct {
	first   byUrgency
	arrived []*task // in the order they came; some are taken already
	count   int     // those that wait
	added   uint64
	picks   int
}

func (b *backlog) add(t *task) {
	b.added++
	t.number = b.added
	heap.Push(&b.first, t)
	b.arrived = append(b.arrived, t)
	b.count++
}

// take returns the next file; there is one.
func (b *backlog) take() *task {
	b.picks++
	b.count--
	t := b.eldest()
	if b.picks%eldestTurn != 0 {
		for t = b.pop(); t.taken; t = b.pop() { // it had its turn as the eldest
		}
	}
	t.taken = true
	if b.count == 0 {
		b.first, b.arrived = nil, nil
	}
	return t
}

func (b *backlog) pop() *task { return heap.Pop(&b.first).(*task) }

func (b *backlog) eldest() *task {
	for b.arrived[0].taken {
		b.arrived = b.arrived[1:]
	}
	return b.arrived[0]
}

// clear takes all of them out and returns them.
func (b *backlog) clear() (all []*task) {
	for b.count > 0 {
		all = append(all, b.take())
	}
	return all
}

// byUrgency is a heap of files.
type byUrgency []*task

func (q byUrgency) Len() int           { return len(q) }
func (q byUrgency) Less(i, j int) bool { return q[i].compare(q[j]) < 0 }
func (q byUrgency) Swap(i, j int)      { q[i], q[j] = q[j], q[i] }
func (q *byUrgency) Push(t any)        { *q = append(*q, t.(*task)) }

func (q *byUrgency) Pop() any {
	last := len(*q) - 1
	t := (*q)[last]
	(*q)[last] = nil
	*q = (*q)[:last]
	return t
}

func (t *task) compare(o *task) int {
	a, b := &t.job.Old, &o.job.Old
	return cmp.Or(
		compareBools(a.Size > bulkBytes, b.Size > bulkBytes), cmp.Compare(b.MtimeNS, a.MtimeNS), cmp.Compare(t.number, o.number),
	)
}
