package device

import (
	"maps"
	"slices"
	"time"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/eventlog"
	"github.com/zsync/zsync/internal/wire"
)

// progressEvery is the shortest time between two unasked reports of one space.
const progressEvery = time.Second

// progress knows how far each device is with one space: this one by itself, a
// linked one by its own word, any other by the word of those that are linked.
// It is never on the log, and a device says that it lacks nothing only after the
// commit that makes it so.
type progress struct {
	space  zsync.SpaceID
	self   zsync.DeviceID
	direct map[zsync.DeviceID]bool // linked to this device now
	told   map[zsync.DeviceID]told
	reach  map[zsync.DeviceID][]zsync.DeviceID // by whom is linked here: those that it is linked to
	mine   line                                // as last said
	saidAt time.Time                           // when it was last said
	dirty  bool                                // something changed since
	ask    bool                                // ask everybody with the next report
	answer []zsync.DeviceID
	lacked bool                    // something was missing here since the last report
	moved  bool                    // the last report that was received says something new of its sender
	levels map[zsync.DeviceID]bool // linked or level since that was last asked for
}

// told is the newest line of a device and when it was true.
type told struct {
	line line
	seen time.Time // when it was last known to be linked, here or to a teller
	// whole is the log of which it was known last to lack nothing, and frontier the
	// digest of that; nil: it never was.
	whole    []eventlog.Head
	frontier [16]byte
	estimate *estimate // of what it lacks; nil: it lacks nothing
}

type report struct {
	To   zsync.DeviceID // zero: to all
	Body []byte
}

func newProgress(space zsync.SpaceID, self zsync.DeviceID) *progress {
	return &progress{
		space: space, self: self,
		direct: make(map[zsync.DeviceID]bool), told: make(map[zsync.DeviceID]told),
		reach: make(map[zsync.DeviceID][]zsync.DeviceID), levels: make(map[zsync.DeviceID]bool),
	}
}

func (p *progress) linked(now time.Time, device zsync.DeviceID) {
	p.direct[device] = true
	t := p.told[device]
	t.seen = now
	p.told[device] = t
	p.dirty = true
	p.answer = append(p.answer, device)
	p.levels[device] = true
}

// unlinked notes that a device is linked no more, which spoke last at heard.
func (p *progress) unlinked(heard time.Time, device zsync.DeviceID) {
	if t, known := p.told[device]; known && p.direct[device] {
		t.seen = heard
		p.told[device] = t
	}
	delete(p.direct, device)
	delete(p.reach, device)
	p.dirty = true
}

// asks makes the next report ask every peer for its own.
func (p *progress) asks() { p.ask = true }

// received takes a peer's report. What it says of itself always counts; what it
// says of others counts where this device has no link of its own.
func (p *progress) received(now time.Time, from zsync.DeviceID, body []byte) {
	p.moved = false
	said, err := decodeProgress(body)
	if err != nil || !p.direct[from] {
		return
	}
	before := p.told[from].line
	p.reach[from] = nil
	for _, l := range said.Lines {
		if l.Linked && l.Device != p.self && l.Device != from {
			p.reach[from] = append(p.reach[from], l.Device)
		}
		if l.Device != p.self && (l.Device == from || !p.direct[l.Device]) {
			p.note(now, l, l.Device == from || l.Linked)
		}
	}
	if said.Ask {
		p.answer = append(p.answer, from)
	}
	p.moved = p.told[from].line != before
}

// retain forgets what was told of devices that are no members: a peer may name as
// many as it likes.
func (p *progress) retain(member func(zsync.DeviceID) bool) {
	for device := range p.told {
		if !p.direct[device] && !member(device) {
			delete(p.told, device)
		}
	}
}

func (p *progress) note(now time.Time, l line, fresh bool) {
	t, known := p.told[l.Device]
	if known && !fresh {
		return
	}
	l.Linked = p.direct[l.Device]
	if !known || t.line != l {
		p.dirty = true
	}
	if fresh {
		t.seen = now
	}
	t.line = l
	t.foresee(now)
	p.told[l.Device] = t
}

// through returns a linked device that is linked to one that is not; zero: none is.
func (p *progress) through(device zsync.DeviceID) (by zsync.DeviceID) {
	for teller, reached := range p.reach {
		if slices.Contains(reached, device) && (by.IsZero() || teller.Compare(by) < 0) {
			by = teller
		}
	}
	return by
}

// level notes which devices lack nothing of this device's log.
func (p *progress) level(frontier [16]byte, heads func() []eventlog.Head) {
	var whole []eventlog.Head
	for device, t := range p.told {
		if !t.line.has(frontier) || t.frontier == frontier {
			continue
		}
		if whole == nil {
			whole = heads()
		}
		t.whole, t.frontier = whole, frontier
		p.told[device] = t
		p.levels[device] = true
	}
}

// leveled returns the linked devices of which there may be something new to say about
// what they have had all of.
func (p *progress) leveled() (devices []zsync.DeviceID) {
	for _, device := range slices.SortedFunc(maps.Keys(p.levels), zsync.DeviceID.Compare) {
		if p.direct[device] && p.told[device].whole != nil {
			devices = append(devices, device)
		}
	}
	clear(p.levels)
	return devices
}

// had reports whether a device was known to have all of an event.
func (t told) had(event zsync.Stamp) bool {
	return slices.ContainsFunc(t.whole, func(h eventlog.Head) bool { return h.Writer == event.Writer && h.Seq >= event.Seq })
}

// report returns what is to be said now. mine is this device's own line.
func (p *progress) report(now time.Time, mine line) []report {
	p.lacked = p.lacked || !mine.done()
	urgent := p.lacked && mine.done()
	changed := mine != p.mine || p.dirty
	var out []report
	switch {
	case p.ask, urgent, changed && !now.Before(p.saidAt.Add(progressEvery)):
		if len(p.direct) > 0 {
			out = append(out, report{Body: p.encode(mine, p.ask)})
		}
		p.mine, p.saidAt, p.dirty, p.ask, p.lacked = mine, now, false, false, !mine.done()
	case len(p.answer) > 0:
		slices.SortFunc(p.answer, zsync.DeviceID.Compare)
		for _, device := range slices.Compact(p.answer) {
			out = append(out, report{To: device, Body: p.encode(mine, false)})
		}
	case changed:
		p.dirty = true // said later: see deadline
	}
	p.answer = nil
	return out
}

// deadline is when a change that was held back may be said.
func (p *progress) deadline() time.Time {
	if !p.dirty {
		return time.Time{}
	}
	return p.saidAt.Add(progressEvery)
}

func (p *progress) encode(mine line, ask bool) []byte {
	lines := []line{mine}
	for _, device := range p.devices() {
		l := p.told[device].line
		if l.Device.IsZero() {
			continue
		}
		l.Linked = p.direct[device]
		lines = append(lines, l)
	}
	return wire.Marshal(progressBody{Space: p.space, Ask: ask, Lines: lines[:min(len(lines), progressLinesMax)]})
}

func (p *progress) devices() []zsync.DeviceID {
	devices := make([]zsync.DeviceID, 0, len(p.told))
	for device := range p.told {
		devices = append(devices, device)
	}
	slices.SortFunc(devices, zsync.DeviceID.Compare)
	return devices
}
