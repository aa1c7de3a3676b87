package replica

import (
	"time"

	"github.com/zsync/zsync"
)

const (
	// renamedFor is how long a hint may still name a directory as it was called
	// before it was renamed; renamedMax how many such names are remembered.
	renamedFor = 30 * time.Second
	renamedMax = 64
)

// renamed is a directory that has another name since a moment ago. A watch that
// saw a change in it may tell of it by the old name.
type renamed struct {
	from, to zsync.Path
	at       time.Time
}

// rename remembers the new name of a directory, and gives it to what was hinted or is
// to be listed.
func (s *scanner) rename(now time.Time, from, to zsync.Path) {
	if len(s.renames) == renamedMax {
		s.renames = s.renames[1:]
	}
	r := renamed{from, to, now}
	s.renames = append(s.renames, r)
	var moved []zsync.Path
	for dir := range s.hints {
		if below(dir, from) {
			moved = append(moved, dir)
		}
	}
	for _, dir := range moved {
		s.hintAt(now, s.hints[dir].due, r.translate(dir))
	}
	for _, dir := range s.queue {
		switch {
		case !below(dir, from):
		case s.live[dir]:
			s.enqueueLive(r.translate(dir))
		default:
			s.enqueue(r.translate(dir))
		}
	}
}

// translate returns the new name of a path at or below the old one.
func (r renamed) translate(path zsync.Path) zsync.Path { return r.to + path[len(r.from):] }

// namesOf returns the names that a hinted directory may have by now, its own
// among them.
func (s *scanner) namesOf(now time.Time, dir zsync.Path) []zsync.Path {
	names := []zsync.Path{dir}
	for _, r := range s.renames {
		if last := names[len(names)-1]; now.Sub(r.at) < renamedFor && below(last, r.from) {
			names = append(names, r.translate(last))
		}
	}
	return names
}
