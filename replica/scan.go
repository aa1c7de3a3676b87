package replica

import (
	"errors"
	"math"
	"slices"
	"time"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/internal/kv"
	"github.com/zsync/zsync/store"
)

// The limits of the scan.
const (
	listsMax    = 64                      // directories being read at one time
	hashesMax   = 1024                    // files being hashed at one time
	backlogMax  = 4096                    // files waiting to be hashed: no directory is read while there are more
	findingsMax = 8192                    // findings waiting to be logged: the same
	hintsMax    = 4096                    // hinted directories: with more, everything is scanned
	settleFirst = 50 * time.Millisecond   // quiet that a hinted directory or a changing file must keep …
	settleMax   = 10 * time.Second        // … at most, however often it changes
	settleLarge = 2 * time.Second         // the same for a large file that came by a hint and may be open to write
	largeBytes  = 16 << 20                // … which is above this many octets
	youngAfter  = 2100 * time.Millisecond // when a file that was hashed young is hashed again
	rootRetry   = 10 * time.Second        // between looks for a root that is not there
	scanEvery   = time.Hour
)

// scanner compares the disk with D. It works in rounds: a round lists what is
// queued, follows what it finds, and ends when nothing is left to list. Only
// then it is known what was moved, and only what is left after that was
// deleted.
type scanner struct {
	queue    []zsync.Path // directories to list; one that is in soon, too, may have been by now
	soon     []zsync.Path // those that are live: before the others
	queued   map[zsync.Path]bool
	live     map[zsync.Path]bool // told of by a hint, and not read since: see liveListsMax
	listing  map[zsync.Path]bool // ordered; true: list it once more afterwards
	listed   map[zsync.Path]bool // in this round
	full     bool                // this round walks the whole tree
	walked   bool                // a full round has ended since the start …
	complete bool                // … and all that it found has been hashed
	nextFull time.Time

	hints   map[zsync.Path]hint
	renames []renamed                    // the oldest first
	delays  map[zsync.Path]time.Duration // of files that did not hold still
	large   map[zsync.Path]store.Stat    // large files that are given time to grow
	failed  map[zsync.Path]time.Duration // what could not be read, and how long it waits for its next try

	tasks map[zsync.Path]*task // files to be hashed
	lanes [2]lane              // where they wait: see laneOf

	missing map[diskKey]absence        // in D, but not found where it was, in this round
	held    map[zsync.Path]store.Entry // found, and known from elsewhere in D: moved here, perhaps
	fresh   map[zsync.Path]bool        // directories that are not in D yet

	unusable map[diskKey]zsync.Path // in D, and found in that directory under a name that is left alone
}

// absence is what was not found, and whether something else is there instead.
type absence struct {
	path     zsync.Path
	replaced bool
}

type hint struct {
	first, due time.Time
	live       bool // it came from outside: somebody is at work there
}

// task is one file on its way through a Hash order.
type task struct {
	job    store.HashJob
	from   *diskKey // what it was before it was moved here and changed
	live   bool     // somebody is at work there: it goes before what a scan found
	stale  bool     // the file has changed since the order
	number uint64   // in its backlog
	taken  bool     // from its backlog
}

// lane is files of one urgency on their way.
type lane struct {
	backlog backlog // those that are not yet ordered
	ordered int
	octets  int64 // of those that are ordered
}

// laneOf returns where a file waits. One that is live and takes long to hash would hold
// up all that are live.
func (s *scanner) laneOf(t *task) *lane { return s.lane(t.live && t.job.Old.Size <= liveHashBytesMax) }

// lane returns where files wait that are as urgent.
func (s *scanner) lane(live bool) *lane {
	if live {
		return &s.lanes[1]
	}
	return &s.lanes[0]
}

func newScanner() scanner {
	return scanner{
		queued: map[zsync.Path]bool{}, live: map[zsync.Path]bool{}, listing: map[zsync.Path]bool{}, listed: map[zsync.Path]bool{},
		hints: map[zsync.Path]hint{}, delays: map[zsync.Path]time.Duration{}, large: map[zsync.Path]store.Stat{},
		failed: map[zsync.Path]time.Duration{},
		tasks:  map[zsync.Path]*task{}, missing: map[diskKey]absence{}, held: map[zsync.Path]store.Entry{},
		fresh: map[zsync.Path]bool{}, unusable: map[diskKey]zsync.Path{},
	}
}

