package replica

import (
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/eventlog"
	"github.com/zsync/zsync/internal/kv"
)

// ignore changes the folder's patterns, as a person does on one device: those that
// begin with "-" are taken away.
func (b *box) ignore(changes ...string) {
	b.t.Helper()
	add, remove := split2(changes)
	b.fact(func(tx kv.Tx) {
		body, err := b.rep.IgnoreBody(tx, add, remove)
		if err != nil {
			b.t.Fatalf("%c: %v", b.letter, err)
		}
		if body == nil {
			return
		}
		h := b.header()
		h.Kind, h.BodyHash = zsync.KindSettings, sha256.Sum256(body)
		ev := eventlog.Event{ID: eventID(h), Header: h, Author: zsync.DeviceID{b.letter, 0xde}, Body: body}
		b.keep(ev)
		if err := b.rep.Fold(tx, []eventlog.Event{ev}); err != nil {
			b.t.Fatalf("%v", err)
		}
		b.rep.Advance(tx, b.now)
	})
}

// ignoreHere changes those of this device alone.
func (b *box) ignoreHere(changes ...string) {
	b.t.Helper()
	add, remove := split2(changes)
	b.fact(func(tx kv.Tx) {
		if err := b.rep.IgnoreHere(tx, add, remove); err != nil {
			b.t.Fatalf("%c: %v", b.letter, err)
		}
		b.rep.Advance(tx, b.now)
	})
}

func split2(changes []string) (add, remove []string) {
	for _, c := range changes {
		if text, away := strings.CutPrefix(c, "-"); away {
			remove = append(remove, text)
		} else {
			add = append(add, c)
		}
	}
	return add, remove
}

func (b *box) rules() (texts []string) {
	_ = b.db.View(func(tx kv.Tx) error {
		for _, rule := range b.rep.IgnoreRules(tx) {
			texts = append(texts, rule.Pattern)
		}
		return nil
	})
	return texts
}

// scanAll lets all boxes find what their users did, and tell each other.
func scanAll(boxes ...*box) {
	for _, b := range boxes {
		b.t.Helper()
		b.scan()
	}
	sync(boxes...)
}

func wantRest(boxes ...*box) {
	for _, b := range boxes {
		b.t.Helper()
		if s := b.status(); !s.Idle || s.NeedFiles != 0 || s.NeedBytes != 0 {
			b.t.Fatalf("%c: not at rest: %+v\n%s%s", b.letter, s, b.state(), trees(boxes))
		}
		b.wantTotals()
	}
}

func TestWhatBecomesIgnoredStaysEverywhereAndIsNotSyncedAnyMore(t *testing.T) {
	a, b := pairOf(t, func(u user) { u.write("x.raw", "one"); u.write("d/y.raw", "two"); u.write("z", "three") })
	a.ignore("*.raw")
	scanAll(a, b)
	n := len(a.log)
	a.user().write("x.raw", "edited")
	a.user().remove("d/y.raw")
	a.user().write("new.raw", "new")
	b.user().write("z", "other")
	scanAll(a, b)
	wantRest(a, b)
	if len(a.log) != n+1 {
		t.Fatalf("%d events more", len(a.log)-n)
	}
	a.wantNames("d new.raw x.raw z")
	b.wantNames("d d/y.raw x.raw z")
	b.wantFile("x.raw", "one")
	a.wantFile("z", "other")
}

func TestWhatIsIgnoredNoMoreIsComparedAgainAndDeletedNowhere(t *testing.T) {
	a, b := pairOf(t, func(u user) { u.write("x.raw", "one"); u.write("d/y.raw", "two"); u.write("same.raw", "same") })
	a.ignore("*.raw")
	scanAll(a, b)
	a.user().write("x.raw", "edited")
	a.user().remove("d/y.raw")
	a.user().write("new.raw", "new")
	scanAll(a, b)
	a.ignore("-*.raw")
	a.user().remove("same.raw") // before anybody looked: as if it were ignored still
	scanAll(a, b)
	wantSame(a, b)
	a.wantNames("d d/y.raw new.raw same.raw x.raw")
	b.wantFile("x.raw", "edited")
	b.wantFile("d/y.raw", "two")
}

