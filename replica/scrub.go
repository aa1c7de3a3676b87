package replica

import (
	"bytes"
	"errors"
	"math"
	"slices"
	"time"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/internal/kv"
	"github.com/zsync/zsync/store"
)

// The limits of a scrub.
const (
	verifiesMax    = 64       // files in one order to read …
	verifyBytesMax = 64 << 20 // … and their octets, but for a single larger one
	// verifyAgain is the pause before a file that holds something else is read once
	// more: a program that is at it shows, and so does memory that errs.
	verifyAgain = youngAfter
	// damageLinesMax is how many damaged files are told of; more are only counted.
	damageLinesMax = 4096
)

// bucketScrub remembers in "next" the disk key at which the next scrub begins.
const bucketScrub = "scrub"

var scrubNext = []byte("next")

// Scrub says which files are to be read again.
type Scrub struct {
	// Share is which part of the files, above 0 and up to 1: those after where the last
	// scrub ended, so that a share of 1/20 has read all of them after 20 times.
	Share float64
	// Anyway: files are repaired however many of them are damaged.
	Anyway bool
}

// ScrubStatus is how far a scrub is.
type ScrubStatus struct {
	Reading  bool // files are still to be read
	Waiting  bool // for the first scan, or for the folder's directory
	Files    int64
	Seen     int64 // of Files
	Verified int64 // hold what they should
	Bytes    int64 // read
	Changed  int64 // passed over: changed since they were looked at last, a scan reads them
	Fickle   int64 // read wrong and, a moment later, right
	Damaged  int64
	Held     bool // there are too many damaged files to repair them unasked
	Damage   []Damage
	Unread   []Problem
}

// scrub reads files again and compares them with what they held when they were read
// first. A scan reads what says of itself that it changed; this reads what does not.
type scrub struct {
	on      bool
	order   Scrub
	from    []byte // disk key at which it began …
	next    []byte // … and goes on
	wrapped bool   // it has begun anew at the lowest key
	walked  bool   // all files of the share were ordered
	reading map[zsync.Path]suspect
	again   []suspect // the earliest first
	status  ScrubStatus
}

// suspect is a file that is being read.
type suspect struct {
	key   diskKey
	path  zsync.Path
	stat  store.Stat
	doubt bool         // it was read before …
	found zsync.Digest // … and held this; zero: the disk could not read it
	times int
	due   time.Time // of the next reading
}

// Scrub begins to read a share of the files again. One that is under way goes on
// instead, and then it returns false.
func (r *Replica) Scrub(tx kv.Tx, now time.Time, order Scrub) bool {
	if r.scrub.on {
		return false
	}
	from := bytes.Clone(tx.Get(bucketScrub, scrubNext))
	files := int64(math.Ceil(float64(r.disk.totals.files) * order.Share))
	r.scrub = scrub{
		on: true, order: order, from: from, next: from, wrapped: from == nil,
		reading: map[zsync.Path]suspect{}, status: ScrubStatus{Reading: true, Files: files},
	}
	r.work(tx, now)
	return true
}

// StopScrub has no further file read. What was found is repaired all the same.
func (r *Replica) StopScrub() {
	r.scrub.on, r.scrub.again = false, nil
	r.scrub.status.Reading = false
}

// ScrubStatus reports how far the scrub is that was begun last.
func (r *Replica) ScrubStatus(tx kv.Tx) ScrubStatus {
	s := r.scrub.status
	s.Waiting = s.Reading && (!r.scan.complete || r.lost)
	s.Damage, s.Unread = slices.Clone(s.Damage), slices.Clone(s.Unread)
	for i := range s.Damage {
		s.Damage[i].State = r.damageState(tx, &s.Damage[i])
	}
	return s
}

func (s *scrub) deadline() (due time.Time) {
	if s.on && len(s.reading) == 0 && len(s.again) > 0 {
		due = s.again[0].due
	}
	return due
}

// scrubOn orders the next files to be read: one order at a time, so that all else
// has the disk's attention.
func (r *Replica) scrubOn(tx kv.Tx, now time.Time) {
	s := &r.scrub
	if !s.on || len(s.reading) > 0 || !r.scan.complete || r.lost {
		return
	}
	v := &verifying{replica: r, tx: tx}
	for len(s.again) > 0 && !now.Before(s.again[0].due) && v.room() {
		v.add(s.again[0])
		s.again = s.again[1:]
	}
	if !s.walked && v.room() {
		r.more = r.scrubWalk(v) || r.more
	}
	r.out.Verify = append(r.out.Verify, v.jobs...)
	if s.walked && len(v.jobs) == 0 && len(s.again) == 0 {
		s.on, s.status.Reading = false, false
	}
}

// verifying is one order to read being filled.
type verifying struct {
	replica *Replica
	tx      kv.Tx
	jobs    []store.HashJob
	bytes   int64
}

