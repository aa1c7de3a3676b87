package store

import "slices"

// coverage is a set of octets of one file, kept as the ranges that it consists
// of: ascending, apart. Chunks come nearly in order, so they are few.
type coverage struct{ ranges []octets }

type octets struct{ from, to int64 } // to is not included

func (c *coverage) add(from, to int64) {
	if from >= to {
		return
	}
	first := slices.IndexFunc(c.ranges, func(o octets) bool { return o.to >= from })
	if first < 0 {
		c.ranges = append(c.ranges, octets{from, to})
		return
	}
	last := first
	for last < len(c.ranges) && c.ranges[last].from <= to {
		from, to = min(from, c.ranges[last].from), max(to, c.ranges[last].to)
		last++
	}
	c.ranges = slices.Replace(c.ranges, first, last, octets{from, to})
}

func (c *coverage) covers(from, to int64) bool {
	return from >= to || slices.ContainsFunc(c.ranges, func(o octets) bool { return o.from <= from && to <= o.to })
}
