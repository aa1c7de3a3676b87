package device

import (
	"cmp"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/filemq"
	"github.com/zsync/zsync/internal/kv"
	"github.com/zsync/zsync/internal/meter"
	"github.com/zsync/zsync/security"
	"github.com/zsync/zsync/zre"
)

// Snapshot is what a running device knows at one moment, for a person to see.
type Snapshot struct {
	Key      zsync.Key
	Device   zsync.DeviceID
	Name     string
	Folders  []FolderStatus
	Halted   []Halted
	Circle   []DeviceStatus // the other members
	InCircle bool
	Silent   string   // why nothing may be written to the circle's log; "": it may
	Offered  []string // labels of the circle that this device does not keep
	Joining  uint64   // spaces that this device is not yet a member of
	Records  []security.Record
	Links    LinkStatus
	Stages   *meter.Stages // what this device did since it started; nil where nothing is counted
}

// LinkStatus is what the link machine knows.
type LinkStatus struct {
	Peers    []PeerStatus
	Attempts []Attempt
	Offences []OffenceStatus
	Parsed   uint64 // ZRE commands of peers parsed since the start
	Ignored  int64  // messages of devices that may not say them
	Queued   int    // items waiting to be asked for
	Limits   Limits
}

// PeerStatus is one connected device.
type PeerStatus struct {
	Device     zsync.DeviceID // zero while it is only pending
	Key        zsync.Key
	Name       string
	Evasive    bool
	Connecting bool
	Link       zre.LinkKind
	RoundTrip  time.Duration // 0: not measured yet
	Heard      time.Time     // when it spoke last; zero: it has not yet
	Endpoint   string
	Open       bool // its transfer session is
	Sent       uint64
	Received   uint64
	Session    filemq.Counters
	Near       bool  // it is on a network that this device is on
	Limit      Limit // of all links to devices there
}

// Snapshot gathers what each machine knows, each between two of its turns, and of a
// folder whose turn takes long what was before it. One that does not answer in time is
// told of as halted; where it is the device itself, the error is a [Busy].
func (r *Running) Snapshot() (Snapshot, error) {
	folders, halted := r.kept()
	parts := make([]func(*Snapshot), 2+len(folders))
	errs := make([]error, 2)
	var asked sync.WaitGroup
	asked.Go(func() { parts[0], errs[0] = ask(r.home, statusTime, r.homePart) })
	asked.Go(func() { parts[1], errs[1] = ask(r.link, statusTime, r.linkPart) })
	for i, f := range folders {
		asked.Go(func() { parts[2+i] = f.part() })
	}
	asked.Wait()
	s := Snapshot{Key: r.cfg.Keys.Key(), Device: r.cfg.Keys.Device(), Halted: halted, Stages: r.host.Stages}
	for _, part := range parts {
		if part != nil {
			part(&s)
		}
	}
	s.meet()
	slices.SortFunc(s.Halted, func(a, b Halted) int { return cmp.Compare(a.Label, b.Label) })
	for _, err := range errs {
		if err != nil && !errors.Is(err, errEnded) {
			return s, err
		}
	}
	return s, nil
}

// meet tells the other devices of a snapshot what the link knows of them.
func (s *Snapshot) meet() {
	peers := s.Links.byDevice()
	lists := [][]DeviceStatus{s.Circle}
	for _, f := range s.Folders {
		lists = append(lists, f.Devices)
	}
	for _, list := range lists {
		for i := range list {
			list[i].meet(peers)
		}
	}
}

// byDevice returns of each device that is known the connection that stands, or else one
// that does not.
func (l LinkStatus) byDevice() map[zsync.DeviceID]PeerStatus {
	peers := make(map[zsync.DeviceID]PeerStatus)
	for _, p := range l.Peers {
		if other, known := peers[p.Device]; !p.Device.IsZero() && (!known || other.Connecting) {
			peers[p.Device] = p
		}
	}
	return peers
}

// kept returns the folders that a person knows, ascending by label, and those of them
// that are halted.
func (r *Running) kept() (folders []*runningFolder, halted []Halted) {
	r.mutex.RLock()
	defer r.mutex.RUnlock()
	folders = slices.SortedFunc(maps.Values(r.folders), func(a, b *runningFolder) int { return cmp.Compare(a.reg.Label, b.reg.Label) })
	folders = slices.DeleteFunc(folders, func(f *runningFolder) bool { return f.reg.Scout })
	for _, h := range r.halted {
		if !h.Scout {
			halted = append(halted, h)
		}
	}
	return folders, halted
}

// homePart returns what home adds to a snapshot; between two turns.
func (r *Running) homePart() func(*Snapshot) {
	circle, in := r.Home.Status()
	joining, silent := r.Home.joining, cmp.Or(r.Home.trouble(), r.Home.silent)
	offered, _ := r.Home.Offered() // a home that cannot be read stops on its own
	return func(s *Snapshot) {
		s.Circle, s.InCircle, s.Joining, s.Silent, s.Offered = circle, in, joining, silent, offered
	}
}

// linkPart is that of the link.
func (r *Running) linkPart() func(*Snapshot) {
	links, records, name := r.Link.Status(), r.Link.trust.Records(), r.Link.cfg.Name
	return func(s *Snapshot) { s.Links, s.Records, s.Name = links, records, name }
}

// part is that of a folder. One that is closed or cannot be read adds nothing.
func (f *runningFolder) part() func(*Snapshot) {
	t, err := f.stands()
	var busy *Busy
	switch {
	case errors.As(err, &busy):
		return func(s *Snapshot) { s.Halted = append(s.Halted, Halted{f.reg, busy.Error()}) }
	case err != nil || t.err != nil:
		return nil
	}
	return func(s *Snapshot) { s.Folders = append(s.Folders, t.status) }
}

// Status tells how far the other devices of the circle are with its log.
func (h *HomeMachine) Status() (devices []DeviceStatus, inCircle bool) {
	if h.circle == nil {
		return nil, false
	}
	err := h.store.View(func(tx kv.Tx) error {
		devices = h.circle.devices(tx)
		return nil
	})
	return devices, err == nil
}

// Status tells who is here and who tried to be.
func (l *LinkMachine) Status() LinkStatus {
	st := LinkStatus{
		Attempts: slices.Clone(l.knocks.list), Offences: slices.Clone(l.offences.list), Parsed: l.node.Counters().Parsed,
		Ignored: l.ignored + int64(l.node.Counters().Refused), Queued: l.transfers.queued(),
		Limits: l.transfers.pace.limits,
	}
	for _, p := range l.node.Peers() {
		peer := PeerStatus{
			Key: p.Key, Name: p.Name, Evasive: p.State == zre.Silent, Connecting: p.State == zre.Connecting,
			Link: p.Link, RoundTrip: p.RoundTrip, Heard: p.Heard, Endpoint: p.Endpoint,
		}
		if record, known := l.trust.ByKey(p.Key); known {
			peer.Device = record.Device
			if l.transfers.openTo(record.Device) != nil {
				peer.Open, peer.Session = true, l.transfers.counters(record.Device)
				peer.Sent, peer.Received = peer.Session.SentBytes, peer.Session.ReceivedBytes
			}
		}
		peer.Near, peer.Limit = l.transfers.reaches(peer)
		st.Peers = append(st.Peers, peer)
	}
	return st
}

func (t *transfers) queued() (n int) {
	for _, queue := range t.queue {
		for _, b := range queue {
			n += len(b.items)
		}
	}
	return n
}