func (s *scanner) enqueue(dir zsync.Path) {
	if _, ordered := s.listing[dir]; ordered {
		s.listing[dir] = true
		return
	}
	if !s.queued[dir] {
		s.queued[dir] = true
		s.queue = append(s.queue, dir)
	}
	if s.live[dir] && !slices.Contains(s.soon, dir) {
		s.soon = append(s.soon, dir)
	}
}

// enqueueLive has a directory listed before those that nobody told of.
func (s *scanner) enqueueLive(dir zsync.Path) {
	if len(s.live) < liveListsMax {
		s.live[dir] = true
	}
	s.enqueue(dir)
}

// next takes a directory from a queue that has some; ok is false where it has been
// listed meanwhile.
func (s *scanner) next(queue *[]zsync.Path) (dir zsync.Path, ok bool) {
	dir, *queue = (*queue)[0], (*queue)[1:]
	ok = s.queued[dir]
	delete(s.queued, dir)
	for len(s.queue) > 0 && !s.queued[s.queue[0]] {
		s.queue = s.queue[1:]
	}
	return dir, ok
}

// unwalked reports whether a full round has still to list dir.
func (s *scanner) unwalked(dir zsync.Path) bool {
	_, ordered := s.listing[dir]
	return s.full && !s.listed[dir] && !ordered
}

// startFull makes the round at hand, or the next, a full one.
func (s *scanner) startFull(now time.Time, every time.Duration) {
	s.full = true
	s.nextFull = now.Add(every)
	clear(s.listed)
	clear(s.unusable)
	for dir := range s.listing {
		s.listing[dir] = true // it may be read already
	}
	s.enqueue("")
}

// hintSoon has dir listed once it was quiet for a moment.
func (s *scanner) hintSoon(now time.Time, dir zsync.Path) {
	h, known := s.hints[dir]
	if !known {
		h.first = now
	}
	h.due = now.Add(settleFirst)
	if latest := h.first.Add(settleMax); h.due.After(latest) {
		h.due = latest
	}
	s.hints[dir] = h
}

// hintAt has dir listed at a time, unless that happens earlier anyway.
func (s *scanner) hintAt(now, due time.Time, dir zsync.Path) {
	if h, known := s.hints[dir]; !known || h.due.After(due) {
		s.hints[dir] = hint{first: now, due: due, live: h.live}
	}
}

// hintLive has dir listed once it was quiet for a moment, before all that nobody
// told of.
func (s *scanner) hintLive(now time.Time, dir zsync.Path) {
	s.hintSoon(now, dir)
	h := s.hints[dir]
	h.live = true
	s.hints[dir] = h
}

func (s *scanner) deadline() time.Time {
	due := s.nextFull
	for _, h := range s.hints {
		due = earlier(due, h.due)
	}
	return due
}

// earlier returns the earlier of two deadlines, of which zero means never.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// takeHints queues what is due.
func (s *scanner) takeHints(now time.Time, every time.Duration) {
	if len(s.hints) > hintsMax || !s.nextFull.IsZero() && !now.Before(s.nextFull) {
		clear(s.hints)
		s.startFull(now, every)
		return
	}
	var due []zsync.Path
	for dir, h := range s.hints {
		if !now.Before(h.due) {
			due = append(due, dir)
		}
	}
	slices.Sort(due)
	for _, dir := range due {
		if s.hints[dir].live {
			s.enqueueLive(dir)
		} else {
			s.enqueue(dir)
		}
		delete(s.hints, dir)
	}
}

// Hinted says that these directories changed; all: any may have. What changed
// is found out by listing them once they are quiet.
func (r *Replica) Hinted(now time.Time, dirs []zsync.Path, all bool) {
	r.now = now
	if all {
		clear(r.scan.hints)
		r.scan.nextFull = now
	}
	for _, dir := range dirs {
		for _, name := range r.scan.namesOf(now, dir) {
			r.scan.hintLive(now, name)
		}
	}
}

// Listed answers Output.List.
func (r *Replica) Listed(tx kv.Tx, now time.Time, l store.Listing) {
	r.now = now
	again, ordered := r.scan.listing[l.Path]
	if !ordered {
		return
	}
	delete(r.scan.listing, l.Path)
	live := r.scan.live[l.Path]
	if again {
		r.scan.enqueue(l.Path)
	} else {
		delete(r.scan.live, l.Path)
	}
	switch {
	case errors.Is(l.Err, store.ErrRoot) || l.Path == "" && l.Gone:
		r.rootLost(now)
	case r.lost && l.Path != "": // nothing can be concluded from it
	case r.apart.leavesDir(l.Path): // it is ignored since it was ordered
	case l.Gone:
		r.scan.enqueue(l.Path.Dir()) // which tells what is there instead
	case r.isMisspelled(tx, l):
		r.scan.enqueue(l.Path.Dir())
	default:
		r.rootFound(l.Path)
		r.join(tx, now, l, live)
	}
	r.work(tx, now)
}

