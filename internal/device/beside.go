package device

import (
	"time"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/filemq"
	"github.com/zsync/zsync/zre"
)

func sessionConfig(beside bool) filemq.Config {
	cfg := filemq.Config{Rationed: true, Compress: true, WindowMax: windowBytesMax, BesideMax: besideMax, Beside: beside}
	if beside {
		cfg.Window, cfg.WindowMax = besideWindowBytes, besideWindowBytes
	}
	return cfg
}

// lane keeps as many sessions beside the one in use with a device as are wanted. Only
// the side that dialled that one opens any.
func (t *transfers) lane(now time.Time, device zsync.DeviceID) {
	r := t.routes[device]
	l := &r.lanes
	if !l.looked && l.beside == 0 && l.busyAt.IsZero() {
		return
	}
	main := t.openTo(device)
	if main == nil || !main.dialled {
		l.look, l.looked, l.busyAt = Path{}, false, time.Time{}
		return
	}
	own, ready := t.besides(main)
	busy := t.isBusy(device) || l.look.Sent+l.look.Received >= busySegments
	if l.looked {
		l.judge(now, busy, 2*ready >= l.beside, min(besideMax, main.fm.BesideMax()))
	}
	wanted := l.wanted(now, busy)
	t.openBeside(now, r, wanted-len(own))
	for i := len(own) - 1; i >= wanted; i-- {
		own[i].retired, t.stirred = now, true
	}
	if wanted == 0 && len(own) == 0 {
		l.busyAt = time.Time{}
	}
}

// besides returns the sessions beside main that are wanted still, ascending, and how
// many of them are open.
func (t *transfers) besides(main *session) (all []*session, ready int) {
	for _, s := range t.sorted() {
		if !s.beside || !s.retired.IsZero() || t.elder(s) != main {
			continue
		}
		if all = append(all, s); s.open {
			ready++
		}
	}
	return all, ready
}

// elder returns the session that one is beside of: the last that the same side opened
// before it.
func (t *transfers) elder(s *session) (elder *session) {
	for _, other := range t.sorted() {
		if !other.beside && other.peer == s.peer && other.dialled == s.dialled && other.conn < s.conn {
			elder = other
		}
	}
	return elder
}

// lanesOf returns the open sessions over which requests to a device are spread, that
// in use first.
func (t *transfers) lanesOf(device zsync.DeviceID) (open []*session) {
	main := t.openTo(device)
	if main == nil {
		return nil
	}
	open = append(open, main)
	all, _ := t.besides(main)
	for _, s := range all {
		if s.open {
			open = append(open, s)
		}
	}
	return open
}

// isBusy reports whether anything that is asked for between a device and this one has
// not been answered: only then has a session a deadline.
func (t *transfers) isBusy(device zsync.DeviceID) bool {
	for _, s := range t.sessions {
		if s.peer == device && s.open && !s.fm.Deadline().IsZero() {
			return true
		}
	}
	return false
}

func (t *transfers) openBeside(now time.Time, r *route, count int) {
	if t.stopping || now.Before(r.lanes.dialAt) {
		return
	}
	for range count {
		t.conns++
		t.at(t.begin(now, t.conns, r.record, true, true), r.endpoint)
		t.dial = append(t.dial, zre.Dial{Conn: t.conns, Endpoint: r.endpoint, Key: r.record.Key})
	}
}

// closeRetired closes a session of which nothing more is asked, once what was asked for
// has come, or has not for too long.
func (t *transfers) closeRetired(now time.Time, s *session) {
	if s.retired.IsZero() || s.open && !s.fm.Deadline().IsZero() && now.Sub(s.retired) < laneIdle {
		return
	}
	s.fm.Close(now, "one session less is needed")
}

// dropBeside ends the sessions beside one that ends. One that ends by itself is not
// replaced at once.
func (t *transfers) dropBeside(now time.Time, s *session) {
	r := t.routes[s.peer]
	switch {
	case s.beside && r != nil:
		count(&r.lanes.ended, s.fm.Counters())
		if s.retired.IsZero() {
			r.lanes.dialAt = now.Add(laneAgain)
		}
	case !s.beside:
		for _, other := range t.sorted() {
			if other.beside && other.peer == s.peer && t.elder(other) == s {
				t.drop(now, other)
				t.hangup = append(t.hangup, other.conn)
			}
		}
	}
}

// laneDeadline returns when lane or closeRetired has something to do next.
func (t *transfers) laneDeadline(device zsync.DeviceID) (next time.Time) {
	l := &t.routes[device].lanes
	if l.busyAt.IsZero() {
		return next
	}
	return l.busyAt.Add(laneIdle)
}

// counters returns what the sessions with a device have done.
func (t *transfers) counters(device zsync.DeviceID) (all filemq.Counters) {
	if r := t.routes[device]; r != nil {
		all = r.lanes.ended
	}
	for _, s := range t.lanesOf(device) {
		count(&all, s.fm.Counters())
	}
	return all
}

func count(all *filemq.Counters, one filemq.Counters) {
	all.SentFrames += one.SentFrames
	all.ReceivedFrames += one.ReceivedFrames
	all.SentItems += one.SentItems
	all.ReceivedItems += one.ReceivedItems
	all.SentBytes += one.SentBytes
	all.ReceivedBytes += one.ReceivedBytes
	all.BadItems += one.BadItems
	all.Ignored += one.Ignored
}
