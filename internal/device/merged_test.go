package device

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/zsync/zsync"
)

// written is a log of lines, of which each page has two events of one line; a page
// in the middle of it has none, as where events say nothing.
func written(folder string, walls ...int64) HistoryPages {
	return func(after zsync.Stamp) (page HistoryPage, err error) {
		from := int(after.Lamport)
		page.Last, page.End = zsync.Stamp{Lamport: after.Lamport + 1}, from > len(walls)/2
		for i := 2 * from; i < min(2*from+2, len(walls)) && walls[i] > 0; i++ {
			page.Lines = append(page.Lines, HistoryLine{Folder: folder, Wall: time.Unix(walls[i], 0)})
		}
		return page, nil
	}
}

func TestSeveralLogsAreToldInOrderOfTimeAndEachInItsOwn(t *testing.T) {
	logs := []HistoryPages{
		written("a", 10, 30, 0, 0, 20, 50), // a clock was set back, or another device's is behind
		written("b"),
		written("c", 5, 10, 35, 40, 40),
		written("d", 40),
	}
	var got []string
	tell := func(line HistoryLine) bool {
		got = append(got, line.Folder+line.Wall.UTC().Format("05"))
		return len(got) < 100
	}
	want := []string{"c05", "a10", "c10", "a30", "a20", "c35", "c40", "c40", "d40", "a50"}
	if err := MergeHistories(logs, tell); err != nil || !slices.Equal(got, want) {
		t.Errorf("%v, %q, not %q", err, got, want)
	}

	got = nil
	enough := func(line HistoryLine) bool { return tell(line) && len(got) < 2 }
	if err := MergeHistories(logs, enough); err != nil || len(got) != 2 {
		t.Errorf("%v, %q", err, got)
	}
	broken := errors.New("broken")
	logs[1] = func(zsync.Stamp) (HistoryPage, error) { return HistoryPage{}, broken }
	if err := MergeHistories(logs, tell); !errors.Is(err, broken) {
		t.Error(err)
	}
}
