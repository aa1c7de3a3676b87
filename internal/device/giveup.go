package device

import (
	"time"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/eventlog"
	"github.com/zsync/zsync/internal/kv"
	"github.com/zsync/zsync/security"
)

// lacks notes that nobody who is here has what an item is of, once for each want.
func (x *fetcher) lacks(item Item) {
	if w := x.wants[item.content()]; w != nil && !w.lacked {
		w.lacked = true
		x.lacking = append(x.lacking, w.Content)
	}
}

// giveUp logs the end of what nobody has and what its author had ended before, in
// events that lie past a cut.
func (f *FolderMachine) giveUp(tx kv.Tx, now time.Time) error {
	lacking := f.fetch.lacking
	f.fetch.lacking = nil
	for len(lacking) > 0 {
		writer, seq := f.space.log.Next(tx)
		body := f.replica.GiveUp(tx, writer, seq, lacking, func(yield func(eventlog.Event) bool) { f.eachPastCut(tx, yield) })
		if body == nil {
			return nil
		}
		if err := f.write(tx, now, zsync.KindFS, body); err != nil {
			return err
		}
	}
	return nil
}

// eachPastCut yields what members changed in events past the cuts of their writers.
func (f *FolderMachine) eachPastCut(tx kv.Tx, yield func(eventlog.Event) bool) {
	f.space.log.EachPastCut(tx, func(ev eventlog.Event) bool {
		counts := ev.Header.Kind == zsync.KindFS && f.space.members.Right(tx, ev.Author) != security.RightNone
		return !counts || yield(ev)
	})
}
