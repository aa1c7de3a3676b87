package device_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/internal/device"
	"github.com/zsync/zsync/internal/disk"
	"github.com/zsync/zsync/internal/kv"
	"github.com/zsync/zsync/security"
	"github.com/zsync/zsync/store"
	"github.com/zsync/zsync/store/crashfs"
	"github.com/zsync/zsync/zre"
)

// A stage plays a script: lines that begin with "> " are carried out, and what the
// machines say to that is written below each, with the time in seconds. One device
// has only those of the three machines that the script starts; what they say to
// the others is written down and goes no further.
type stage struct {
	t      *testing.T
	now    time.Time
	queue  []due
	actors map[string]*actor
	order  []*actor
	names  map[zsync.SpaceID]string
	out    strings.Builder
	octets hash.Hash // of all that was said, in full
}

// due is something that arrives at a machine.
type due struct {
	at time.Time
	do func()
}

// actor is one device.
type actor struct {
	name    string
	number  int
	keys    *security.Keys
	cert    security.Certificate
	trust   *security.Trust
	link    *device.LinkMachine
	home    *device.HomeMachine
	homeDB  *kv.Memory
	folders map[zsync.SpaceID]*copyOf
	conns   [2]map[zre.Conn]wire
	calls   zre.Conn
	has     map[zsync.Digest]string // what its folders serve
	refuses bool                    // its database does not commit
	linked  map[string]bool         // whom which machine hears, as its link would have it
}

// copyOf is a folder of one device.
type copyOf struct {
	reg     device.Registration
	machine *device.FolderMachine
	db      *kv.Memory
	disk    *crashfs.FS
	root    *store.Root
}

// wire is the other end of a connection.
type wire struct {
	to   *actor
	conn zre.Conn
}

var (
	must        = device.Must
	fixedRandom = device.FixedRandom

	begin      = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	errRefused = errors.New("the disk is full")
)

const firstIncoming = zre.Conn(1) << 32

const moment = time.Millisecond // from one machine to another

func play(t *testing.T, script string) (text string, octets [32]byte) {
	s := &stage{t: t, now: begin, actors: map[string]*actor{}, names: map[zsync.SpaceID]string{}, octets: sha256.New()}
	for line := range strings.Lines(script) {
		switch order, ok := strings.CutPrefix(line, "> "); {
		case ok:
			s.out.WriteString(line)
			s.obey(strings.Fields(order))
		case strings.HasPrefix(line, "#") || strings.TrimSpace(line) == "":
			s.out.WriteString(line)
		}
	}
	for _, a := range s.order {
		for _, f := range a.folders {
			must(t, f.root.Close())
		}
	}
	s.octets.Sum(octets[:0])
	return s.out.String(), octets
}

// actor returns the device of a name, made at first.
func (s *stage) actor(name string) *actor {
	if a := s.actors[name]; a != nil {
		return a
	}
	keys, err := security.GenerateKeys(fixedRandom(name))
	must(s.t, err)
	a := &actor{
		name: name, number: len(s.order) + 1, keys: keys, cert: keys.Certify(name, 1), trust: security.NewTrust(),
		homeDB: kv.NewMemory(), folders: map[zsync.SpaceID]*copyOf{}, has: map[zsync.Digest]string{},
		conns: [2]map[zre.Conn]wire{{}, {}}, calls: firstIncoming, linked: map[string]bool{},
	}
	a.homeDB.Commit = a.commit
	s.actors[name] = a
	s.order = append(s.order, a)
	return a
}

func (a *actor) commit() error {
	if a.refuses {
		return errRefused
	}
	return nil
}

func (a *actor) host() string { return fmt.Sprintf("10.0.0.%d", a.number) }

// space returns the space that a script calls by a name: one that founding gave,
// or one made up.
func (s *stage) space(name string) zsync.SpaceID {
	for id, known := range s.names {
		if known == name {
			return id
		}
	}
	sum := sha256.Sum256([]byte(name))
	id := zsync.SpaceID(sum[:16])
	s.names[id] = name
	return id
}

// later plans something.
func (s *stage) later(d time.Duration, do func()) {
	s.queue = append(s.queue, due{s.now.Add(d), do})
	slices.SortStableFunc(s.queue, func(a, b due) int { return a.at.Compare(b.at) })
}

