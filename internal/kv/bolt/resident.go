package bolt

// bbolt reads its file through a mapping, and what was read of it counts as memory of
// the process, though it is only lent by the page cache: all of a database that was
// scanned, for as long as the process lives. A person who looks at what a device takes
// sees that, and so does whatever ends processes that take too much.

const (
	// residentMax is how many octets of files the process may have mapped in before a
	// store lets go of its own. What is read again costs a fault of the page cache.
	residentMax = 64 << 20
	// residentEvery is how many keys are looked at between two looks at that. One that
	// is far from the others maps 64 KiB.
	residentEvery = 1024
)

// resident tells how much that is, and lets go.
type resident struct {
	gauge   gauge
	touched int // keys, since the last look
}

// touch is called for each key that is looked at.
func (s *Store) touch() {
	r := &s.resident
	if r.touched++; r.touched < residentEvery {
		return
	}
	r.touched = 0
	if r.gauge.octets() > residentMax {
		s.letGo()
	}
}

// letGo gives back what the process has mapped in of the file. Slices that were lent
// stay as they are: whoever looks at them has it mapped in anew.
func (s *Store) letGo() { release(s.db.Info().Data) }
