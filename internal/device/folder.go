package device

import (
	"time"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/eventlog"
	"github.com/zsync/zsync/filemq"
	"github.com/zsync/zsync/internal/kv"
	"github.com/zsync/zsync/replica"
	"github.com/zsync/zsync/security"
	"github.com/zsync/zsync/store"
)

// FolderConfig is what a folder's machine starts from.
type FolderConfig struct {
	Registration
	Keys   *security.Keys
	Cert   security.Certificate
	Seed   [32]byte // fresh random octets at each start
	Staged []zsync.Digest
	// Unfinished are contents that are staged in part.
	Unfinished []zsync.Digest
	// Verify judges the signatures of events. Default: ed25519.Verify.
	Verify eventlog.Verify
	// Nature is what the folder's disk makes of names; nil where that could not be found
	// out, and it is taken to be as it was.
	Nature *store.Nature
}

// FolderMachine is one folder's copy on this device: its log, what the log says
// should be on the disk, what is on the disk, and the fetching of the rest. It
// owns one database and works in turns of one transaction each; its effects are
// released after the commit. A turn that fails leaves the machine useless: its
// owner drops it and opens it again from the database.
type FolderMachine struct {
	cfg       FolderConfig
	store     kv.Store
	space     *space
	replica   *replica.Replica
	fetch     *fetcher
	late      lateFiles
	retention retention
	bringing  *bringing  // back from the past; nil: nothing was yet
	refused   []uint64   // tickets of jobs that came while there was one
	discards  discarding // of versions
	scrubbing scrubbing
	joined    bool // home was told that this device is a member
	rootLost  bool // the owner was told that the directory is gone
	status    FolderStatus
	rest      rest
	now       time.Time // of the turn at hand
	forgetAt  time.Time // when the disk forgets what it read; zero: nothing is left to forget
	merged    int64     // events of other devices that were taken in since it was opened
	failed    error     // of a turn: what is in memory may be ahead of the database
}

// OpenFolderMachine opens the folder from its database and orders the first scan.
func OpenFolderMachine(now time.Time, db kv.Store, cfg FolderConfig) (*FolderMachine, []Effect, error) {
	f := &FolderMachine{cfg: cfg, store: db, fetch: newFetcher(cfg.Space)}
	err := db.Update(func(tx kv.Tx) error { return f.open(tx, now) })
	if err != nil {
		return nil, nil, err
	}
	return f, f.space.take(), nil
}

// BucketRoot is where whoever opens the folder's directory leaves word for the next
// [OpenFolderMachine], in the folder's database.
const BucketRoot = "root"

// KeyForget in BucketRoot, with any value, says that a person vouched for the
// directory, which may be another one than before. What D says may be newer than
// what is there, so it is forgotten.
var KeyForget = []byte("forget")

// keyTaken in BucketRoot is the Mark of the taking up that D follows.
const keyTaken = "taken"

// ForgetAtOpen has the next [OpenFolderMachine] on a folder's database forget what
// was on the disk. It comes before the directory that a person vouches for is
// opened, since that makes it the one that is known.
func ForgetAtOpen(db kv.Store) error {
	return db.Update(func(tx kv.Tx) error {
		tx.Put(BucketRoot, KeyForget, []byte{1})
		return nil
	})
}

func (f *FolderMachine) open(tx kv.Tx, now time.Time) (err error) {
	f.space, err = openSpace(tx, now, spaceConfig{
		id: f.cfg.Space, keys: f.cfg.Keys, cert: f.cfg.Cert, draws: &draws{seed: f.cfg.Seed},
		founding: f.cfg.Founding, kind: eventlog.Folder, entered: f.cfg.Entered, loss: f.cfg.Loss,
		verify: f.cfg.Verify,
	})
	if err != nil {
		return err
	}
	syncs := (f.cfg.Role == "" || f.cfg.Role == "sync") && !f.cfg.Scout
	f.replica, err = replica.Open(tx, replica.Config{
		Space: f.cfg.Space, Device: f.cfg.Keys.Device(), Applies: syncs, Authors: syncs,
		Seed: [16]byte(f.cfg.Seed[:16]),
	})
	if err != nil {
		return err
	}
	f.space.emit(Address{Part: Link}, Enter{f.cfg.Space})
	if !f.cfg.Scout {
		f.replica.DropFormer(tx)
		f.forgetDisk(tx)
		f.retention = openRetention(tx, now)
		if f.cfg.Nature != nil {
			f.replica.SetNature(tx, *f.cfg.Nature)
		}
		f.replica.Start(tx, now, f.cfg.Staged, f.cfg.Unfinished)
	}
	return f.finish(tx, now)
}

