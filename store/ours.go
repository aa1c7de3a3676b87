package store

import (
	"io/fs"
	"sync"

	"github.com/zsync/zsync"
)

// oursMax is how many names are remembered of each of the last two spells.
const oursMax = 8192

// ours knows how the last changes left the names that they gave, so that the
// echo of a batch in a watch on the tree is not taken for a person's work.
type ours struct {
	mutex       sync.Mutex
	last, older map[zsync.Path]Stat
}

func (o *ours) note(path zsync.Path, stat Stat) {
	o.mutex.Lock()
	defer o.mutex.Unlock()
	if o.last == nil || len(o.last) >= oursMax {
		o.last, o.older = make(map[zsync.Path]Stat), o.last
	}
	o.last[path] = stat
}

// forget is for what may not be as it was said to be.
func (o *ours) forget() {
	o.mutex.Lock()
	defer o.mutex.Unlock()
	o.last, o.older = nil, nil
}

// Made reports whether a name is just as one of the last changes of [Root.Apply]
// left it, so that its Result tells all about it. It says false when in doubt: the last
// 8,192 names at least are known, but for what was renamed and has another mode than was
// expected.
func (r *Root) Made(path zsync.Path, now fs.FileInfo) bool {
	r.ours.mutex.Lock()
	defer r.ours.mutex.Unlock()
	stat, known := r.ours.last[path]
	if !known {
		stat, known = r.ours.older[path]
	}
	seen := statOf(now)
	seen.BirthNS = stat.BirthNS // which a FileInfo does not tell
	return known && seen.Unchanged(stat) && seen.Mode == stat.Mode
}
