package device

import (
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/eventlog"
	"github.com/zsync/zsync/security"
)

const (
	// otherSideWait is how long the higher device id leaves the dialling of the
	// transfer link to the lower one.
	otherSideWait = 2 * time.Second
	redialMin     = 500 * time.Millisecond
	redialMax     = 30 * time.Second
)

// route is a device that is here now and how to reach its transfer link.
type route struct {
	record   security.Record
	endpoint string
	spaces   map[zsync.SpaceID]bool            // where its machine and ours are linked
	had      map[zsync.SpaceID][]eventlog.Head // the log of which it lacked nothing
	dialAt   time.Time
	backoff  time.Duration
	lanes    lanes
}

// entered notes a trusted device that is here, with its transfer link.
func (t *transfers) entered(now time.Time, record security.Record, host string, port int) {
	endpoint := "tcp://" + host + ":" + strconv.Itoa(port)
	if r := t.routes[record.Device]; r != nil {
		r.endpoint, r.record = endpoint, record
		return
	}
	r := &route{record: record, endpoint: endpoint, spaces: make(map[zsync.SpaceID]bool), had: make(map[zsync.SpaceID][]eventlog.Head), dialAt: now, backoff: redialMin}
	if at, early := t.early[record.Key]; record.Device.Compare(t.self) < 0 && !(early && now.Before(at.Add(otherSideWait))) {
		r.dialAt = now.Add(otherSideWait)
	}
	delete(t.early, record.Key)
	t.routes[record.Device], t.here = r, nil
}

// knocked notes that the door of the transfer link was shut to a known device, whose
// proof of who it is had not come yet. It is not answered, and waits; so it is dialled
// from here, as soon as it is trusted.
func (t *transfers) knocked(now time.Time, key zsync.Key) {
	for device, r := range t.routes {
		if r.record.Key == key && !t.connecting(device) {
			r.dialAt = now
			return
		}
	}
	t.early[key] = now
}

// exited notes that the device of a key is gone, and closes its sessions.
func (t *transfers) exited(now time.Time, key zsync.Key) {
	t.stirred = true
	delete(t.early, key)
	for _, s := range t.sorted() {
		if s.key == key {
			t.drop(now, s)
			t.hangup = append(t.hangup, s.conn)
		}
	}
	for device, r := range t.routes {
		if r.record.Key == key {
			delete(t.routes, device)
			t.pace.forget(device)
			t.here = nil
		}
	}
}

// linked notes that a device and a folder here are linked, or no longer.
func (t *transfers) linked(device zsync.DeviceID, space zsync.SpaceID, on bool) {
	t.stirred = true
	if r := t.routes[device]; r != nil && on {
		r.spaces[space] = true
	} else if r != nil {
		delete(r.spaces, space)
		delete(r.had, space)
	}
}

// openTo returns the session in use with a device: of two, the one that the
// lower device id dialled. There may be others beside it: see lanes.
func (t *transfers) openTo(device zsync.DeviceID) *session {
	var best *session
	for _, s := range t.sorted() {
		lowerDialled := s.dialled == (t.self.Compare(device) < 0)
		if s.peer == device && s.open && !s.beside && (best == nil || lowerDialled) {
			best = s
		}
	}
	return best
}

func (t *transfers) connecting(device zsync.DeviceID) bool {
	for _, s := range t.sessions {
		if s.peer == device && !s.beside {
			return true
		}
	}
	return false
}

// devices returns who is here, ascending. The slice is never changed.
func (t *transfers) devices() []zsync.DeviceID {
	if t.here == nil {
		t.here = slices.SortedFunc(maps.Keys(t.routes), zsync.DeviceID.Compare)
	}
	return t.here
}
