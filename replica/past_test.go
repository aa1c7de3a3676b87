package replica

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/eventlog"
	"github.com/zsync/zsync/internal/kv"
	"github.com/zsync/zsync/store"
)

// ordered is the box's log in its total order.
func (b *box) ordered() []eventlog.Event {
	events := slices.Clone(b.log)
	slices.SortFunc(events, func(x, y eventlog.Event) int { return x.Header.Stamp(0).Compare(y.Header.Stamp(0)) })
	return events
}

// lost returns the steps that bring a path back as it was before its last loss.
func (b *box) lost(path zsync.Path) []Step {
	b.t.Helper()
	events := b.ordered()
	first, found, err := BeforeLoss(b.cfg.Space, events, path)
	if err != nil || !found {
		b.t.Fatalf("%s was never lost (%v)", path, err)
	}
	past, err := PastOf(b.cfg.Space, events[:first])
	if err != nil {
		b.t.Fatalf("%v", err)
	}
	entries, err := past.Under(path)
	if err != nil {
		b.t.Fatalf("%v", err)
	}
	return Steps(entries, path, path)
}

// bring carries steps out as a device does, and returns what could not be done.
// meddle, where set, comes between the look at the disk and the changes.
func (b *box) bring(steps []Step, meddle func()) (left []error) {
	b.t.Helper()
	for range 20 {
		trials, waits := b.try(&steps)
		b.rest()
		if len(trials) > 0 {
			if meddle != nil {
				meddle()
			}
			changes := make([]store.Change, len(trials))
			for i := range trials {
				changes[i] = trials[i].Change
			}
			results := b.root.Apply(changes, false)
			for _, result := range results {
				if result.Err != nil {
					left = append(left, result.Err)
				}
			}
			b.fact(func(tx kv.Tx) { b.rep.Hinted(b.now, b.rep.Brought(tx, trials, results), false) })
		}
		if !waits {
			break
		}
		b.pass(b.now.Add(time.Second))
		b.rest()
	}
	b.fact(func(tx kv.Tx) { b.rep.Retrieve(tx, nil) })
	b.scan()
	return left
}

// try takes out of steps what can be done now.
func (b *box) try(steps *[]Step) (doable []Trial, waits bool) {
	b.fact(func(tx kv.Tx) {
		var lacks []Entry
		*steps = slices.DeleteFunc(*steps, func(s Step) bool {
			trial := b.rep.Try(tx, &s)
			switch trial.Verdict {
			case Doable:
				doable = append(doable, trial)
				if trial.Change.Op == store.OpPlace {
					lacks = append(lacks, s.Want)
				}
			case Contented:
				lacks = append(lacks, s.Want)
				return false
			case NotKnown:
				return false
			}
			return true
		})
		b.rep.Retrieve(tx, lacks)
		b.rep.Advance(tx, b.now)
	})
	return doable, len(*steps) > 0
}

func TestADeletedFileComesBackFromWhoStillHasItsBytes(t *testing.T) {
	a, b := pairOf(t, func(u user) { u.mkdir("d"); u.write("d/x", "old"); u.chmod("d/x", 0o600) })
	a.user().remove("d/x")
	a.user().remove("d")
	a.scan()
	sync(a, b)
	if left := a.bring(a.lost("d"), nil); left != nil {
		t.Fatalf("%v", left)
	}
	sync(a, b)
	wantSame(a, b)
	if text := string(b.disk.User().Read("d/x")); text != "old" {
		t.Fatalf("b has %q", text)
	}
	if mode := b.disk.User().Stat("d/x").Mode; mode != 0o600 {
		t.Fatalf("b has mode %o", mode)
	}
}

func TestWhatIsInTheWayOfAnOldVersionIsKeptAndFoundAgain(t *testing.T) {
	a, b := pairOf(t, func(u user) { u.write("x", "old") })
	a.user().write("x", "newer")
	a.scan()
	sync(a, b)
	for _, want := range []string{"old", "newer"} { // the second time takes the first back
		if left := b.bring(b.lost("x"), nil); left != nil {
			t.Fatalf("%v", left)
		}
		sync(a, b)
		wantSame(a, b)
		if text := string(a.disk.User().Read("x")); text != want {
			t.Fatalf("a has %q, not %q", text, want)
		}
	}
	if _, found := b.serve(store.ContentOf([]byte("old"))); !found {
		t.Fatal("what was replaced is not found among the versions")
	}
}

