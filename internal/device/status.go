package device

import (
	"fmt"
	"slices"
	"time"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/internal/kv"
	"github.com/zsync/zsync/replica"
	"github.com/zsync/zsync/security"
)

// The states of a folder on this device, as the command line shows them.
const (
	StateInSync   = "in-sync"
	StateScanning = "scanning"
	StateSyncing  = "syncing"
	StateWaiting  = "waiting"
	StateHeld     = "held" // something waits for a person
	StateHalted   = "halted"
	StateOffline  = "offline"
)

// FolderStatus is what a folder's machine knows of itself and of the others.
type FolderStatus struct {
	Label    string
	Dir      string
	Role     string
	Space    zsync.SpaceID
	State    string
	Replica  replica.Status
	Frontier [16]byte
	Lamport  uint64
	Devices  []DeviceStatus
	Resumed  int64 // chunks found whole in staging at a restart
	Reused   int64 // chunks copied from other files here
	Watch    string
	Current  zsync.Path // worked on last
	Member   bool
	Settled  bool              // nothing is left to scan, record, fetch or apply here
	Held     []Held            // ascending by author
	Why      string            // it is halted
	Missing  []replica.Problem // paths whose bytes no connected device has, the first of them
	watch    string
}

// DeviceStatus is how far another device is with a folder.
type DeviceStatus struct {
	Device    zsync.DeviceID
	Name      string
	State     string
	NeedFiles uint64
	NeedBytes uint64
	Seen      time.Time // last linked here, or to a device that told of it
	Linked    bool      // to this device, now
	// Clock is how far its clock is ahead of this device's, by what it wrote last and
	// sent at once; 0: not known.
	Clock time.Duration
}

// report works out this device's own line and lets the progress say it.
func (f *FolderMachine) report(tx kv.Tx, now time.Time) {
	st := f.replica.Status(tx)
	f.status.Replica = st
	f.status.Frontier, f.status.Lamport = f.space.log.Frontier(), f.space.log.MaxLamport()
	f.status.Settled = st.Idle && f.space.member && !f.space.waiting
	f.missRoot(st)
	mine := line{
		Device: f.space.keys.Device(), Linked: true, Applied: f.status.Frontier,
		NeedFiles: uint64(max(0, st.NeedFiles)), NeedBytes: uint64(max(0, st.NeedBytes)),
	}
	if !f.status.Settled && mine.NeedFiles == 0 {
		mine.NeedFiles = 1
	}
	f.space.collect(now, mine)
}

// missRoot tells the owner, once, when the folder's directory is gone. Nothing is
// concluded from that, see the replica; but what is back one day, on a disk that was
// away, has to be opened and watched anew.
func (f *FolderMachine) missRoot(st replica.Status) {
	isRoot := func(p replica.Problem) bool { return p.Path == "" && p.Code == "root" }
	if !f.rootLost && slices.ContainsFunc(st.Problems, isRoot) {
		f.rootLost = true
		f.space.emit(Address{Part: Owner}, LostRoot{f.space.id})
	}
}

// rootMissing says why a folder is halted.
func rootMissing(dir string) string {
	return fmt.Sprintf("the directory %s is missing or is another one; if it was moved or restored:  zsync watch %s --same-folder", dir, dir)
}

// Status is called between two turns, by whoever steps the machine.
func (f *FolderMachine) Status() (FolderStatus, error) {
	st := f.status
	st.Label, st.Dir, st.Role, st.Space = string(f.cfg.Label), f.cfg.Dir, f.cfg.Role, f.cfg.Space
	st.Resumed, st.Reused, st.Member, st.Watch = f.fetch.resumed, f.fetch.reused, f.space.member, st.watch
	err := f.store.View(func(tx kv.Tx) error {
		st.Devices = f.space.devices(tx)
		st.Held = f.held(tx)
		st.Missing = f.missing(tx)
		return nil
	})
	switch {
	case f.rootLost:
		st.State, st.Why = StateHalted, rootMissing(f.cfg.Dir)
	case !st.Member || f.space.waiting:
		st.State = StateWaiting
	case len(st.Held) > 0:
		st.State = StateHeld
	case st.Replica.Scanning:
		st.State = StateScanning
	case !st.Settled:
		st.State = StateSyncing
	default:
		st.State = StateInSync
	}
	return st, err
}

// devices tells how far the other members are, as far as this device knows.
func (s *space) devices(tx kv.Tx) []DeviceStatus {
	var out []DeviceStatus
	for _, member := range s.members.List(tx) {
		if member.Device != s.keys.Device() {
			out = append(out, s.deviceStatus(member))
		}
	}
	return out
}

func (s *space) deviceStatus(member security.Member) DeviceStatus {
	known := s.tellers.told[member.Device]
	d := DeviceStatus{
		Device: member.Device, Name: member.Cert.Name, State: StateSyncing,
		NeedFiles: known.line.NeedFiles, NeedBytes: known.line.NeedBytes,
		Seen: known.seen, Linked: s.tellers.direct[member.Device], Clock: s.clocks[member.Device],
	}
	switch {
	case known.line.done() && known.line.Applied == s.log.Frontier() && !known.line.Device.IsZero():
		d.State = StateInSync
	case !d.Linked && !known.line.Linked:
		d.State = StateOffline
	}
	return d
}