func (v *verifying) room() bool { return len(v.jobs) < verifiesMax && v.bytes < verifyBytesMax }

func (v *verifying) add(s suspect) {
	v.replica.scrub.reading[s.path] = s
	v.jobs = append(v.jobs, store.HashJob{Path: s.path, Old: s.stat})
	v.bytes += s.stat.Size
}

// scrubWalk goes on through D, a bounded number of records a turn. more: nothing is
// to be read among those.
func (r *Replica) scrubWalk(v *verifying) (more bool) {
	s := &r.scrub
	var all []*onDisk
	v.tx.Scan(bucketDisk, s.next, func(key, value []byte) bool {
		if d := r.disk.decode(v.tx, key, value); d != nil {
			all = append(all, d)
		}
		return len(all) < 4*verifiesMax && v.tx.Err() == nil
	})
	for _, d := range all {
		raw := d.key.encode()
		if s.wrapped && s.from != nil && bytes.Compare(raw, s.from) >= 0 || s.order.Share < 1 && s.status.Seen >= s.status.Files {
			s.walked = true
			break
		}
		if !v.room() {
			break
		}
		s.next = append(raw, 0) // the next one in order
		r.scrubOne(v, d)
	}
	switch {
	case len(all) > 0:
	case s.wrapped:
		s.walked, s.next = true, nil
	default:
		s.wrapped, s.next = true, nil
	}
	if s.next == nil {
		v.tx.Delete(bucketScrub, scrubNext)
	} else {
		v.tx.Put(bucketScrub, scrubNext, s.next)
	}
	return !s.walked && len(v.jobs) == 0
}

// scrubOne has a file read, unless a scan is to look at it first.
func (r *Replica) scrubOne(v *verifying, d *onDisk) {
	s := &r.scrub
	if d.kind != zsync.TypeDir {
		s.status.Seen++
	}
	path, found := r.disk.path(v.tx, d.place)
	switch {
	case d.kind != zsync.TypeFile || d.apart:
	case !found || d.young || r.busy(path):
		s.status.Changed++
	case d.stat.Size == 0:
		s.status.Verified++
	case r.meant(v.tx, d) != nil: // an earlier scrub has found it
		s.status.Damaged++
		content := r.meant(v.tx, d).content
		s.tell(Damage{Path: path, Content: content, Size: d.stat.Size, State: DamageFetching, key: d.key, bad: d.content})
	default:
		v.add(suspect{key: d.key, path: path, stat: d.stat})
	}
}

// Verified answers Output.Verify.
func (r *Replica) Verified(tx kv.Tx, now time.Time, verified []store.Hashed) {
	r.now = now
	for _, h := range verified {
		read, ordered := r.scrub.reading[h.Path]
		if !ordered {
			continue
		}
		delete(r.scrub.reading, h.Path)
		r.verified(tx, now, read, h)
	}
	r.work(tx, now)
}

func (r *Replica) verified(tx kv.Tx, now time.Time, read suspect, h store.Hashed) {
	s, d := &r.scrub, r.disk.get(tx, read.key)
	path, found := r.disk.pathOf(tx, d)
	switch {
	case !found || path != read.path || d.stat != read.stat || d.young || r.busy(path):
		s.status.Changed++
	case isDiverged(h.Err) || h.Err == nil && h.Young:
		s.status.Changed++
		r.scan.hintSoon(now, path.Dir())
	case h.Err != nil && !errors.Is(h.Err, store.ErrMedium):
		if !errors.Is(h.Err, store.ErrStopped) && len(s.status.Unread) < damageLinesMax {
			s.status.Unread = append(s.status.Unread, Problem{Path: path, Code: "unreadable", Why: h.Err.Error()})
		}
	case h.Err == nil && h.Content == d.content:
		s.status.Verified++
		s.status.Bytes += h.Stat.Size
		if read.doubt {
			s.status.Fickle++
		}
	case !read.doubt || read.found != h.Content:
		r.doubt(now, read, h)
	default:
		s.status.Bytes += d.stat.Size
		r.damaged(tx, d, path, h)
	}
}

// doubtsMax is how often a file is read that each time holds something else.
const doubtsMax = 5

// doubt has a file read once more. One that keeps changing while it says that it does
// not is left alone: somebody is at it, or the machine cannot be trusted to read.
func (r *Replica) doubt(now time.Time, read suspect, h store.Hashed) {
	s := &r.scrub
	if read.times++; read.times > doubtsMax {
		s.status.Unread = append(s.status.Unread, Problem{Path: read.path, Code: "unreadable", Why: "it holds something else each time that it is read"})
		return
	}
	read.doubt, read.found, read.due = true, h.Content, now.Add(verifyAgain)
	if s.on {
		s.again = append(s.again, read)
	}
}
