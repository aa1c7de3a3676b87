package device

import (
	"errors"
	"time"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/internal/kv"
	"github.com/zsync/zsync/replica"
	"github.com/zsync/zsync/store"
)

const (
	// bringMax and bringBytesMax are how many steps of a job are under way, and how
	// many octets they may need in staging.
	bringMax      = 512
	bringBytesMax = 256 << 20
	// bringEvery is the time between two looks at how far they are.
	bringEvery = 200 * time.Millisecond
	// bringPatience is how long a file is tried that does not hold still, or that a
	// directory is missing for.
	bringPatience = 20 * time.Second
	// lostAfter is how long a content is looked for that nobody who is connected has.
	lostAfter = 5 * time.Second
)

type (
	// ApplyPast asks the disk for the changes of a job: it is answered by AppliedPast.
	ApplyPast struct{ Changes []store.Change }
	// AppliedPast answers ApplyPast.
	AppliedPast struct{ Results []store.Result }
)

// bringing is the job at hand, or the last one.
type bringing struct {
	ticket   uint64
	steps    []bringStep
	first    int // steps below it are done
	due      time.Time
	applying []int           // the steps whose changes the disk is at …
	trials   []replica.Trial // … and what was found of them
	report   Report
}

type bringStep struct {
	replica.Step
	done  bool
	since time.Time // when it was tried first; zero: not yet
	unhad time.Time // when nobody was seen to have its content; zero: not yet
}

func (b *bringing) refuse(why string) { b.report = Report{Done: true, Why: why} }

// settle passes over what is done, and ends the job with its last step.
func (b *bringing) settle() {
	for b.first < len(b.steps) && b.steps[b.first].done {
		b.first++
	}
	b.report.Done = b.first == len(b.steps)
}

// bringOn goes on with the job. Each look tries the steps that are next in their
// order: what is ready goes to the disk, what lacks its content waits for that.
func (f *FolderMachine) bringOn(tx kv.Tx, now time.Time) {
	job := f.bringing
	if job == nil || job.report.Done || job.applying != nil || now.Before(job.due) && job.due.Sub(now) <= bringEvery {
		return
	}
	job.due = now.Add(bringEvery)
	var lacks []replica.Entry
	var changes []store.Change
	octets, tried := int64(0), 0
	for i := job.first; i < len(job.steps) && tried < bringMax && octets < bringBytesMax; i++ {
		s := &job.steps[i]
		if s.done {
			continue
		}
		tried++
		octets += s.Want.Size
		trial := f.replica.Try(tx, &s.Step)
		switch f.judge(now, i, trial); {
		case s.done:
		case trial.Verdict == replica.Doable:
			job.applying, job.trials = append(job.applying, i), append(job.trials, trial)
			changes = append(changes, trial.Change)
		case trial.Verdict == replica.Contented:
			lacks = append(lacks, s.Want)
		}
		if trial.Verdict != replica.Doable && trial.Verdict != replica.DoneSo && s.Do == replica.StepMove && !s.done {
			break // what comes after builds on it
		}
	}
	for _, trial := range job.trials {
		if trial.Change.Op == store.OpPlace && trial.Change.Content != zsync.EmptyContent {
			lacks = append(lacks, replica.Entry{Content: trial.Change.Content, Size: trial.Change.Size})
		}
	}
	f.replica.Retrieve(tx, lacks)
	job.settle()
	if len(changes) > 0 {
		f.space.emit(Address{Part: Disk, Space: f.cfg.Space}, ApplyPast{changes})
	}
}

// judge ends a step where there is nothing to do, or nothing that can be done.
func (f *FolderMachine) judge(now time.Time, i int, trial replica.Trial) {
	s := &f.bringing.steps[i]
	if s.since.IsZero() {
		s.since = now
	}
	switch trial.Verdict {
	case replica.DoneSo:
		f.bringing.end(i, AsItWas, "")
	case replica.Undoable:
		f.bringing.end(i, Passed, trial.Why)
	case replica.NotKnown:
		if now.Sub(s.since) > bringPatience {
			f.bringing.end(i, Failed, trial.Why)
		}
	case replica.Contented:
		s.since = now // it is the content that is waited for
		if f.isLost(now, s) {
			f.bringing.end(i, Lost, errNobodyHas.Error())
		}
	}
}

func (b *bringing) end(i int, outcome Outcome, why string) {
	b.steps[i].done = true
	b.report.Lines[i].Outcome, b.report.Lines[i].Why = outcome, why
}

// isLost reports whether a content was looked for long enough: every device that is
// connected has said that it has not got it, or none is.
func (f *FolderMachine) isLost(now time.Time, s *bringStep) bool {
	if content := s.Want.Content; f.fetch.wants[content] == nil || !f.nobodyHas(content) {
		return false
	}
	if s.unhad.IsZero() {
		s.unhad = now
	}
	return now.Sub(s.unhad) >= lostAfter
}

// appliedPast takes what became of the job's changes.
func (f *FolderMachine) appliedPast(tx kv.Tx, now time.Time, in AppliedPast) {
	job := f.bringing
	if job == nil || len(in.Results) != len(job.applying) {
		return
	}
	changes := make([]store.Change, len(job.trials))
	for i := range job.trials {
		changes[i] = job.trials[i].Change
		f.broughtOne(now, job.applying[i], &job.trials[i], in.Results[i])
	}
	f.noteTrash(tx, now, changes, in.Results)
	f.versionsKept(tx, now, in.Results)
	f.late.applied(now, changes, in.Results)
	f.replica.Hinted(now, f.replica.Brought(tx, job.trials, in.Results), false)
	job.applying, job.trials, job.due = nil, nil, now
	job.settle()
	if job.report.Done {
		f.replica.Retrieve(tx, nil)
	}
}

func (f *FolderMachine) broughtOne(now time.Time, i int, trial *replica.Trial, result store.Result) {
	job := f.bringing
	s := &job.steps[i]
	for _, again := range []error{store.ErrDiverged, store.ErrGone, store.ErrChanged} {
		if !errors.Is(result.Err, again) || now.Sub(s.since) > bringPatience {
			continue
		}
		if trial.Change.Op == store.OpRmdir {
			break
		}
		job.due = now.Add(bringEvery) // a scan tells what is there
		return
	}
	switch {
	case result.Err != nil && trial.Change.Op == store.OpRmdir:
		job.end(i, Passed, "there is something in it")
	case errors.Is(result.Err, store.ErrDiverged):
		job.end(i, Failed, "it is changing at this moment")
	case result.Err != nil:
		job.end(i, Failed, result.Err.Error())
	case s.Do == replica.StepMove:
		job.end(i, Moved, "")
	case s.Do == replica.StepRemove:
		job.end(i, Removed, "")
	case result.Kept != "":
		job.end(i, Replaced, "")
	default:
		job.end(i, Restored, "")
	}
}

// bringDue is when the job is looked at next; zero: never.
func (f *FolderMachine) bringDue() time.Time {
	if f.bringing == nil || f.bringing.report.Done || f.bringing.applying != nil {
		return time.Time{}
	}
	return f.bringing.due
}
