package device

import (
	"github.com/zsync/zsync"
	"github.com/zsync/zsync/eventlog"
	"github.com/zsync/zsync/internal/kv"
)

// began is where this run's own events begin in a space: with seq of the writer.
type began struct {
	writer zsync.WriterID
	seq    uint64
}

func (s *space) begin(tx kv.Tx) { s.began.writer, s.began.seq = s.log.Next(tx) }

// recognize looks for events in the name of this device that it has not written. One
// that rests on what this run has written comes of another one that is alive now: its
// home was copied. What does not may be its own, of a time that it has forgotten; a
// device that knows of none such is told of it.
func (s *space) recognize(tx kv.Tx, events []eventlog.Event) {
	for _, ev := range events {
		if ev.Author != s.keys.Device() || ev.Header.Writer == s.began.writer {
			continue
		}
		switch {
		case s.isOurs(ev.Header.Deps):
			s.emit(Address{Part: Link}, Offended{s.keys.Device(), OffenceClone})
		case tx.Get(bucketDevice, []byte(keyRestored)) == nil:
			s.lost()
		}
	}
}

// isOurs reports whether one of these is an event of this run.
func (s *space) isOurs(deps []zsync.Ref) bool {
	for _, dep := range deps {
		if dep.Writer == s.began.writer && dep.Seq >= s.began.seq {
			return true
		}
	}
	return false
}
