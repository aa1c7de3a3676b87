package device

import (
	"github.com/zsync/zsync"
	"github.com/zsync/zsync/eventlog"
	"github.com/zsync/zsync/internal/kv"
)

// historyStep is how many lines of a log are read between two turns, if no event
// has more.
const historyStep = 1000

// HistoryPage is a part of a folder's log: the lines of some events, oldest first.
type HistoryPage struct {
	Lines []HistoryLine
	Last  zsync.Stamp // the place in the log that it ends at
	End   bool        // nothing is left after it
}

// HistoryPages reads the page of a log that follows a place in it.
type HistoryPages func(after zsync.Stamp) (HistoryPage, error)

// HistoryAfter is the [HistoryPages] of the folder.
func (f *FolderMachine) HistoryAfter(after zsync.Stamp) (page HistoryPage, err error) {
	page.End = true
	err = f.store.View(func(tx kv.Tx) error {
		names := f.space.names(tx)
		f.space.log.EachAfter(tx, after, func(ev eventlog.Event) bool {
			page.Lines = append(page.Lines, f.linesOf(tx, ev, names[ev.Author])...)
			page.Last = ev.Header.Stamp(0)
			page.End = len(page.Lines) < historyStep
			return page.End
		})
		return nil
	})
	return page, err
}

// MergeHistories yields the lines of several logs until yield returns false. Each
// log keeps its order. Where it says nothing, the times that authors' clocks had
// decide, and at the same time which log is named first: logs of different folders
// know nothing of each other. In memory is one page of each.
func MergeHistories(logs []HistoryPages, yield func(HistoryLine) bool) error {
	pages := make([]HistoryPage, len(logs))
	for {
		var first *HistoryPage
		for i := range pages {
			if err := pages[i].turn(logs[i]); err != nil {
				return err
			}
			if page := &pages[i]; len(page.Lines) > 0 && (first == nil || page.Lines[0].Wall.Before(first.Lines[0].Wall)) {
				first = page
			}
		}
		if first == nil || !yield(first.Lines[0]) {
			return nil
		}
		first.Lines = first.Lines[1:]
	}
}

// turn reads on where a page has no lines left.
func (p *HistoryPage) turn(log HistoryPages) (err error) {
	for len(p.Lines) == 0 && !p.End && err == nil {
		*p, err = log(p.Last)
	}
	return err
}