func TestAnEditThatNobodyHasSeenIsNotReplaced(t *testing.T) {
	a, _ := pairOf(t, func(u user) { u.write("x", "old") })
	a.user().write("x", "newer")
	a.scan()
	left := a.bring(a.lost("x"), func() { a.user().write("x", "newest of all") })
	if len(left) != 1 || !errors.Is(left[0], store.ErrDiverged) {
		t.Fatalf("%v", left)
	}
	if text := string(a.disk.User().Read("x")); text != "newest of all" {
		t.Fatalf("it is %q", text)
	}
}

func TestLossesOfADirectoryWithinAMinuteAreOne(t *testing.T) {
	a, _ := pairOf(t, func(u user) {
		u.mkdir("d")
		for _, name := range []string{"d/long ago", "d/first", "d/last"} {
			u.write(name, name)
		}
	})
	for _, step := range []struct {
		name string
		gap  time.Duration
	}{{"d/long ago", time.Hour}, {"d/first", 30 * time.Second}, {"d/last", time.Second}} {
		a.user().remove(step.name)
		a.scan()
		a.pass(a.now.Add(step.gap))
		a.rest()
	}
	var paths []string
	for _, s := range a.lost("d") {
		paths = append(paths, string(s.Path))
	}
	slices.Sort(paths)
	if got := strings.Join(paths, ", "); got != "d, d/first, d/last" {
		t.Fatalf("brought back: %s", got)
	}
}

// undoing is what takes some events of the log back.
func (b *box) undoing(of func(ev eventlog.Event) bool) Undoing {
	b.t.Helper()
	undone := make(map[zsync.EventID]bool)
	for _, ev := range b.log {
		undone[ev.ID] = of(ev)
	}
	u, err := UndoingOf(b.cfg.Space, b.ordered(), undone)
	if err != nil {
		b.t.Fatalf("%v", err)
	}
	return u
}

func TestWhatADeviceDidIsTakenBackButNotWhatOthersDidSince(t *testing.T) {
	a, b := pairOf(t, func(u user) {
		u.mkdir("d")
		for _, name := range []string{"d/moved along", "deleted", "edited", "touched by both"} {
			u.write(name, name)
		}
	})
	before := len(a.log)
	u := a.user()
	u.rename("d", "elsewhere")
	u.write("elsewhere/new", "new")
	u.remove("deleted")
	u.write("edited", "worse")
	u.write("touched by both", "worse too")
	a.scan()
	sync(a, b)
	mine := make(map[zsync.EventID]bool)
	for _, ev := range a.log[before:] {
		mine[ev.ID] = true
	}
	b.user().write("touched by both", "better")
	b.scan()
	sync(a, b)
	undoing := b.undoing(func(ev eventlog.Event) bool { return mine[ev.ID] })
	if len(undoing.Skipped) != 1 || undoing.Skipped[0].Path != "touched by both" {
		t.Fatalf("skipped: %+v", undoing.Skipped)
	}
	if left := b.bring(undoing.Steps(), nil); left != nil {
		t.Fatalf("%v", left)
	}
	sync(a, b)
	wantSame(a, b)
	for name, want := range map[string]string{
		"d/moved along": "d/moved along", "deleted": "deleted", "edited": "edited", "touched by both": "better",
	} {
		if text := string(a.disk.User().Read(name)); text != want {
			t.Errorf("%s holds %q, not %q", name, text, want)
		}
	}
	if names := a.names(); strings.Contains(names, "new") || strings.Contains(names, "elsewhere") {
		t.Errorf("left: %s", names)
	}
}

// The power is cut before each step that the disk takes for it, and once after the
// last, before the database has heard of it.
func TestAPowerCutLeavesWhatIsBroughtBackWholeOrAway(t *testing.T) {
	for cut, survived := 1, false; !survived; cut++ {
		a, b := pairOf(t, func(u user) { u.write("x", strings.Repeat("old ", 1000)) })
		a.user().write("x", "newer")
		a.scan()
		sync(a, b)
		steps := b.lost("x")
		_, _ = b.try(&steps)
		b.rest()
		trials, _ := b.try(&steps)
		if len(trials) != 1 {
			t.Fatalf("%d trials", len(trials))
		}
		b.disk.CrashAt(b.disk.Steps() + cut)
		survived = b.root.Apply([]store.Change{trials[0].Change}, false)[0].Err == nil
		b.disk = b.disk.Crash()
		b.deaths++
		b.start()
		b.scan()
		sync(a, b)
		wantSame(a, b)
		text := string(b.disk.User().Read("x"))
		if text != strings.Repeat("old ", 1000) && text != "newer" || survived && text == "newer" {
			t.Fatalf("cut at %d: b has %d octets", cut, len(text))
		}
	}
}
