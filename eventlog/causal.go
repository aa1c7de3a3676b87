package eventlog

import (
	"github.com/zsync/zsync/internal/kv"
)

// place is an event that counts: the writer's index, and its seq.
type place struct {
	writer uint32
	seq    uint64
}

// walk goes through a log in causal order.
type walk struct {
	log     *Log
	visited []uint64            // of each chain, by index
	waiting map[place][]*writer // whose next event rests on one that was not visited yet
}

// causally calls visit for each event that counts, after all that it rests on. A
// hostile author can write a Lamport time that the total order puts before its past,
// so each chain is followed as far as the others allow, and taken up again at the
// event that it waits for: an event is looked at once, and once more for each that it
// names.
func (l *Log) causally(tx kv.Tx, visit func(w *writer, r *read)) {
	k := &walk{log: l, visited: make([]uint64, len(l.writers)), waiting: make(map[place][]*writer)}
	for _, w := range l.writers {
		for free := []*writer{w}; len(free) > 0; {
			next := free[0]
			free = append(free[1:], k.follow(tx, next, visit)...)
		}
	}
}

// follow visits the events of w up to one that has to wait, and returns whose waiting
// that has ended.
func (k *walk) follow(tx kv.Tx, w *writer, visit func(w *writer, r *read)) (free []*writer) {
	for k.visited[w.index] < w.End.Seq {
		r, found := k.log.at(tx, w, k.visited[w.index]+1)
		if !found {
			return free
		}
		if on, waits := k.rests(tx, &r); waits {
			k.waiting[on] = append(k.waiting[on], w)
			return free
		}
		visit(w, &r)
		k.visited[w.index]++
		here := place{w.index, k.visited[w.index]}
		free = append(free, k.waiting[here]...)
		delete(k.waiting, here)
	}
	return free
}

// rests returns an event that r names, itself or through an auth past a cut, and that
// was not visited yet; one past a cut is none.
func (k *walk) rests(tx kv.Tx, r *read) (on place, waits bool) {
	left := func(w *writer, seq uint64) bool { return seq <= w.End.Seq && seq > k.visited[w.index] }
	for _, dep := range r.header.Deps {
		if w := k.log.byID[dep.Writer]; w != nil && left(w, dep.Seq) {
			return place{w.index, dep.Seq}, true
		}
	}
	standing, _ := k.log.standing(tx, r.header.Auth)
	for _, id := range standing {
		if w, seq, found := k.log.find(tx, id); found && left(w, seq) {
			return place{w.index, seq}, true
		}
	}
	return place{}, false
}