func TestADirectoryThatHoldsWhatIsIgnoredCanBeDeleted(t *testing.T) {
	a, b := pairOf(t, func(u user) { u.write("d/x.raw", "one"); u.write("d/y", "two"); u.write("z", "three") })
	a.ignore("*.raw")
	scanAll(a, b)
	a.user().remove("d")
	a.scan()
	for _, ev := range a.log {
		body, _ := DecodeBody(ev.Body) // or it is of settings
		for _, op := range body {
			if op.Kind == OpDel && slices.Contains(op.Supersedes, a.dotOf("x.raw")) {
				t.Fatalf("what is ignored was deleted: %+v", op)
			}
		}
	}
	scanAll(a, b)
	wantRest(a, b)
	b.wantNames("d d/x.raw z")
	b.wantFile("d/x.raw", "one")
	b.ignore("-*.raw")
	scanAll(a, b)
	wantSame(a, b)
	a.wantFile("d/x.raw", "one")
}

// dotOf names the operation that created what is called name.
func (b *box) dotOf(name zsync.Name) zsync.Dot {
	for _, ev := range b.log {
		body, _ := DecodeBody(ev.Body)
		for i, op := range body {
			if op.Kind == OpPut && op.Create != CreateNone && op.Name == name {
				return zsync.Dot{Event: ev.ID, Index: uint32(i)}
			}
		}
	}
	b.t.Fatalf("%c: no %s", b.letter, name)
	return zsync.Dot{}
}

func TestPatternsOfOneDeviceAreNotReplicated(t *testing.T) {
	a, b := pairOf(t, func(u user) { u.write("cache/x", "one"); u.write("y", "two") })
	b.ignoreHere("cache/")
	a.user().write("cache/x", "ONE")
	a.user().write("cache/new", "new")
	a.user().remove("y")
	scanAll(a, b)
	wantRest(a, b)
	b.wantNames("cache cache/x")
	b.wantFile("cache/x", "one")
	b.reopen()
	scanAll(a, b)
	b.wantFile("cache/x", "one")
	b.ignoreHere("-cache/")
	scanAll(a, b)
	wantSame(a, b)
	b.wantFile("cache/x", "ONE")
	b.wantFile("cache/new", "new")
}

func TestWhatOthersDeletedWhileItWasIgnoredHereIsKept(t *testing.T) {
	a, b := pairOf(t, func(u user) { u.write("cache/deep/x", "one"); u.write("y", "two") })
	b.ignoreHere("cache/")
	a.user().remove("cache")
	scanAll(a, b)
	wantRest(a, b)
	b.wantFile("cache/deep/x", "one")
	b.ignoreHere("-cache/")
	scanAll(a, b)
	wantSame(a, b)
	a.wantFile("cache/deep/x", "one")
}

func TestAFileMovedIntoWhatIsIgnoredHereStaysAndAnotherMayTakeItsName(t *testing.T) {
	a, b := pairOf(t, func(u user) { u.write("report", "old"); u.mkdir("archive") })
	b.ignoreHere("archive/")
	a.user().rename("report", "archive/report")
	a.scan()
	scanAll(a, b)
	wantRest(a, b)
	b.wantFile("report", "old")
	a.user().write("report", "new")
	scanAll(a, b)
	wantRest(a, b)
	for _, x := range []*box{a, b} {
		if all := x.contents(); !all["old"] || !all["new"] {
			t.Fatalf("%c has lost one:\n%s", x.letter, x.tree())
		}
	}
}

