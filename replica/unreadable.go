package replica

import (
	"maps"
	"time"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/store"
)

// unreadable notes that a file or directory could not be read, and has dir listed
// again after a second, and after twice that each time that it fails anew, up to a
// minute.
func (r *Replica) unreadable(now time.Time, path, dir zsync.Path, err error) {
	r.problems.set(path, CodeUnreadable, store.ExplainOne(err))
	s := &r.scan
	delay := min(max(2*s.failed[path], restFirst), restMax)
	if len(s.failed) < hintsMax {
		s.failed[path] = delay
	} else {
		delay = restMax
	}
	s.hintAt(now, now.Add(delay), dir)
}

// readable notes that it could be.
func (r *Replica) readable(path zsync.Path) {
	delete(r.scan.failed, path)
	r.problems.clear(path, CodeUnreadable)
}

// retainFailed forgets what could not be read and is not there any more, or lies in
// what is not, or is no directory now.
func (r *Replica) retainFailed(dir zsync.Path, entry func(name zsync.Name) store.Entry) {
	maps.DeleteFunc(r.scan.failed, func(path zsync.Path, _ time.Duration) bool {
		if path == dir || !below(path, dir) && dir != "" {
			return false
		}
		first := path
		for first.Dir() != dir {
			first = first.Dir()
		}
		if e := entry(first.Base()); e.Name != "" && (first == path || e.Stat.Type == zsync.TypeDir) {
			return false
		}
		r.problems.clear(path, CodeUnreadable)
		return true
	})
}

// dropLeftFailed forgets what is ignored now.
func (r *Replica) dropLeftFailed() {
	maps.DeleteFunc(r.scan.failed, func(path zsync.Path, _ time.Duration) bool {
		left := r.apart.leavesDir(path.Dir()) || r.apart.leaves(path, false)
		if left {
			r.problems.clear(path, CodeUnreadable)
		}
		return left
	})
}
