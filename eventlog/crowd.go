package eventlog

import (
	"slices"

	"github.com/zsync/zsync"
)

// A device can open writers without end. Those with the lowest ids count, up to
// [deviceWritersMax], whichever came first here: a rule about the set alone.
// The others stand as if they were cut before their first event. What rests on
// them has all that it needs, and nobody has to hold them. That of the genesis
// always counts.

// ranked returns the writers of a device that are known here, those that count
// before others first.
func (l *Log) ranked(device zsync.DeviceID) []*writer {
	var ranked []*writer
	for _, w := range l.sorted {
		if w.Device == device {
			ranked = append(ranked, w)
		}
	}
	if device != l.meta.Founder {
		return ranked
	}
	if at := slices.IndexFunc(ranked, (*writer).founds); at > 0 {
		founder := ranked[at]
		ranked = slices.Insert(slices.Delete(ranked, at, at+1), 0, founder)
	}
	return ranked
}

// founds reports whether the first event of w is the genesis of the space.
func (w *writer) founds() bool { return w.ID == WriterOf(w.Key[:], zsync.SpaceID{}) }

// crowded reports whether others of its device leave no place for a writer that
// is not here.
func (l *Log) crowded(w *writer) bool {
	ranked := l.ranked(w.Device)
	return len(ranked) >= deviceWritersMax && !w.founds() &&
		ranked[deviceWritersMax-1].ID.Compare(w.ID) < 0
}

// places returns how many writers stand in the frontier.
func (l *Log) places() (n int) {
	for _, w := range l.writers {
		if w.Cut > 0 {
			n++
		}
	}
	return n
}

// OwnFull reports whether the next own event would need a new writer, and this
// device has as many as one may have: [Log.Append] then returns [ErrWriters]
// rather than take the place of an own writer that counts.
func (l *Log) OwnFull() bool {
	return l.byID[l.own] == nil && len(l.ranked(zsync.DeviceOf(l.author.Device))) >= deviceWritersMax
}

// crowdOut takes its place from the writer of a device that is one too many, or notes
// that it will.
func (m *merge) crowdOut(device zsync.DeviceID) {
	out := m.log.tooMany(device)
	if m.holdsCrowd(out) {
		return
	}
	for _, w := range out {
		ended := w.End.Seq
		w.Cut, m.out.crowded = 0, true
		m.truncate(w, ended)
		w.save(m.tx)
		m.unpark = true
	}
}

// tooMany returns the writers of a device that stand and have no place.
func (l *Log) tooMany(device zsync.DeviceID) []*writer {
	ranked := l.ranked(device)
	return slices.DeleteFunc(ranked[min(deviceWritersMax, len(ranked)):], func(w *writer) bool { return w.Cut == 0 })
}

// crowds returns the devices with writers that are too many.
func (l *Log) crowds() (devices []zsync.DeviceID) {
	writers := make(map[zsync.DeviceID]int)
	for _, w := range l.sorted {
		if writers[w.Device]++; writers[w.Device] == deviceWritersMax+1 && len(l.tooMany(w.Device)) > 0 {
			devices = append(devices, w.Device)
		}
	}
	return devices
}

// noteCrowded keeps the opening of a writer that has no place here if something
// waits for it: to know whose it is is then enough.
func (m *merge) noteCrowded(w *writer, r *read) {
	if !m.log.parking.awaitsWriter(w.ID) {
		return
	}
	w.Cut = 0
	m.log.insert(w)
	w.save(m.tx)
	m.tx.Put(bucketBeyond, r.id[:16], r.Encode())
	m.out.noted++
	m.unpark = true
}
