package meter

import (
	"sync/atomic"
	"time"
)

// Stage counts one stage of the data path. The zero Stage has counted nothing; a nil
// one never does, for parts that run where nobody asks. Any number of goroutines may
// add to it and read it.
type Stage struct {
	times, items, octets atomic.Int64
	busy, longest        atomic.Int64 // nanoseconds
}

// Reading is what a Stage has counted. Its figures are read one by one: while the
// stage runs they may differ by what is being added.
type Reading struct {
	Times   int64         // orders, batches or turns
	Items   int64         // files, pieces, frames: what the stage is about
	Octets  int64         // 0 where the stage has none
	Busy    time.Duration // the sum; stages that run side by side may pass the time that went by
	Longest time.Duration
}

// Add counts one order, batch or turn over so many items and octets, which took so
// long.
func (s *Stage) Add(items, octets int64, took time.Duration) {
	if s == nil {
		return
	}
	s.times.Add(1)
	s.items.Add(items)
	s.octets.Add(octets)
	s.busy.Add(int64(took))
	for {
		longest := s.longest.Load()
		if int64(took) <= longest || s.longest.CompareAndSwap(longest, int64(took)) {
			return
		}
	}
}

// Read returns what was counted.
func (s *Stage) Read() Reading {
	if s == nil {
		return Reading{}
	}
	return Reading{
		Times: s.times.Load(), Items: s.items.Load(), Octets: s.octets.Load(),
		Busy: time.Duration(s.busy.Load()), Longest: time.Duration(s.longest.Load()),
	}
}
