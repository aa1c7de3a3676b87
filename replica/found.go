package replica

import (
	"cmp"
	"errors"
	"time"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/internal/kv"
	"github.com/zsync/zsync/store"
)

// foundKind says how the disk differs from D. The order is that of a body.
type foundKind uint8

const (
	foundDir  foundKind = iota // a directory that D does not have
	foundMove                  // what D has under key is at path now, perhaps changed too
	foundFile                  // a file or symlink that D does not have, or with other content
	foundMode                  // what D has under key has another mode
	foundGone                  // what D has under key is not there any more
	foundKinds
)

// finding is one difference between disk and D. It waits to be logged, and
// changes D in the transaction that logs it; only then is it decided what
// operations say it, by what L and D are then.
type finding struct {
	kind     foundKind
	path     zsync.Path
	key      diskKey // foundMove, foundMode, foundGone
	stat     store.Stat
	content  zsync.Digest
	listLen  uint32
	target   string
	young    bool
	edited   bool // foundMove: the content is another than D's
	live     bool // somebody is at work there: it is logged at once
	back     bool // foundMove: nothing was moved here, but elsewhere, and is to be here again
	leaves   bool // it may take something out of the visible tree
	replaced bool // foundGone: something of another type is there instead
	done     bool
}

func compareFinding(a, b *finding) int { return cmp.Compare(a.path, b.path) }

// findings are the differences that wait, at most one a path.
type findings struct {
	at    map[zsync.Path]*finding
	in    map[zsync.Path][]*finding // by directory; done ones are passed over
	queue [foundKinds][]*finding    // in the order found; done ones are passed over
	count [foundKinds]int
	since time.Time // when the first of them was found

	live      int       // how many are live …
	liveSince time.Time // … and when the first of these was found

	leaving int  // how many may take something out of the visible tree …
	held    bool // … and whether these wait for a person
	judged  bool // that they do, or do not, is decided
}

func newFindings() findings {
	return findings{at: map[zsync.Path]*finding{}, in: map[zsync.Path][]*finding{}}
}

func (fs *findings) add(now time.Time, f *finding) {
	if fs.open() == 0 {
		fs.since = now
	}
	if old := fs.at[f.path]; old != nil {
		fs.remove(old)
	}
	f.done = false
	fs.at[f.path] = f
	fs.in[f.path.Dir()] = append(fs.in[f.path.Dir()], f)
	fs.queue[f.kind] = append(fs.queue[f.kind], f)
	fs.count[f.kind]++
	if f.live {
		if fs.live == 0 {
			fs.liveSince = now
		}
		fs.live++
	}
	if f.leaves {
		fs.leaving++
		fs.judged = false
	}
}

func (fs *findings) remove(f *finding) {
	if f.done {
		return
	}
	f.done = true
	delete(fs.at, f.path)
	if f.live {
		fs.live--
	}
	if f.leaves {
		fs.leaving--
		fs.judged = fs.judged && !fs.held
	}
	if fs.count[f.kind]--; fs.count[f.kind] == 0 {
		fs.queue[f.kind] = nil
	}
	if len(fs.at) == 0 {
		clear(fs.in)
	}
}

// retain drops what was found in a directory and is not there any more, with all
// that was found below.
func (fs *findings) retain(dir zsync.Path, present func(name zsync.Name) bool) {
	found := fs.in[dir]
	if len(found) == 0 {
		return
	}
	delete(fs.in, dir)
	for _, f := range found {
		switch {
		case f.done:
		case f.kind == foundGone || present(f.path.Base()):
			fs.in[dir] = append(fs.in[dir], f)
		default:
			fs.remove(f)
			fs.retain(f.path, func(zsync.Name) bool { return false })
		}
	}
}

// open is how many wait that are not held back.
func (fs *findings) open() int {
	if fs.held {
		return len(fs.at) - fs.leaving
	}
	return len(fs.at)
}

func (fs *findings) waiting(kind foundKind) int { return fs.count[kind] }

// each yields the findings of one kind in order, until yield returns false.
// They may be removed meanwhile.
func (fs *findings) each(kind foundKind, yield func(*finding) bool) {
	queue := fs.queue[kind]
	for len(queue) > 0 && queue[0].done {
		queue = queue[1:]
	}
	if fs.count[kind] > 0 {
		fs.queue[kind] = queue
	}
	for _, f := range queue {
		if !f.done && !yield(f) {
			return
		}
	}
}

// found takes in a difference. Of what is ignored there is none. One that L knows of
// already changes D alone. One that this device may not log is set aside, so that a
// later scan finds it again, unless it may soon.
func (r *Replica) found(tx kv.Tx, f *finding) {
	switch {
	case r.leavesFound(tx, f):
	case r.adopt(tx, f):
	case !r.mayAuthor() && (!r.soon || r.findings.open() >= findingsMax):
		r.setAside(tx, f)
	default:
		f.leaves = r.takesAway(tx, f)
		r.findings.add(r.now, f)
	}
}

func (r *Replica) mayAuthor() bool { return r.cfg.Authors && r.author }

