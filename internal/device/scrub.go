package device

import (
	"fmt"
	"time"

	"github.com/zsync/zsync/internal/kv"
	"github.com/zsync/zsync/replica"
	"github.com/zsync/zsync/store"
)

type (
	// Scrub asks a folder to read files again and to compare them with what they held
	// when they were read first. How far it is [FolderMachine.Scrubbed] tells.
	Scrub struct {
		Ticket uint64
		replica.Scrub
	}
	// StopScrub ends the reading of the Scrub with that ticket.
	StopScrub struct{ Ticket uint64 }
	// VerifyFiles asks the disk to read files from the medium; it is answered by Verified.
	VerifyFiles struct{ Jobs []store.HashJob }
	// Verified answers VerifyFiles.
	Verified struct{ Results []store.Hashed }
)

// ScrubReport is how far a Scrub is.
type ScrubReport struct {
	replica.ScrubStatus
	Unhad int  // damaged files whose good bytes no connected device has
	Done  bool // nothing is left to read, nor to be put right that can be
}

// scrubbing is the last Scrub.
type scrubbing struct {
	ticket  uint64
	refused uint64    // ticket of one that came while it was under way
	stuck   time.Time // since when all that is left is had by nobody; zero: it is not so
}

func (f *FolderMachine) scrub(tx kv.Tx, now time.Time, in Scrub) {
	if f.cfg.Scout || !f.replica.Scrub(tx, now, in.Scrub) {
		f.scrubbing.refused = in.Ticket
		return
	}
	f.scrubbing = scrubbing{ticket: in.Ticket}
}

// Scrubbed returns how far the scrub with that ticket is; known is false until it was
// taken up. It is called between two turns.
func (f *FolderMachine) Scrubbed(now time.Time, ticket uint64) (report ScrubReport, known bool, err error) {
	s := &f.scrubbing
	if s.refused == ticket {
		return report, true, fmt.Errorf("the folder %q is being read already; wait for its end", f.cfg.Label)
	}
	if s.ticket != ticket {
		return report, false, nil
	}
	err = f.store.View(func(tx kv.Tx) error {
		report.ScrubStatus = f.replica.ScrubStatus(tx)
		return nil
	})
	left := 0
	for _, d := range report.Damage {
		if d.State == replica.DamageFetching {
			left++
			if f.fetch.wants[d.Content] != nil && f.nobodyHas(d.Content) {
				report.Unhad++
			}
		}
	}
	if left == 0 || report.Unhad < left {
		s.stuck = time.Time{}
	} else if s.stuck.IsZero() {
		s.stuck = now
	}
	report.Done = !report.Reading && (left == 0 || !s.stuck.IsZero() && now.Sub(s.stuck) >= lostAfter)
	return report, true, err
}

// Scrub has a folder scrubbed; order has a ticket that no other has.
func (r *Running) Scrub(label string, order Scrub) error {
	f, err := r.folderOf(label)
	if err == nil {
		f.loop.post(order)
	}
	return err
}

// StopScrub ends that.
func (r *Running) StopScrub(label string, ticket uint64) {
	if f, err := r.folderOf(label); err == nil {
		f.loop.post(StopScrub{ticket})
	}
}

// Scrubbed returns how far that is. A folder that was closed meanwhile has forgotten.
func (r *Running) Scrubbed(label string, ticket uint64) (report ScrubReport, known bool, err error) {
	f, err := r.folderOf(label)
	if err != nil {
		return report, false, err
	}
	type scrubbed struct {
		report ScrubReport
		known  bool
	}
	says, err := answer(f, func() (s scrubbed, err error) {
		s.report, s.known, err = f.machine.Scrubbed(f.loop.clock(), ticket)
		return s, err
	})
	return says.report, says.known, err
}
