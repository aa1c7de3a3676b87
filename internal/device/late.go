package device

import (
	"time"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/internal/kv"
	"github.com/zsync/zsync/store"
)

const (
	// lateAfter is how long after a batch what it replaced is looked at once more.
	lateAfter = 2 * time.Second
	// lateMax is how many files wait for that; with more, the first are looked at sooner.
	lateMax = 16 * 1024
)

// Of files that somebody held open while they were replaced or removed.
type (
	// LookAgain asks the disk for another look at what was moved to the versions area,
	// and to bring back what changed there since. It is answered by LookedAgain.
	LookAgain struct{ Files []LateFile }
	// LateFile is a kept file, and where it was.
	LateFile struct {
		store.Kept
		Path    zsync.Path
		Removed bool // its name was given to nothing else
	}
	// LookedAgain says which of them were written to. Err: some could not be looked at.
	LookedAgain struct {
		Late []BroughtBack
		Err  error
	}
	// BroughtBack is a file that was written to after it was replaced. Err nil: it is
	// at Path now, and in the versions area no more.
	BroughtBack struct {
		Kept string
		Path zsync.Path
		Err  error
	}
)

// lateFiles are what the last batches replaced, until they are looked at again.
type lateFiles struct {
	waiting []lateBatch // the oldest first
	count   int
}

type lateBatch struct {
	due   time.Time
	files []LateFile
}

// applied notes what a batch has moved to the versions area.
func (l *lateFiles) applied(now time.Time, changes []store.Change, results []store.Result) {
	batch := lateBatch{due: now.Add(lateAfter)}
	for i, result := range results {
		if result.Kept == "" || result.Err != nil || i >= len(changes) || changes[i].Old == nil {
			continue
		}
		c := &changes[i]
		batch.files = append(batch.files, LateFile{
			Kept: store.Kept{Name: result.Kept, Stat: *c.Old}, Path: c.Path, Removed: c.Op == store.OpRemove,
		})
	}
	if len(batch.files) > 0 {
		l.waiting = append(l.waiting, batch)
		l.count += len(batch.files)
	}
}

// take returns what is to be looked at now.
func (l *lateFiles) take(now time.Time) (due []LateFile) {
	for len(l.waiting) > 0 && (l.count > lateMax || !now.Before(l.waiting[0].due)) {
		due = append(due, l.waiting[0].files...)
		l.count -= len(l.waiting[0].files)
		l.waiting = l.waiting[1:]
	}
	return due
}

func (l *lateFiles) deadline() time.Time {
	if len(l.waiting) == 0 {
		return time.Time{}
	}
	return l.waiting[0].due
}

// lookAgain orders the looks that are due.
func (f *FolderMachine) lookAgain(now time.Time) {
	if due := f.late.take(now); len(due) > 0 {
		f.space.emit(Address{Part: Disk, Space: f.cfg.Space}, LookAgain{due})
	}
}

// lookedAgain has what was brought back found by a scan of where it is.
func (f *FolderMachine) lookedAgain(tx kv.Tx, now time.Time, in LookedAgain) {
	f.replica.Trouble("", "late", in.Err)
	for _, late := range in.Late {
		f.replica.Trouble(late.Path, "late", late.Err)
		if late.Err == nil {
			f.replica.Pruned(tx, []string{late.Kept})
			dropTrash(tx, []string{late.Kept})
			f.replica.Hinted(now, []zsync.Path{late.Path.Dir()}, false)
		}
	}
}
