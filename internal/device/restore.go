package device

import (
	"bytes"
	"fmt"
	"slices"
	"time"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/eventlog"
	"github.com/zsync/zsync/internal/kv"
	"github.com/zsync/zsync/replica"
)

// refusedMax is how many tickets of jobs that were refused are remembered, or one more.
const refusedMax = 64

// Bring asks a folder to bring things back: what a path was, or, with Event or
// Device, what these did. It is answered by [FolderMachine.Brought].
type Bring struct {
	Ticket uint64
	Path   zsync.Path
	To     zsync.Path
	At     When // zero: just before the last deletion or replacement
	Event  zsync.EventID
	Device zsync.DeviceID
	Since  When
	DryRun bool
}

// Bring has a folder bring things back; order has a ticket that no other has.
func (r *Running) Bring(label string, order Bring) error {
	f, err := r.folderOf(label)
	if err == nil {
		f.loop.post(order)
	}
	return err
}

// Brought returns how far that is. A folder that was closed meanwhile has forgotten.
func (r *Running) Brought(label string, ticket uint64) (report Report, known bool, err error) {
	f, err := r.folderOf(label)
	if err != nil {
		return Report{}, false, err
	}
	type brought struct {
		report Report
		known  bool
	}
	says, err := answer(f, func() (b brought, err error) {
		b.report, b.known = f.machine.Brought(ticket)
		return b, nil
	})
	return says.report, says.known, err
}

// Outcome is what became of one thing that was to be brought back.
type Outcome string

// The outcomes. A planned one is that of a dry run.
const (
	Planned  Outcome = "planned"
	Restored Outcome = "restored" // nothing was there
	Replaced Outcome = "replaced" // what was there is in the versions area
	Removed  Outcome = "removed"  // to the versions area
	Moved    Outcome = "moved"
	AsItWas  Outcome = "same"
	Passed   Outcome = "skipped" // on purpose: Why
	Lost     Outcome = "lost"    // no device that is connected has it
	Failed   Outcome = "failed"
)

// BroughtLine is one thing and its outcome.
type BroughtLine struct {
	Do      string // put, remove, move
	Path    zsync.Path
	From    zsync.Path
	Type    zsync.FileType
	Size    int64
	Outcome Outcome
	Why     string
}

// Report is how far a job is.
type Report struct {
	Done  bool
	Why   string // it was refused
	Lines []BroughtLine
}

// bring takes a job up, unless one is under way.
func (f *FolderMachine) bring(tx kv.Tx, now time.Time, in Bring) {
	job := &bringing{ticket: in.Ticket, due: now}
	if f.bringing != nil && !f.bringing.report.Done {
		f.refused = append(f.refused[max(0, len(f.refused)-refusedMax):], in.Ticket)
		return
	}
	f.bringing = job
	if f.cfg.Scout || !f.space.member {
		job.refuse("this device is not yet a member of the folder")
		return
	}
	steps, skipped, err := f.stepsOf(tx, in)
	if err != nil {
		job.refuse(err.Error())
		return
	}
	for _, s := range steps {
		job.steps = append(job.steps, bringStep{Step: s})
		line := BroughtLine{Do: "put", Path: s.Path, From: s.From, Type: s.Want.Type, Size: s.Want.Size, Outcome: Planned}
		switch s.Do {
		case replica.StepRemove:
			line.Do, line.Type, line.Size = "remove", s.Expect.Type, s.Expect.Size
		case replica.StepMove:
			line.Do, line.Type, line.Size = "move", s.Expect.Type, s.Expect.Size
		}
		job.report.Lines = append(job.report.Lines, line)
	}
	for _, s := range skipped {
		job.report.Lines = append(job.report.Lines, BroughtLine{Do: "skip", Path: s.Path, Outcome: Passed, Why: s.Why})
	}
	if in.DryRun {
		f.dryRun(tx, job)
	}
	job.settle()
}

// dryRun marks what would not be touched.
func (f *FolderMachine) dryRun(tx kv.Tx, job *bringing) {
	for i := range job.steps {
		job.steps[i].done = true
		switch trial := f.replica.Try(tx, &job.steps[i].Step); trial.Verdict {
		case replica.DoneSo:
			job.report.Lines[i].Outcome = AsItWas
		case replica.Undoable:
			job.report.Lines[i].Outcome, job.report.Lines[i].Why = Passed, trial.Why
		}
	}
}

// stepsOf works out from the log what is to be done.
func (f *FolderMachine) stepsOf(tx kv.Tx, in Bring) (steps []replica.Step, skipped []replica.Skipped, err error) {
	var events []eventlog.Event
	undone := make(map[zsync.EventID]bool)
	f.space.log.Each(tx, func(ev eventlog.Event) bool {
		ev.Body = bytes.Clone(ev.Body)
		events = append(events, ev)
		since := in.Since.IsZero() || !in.Since.before(&ev) || in.Since.Lamport == ev.Header.Lamport && in.Since.Lamport > 0
		if ev.ID == in.Event || !in.Device.IsZero() && ev.Author == in.Device && since {
			undone[ev.ID] = true
		}
		return true
	})
	if !in.Device.IsZero() || in.Event != (zsync.EventID{}) {
		undoing, err := replica.UndoingOf(f.cfg.Space, events, undone)
		return undoing.Steps(), undoing.Skipped, err
	}
	steps, err = f.restoring(in, events)
	return steps, nil, err
}

// restoring works out what brings a path back.
func (f *FolderMachine) restoring(in Bring, events []eventlog.Event) ([]replica.Step, error) {
	if in.At.IsZero() {
		first, found, err := replica.BeforeLoss(f.cfg.Space, events, in.Path)
		if err != nil {
			return nil, err
		}
		if !found {
			return nil, fmt.Errorf("nothing was ever deleted or replaced at %s", orFolder(in.Path))
		}
		events = events[:first]
	} else {
		cut := cutAt(in.At)
		events = slices.DeleteFunc(events, func(ev eventlog.Event) bool { return !cut.counts(&ev.Header) })
	}
	past, err := replica.PastOf(f.cfg.Space, events)
	if err != nil {
		return nil, err
	}
	entries, err := past.Under(in.Path)
	if err == nil && len(entries) == 0 {
		err = fmt.Errorf("there was nothing at %s then", orFolder(in.Path))
	}
	return replica.Steps(entries, in.Path, in.To), err
}

// Brought returns how far the job with that ticket is; known is false until it was
// taken up. It is called between two turns.
func (f *FolderMachine) Brought(ticket uint64) (report Report, known bool) {
	if slices.Contains(f.refused, ticket) {
		return Report{Done: true, Why: "something else is being brought back in this folder; wait for its end"}, true
	}
	if f.bringing == nil || f.bringing.ticket != ticket {
		return Report{}, false
	}
	report = f.bringing.report
	report.Lines = slices.Clone(report.Lines)
	return report, true
}