// run lets time pass: what is under way arrives, and machines are turned at their
// deadlines.
func (s *stage) run(d time.Duration) {
	const turnsMax = 10_000 // in one order: more is a machine that never rests
	end := s.now.Add(d)
	for turns := 0; ; turns++ {
		if turns == turnsMax {
			s.t.Fatalf("a machine turns for ever:\n%s", s.out.String()[max(0, s.out.Len()-500):])
		}
		at, do := s.next()
		if do == nil || at.After(end) {
			s.now = end
			return
		}
		if at.After(s.now) {
			s.now = at
		}
		do()
	}
}

func (s *stage) next() (at time.Time, do func()) {
	if len(s.queue) > 0 {
		at = s.queue[0].at
		do = func() {
			first := s.queue[0]
			s.queue = s.queue[1:]
			first.do()
		}
	}
	for _, a := range s.order {
		for _, to := range a.machines() {
			if deadline := a.deadline(to); !deadline.IsZero() && (do == nil || deadline.Before(at)) {
				at, do = deadline, func() { s.turn(a, to) }
			}
		}
	}
	return at, do
}

func (a *actor) machines() (all []device.Address) {
	if a.link != nil {
		all = append(all, device.Address{Part: device.Link})
	}
	if a.home != nil {
		all = append(all, device.Address{Part: device.Home})
	}
	spaces := make([]zsync.SpaceID, 0, len(a.folders))
	for space, f := range a.folders {
		if f.machine != nil {
			spaces = append(spaces, space)
		}
	}
	slices.SortFunc(spaces, zsync.SpaceID.Compare)
	for _, space := range spaces {
		all = append(all, device.Address{Part: device.Folder, Space: space})
	}
	return all
}

func (a *actor) deadline(to device.Address) time.Time {
	switch to.Part {
	case device.Link:
		return a.link.Deadline()
	case device.Home:
		return a.home.Deadline()
	}
	return a.folders[to.Space].machine.Deadline()
}

// turn gives a machine its inputs and carries out what it says.
func (s *stage) turn(a *actor, to device.Address, in ...any) {
	var effects []device.Effect
	var err error
	switch to.Part {
	case device.Link:
		effects = a.link.Handle(s.now, in)
	case device.Home:
		effects, err = a.home.Handle(s.now, in)
	case device.Folder:
		if f := a.folders[to.Space]; f != nil && f.machine != nil {
			effects, err = f.machine.Handle(s.now, in)
		}
	}
	if err != nil {
		s.fail(a, to, err)
	}
	s.carry(a, to, effects)
}

// fail takes a folder's machine away, as its owner does. A home that refused an
// order stays; who wants a failed one away starts it again.
func (s *stage) fail(a *actor, at device.Address, err error) {
	s.say(a, "fails: %v", err)
	if f := a.folders[at.Space]; f != nil {
		f.machine = nil
	}
}

// say writes one line.
func (s *stage) say(a *actor, format string, args ...any) {
	fmt.Fprintf(&s.out, "%9.3f %s %s\n", s.now.Sub(begin).Seconds(), a.name, fmt.Sprintf(format, args...))
}

// carry brings effects to where they go.
func (s *stage) carry(a *actor, from device.Address, effects []device.Effect) {
	for _, e := range effects {
		full, err := json.Marshal(withoutRelease(e.What)) // follows pointers
		must(s.t, err)
		fmt.Fprintf(s.octets, "%s %v %T %s\n", a.name, e.To, e.What, full)
		for _, line := range s.describe(a, e) {
			s.say(a, "%s", line)
		}
		switch what := e.What.(type) {
		case device.CircleIs:
			s.rename("circle", what.Space)
		case device.NetOrders:
			s.network(a, int(e.To.Part-device.Mailbox), what)
		case device.Say:
			s.whisper(a, from, what)
		case device.Fetch:
			s.fetch(a, what)
		case device.Serve:
			s.serve(a, what)
		case device.StagePieces:
			if a.folders[e.To.Space] == nil {
				s.post(a, device.Address{Part: device.Link}, device.Disposed{Session: what.Session, Cost: what.Cost})
				break
			}
			s.work(a, e)
		default:
			if e.To.Part == device.Disk {
				s.work(a, e)
			}
		}
	}
}

