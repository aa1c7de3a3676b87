package main

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// TestTheMergeTableHoldsBetweenDevices plays every row of the merge table with
// devices in processes of their own, once without and twice with a third one that
// hears of the two sides in either order.
func TestTheMergeTableHoldsBetweenDevices(t *testing.T) {
	if testing.Short() {
		t.Skip("takes half a minute")
	}
	t.Parallel()
	for name, heardFirst := range map[string]int{"the two alone": -1, "a third hears the left one first": 0, "a third hears the right one first": 1} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			names := []string{"left", "right", "third"}
			if heardFirst < 0 {
				names = names[:2]
			}
			sides := newSides(t, names...)
			inSyncBefore(t, sides)
			apart(t, sides, heardFirst)
			if heardFirst >= 0 {
				hear(t, sides, heardFirst)
			}
			had := haveNow(sides)
			startAll(sides)
			agree(t, sides, func() error { return sameTrees(sides) })
			for i, s := range sides {
				lost(s, had[i])
			}
			wantRows(t, sides, func(r mergeRow) string { return r.tree })
			goOn(t, sides)
		})
	}
}

// inSyncBefore has all devices hold what was there before, and stops all but the
// right one.
func inSyncBefore(t *testing.T, sides []*side) {
	t.Helper()
	for _, row := range mergeRows {
		must(t, os.MkdirAll(row.dir(sides[0].folder), 0o755))
		row.do(t, sides[0], row.before)
	}
	for i, s := range sides { // one after the other: two circles that were founded apart cannot be joined
		for _, other := range sides[:i] {
			pairSides(other, s)
		}
		s.start()
		met := sides[:i+1]
		agree(t, met, func() error { return sameTrees(met) })
	}
	sides[0].end()
	endAll(sides[2:])
}

// ahead is by how many events the right one is ahead when the two sides part: more
// than the left one makes of all its rows.
const ahead = 20

// apart has the two people do what they do, each alone. Where a third hears the
// right one first, that one does it while its device runs.
func apart(t *testing.T, sides []*side, heardFirst int) {
	t.Helper()
	left, right := sides[0], sides[1]
	reached := lamportOf(right) + ahead
	for tick := 0; lamportOf(right) <= reached; tick++ {
		before := lamportOf(right)
		must(t, os.WriteFile(filepath.Join(right.folder, fmt.Sprint("tick ", tick)), nil, 0o644))
		for began := time.Now(); lamportOf(right) == before; time.Sleep(20 * time.Millisecond) {
			if time.Since(began) > patience {
				t.Fatalf("a file that was written is not seen\n%s", right.said())
			}
		}
	}
	if heardFirst != 1 {
		right.end()
	}
	for _, row := range mergeRows {
		row.do(t, right, row.right)
	}
	if heardFirst == 1 {
		time.Sleep(500 * time.Millisecond) // the watch sees it; what it missed, the next start finds
		right.end()
	}
	for _, row := range mergeRows {
		row.do(t, left, row.left)
	}
	if heardFirst == 0 {
		return // it tells the third at once, which knows no more
	}
	left.start()
	if alone(t, left) >= reached {
		t.Fatalf("the left one is at %d: it was to stay below %d", lamportOf(left), reached)
	}
	left.end()
}

// alone waits until a device that runs by itself has recorded everything, and
// returns how far its log is then.
func alone(t *testing.T, s *side) uint64 {
	t.Helper()
	for began := time.Now(); ; time.Sleep(20 * time.Millisecond) {
		f, err := s.folderNow()
		if err == nil && f.State == "in-sync" {
			return f.Lamport
		}
		if time.Since(began) > patience {
			t.Fatalf("%s is %s: %v\n%s", s.name, f.State, err, s.said())
		}
	}
}

// hear has the third device meet one of the two and then the other; the two do not
// meet.
func hear(t *testing.T, sides []*side, first int) {
	t.Helper()
	third := sides[2]
	third.start()
	for _, s := range []*side{sides[first], sides[1-first]} {
		s.start()
		pair := []*side{third, s}
		agree(t, pair, func() error { return sameTrees(pair) })
		s.end()
	}
	third.end()
}

func startAll(sides []*side) {
	for _, s := range sides {
		s.start()
	}
}

func endAll(sides []*side) {
	for _, s := range sides {
		s.end()
	}
}

func haveNow(sides []*side) (had []map[string]bool) {
	for _, s := range sides {
		had = append(had, s.holdings())
	}
	return had
}

// goOn has the left one do what it does afterwards, while all are connected.
func goOn(t *testing.T, sides []*side) {
	t.Helper()
	for _, row := range mergeRows {
		row.do(t, sides[0], row.after)
	}
	had := haveNow(sides)
	treeThen := func(r mergeRow) string {
		if r.after != "" {
			return r.treeAfter
		}
		return r.tree
	}
	names := copyNames(sides)
	agree(t, sides, func() error {
		if err := sameTrees(sides); err != nil {
			return err
		}
		for _, row := range mergeRows {
			if got := row.read(t, sides[0].folder, names); got != treeThen(row) {
				return fmt.Errorf("%s, then %s: %s, not %s", row.situation, row.after, got, treeThen(row))
			}
		}
		return nil
	})
	for i, s := range sides {
		lost(s, had[i])
	}
}

// wantRows compares the tree of every row with the one wanted, on one device: the
// others have the same.
func wantRows(t *testing.T, sides []*side, want func(mergeRow) string) {
	t.Helper()
	names := copyNames(sides)
	for _, row := range mergeRows {
		if got := row.read(t, sides[0].folder, names); got != want(row) {
			t.Errorf("%s:\n\t%s\nnot\t%s", row.situation, got, want(row))
		}
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
