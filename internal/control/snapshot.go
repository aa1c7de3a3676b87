package control

import (
	"encoding/hex"
	"slices"
	"strings"
	"time"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/internal/device"
	"github.com/zsync/zsync/security"
	"github.com/zsync/zsync/zre"
)

// statusOf turns a snapshot into what is printed. Lists are never null.
func statusOf(s device.Snapshot) Status {
	st := Empty()
	st.Running = true
	st.Device = Self{Key: s.Key.String(), Device: s.Device.String(), Name: s.Name}
	st.Circle = devicesOf(s.Circle)
	st.Offered = append(st.Offered, s.Offered...)
	st.CircleWhy = s.Silent
	st.Limits = LimitsOf(s.Links.Limits)
	st.Counters = Counters{Commands: s.Links.Parsed, Ignored: s.Links.Ignored, Queued: s.Links.Queued, Joining: s.Joining}
	for _, f := range s.Folders {
		st.Folders = append(st.Folders, folderOf(f))
	}
	for _, h := range s.Halted {
		st.Folders = append(st.Folders, haltedOf(h))
	}
	for _, p := range s.Links.Peers {
		st.Peers = append(st.Peers, named(peerOf(p), s.Records))
	}
	st.addAttempts(s.Links.Attempts, s.Records)
	st.addOffences(s)
	for _, r := range s.Records {
		st.addRecord(r)
	}
	return st
}

// Empty is the status of a device that does not run and keeps nothing. No list
// of a status is ever null.
func Empty() Status {
	return Status{
		Version: 1, Folders: []Folder{}, Peers: []Peer{}, Attempts: []Attempt{}, Offences: []Offence{}, Circle: []Device{},
		Pending: []Pending{}, Keys: []string{}, Offered: []string{},
	}
}

// Stopped is a folder of a device that does not run.
func Stopped(reg device.Registration) Folder {
	return Folder{
		Label: string(reg.Label), Path: reg.Dir, Space: reg.Space.String(), Role: role(reg.Role), State: device.StateOffline,
		Held: []Held{}, Problems: []Problem{}, Devices: []Device{},
	}
}

// AddTrust adds the devices that a device trusts which does not run.
func (st *Status) AddTrust(records []security.Record) {
	for _, r := range records {
		st.addRecord(r)
		if r.State == security.InCircle {
			st.Circle = append(st.Circle, Device{Device: r.Device.String(), Name: r.Name, State: device.StateOffline})
		}
	}
}

func (st *Status) addRecord(r security.Record) {
	switch r.State {
	case security.Pending, security.Paired:
		st.Pending = append(st.Pending, Pending{r.Key.String(), r.Name, r.State.String(), stamp(r.Since)})
	case security.InCircle:
		st.Keys = append(st.Keys, r.Key.String())
	}
}

// addAttempts leaves out the knocks of devices that were let in since, and those
// without a key from the same address, which were theirs too.
func (st *Status) addAttempts(attempts []device.Attempt, records []security.Record) {
	trusted := make(map[zsync.Key]bool)
	for _, r := range records {
		trusted[r.Key] = r.State != security.Revoked
	}
	from := make(map[string]bool)
	for _, a := range attempts {
		if trusted[a.Key] && a.Why == "" {
			from[a.Address] = true
		}
	}
	for _, a := range attempts {
		settled := trusted[a.Key] || a.Key.IsZero() && from[a.Address]
		if a.Why != "" || !settled {
			st.Attempts = append(st.Attempts, attemptOf(a))
		}
	}
}

// addOffences names each offender as the trust or the circle does.
func (st *Status) addOffences(s device.Snapshot) {
	names := map[zsync.DeviceID]string{s.Device: s.Name}
	for _, d := range s.Circle {
		names[d.Device] = d.Name
	}
	for _, r := range s.Records {
		names[r.Device] = r.Name
	}
	for _, o := range s.Links.Offences {
		st.Offences = append(st.Offences, Offence{
			Device: o.Device.String(), Name: names[o.Device], Code: string(o.What), Why: o.What.Why(), Count: o.Count, Last: stamp(o.Last),
		})
	}
}