// forgetDisk empties D where it may be of another disk, or of another time.
func (f *FolderMachine) forgetDisk(tx kv.Tx) {
	if tx.Get(BucketRoot, KeyForget) == nil && getMark(tx, BucketRoot, keyTaken) == f.cfg.Taken {
		return
	}
	f.replica.ForgetDisk(tx)
	tx.Delete(BucketRoot, KeyForget)
	putMark(tx, BucketRoot, keyTaken, f.cfg.Taken)
}

// Handle takes inputs in one turn and returns what is to be done after it.
func (f *FolderMachine) Handle(now time.Time, in []any) ([]Effect, error) {
	if f.failed != nil {
		return nil, f.failed
	}
	f.now = now
	err := f.store.Update(func(tx kv.Tx) error {
		for _, what := range in {
			if err := f.receive(tx, now, what); err != nil {
				return err
			}
		}
		f.space.advance(tx, now)
		f.replica.Advance(tx, now)
		f.lookAgain(now)
		f.forgetRead(now)
		f.prune(tx, now)
		f.bringOn(tx, now)
		f.refetch(now)
		return f.finish(tx, now)
	})
	if err != nil {
		f.failed = err
		return nil, err
	}
	return f.space.take(), nil
}

// Deadline is when a turn is next needed without an input.
func (f *FolderMachine) Deadline() time.Time {
	next := f.space.deadline(f.space.member)
	next = earliest(next, f.replica.Deadline())
	next = earliest(next, f.fetch.unhad.at)
	next = earliest(earliest(next, f.late.deadline()), f.retention.due)
	next = earliest(earliest(next, f.bringDue()), f.forgetAt)
	if f.space.waiting {
		next = earliest(next, f.space.confirmBy)
	}
	return next
}

// receive is the switch from an input to the one method that it is for.
func (f *FolderMachine) receive(tx kv.Tx, now time.Time, what any) error {
	switch in := what.(type) {
	case Linked:
		f.space.linked(tx, now, in.Peer)
		f.fetch.newcomer()
	case Unlinked:
		f.space.unlinked(now, in)
	case Heard:
		return f.heard(tx, now, in)
	case Listed:
		f.replica.Listed(tx, now, in.Listing)
	case Hashed:
		f.forgetAt = now.Add(forgetReadAfter)
		f.replica.Hashed(tx, now, in.Results)
	case Hinted:
		f.replica.Hinted(now, in.Dirs, in.All)
		f.status.watch = in.Problem
	case Staged:
		f.staged(tx, now, in)
	case GotNodes:
		f.gotNodes(tx, in)
	case Assembled:
		f.assembled(tx, now, in)
	case Unfetched:
		f.unfetched(tx, now, in.Items)
	case Copied:
		f.replica.Staged(tx, now, in.Content, in.Err)
	case Flushed:
		f.replica.Flushed(tx, now, in.Err)
	case LookedAgain:
		f.lookedAgain(tx, now, in)
	case Pruned:
		f.pruned(tx, in)
	case Bring:
		f.bring(tx, now, in)
	case AppliedPast:
		f.appliedPast(tx, now, in)
	case Discard:
		f.discard(in)
	case Discarded:
		f.discarded(tx, in)
	case Scrub:
		f.scrub(tx, now, in)
	case StopScrub:
		if in.Ticket == f.scrubbing.ticket {
			f.replica.StopScrub()
		}
	case Verified:
		f.replica.Verified(tx, now, in.Results)
	case Applied:
		f.applied(tx, now, in)
	case Serve:
		if f.cfg.Scout {
			f.space.emit(Address{Part: Link}, nothingFor(in))
			return nil
		}
		f.serve(tx, in)
	case AskProgress:
		f.space.tellers.asks()
	case Confirm:
		f.confirm(tx, in)
	case *KeepVersions:
		return f.keepVersions(tx, now, in)
	}
	return nil
}