// rootLost ends the round without a conclusion: nothing may be taken for deleted
// because the disk is not there.
func (r *Replica) rootLost(now time.Time) {
	r.problems.set("", "root", store.ErrRoot.Error())
	r.scan.abandon()
	r.findings = newFindings() // they may be of the tree as it went away; a scan finds them again
	r.drafts = nil
	r.scan.nextFull = now.Add(rootRetry)
	r.lost = true
}

func (r *Replica) rootFound(dir zsync.Path) {
	if dir == "" && r.lost {
		r.problems.clear("", "root")
		r.lost = false
	}
}

func (s *scanner) abandon() {
	s.queue, s.soon, s.full = nil, nil, false
	for _, set := range []map[zsync.Path]bool{s.queued, s.live, s.listed, s.fresh} {
		clear(set)
	}
	clear(s.hints)
	clear(s.missing)
	clear(s.held)
	for i := range s.lanes {
		for _, t := range s.lanes[i].backlog.clear() {
			delete(s.tasks, t.job.Path)
		}
	}
	for _, t := range s.tasks {
		t.stale = true
	}
}

// scanOn gives orders to list and to hash, and ends the round when nothing is
// left of it.
func (r *Replica) scanOn(tx kv.Tx, now time.Time) {
	r.scan.takeHints(now, r.cfg.ScanEvery)
	for {
		r.orderLists(tx)
		if len(r.scan.queue) > 0 || len(r.scan.listing) > 0 || !r.concludeRound(tx, now) {
			break
		}
	}
	r.orderHashes()
	if r.scan.walked && len(r.scan.tasks) == 0 {
		r.scan.complete = true
	}
}

// orderLists keeps some directories being read: none while a batch is applied,
// so that no listing shows the disk from before and is judged by D from after.
// Those that are live do not wait for what was found in others to be hashed or logged.
func (r *Replica) orderLists(tx kv.Tx) {
	s := &r.scan
	for len(s.soon) > 0 && len(s.listing) < listsMax+liveListsMax && s.lane(true).backlog.count < backlogMax && r.mayList() {
		if dir, ok := s.next(&s.soon); ok {
			r.out.ListFirst = r.orderList(tx, dir, r.out.ListFirst)
		}
	}
	for len(s.queue) > 0 && len(s.listing) < listsMax && s.lane(false).backlog.count < backlogMax &&
		(r.findings.open() < findingsMax || !r.mayAuthor()) && r.mayList() {
		if dir, ok := s.next(&s.queue); ok {
			r.out.List = r.orderList(tx, dir, r.out.List)
		}
	}
	r.underWay.gap = false
}

// orderList adds a directory to orders, unless it is not to be read now.
func (r *Replica) orderList(tx kv.Tx, dir zsync.Path, orders []zsync.Path) []zsync.Path {
	s := &r.scan
	switch {
	case r.lost && dir != "": // the full scan that finds the root again comes here too
	case r.apart.leavesDir(dir):
	case !r.knownDir(tx, dir):
		if s.live[dir] {
			s.enqueueLive(dir.Dir())
		} else {
			s.enqueue(dir.Dir())
		}
	default:
		s.listing[dir] = false
		return append(orders, dir)
	}
	delete(s.live, dir)
	return orders
}

// knownDir reports whether what is found in dir can be told where it belongs.
func (r *Replica) knownDir(tx kv.Tx, dir zsync.Path) bool {
	if r.scan.fresh[dir] {
		return true
	}
	_, inD := r.disk.dirNode(tx, dir)
	return inD
}

func (r *Replica) orderHashes() {
	r.out.HashFirst = r.scan.lane(true).order(r.out.HashFirst, liveHashBytesMax)
	r.out.Hash = r.scan.lane(false).order(r.out.Hash, math.MaxInt64)
}

// order adds files to orders as long as no more, and no more octets, are being hashed
// than may be at one time.
func (l *lane) order(orders []store.HashJob, octets int64) []store.HashJob {
	for l.backlog.count > 0 && l.ordered < hashesMax && l.octets < octets {
		t := l.backlog.take()
		l.count(t, 1)
		orders = append(orders, t.job)
	}
	return orders
}

func (l *lane) count(t *task, n int) {
	l.ordered += n
	l.octets += int64(n) * t.job.Old.Size
}