func folderOf(f device.FolderStatus) Folder {
	out := Folder{
		Label: f.Label, Path: f.Dir, Space: f.Space.String(), Role: role(f.Role), State: f.State,
		Files: f.Replica.Files, Bytes: f.Replica.Bytes, NeedFiles: f.Replica.NeedFiles, NeedBytes: f.Replica.NeedBytes,
		Conflicts: f.Replica.Conflicts, Held: []Held{}, Problems: []Problem{},
		Frontier: hex.EncodeToString(f.Frontier[:]), Lamport: f.Lamport, Devices: devicesOf(f.Devices),
		Unread: f.Unread, Resumed: f.Resumed, Reused: f.Reused, Current: string(f.Current), Why: f.Why,
	}
	if f.Why != "" {
		out.Problems = append(out.Problems, Problem{Code: "halted", Why: f.Why})
	}
	out.Left = f.Left
	out.progress(f.Outlook, f.Devices)
	if f.Watch != "" {
		out.Problems = append(out.Problems, Problem{Code: "watch", Why: f.Watch})
	}
	for _, h := range f.Held {
		out.Held = append(out.Held, Held(h))
	}
	for _, p := range slices.Concat(f.Replica.Problems, f.Missing) {
		out.Problems = append(out.Problems, Problem{string(p.Path), p.Code, p.Why})
	}
	return out
}

func haltedOf(h device.Halted) Folder {
	return Folder{
		Label: string(h.Label), Path: h.Dir, Space: h.Space.String(), Role: role(h.Role), State: device.StateHalted, Why: h.Why,
		Held: []Held{}, Problems: []Problem{{Code: "halted", Why: h.Why}}, Devices: []Device{},
	}
}

func role(text string) string {
	if text == "" {
		return "sync"
	}
	return text
}

func devicesOf(list []device.DeviceStatus) []Device {
	out := make([]Device, len(list))
	for i, d := range list {
		out[i] = Device{
			Device: d.Device.String(), Name: d.Name, State: d.State, Was: d.Was, NeedFiles: d.NeedFiles, NeedBytes: d.NeedBytes,
			Seen: stamp(d.Seen), Linked: d.Linked, Silent: d.Silent, Clock: d.Clock.Milliseconds(),
		}
		if !d.Via.IsZero() {
			out[i].Via = d.Via.String()
		}
	}
	return out
}

// linkWords say how a connection came about. A peer without one is connecting.
var linkWords = map[zre.LinkKind]string{
	zre.LinkNone: "none", zre.LinkRequired: "static", zre.LinkSighted: "lan", zre.LinkIncoming: "incoming",
}

func peerOf(p device.PeerStatus) Peer {
	out := Peer{
		Key: p.Key.String(), Name: p.Name, State: PeerReady, Link: linkWords[p.Link], Endpoint: "tcp://" + strings.TrimPrefix(p.Endpoint, "tcp://"),
		Sent: p.Sent, Received: p.Received, RTT: float64(p.RoundTrip.Microseconds()) / 1000,
		Network: "wan", Limit: limitOf(p.Limit),
	}
	if p.Near {
		out.Network = "lan"
	}
	if p.Device != (zsync.DeviceID{}) {
		out.Device = p.Device.String()
	}
	switch {
	case p.Evasive:
		out.State = PeerEvasive
	case p.Connecting:
		out.State = PeerConnecting
	}
	return out
}

// named has a peer that has not said its name in this session called what it is called here.
func named(p Peer, records []security.Record) Peer {
	for _, r := range records {
		if p.Name == "" && r.Key.String() == p.Key {
			p.Name = r.Name
		}
	}
	return p
}

func attemptOf(a device.Attempt) Attempt {
	out := Attempt{Address: strings.TrimPrefix(a.Address, "tcp://"), Count: a.Count, Last: stamp(a.Last), Why: a.Why}
	if !a.Key.IsZero() {
		out.Key = a.Key.String()
	}
	return out
}

func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339Nano)
}
