package device

// lullMin is how many orders to the disks are so much work that what it leaves in
// memory is worth to be given back: that costs some milliseconds.
const lullMin = 64

// lull finds the moment at which work has ended: what the collector and the C library
// keep for more of it is memory that nobody needs then, and an idle machine collects
// no garbage for minutes.
type lull struct {
	last uint64 // orders that had been given when it was looked at last …
	done uint64 // … and when memory was given back last
}

// see takes how many orders the disks have been given so far, at each look, and
// reports whether memory is to be given back now: much was done, and nothing since
// the last look.
func (l *lull) see(orders uint64) (over bool) {
	over = orders == l.last && orders-l.done >= lullMin
	if over {
		l.done = orders
	}
	l.last = orders
	return over
}