// withoutRelease leaves out what is no value.
func withoutRelease(what any) any {
	switch what := what.(type) {
	case device.StagePieces:
		what.Release = nil
		return what
	case device.Supply:
		var parts []any
		for _, p := range what.Parts {
			parts = append(parts, []any{p.Req, p.Index, p.Data, p.Code})
		}
		return parts
	case device.NetOrders:
		var sends []any
		for _, s := range what.Send {
			sends = append(sends, []any{s.Conn, s.Frames})
		}
		return []any{what.Dial, sends, what.Hangup}
	}
	return what
}

// link tells a machine that it is linked to another device's, or no longer.
func (s *stage) link(a *actor, at device.Address, name string, on bool) {
	b := s.actor(name)
	a.linked[name+fmt.Sprint(at)] = on
	space := at.Space
	if at.Part == device.Home {
		space = s.space("circle")
	}
	if on {
		s.turn(a, at, device.Linked{Peer: b.cert, Space: space})
	} else {
		s.turn(a, at, device.Unlinked{Device: b.keys.Device(), Space: space})
	}
}

// post brings something to a machine in a moment.
func (s *stage) post(a *actor, to device.Address, what any) {
	s.later(moment, func() { s.turn(a, to, what) })
}

// work lets a worker carry out a disk order.
func (s *stage) work(a *actor, e device.Effect) {
	f := a.folders[e.To.Space]
	if f == nil {
		return
	}
	s.later(moment, func() {
		disk.Carry(f.root, e.To.Space, e.What, func(to device.Address, what any) {
			if to.Part == device.Folder {
				s.turn(a, to, what)
			}
		})
	})
}

// whisper brings a log message to the machines of the same kind that are linked.
func (s *stage) whisper(a *actor, from device.Address, what device.Say) {
	if from.Part == device.Link {
		return
	}
	for _, other := range s.order {
		if other == a || !what.To.IsZero() && what.To != other.keys.Device() {
			continue
		}
		if other.linked[a.name+fmt.Sprint(from)] && a.linked[other.name+fmt.Sprint(from)] {
			s.post(other, from, device.Heard{From: a.cert, Type: what.Type, Body: bytes.Clone(what.Body)})
		}
	}
}

// fetch answers a folder's want from the disks of the others, as its link would.
func (s *stage) fetch(a *actor, q device.Fetch) {
	if a.link != nil && a.folders[q.Space] == nil {
		return
	}
	var pieces []store.Piece
	var missing []device.Item
	for _, item := range q.Items {
		if data := s.find(a, item.Hash); data != nil {
			pieces = append(pieces, store.Piece{Content: item.Hash, Size: int64(item.Size), Hash: item.Hash, Data: data})
		} else {
			missing = append(missing, item)
		}
	}
	if len(missing) > 0 {
		s.post(a, device.Address{Part: device.Folder, Space: q.Space}, device.Unfetched{Items: missing})
	}
	if len(pieces) > 0 {
		s.work(a, device.Effect{To: device.Address{Part: device.Disk, Space: q.Space}, What: device.StagePieces{Pieces: pieces}})
	}
}

func (s *stage) find(a *actor, content zsync.Digest) []byte {
	for _, other := range s.order {
		for _, f := range other.folders {
			user := f.disk.User()
			for _, path := range user.Paths("") {
				if data := user.Read(path); other != a && data != nil && sha256.Sum256(data) == content {
					return data
				}
			}
		}
	}
	return nil
}

// serve answers for the folders of a device that has only a link.
func (s *stage) serve(a *actor, q device.Serve) {
	supply := device.Supply{Session: q.Session}
	for _, read := range q.Reads {
		part := device.SupplyPart{Req: read.Req, Index: read.Index, Code: 1}
		if data, has := a.has[read.Hash]; has {
			part.Data, part.Code = []byte(data), 0
		}
		supply.Parts = append(supply.Parts, part)
	}
	s.post(a, device.Address{Part: device.Link}, supply)
}