// setAside keeps what a file's content was found to be, so that it is not hashed
// again when the device may author.
func (r *Replica) setAside(tx kv.Tx, f *finding) {
	r.aside = true
	if f.kind == foundFile && f.stat.Type == zsync.TypeFile && !f.young {
		putCached(tx, f.path, cached{stat: f.stat, content: f.content, listLen: f.listLen})
	}
	if !r.cfg.Authors {
		r.problems.set(f.path, "local", "changed on this device, which only receives")
	}
}

// hash finds out a file's content: of what the cache remembers at once, of
// anything else by an order. from is what the file was before it was moved here
// and changed; live: somebody is at work there.
func (r *Replica) hash(tx kv.Tx, now time.Time, path zsync.Path, stat store.Stat, from *diskKey, live bool) {
	fresh := &task{job: store.HashJob{Path: path, Old: stat}, from: from, live: live}
	if stat.Size == 0 {
		r.hashed(tx, fresh, store.Hashed{Path: path, Stat: stat, Content: zsync.EmptyContent}, 0)
		return
	}
	if c, found := getCached(tx, path); found && c.matches(stat) && r.hasList(tx, c.content, c.listLen) {
		r.hashed(tx, fresh, store.Hashed{Path: path, Stat: stat, Content: c.content}, c.listLen)
		return
	}
	if t := r.scan.tasks[path]; t != nil {
		t.stale = t.stale || t.job.Old != stat
		return
	}
	fresh.job.Closed = r.mayGrow(path, stat)
	r.order(fresh)
}

func (r *Replica) order(t *task) {
	r.scan.tasks[t.job.Path] = t
	r.scan.laneOf(t).backlog.add(t)
}

// hasList reports whether the list that a content has, if it has one, is here.
func (r *Replica) hasList(tx kv.Tx, content zsync.Digest, listLen uint32) bool {
	_, found := r.ListNode(tx, content, content)
	return found || listLen == 0
}

// mayGrow reports whether a large file that was just hinted at is to be hashed only
// if nobody has it open to write: mostly it is being copied here. What is found by a
// full scan, or has rested, is hashed at once.
func (r *Replica) mayGrow(path zsync.Path, stat store.Stat) bool {
	s := &r.scan
	if s.full || stat.Size < largeBytes || s.large[path] == stat {
		delete(s.large, path)
		return false
	}
	return true
}

// growing gives a large file some time.
func (r *Replica) growing(now time.Time, path zsync.Path, stat store.Stat) {
	s := &r.scan
	if len(s.large) > hintsMax {
		clear(s.large)
	}
	s.large[path] = stat
	s.hintAt(now, now.Add(settleLarge), path.Dir())
}

// Hashed answers Output.Hash.
func (r *Replica) Hashed(tx kv.Tx, now time.Time, hashed []store.Hashed) {
	r.now = now
	for _, h := range hashed {
		t := r.scan.tasks[h.Path]
		if t == nil {
			continue
		}
		delete(r.scan.tasks, h.Path)
		r.scan.laneOf(t).count(t, -1)
		switch {
		case t.stale:
			for _, dir := range r.scan.namesOf(now, h.Path.Dir()) {
				r.scan.hintSoon(now, dir)
			}
		case errors.Is(h.Err, store.ErrOpen):
			r.growing(now, h.Path, t.job.Old)
		case h.Err != nil:
			r.hashFailed(now, h)
		default:
			r.hashDone(tx, now, t, h)
		}
	}
	r.work(tx, now)
}

func (r *Replica) hashDone(tx kv.Tx, now time.Time, t *task, h store.Hashed) {
	delete(r.scan.delays, h.Path)
	r.readable(h.Path)
	r.KeepList(tx, h.Content, h.List)
	if h.Young {
		r.scan.hintAt(now, now.Add(youngAfter), h.Path.Dir())
	}
	var listLen uint32
	if n := len(h.List); n > 0 {
		listLen = uint32(len(h.List[n-1].Data))
	}
	r.hashed(tx, t, h, listLen)
}

// hashFailed looks again later at a file that did not hold still, each time
// after twice the time; and at one that cannot be read.
func (r *Replica) hashFailed(now time.Time, h store.Hashed) {
	if !isDiverged(h.Err) {
		r.unreadable(now, h.Path, h.Path.Dir(), h.Err)
		return
	}
	delay := min(max(2*r.scan.delays[h.Path], settleFirst), settleMax)
	r.scan.delays[h.Path] = delay
	r.scan.hintAt(now, now.Add(delay), h.Path.Dir())
}

// hashed takes in a file's content, with the octets of its root list node if it
// has a list.
func (r *Replica) hashed(tx kv.Tx, t *task, h store.Hashed, listLen uint32) {
	f := &finding{
		kind: foundFile, path: h.Path, stat: h.Stat, content: h.Content, listLen: listLen, young: h.Young, live: t.live,
	}
	if from := t.from; from != nil {
		switch d := r.disk.get(tx, *from); {
		case d == nil:
		case !d.sameAs(h.Stat):
			r.scan.enqueue(h.Path.Dir()) // which finds what it was
			return
		default:
			f.kind, f.key, f.edited = foundMove, *from, d.content != f.content
		}
	}
	r.found(tx, f)
}
