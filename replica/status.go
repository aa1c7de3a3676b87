package replica

import (
	"cmp"
	"maps"
	"slices"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/internal/kv"
)

// Status is what a person may want to know of a folder on this device.
type Status struct {
	Files     int64 // files and symlinks that D has
	Bytes     int64 // octets of these files
	NeedFiles int64 // files and directories that are not yet on this disk as the log has them
	NeedBytes int64 // octets of the contents that are missing for that
	Conflicts int64 // conflict copies that D has
	Scanning  bool
	Idle      bool      // nothing is left to scan, record, fetch or apply
	Problems  []Problem // ascending by path and code
	Held      []Held    // ascending by author
}

// Held is what one device did that waits for a person, because it would take too
// much out of the visible tree.
type Held struct {
	ID       string         // for [Replica.Confirm]
	Author   zsync.DeviceID // this device, where the changes are not logged yet
	Deletes  int            // files
	Replaces int            // files
	Of       int            // files in the folder when it was held back
}

// Problem is a reason why something is not in sync, for a person to read.
type Problem struct {
	Path zsync.Path // "" is the folder itself
	Code string     // one word, the same for the same reason
	Why  string
}

// Status reports how things stand.
func (r *Replica) Status(tx kv.Tx) Status {
	t := r.disk.totals
	s := Status{
		Files: t.files, Bytes: t.bytes, Conflicts: t.copies,
		Scanning: r.scan.busy(), Problems: r.problems.sorted(),
	}
	if r.cfg.Applies {
		s.NeedFiles, s.NeedBytes = t.needFiles, t.needBytes
	}
	for _, h := range r.brake.holds {
		s.Held = append(s.Held, Held{h.ID, h.Author, h.Deletes, h.Replaces, h.Of})
	}
	s.Idle = !s.Scanning && len(s.Held) == 0 && !r.lost && !r.tree.dirty.any(tx) && s.NeedFiles == 0 &&
		len(r.findings.at) == 0 && !r.batch.sealed() && len(r.batch.steps) == 0 && !r.underWay.any()
	return s
}

// busy reports whether the disk is being looked at, or will be in a moment. A
// second look at young files is not waited for.
func (s *scanner) busy() bool {
	return !s.complete || s.full || len(s.queue) > 0 || len(s.listing) > 0 || len(s.listed) > 0 ||
		len(s.tasks) > 0 || len(s.held) > 0
}

// problemsMax bounds what is remembered; the first ones are as good as any.
const problemsMax = 1000

type problemKey struct {
	path zsync.Path
	code string
}

// problems are the reasons at hand why something is not in sync.
type problems struct{ why map[problemKey]string }

func newProblems() problems { return problems{why: map[problemKey]string{}} }

func (p *problems) set(path zsync.Path, code, why string) {
	key := problemKey{path, code}
	if _, known := p.why[key]; known || len(p.why) < problemsMax {
		p.why[key] = why
	}
}

func (p *problems) clear(path zsync.Path, code string) { delete(p.why, problemKey{path, code}) }

// clearAll forgets what a full scan finds again.
func (p *problems) clearAll(codes ...string) {
	maps.DeleteFunc(p.why, func(key problemKey, _ string) bool { return slices.Contains(codes, key.code) })
}

// clearIn forgets what a listing of the directory finds again.
func (p *problems) clearIn(dir zsync.Path, codes ...string) {
	maps.DeleteFunc(p.why, func(key problemKey, _ string) bool {
		return slices.Contains(codes, key.code) && key.path.Dir() == dir
	})
}

func (p *problems) sorted() []Problem {
	all := make([]Problem, 0, len(p.why))
	for key, why := range p.why {
		all = append(all, Problem{Path: key.path, Code: key.code, Why: why})
	}
	slices.SortFunc(all, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.Path, b.Path), cmp.Compare(a.Code, b.Code))
	})
	return all
}
