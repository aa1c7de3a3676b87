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
	StateOffline  = "offline" // of a device: it is not connected, here or to one that is
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
	Unread   int               // files and directories that cannot be read; all else is in sync
	Held     []Held            // ascending by author
	Why      string            // it is halted
	Missing  []replica.Problem // paths whose bytes no connected device has, the first of them
	Left     int64             // octets that are to go and have not been received either
	Outlook  Outlook
	watch    string
	silenced bool // for a moment: it waits for confirmation before it may write
	rootLost bool
}

// DeviceStatus is how far another device is with a folder.
type DeviceStatus struct {
	Device    zsync.DeviceID
	Name      string
	State     string
	Was       string // its last state that is known, where it is offline; "": none is
	NeedFiles uint64
	NeedBytes uint64
	Seen      time.Time // last linked here, or to a device that told of it
	Linked    bool      // to this device, now
	Silent    bool      // it is linked, and does not answer
	// Via is a device that is linked to it, where this one is not; zero: none is.
	Via zsync.DeviceID
	// Clock is how far its clock is ahead of this device's, by what it wrote last and
	// sent at once; 0: not known.
	Clock   time.Duration
	Outlook Outlook // of what it lacks, while it is linked
}

// report works out this device's own line and lets the progress say it.
func (f *FolderMachine) report(tx kv.Tx, now time.Time) {
	st := f.replica.Status(tx)
	f.status.Replica = st
	f.status.Frontier, f.status.Lamport = f.space.log.Frontier(), f.space.log.MaxLamport()
	f.status.Unread = 0
	if st.Idle && f.space.member && !f.space.waiting {
		f.status.Unread = unread(st.Problems)
	}
	f.status.Settled = st.Idle && f.space.member && !f.space.waiting && f.status.Unread == 0
	f.missRoot(st)
	left := f.rest.saw(now, work{st.NeedFiles, st.NeedBytes}, f.fetch.got)
	f.status.Left = left.bytes
	mine := line{
		Device: f.space.keys.Device(), Linked: true, Applied: f.status.Frontier,
		NeedFiles: uint64(left.files), NeedBytes: uint64(left.bytes),
	}
	if !f.status.Settled && mine.NeedFiles == 0 {
		mine.NeedFiles = 1
	}
	f.space.collect(now, mine)
	for _, device := range f.space.tellers.leveled() {
		f.space.emit(Address{Part: Link}, Had{f.cfg.Space, device, f.space.tellers.told[device].whole})
	}
}

// unread counts what could not be read, and so is not in the log.
func unread(problems []replica.Problem) (n int) {
	for _, p := range problems {
		if p.Code == replica.CodeUnreadable {
			n++
		}
	}
	return n
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
	st := f.brief()
	err := f.store.View(func(tx kv.Tx) error {
		st.Devices = f.space.devices(tx)
		st.Held = f.held(tx)
		st.Missing = f.missing(tx)
		return nil
	})
	st.judge()
	return st, err
}

// brief is what of a status is not read from the database, and not judged yet.
func (f *FolderMachine) brief() FolderStatus {
	st := f.status
	st.Label, st.Dir, st.Role, st.Space = string(f.cfg.Label), f.cfg.Dir, f.cfg.Role, f.cfg.Space
	st.Resumed, st.Reused, st.Member, st.Watch = f.fetch.resumed, f.fetch.reused, f.space.member, st.watch
	st.silenced, st.rootLost = f.space.waiting, f.rootLost
	return st
}

// judge says in one word how things stand.
func (st *FolderStatus) judge() {
	switch {
	case st.rootLost:
		st.State, st.Why = StateHalted, rootMissing(st.Dir)
	case !st.Member || st.silenced:
		st.State = StateWaiting
	case len(st.Held) > 0:
		st.State = StateHeld
	case st.Replica.Scanning:
		st.State = StateScanning
	case st.Unread > 0:
		st.State = StateWaiting
	case !st.Settled:
		st.State = StateSyncing
	default:
		st.State = StateInSync
	}
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
	if known.line.has(s.log.Frontier()) {
		d.State = StateInSync
	}
	if !d.Linked {
		d.Via = s.tellers.through(member.Device)
	}
	switch {
	case d.Linked || !d.Via.IsZero():
	case known.line.Device.IsZero():
		d.State = StateOffline
	default:
		d.away()
	}
	return d
}

// away: what is known of it is old.
func (d *DeviceStatus) away() {
	d.Was, d.State = d.State, StateOffline
}

// had reports whether it lacked nothing when that was known last.
func (d *DeviceStatus) had() bool { return d.State == StateInSync || d.Was == StateInSync }

// meet takes in what the link knows of its connections: one that was lost a moment ago
// may come back, and is not given up at once.
func (d *DeviceStatus) meet(peers map[zsync.DeviceID]PeerStatus) {
	to := d.Via
	if d.Linked {
		to = d.Device
	}
	switch p, known := peers[to]; {
	case !known:
	case p.Connecting:
		d.Linked, d.Via = false, zsync.DeviceID{}
		if p.Heard.After(d.Seen) && to == d.Device {
			d.Seen = p.Heard
		}
		d.away()
	case p.Evasive:
		d.Silent = true
	}
}
