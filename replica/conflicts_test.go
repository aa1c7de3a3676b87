package replica

import (
	"crypto/sha256"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/eventlog"
	"github.com/zsync/zsync/internal/kv"
)

// clashes are what a box has of conflicts now.
func (b *box) clashes() (all []Conflict) {
	b.t.Helper()
	if err := b.db.View(func(tx kv.Tx) error { all = b.rep.Conflicts(tx); return nil }); err != nil {
		b.t.Fatalf("%v", err)
	}
	return all
}

// choose settles a conflict as the device does.
func (b *box) choose(c Conflict, keep int) (failed error) {
	b.t.Helper()
	b.fact(func(tx kv.Tx) {
		h := b.header()
		body, n, err := b.rep.Choose(tx, h.Writer, h.Seq, []Choice{{c, keep}})
		if failed = err; err != nil || n == 0 {
			return
		}
		h.BodyHash = sha256.Sum256(body)
		ev := eventlog.Event{ID: eventID(h), Header: h, Author: zsync.DeviceID{b.letter, 0xde}, Body: body}
		b.keep(ev)
		if err := b.rep.Fold(tx, []eventlog.Event{ev}); err != nil {
			b.t.Fatalf("%v", err)
		}
		b.rep.Logged(tx, ev)
		b.rep.Advance(tx, b.now)
	})
	b.rest()
	return failed
}

func (b *box) why(path zsync.Path) (reason Reason) {
	b.t.Helper()
	if err := b.db.View(func(tx kv.Tx) error { reason = b.rep.Why(tx, path); return nil }); err != nil {
		b.t.Fatalf("%v", err)
	}
	return reason
}

func TestTheVersionsOfAConflictAreListedWithTheirAuthors(t *testing.T) {
	a, b, path := conflict(t)
	for _, box := range []*box{a, b} {
		all := box.clashes()
		if len(all) != 1 || len(all[0].Versions) != 2 {
			t.Fatalf("%+v", all)
		}
		main, loser := all[0].Versions[0], all[0].Versions[1]
		if main.Path != "x.txt" || string(loser.Path) != path || !main.Here || !loser.Here || main.Author == loser.Author {
			t.Errorf("%+v", all)
		}
	}
	if r := a.why("x.txt"); r.Code != CodeConflict {
		t.Errorf("%+v", r)
	}
}

func TestTheVersionThatIsKeptHasTheNameAndTheOthersGo(t *testing.T) {
	for keep, name := range []string{"main", "copy"} {
		t.Run(name, func(t *testing.T) {
			a, b, path := conflict(t)
			all := a.contents()
			c := a.clashes()[0]
			want := string(a.disk.User().Read([]string{"x.txt", path}[keep]))
			if err := a.choose(c, keep); err != nil {
				t.Fatal(err)
			}
			sync(a, b)
			wantSame(a, b)
			a.wantNames("x.txt")
			a.wantFile("x.txt", want)
			for text := range all {
				if !a.contents()[text] || !b.contents()[text] {
					t.Errorf("%q is gone", text)
				}
			}
			if len(a.clashes()) != 0 {
				t.Error("it is still a conflict")
			}
		})
	}
}

func TestBothVersionsThatAreKeptAreOrdinaryFilesAndNoByteMoves(t *testing.T) {
	a, b, path := conflict(t)
	names, tree := a.names(), a.tree()
	if err := a.choose(a.clashes()[0], KeepAll); err != nil {
		t.Fatal(err)
	}
	if a.names() != names || a.tree() != tree {
		t.Errorf("now %s", a.names())
	}
	sync(a, b)
	wantSame(a, b)
	b.wantNames(names)
	if len(a.clashes())+len(b.clashes()) > 0 || a.status().Conflicts+b.status().Conflicts > 0 {
		t.Error("they are still a conflict")
	}
	if r := b.why(zsync.Path(path)); r.Code != CodeInSync {
		t.Errorf("%+v", r)
	}
}

func TestAnEditThatCameBetweenLookingAndChoosingIsNotLost(t *testing.T) {
	for keep := range 2 {
		a, b, path := conflict(t)
		c := a.clashes()[0]
		a.user().write([]string{path, "x.txt"}[keep], "just now") // what is to go
		if err := a.choose(c, keep); err != nil {
			t.Fatal(err)
		}
		a.scan()
		sync(a, b)
		wantSame(a, b)
		read := ""
		for _, name := range strings.Fields(b.names()) {
			read += string(b.disk.User().Read(name)) + "\n"
		}
		if !strings.Contains(read, "just now") {
			t.Errorf("kept %d: %q", keep, read)
		}
	}
}

func TestAChoiceOfWhatIsBeingLookedAtIsRefused(t *testing.T) {
	a, _, path := conflict(t)
	c := a.clashes()[0]
	a.rep.scan.tasks[zsync.Path(path)] = &task{}
	defer delete(a.rep.scan.tasks, zsync.Path(path))
	err := a.db.View(func(tx kv.Tx) error {
		_, _, err := a.rep.Choose(tx, zsync.WriterID{1}, 1, []Choice{{c, 0}})
		return err
	})
	if !errors.Is(err, ErrBusy) || a.rep.drafts != nil {
		t.Errorf("%v", err)
	}
}

func TestEachPathHasAReason(t *testing.T) {
	a, b := pairOf(t, func(u user) {
		u.mkdir("d")
		u.write("d/a.txt", "a")
		u.write("gone.txt", "gone")
		u.write("was.txt", "was")
	})
	a.user().remove("gone.txt")
	a.user().rename("was.txt", "d/is.txt")
	a.user().write("d/new.txt", "new")
	a.scan()
	b.fetch = func(zsync.Digest) ([]byte, bool) { return nil, false }
	b.learn(a, 100)
	b.rest()
	for path, want := range map[zsync.Path]string{
		"": CodeInSync, "d": CodeInSync, "d/a.txt": CodeInSync, "x.part": CodeIgnored, "x.part/y": CodeIgnored,
		"gone.txt": CodeDeleted, "was.txt": CodeMoved, "never.txt": CodeUnknown, "d/.zsync/id": CodePrivate,
		"d/new.txt": CodeMissing,
	} {
		if got := b.why(path); got.Code != want {
			t.Errorf("%s: %+v, not %s", path, got, want)
		}
	}
	if now := b.why("was.txt").Now; now != "d/is.txt" {
		t.Errorf("moved to %q", now)
	}
	if lacks := b.why("d/new.txt").Lacks; len(lacks) != 1 || lacks[0].Size != 3 || lacks[0].Author[0] != 'a' {
		t.Errorf("%+v", lacks)
	}
}

func TestTheItemsOfADirectoryAreWhatTheLogHas(t *testing.T) {
	a, _, path := conflict(t)
	err := a.db.View(func(tx kv.Tx) error {
		items, found := a.rep.Items(tx, "")
		var names []string
		for _, item := range items {
			names = append(names, string(item.Path))
			if !item.Here || item.Copy != (string(item.Path) == path) || item.Type != zsync.TypeFile {
				t.Errorf("%+v", item)
			}
		}
		if want := []string{"x.txt", path}; !found || len(names) != 2 || !slices.IsSorted(names) || !slices.Contains(names, want[0]) || !slices.Contains(names, want[1]) {
			t.Errorf("%v", names)
		}
		if one, found := a.rep.Items(tx, zsync.Path(path)); !found || len(one) != 1 {
			t.Errorf("%+v", one)
		}
		if _, found := a.rep.Items(tx, "x.txt/y"); found {
			t.Error("a file is no directory")
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}
