package device

import (
	"encoding/binary"
	"time"

	"github.com/zsync/zsync/internal/kv"
	"github.com/zsync/zsync/replica"
	"github.com/zsync/zsync/store"
)

const (
	// keepVersions is the running time of this device's copy that a version is kept
	// for, if there is room.
	keepVersions = 30 * 24 * time.Hour
	// pruneEvery is the time between looks for versions that are too old or too many.
	pruneEvery = time.Hour
	// pruneFirst is when the first look is: not while a start has enough to do, but
	// before a device that never runs for long is turned off.
	pruneFirst = 5 * time.Minute
)

// Of the versions area.
type (
	// PruneVersions asks the disk to remove the versions numbered below Before, and
	// then the oldest until the area is no larger than it may be. It is answered by
	// Pruned.
	PruneVersions struct{ Before uint64 }
	// Pruned names what was removed, at most [store.PrunedMax]: so many mean that
	// there is more. Next is the number of the next version.
	Pruned struct {
		Gone []string
		Next uint64
		Err  error
	}
)

// bucketRan tells which versions are how old, by the time that this copy has run,
// which no clock can set forward: running seconds u64 -> u64, the number of a
// version that was not yet kept then. The last one is the running time so far.
const bucketRan = "ran"

// ranStep is how much running time is lost at most when a device that keeps no new
// versions is turned off: nothing is written more often for that alone.
const ranStep = 6 * time.Hour

// retention is when versions are looked at, and how long this copy has run.
type retention struct {
	due time.Time // zero: never
	ran replica.RunningTime
}

// openRetention goes on where the last run ended.
func openRetention(tx kv.Tx, now time.Time) retention {
	r := retention{due: now.Add(pruneFirst)}
	r.ran.Count(now)
	eachRan(tx, func(at time.Duration, _ uint64) bool {
		r.ran.Total = at
		return true
	})
	return r
}

// note writes down that the versions numbered below next are kept by now. Of the
// notes of one hour the last one stays, and of those that are too old.
func (r *retention) note(tx kv.Tx, next uint64) {
	var notes []time.Duration
	eachRan(tx, func(at time.Duration, _ uint64) bool {
		notes = append(notes, at)
		return true
	})
	for len(notes) > 1 && notes[1] <= r.ran.Total-keepVersions {
		tx.Delete(bucketRan, ranKey(notes[0]))
		notes = notes[1:]
	}
	if n := len(notes); n > 1 && notes[n-1]-notes[n-2] < pruneEvery {
		tx.Delete(bucketRan, ranKey(notes[n-1]))
	}
	tx.Put(bucketRan, ranKey(r.ran.Total), binary.BigEndian.AppendUint64(nil, next))
}

// versionsKept notes what a batch has moved to the versions area.
func (f *FolderMachine) versionsKept(tx kv.Tx, now time.Time, results []store.Result) {
	var last uint64
	for _, result := range results {
		if result.Kept == "" {
			continue
		}
		if seq, err := store.KeptSeq(result.Kept); err == nil {
			last = max(last, seq)
		}
	}
	if last > 0 {
		f.retention.ran.Count(now)
		f.retention.note(tx, last+1)
	}
}

// prune orders the look that is due.
func (f *FolderMachine) prune(tx kv.Tx, now time.Time) {
	r := &f.retention
	if r.due.IsZero() || now.Before(r.due) && r.due.Sub(now) <= pruneEvery { // else the clock was set back
		return
	}
	r.ran.Count(now)
	r.due = now.Add(pruneEvery)
	f.orderPrune(tx)
}

func (f *FolderMachine) orderPrune(tx kv.Tx) {
	r := &f.retention
	var last time.Duration
	var before, next uint64
	eachRan(tx, func(at time.Duration, kept uint64) bool {
		if last, next = at, kept; at <= r.ran.Total-keepVersions {
			before = kept
		}
		return true
	})
	if next > 0 && r.ran.Total-last >= ranStep {
		r.note(tx, next)
	}
	f.space.emit(Address{Part: Disk, Space: f.cfg.Space}, PruneVersions{before})
}

// pruned forgets what was removed. Versions that nothing was noted of, as after the
// loss of the database, begin to age now.
func (f *FolderMachine) pruned(tx kv.Tx, in Pruned) {
	f.replica.Pruned(tx, in.Gone)
	f.replica.Trouble("", "versions", in.Err)
	dropTrash(tx, in.Gone)
	noted := false
	eachRan(tx, func(time.Duration, uint64) bool {
		noted = true
		return false
	})
	if !noted && in.Next > 1 {
		f.retention.note(tx, in.Next)
	}
	if len(in.Gone) == store.PrunedMax && in.Err == nil {
		f.orderPrune(tx)
	}
}

func ranKey(at time.Duration) []byte {
	return binary.BigEndian.AppendUint64(nil, uint64(at/time.Second))
}

// eachRan yields the notes, about 720 at most, the oldest first.
func eachRan(tx kv.Tx, yield func(at time.Duration, next uint64) bool) {
	tx.Scan(bucketRan, nil, func(key, value []byte) bool {
		if len(key) != 8 || len(value) != 8 {
			return true
		}
		return yield(time.Duration(binary.BigEndian.Uint64(key))*time.Second, binary.BigEndian.Uint64(value))
	})
}