func (f *FolderMachine) heard(tx kv.Tx, now time.Time, in Heard) error {
	merged, err := f.space.heard(tx, now, in)
	if err != nil {
		return err
	}
	if in.Type == typeProgress && f.space.tellers.moved {
		f.fetch.unhad.retry()
	}
	f.merged += int64(len(merged.Fresh))
	if merged.Refold {
		return f.replica.Refold(tx, func(yield func(eventlog.Event) bool) { f.space.log.Each(tx, yield) })
	}
	malformed := f.replica.Malformed()
	err = f.replica.Fold(tx, merged.Fresh)
	if f.replica.Malformed() > malformed {
		f.nonsense(merged.Fresh)
	}
	return err
}

// nonsense names the authors of events whose bodies make no sense.
func (f *FolderMachine) nonsense(events []eventlog.Event) {
	for _, ev := range events {
		if !ev.Void && !replica.Sensible(ev) {
			f.space.offended(ev.Author, OffenceChange)
		}
	}
}

// applied takes what became of a batch, and what it has moved to the versions area.
func (f *FolderMachine) applied(tx kv.Tx, now time.Time, in Applied) {
	f.noteTrash(tx, now, in.Batch.Changes, in.Results)
	f.late.applied(now, in.Batch.Changes, in.Results)
	f.versionsKept(tx, now, in.Results)
	f.replica.Applied(tx, now, in.Batch.Number, in.Results)
}

// finish logs what the disk has that the log lacks, and collects every order.
func (f *FolderMachine) finish(tx kv.Tx, now time.Time) error {
	if err := f.record(tx, now); err != nil {
		return err
	}
	f.order(tx, now)
	f.report(tx, now)
	return tx.Err()
}

// order turns the replica's orders into effects.
func (f *FolderMachine) order(tx kv.Tx, now time.Time) {
	disk := Address{Part: Disk, Space: f.cfg.Space}
	out := f.replica.Output()
	if f.cfg.Scout {
		return // there is no disk
	}
	f.status.Current = currentOf(out, f.status.Current)
	for _, path := range out.ListFirst {
		f.space.emit(disk, ListDir{Path: path, Urgent: true})
	}
	for jobs := range batches(out.HashFirst, hashJobsMax, hashFirstBytesMax) {
		f.space.emit(disk, HashFiles{Jobs: jobs, Urgent: true})
	}
	for _, path := range out.List {
		f.space.emit(disk, ListDir{Path: path})
	}
	for jobs := range batches(out.Hash, hashJobsMax, hashBytesMax) {
		f.space.emit(disk, HashFiles{Jobs: jobs})
	}
	if len(out.Verify) > 0 {
		f.space.emit(disk, VerifyFiles{out.Verify})
	}
	for _, job := range out.Copy {
		f.space.emit(disk, CopyContent{job})
	}
	f.want(tx, out.Want, out.Unwant)
	if len(out.Unstage) > 0 {
		f.space.emit(disk, UnstageFiles{out.Unstage})
	}
	if out.Flush {
		f.space.emit(disk, FlushStaged{})
	}
	for _, batch := range out.Apply {
		f.space.emit(disk, ApplyBatch{batch})
	}
}

// nothingFor answers a Serve where nothing is to be had.
func nothingFor(in Serve) Supply {
	answers := Supply{Session: in.Session}
	for _, q := range in.Reads {
		answers.Parts = append(answers.Parts, SupplyPart{Req: q.Req, Index: q.Index, Code: filemq.CodeAbsent})
	}
	return answers
}

// currentOf returns the path that a person watching would want to see.
func currentOf(out replica.Output, last zsync.Path) zsync.Path {
	switch {
	case len(out.Apply) > 0 && len(out.Apply[0].Changes) > 0:
		return out.Apply[0].Changes[len(out.Apply[0].Changes)-1].Path
	case len(out.HashFirst) > 0:
		return out.HashFirst[len(out.HashFirst)-1].Path
	case len(out.Hash) > 0:
		return out.Hash[len(out.Hash)-1].Path
	}
	return last
}
