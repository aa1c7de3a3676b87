package device

import (
	"math"
	"time"
)

// rest is what a folder lacks here. A file is lacking until it is in its place; its
// octets go as they are received, which tells of a large file before it is whole.
type rest struct {
	left     work
	need     work // what was not in its place, when it was looked at last
	received work // in all, at that time
	ahead    work // received and not in its place
	estimate estimate
}

// saw takes how much is not in its place, and how much was received in all. It returns
// what is to go. For the estimate to have received a file is half of it: so it counts twice,
// and so do octets.
func (r *rest) saw(now time.Time, need, received work) work {
	need = work{max(0, need.files), max(0, need.bytes)}
	r.ahead = work{
		max(0, r.ahead.files+received.files-r.received.files-max(0, r.need.files-need.files)),
		max(0, r.ahead.bytes+received.bytes-r.received.bytes-max(0, r.need.bytes-need.bytes)),
	}
	if need.files == 0 {
		r.ahead = work{}
	}
	r.need, r.received = need, received
	r.left = work{need.files, max(0, need.bytes-r.ahead.bytes)}
	r.estimate.saw(now, work{2*need.files - min(need.files, r.ahead.files), 2 * r.left.bytes})
	return r.left
}

// foresee takes how much a device lacks by its own word, or by that of another one.
func (t *told) foresee(now time.Time) {
	if t.line.done() {
		t.estimate = nil
		return
	}
	if t.estimate == nil {
		t.estimate = new(estimate)
	}
	t.estimate.saw(now, work{clamped(t.line.NeedFiles), clamped(t.line.NeedBytes)})
}

// clamped bounds what another device says.
func clamped(n uint64) int64 { return int64(min(n, math.MaxInt64/4)) }

// Foretell adds to a status what is to be expected at a time: how long it takes until
// this device lacks nothing, and until each other one does not. It is called between
// two turns, by whoever steps the machine.
func (f *FolderMachine) Foretell(now time.Time, st *FolderStatus) {
	if st.State == StateSyncing || st.State == StateScanning {
		st.Outlook = f.rest.estimate.outlook(now)
		st.Outlook.BytesPerSecond /= 2
	}
	for i := range st.Devices {
		d := &st.Devices[i]
		told := f.space.tellers.told[d.Device]
		if told.estimate != nil && d.State == StateSyncing && !d.Silent {
			d.Outlook = told.estimate.outlook(now)
		}
	}
}
