package filemq

import "slices"

// queue holds the requests that have items left to read, by priority and then by
// age. Urgent ones go first, but each 16th pick is the oldest of the least urgent
// level that has any: nothing waits for ever.
type queue struct {
	levels [PriorityLowest + 1][]*serving
	picks  int
}

func (q *queue) push(r *serving) { q.levels[r.Prio] = append(q.levels[r.Prio], r) }

// remove takes r out, if it is in.
func (q *queue) remove(r *serving) {
	level := q.levels[r.Prio]
	if at := slices.Index(level, r); at >= 0 {
		q.levels[r.Prio] = slices.Delete(level, at, at+1)
	}
}

// next returns whose turn it is, nil when the queue is empty. It is the same
// until picked is called: a turn that has to wait for credit is not lost.
func (q *queue) next() *serving {
	if q.picks%lowestTurn == lowestTurn-1 {
		return q.lowest()
	}
	for _, level := range q.levels {
		if len(level) > 0 {
			return level[0]
		}
	}
	return nil
}

func (q *queue) lowest() *serving {
	for _, level := range slices.Backward(q.levels[:]) {
		if len(level) > 0 {
			return level[0]
		}
	}
	return nil
}

// picked ends the turn of whoever next returned.
func (q *queue) picked() { q.picks++ }