func TestARebasedDeviceStillFindsWhatItLeavesAloneOnItsDisk(t *testing.T) {
	a, b := pairOf(t, func(u user) { u.write("cache/x", "one") })
	b.ignoreHere("cache/")
	a.user().rename("cache/x", "x")
	a.scan()
	scanAll(a, b)
	wantRest(a, b)
	b.user().write("x", "two") // so that what lies in cache is the only copy here
	scanAll(b)
	into := kv.NewMemory()
	err := b.db.View(func(old kv.Tx) error {
		return into.Update(func(tx kv.Tx) error {
			ExportCache(old, tx)
			if span, found := locateAside(tx, content("one")); !found || span.Path != "cache/x" {
				t.Errorf("found %t, at %q", found, span.Path)
			}
			return nil
		})
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestAFileMovedOutOfWhatIsIgnoredHereArrives(t *testing.T) {
	a, b := pairOf(t, func(u user) { u.write("cache/x", "one"); u.write("cache/y", "two") })
	b.ignoreHere("cache/")
	a.user().rename("cache/x", "x")
	a.scan()
	scanAll(a, b)
	wantRest(a, b)
	b.wantNames("cache cache/x cache/y x")
	a.user().rename("cache", "kept")
	a.scan()
	scanAll(a, b)
	wantRest(a, b)
	b.wantFile("kept/y", "two")
}

func TestConcurrentChangesOfPatternsAreAllInForceInOneOrder(t *testing.T) {
	a, b := pairOf(t, nil)
	a.ignore("*.a", "-*.part")
	b.ignore("*.b", "!keep.b")
	scanAll(a, b)
	if got := a.rules(); !slices.Equal(got, b.rules()) || !slices.Contains(got, "*.a") || !slices.Contains(got, "*.b") || slices.Contains(got, "*.part") {
		t.Fatalf("%q, %q", got, b.rules())
	}
	a.ignore("*.part", "-*.b")
	scanAll(a, b)
	if got := b.rules(); slices.Contains(got, "*.b") || !slices.Contains(got, "*.part") {
		t.Fatalf("%q", got)
	}
	_ = b.db.View(func(tx kv.Tx) error {
		if _, err := b.rep.IgnoreBody(tx, nil, []string{"*.b"}); err == nil {
			t.Error("what is not there was taken away")
		}
		if _, err := b.rep.IgnoreBody(tx, nil, []string{".zsync/"}); err == nil {
			t.Error("zsync's own directory can be synced")
		}
		return nil
	})
}

func TestIgnoreChangesAmongEditsNeverLoseAByte(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		boxes := []*box{newBox(t, 'a'), newBox(t, 'b')}
		texts := map[zsync.Digest][]byte{} // another device, which has all that ever was
		for _, b := range boxes {
			b.touched = true
			b.fetch = func(content zsync.Digest) ([]byte, bool) { return texts[content], texts[content] != nil }
		}
		destroyed, written := map[string]bool{}, 0
		names := []string{"p", "q.x", "d/p", "d/q.x", "d/e/r.y", "e/r.y", "e/q.x"}
		patterns := []string{"*.x", "d/", "e/*.y", "!q.x"}
		for range rapid.IntRange(4, 25).Draw(t, "steps") {
			b := boxes[rapid.IntRange(0, 1).Draw(t, "box")]
			path := rapid.SampledFrom(names).Draw(t, "path")
			pattern := rapid.SampledFrom(patterns).Draw(t, "pattern")
			switch rapid.IntRange(0, 8).Draw(t, "what") {
			case 0, 1:
				b.destroys(path, destroyed)
				written++
				text := fmt.Sprintf("text %d", written)
				texts[content(text)] = []byte(text)
				b.user().write(path, text)
			case 2:
				b.destroys(path, destroyed)
				b.user().remove(path)
			case 3:
				to := rapid.SampledFrom(names).Draw(t, "to")
				rules := newIgnorer(b.rules())
				free := b.disk.User().Stat(path).Type == zsync.TypeFile && b.disk.User().Stat(to).Type == zsync.TypeOther
				if free && !rules.ignoresWithin(to, false) { // else only this device has it elsewhere
					b.user().rename(path, to)
					b.scan()
				}
			case 4:
				if slices.Contains(b.rules(), pattern) {
					pattern = "-" + pattern
				}
				b.ignore(pattern)
			case 5:
				b.scan()
			case 6:
				b.rest()
			default:
				b.learn(boxes[rapid.IntRange(0, 1).Draw(t, "from")], -1)
			}
		}
		scanAll(boxes...)
		wantRest(boxes...)
		if x, y := boxes[0].synced(), boxes[1].synced(); x != y {
			t.Fatalf("a has\n%s\n\nb has\n%s\nrules %q", x, y, boxes[0].rules())
		}
		wantWritten(t, boxes, destroyed, written)
		for _, pattern := range patterns {
			if slices.Contains(boxes[0].rules(), pattern) {
				boxes[0].ignore("-" + pattern)
			}
		}
		scanAll(boxes...)
		wantSame(boxes...)
		wantWritten(t, boxes, destroyed, written)
	})
}

// destroys notes that the user is about to destroy what is at a path.
func (b *box) destroys(path string, destroyed map[string]bool) {
	if text := b.disk.User().Read(path); text != nil {
		destroyed[string(text)] = true
	}
}

// synced is the part of the tree that is not ignored.
func (b *box) synced() string {
	rules := newIgnorer(b.rules())
	lines := strings.Split(b.tree(), "\n")
	return strings.Join(slices.DeleteFunc(lines, func(line string) bool {
		path, _, _ := strings.Cut(line, " ")
		path, isDir := strings.CutSuffix(path, "/")
		return isDir || rules.ignoresWithin(path, false)
	}), "\n")
}

// wantWritten makes sure that what no user destroyed is in somebody's tree.
func wantWritten(t *rapid.T, boxes []*box, destroyed map[string]bool, written int) {
	all := ""
	for _, b := range boxes {
		all += b.tree() + "\n"
	}
	for i := range written {
		text := fmt.Sprintf("text %d", i+1)
		if !destroyed[text] && !strings.Contains(all, fmt.Sprintf("%q", text)) {
			t.Fatalf("%q is nowhere:%s", text, trees(boxes))
		}
	}
}
