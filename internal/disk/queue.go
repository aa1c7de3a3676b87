package disk

import "github.com/zsync/zsync/internal/device"

const (
	// longMax is how many workers may be at orders that read large files from end to
	// end: what waits for a moment only, and what is urgent, always find one.
	longMax = workersPerFolder - 1
	// lowestTurn makes each 16th turn that of the least urgent order there is, so that
	// none waits for ever.
	lowestTurn = 16
)

// urgency says how soon an order is carried out.
type urgency uint8

const (
	urgent    urgency = iota // somebody is at work on it, or all else waits for it
	ordinary                 // it is done in a moment
	long                     // it may read a file of any size
	urgencies                // how many there are
)

// urgencyOf judges an order.
func urgencyOf(order any) urgency {
	isUrgent, otherwise := false, ordinary
	switch o := order.(type) {
	case device.ListDir:
		isUrgent = o.Urgent
	case device.ApplyBatch:
		isUrgent = o.Urgent
	case device.FlushStaged:
		isUrgent = true
	case device.HashFiles:
		isUrgent, otherwise = o.Urgent, long
	case device.Assemble:
		isUrgent, otherwise = o.Urgent, long
	case device.CopyContent:
		isUrgent, otherwise = o.Urgent, long
	case device.VerifyFiles:
		otherwise = long
	}
	if isUrgent {
		return urgent
	}
	return otherwise
}

// applies reports whether an order changes the tree: the store does one at a time, so
// no other worker need wait with a second one.
func applies(order any) bool {
	switch order.(type) {
	case device.ApplyBatch, device.ApplyPast:
		return true
	}
	return false
}

// queue holds the orders that no worker is at, by urgency and then by age.
type queue struct {
	levels   [urgencies][]any
	turns    int
	long     int  // workers that are at long orders
	applying bool // a worker changes the tree
}

func (q *queue) push(order any) {
	level := &q.levels[urgencyOf(order)]
	*level = append(*level, order)
}

// take returns what the next worker is to do, and false where there is nothing that
// may begin now. It ends with done.
func (q *queue) take() (order any, ok bool) {
	first, step := 0, 1
	if q.turns%lowestTurn == lowestTurn-1 {
		first, step = int(urgencies)-1, -1
	}
	for level := first; level >= 0 && level < int(urgencies); level += step {
		if order, ok = q.begin(urgency(level)); ok {
			q.turns++
			return order, true
		}
	}
	return nil, false
}

// begin takes the eldest order of a level that may begin now.
func (q *queue) begin(level urgency) (order any, ok bool) {
	if level == long && q.long == longMax {
		return nil, false
	}
	orders := q.levels[level]
	for i, order := range orders {
		if q.applying && applies(order) {
			continue
		}
		copy(orders[1:i+1], orders[:i]) // those before it stay in front
		orders[0] = nil
		if q.levels[level] = orders[1:]; len(orders) == 1 {
			q.levels[level] = nil
		}
		q.count(order, 1)
		return order, true
	}
	return nil, false
}

func (q *queue) done(order any) { q.count(order, -1) }

func (q *queue) count(order any, n int) {
	if urgencyOf(order) == long {
		q.long += n
	}
	if applies(order) {
		q.applying = n > 0
	}
}
