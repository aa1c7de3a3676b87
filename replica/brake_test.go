package replica

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/eventlog"
	"github.com/zsync/zsync/internal/kv"
)

// fileOf is a file of a folder made by braked.
func fileOf(i int) string { return fmt.Sprintf("d/f%03d", i) }

// braked returns two boxes with the brake on and that many files.
func braked(t *testing.T, files int) (a, b *box) {
	t.Helper()
	a, b = pairOf(t, func(u user) {
		for i := range files {
			u.write(fileOf(i), fmt.Sprint("text of ", i))
		}
	})
	for _, x := range []*box{a, b} {
		x.brake()
	}
	return a, b
}

// brake has a box hold back what is too much.
func (b *box) brake() {
	b.t.Helper()
	b.cfg.Device = zsync.DeviceID{b.letter, 0xde}
	b.reopen()
	b.rest()
}

// loosen has it no more.
func (b *box) loosen() {
	b.t.Helper()
	b.cfg.Device = zsync.DeviceID{}
	b.reopen()
	b.rest()
}

func (b *box) removeFiles(from, to int) {
	b.t.Helper()
	for i := from; i < to; i++ {
		b.user().remove(fileOf(i))
	}
	b.scan()
}

// wantHeld makes sure that so many deletes and replacements of an author wait.
func (b *box) wantHeld(author byte, deletes, replaces, of int) (id string) {
	b.t.Helper()
	held := b.status().Held
	want := Held{Author: zsync.DeviceID{author, 0xde}, Deletes: deletes, Replaces: replaces, Of: of}
	if len(held) != 1 {
		b.t.Fatalf("%c holds back %+v", b.letter, held)
	}
	id, held[0].ID = held[0].ID, ""
	if held[0] != want || !strings.HasPrefix(id, "c") {
		b.t.Fatalf("%c holds back %+v as %q, want %+v", b.letter, held[0], id, want)
	}
	return id
}

func (b *box) wantFree() {
	b.t.Helper()
	if held := b.status().Held; len(held) > 0 {
		b.t.Fatalf("%c holds back %+v", b.letter, held)
	}
}

func (b *box) wantFiles(n int64) {
	b.t.Helper()
	if got := int64(len(strings.Fields(b.names()))) - 1; got != n {
		b.t.Fatalf("%c has %d files, want %d", b.letter, got, n)
	}
}

func (b *box) confirm(id string) {
	b.t.Helper()
	b.fact(func(tx kv.Tx) {
		if err := b.rep.Confirm(tx, id); err != nil {
			b.t.Fatalf("%c: %v", b.letter, err)
		}
		b.rep.Advance(tx, b.now)
	})
	b.rest()
}

func TestTooManyDeletesAreNotLoggedBeforeAPersonConfirmsThem(t *testing.T) {
	a, b := braked(t, 200)
	n := len(a.log)
	a.removeFiles(0, 120)
	a.user().write("new", "goes on")
	a.scan()
	a.user().write(fileOf(150), "")
	a.scan()
	id := a.wantHeld('a', 120, 1, 201)
	a.wantOps(n, OpPut)
	a.reopen()
	a.rest()
	if again := a.wantHeld('a', 120, 1, 201); again != id {
		t.Fatalf("it is %q after a restart, was %q", again, id)
	}
	a.wantOps(n, OpPut)
	sync(a, b)
	b.wantFiles(201)
	b.user().write("ofb", "too")
	b.scan()
	sync(a, b)
	a.wantFile("ofb", "too")

	a.confirm(id)
	a.wantFree()
	sync(a, b)
	b.wantFree()
	wantSame(a, b)
	b.wantFiles(82)
}

func TestTooManyDeletesOfOthersAreNotCarriedOutBeforeAPersonConfirmsThem(t *testing.T) {
	a, b := braked(t, 200)
	a.loosen()
	a.removeFiles(0, 120)
	a.user().write("new", "goes on")
	a.scan()
	sync(a, b)
	id := b.wantHeld('a', 120, 0, 200)
	b.wantFiles(201)
	b.reopen()
	b.rest()
	if again := b.wantHeld('a', 120, 0, 200); again != id {
		t.Fatalf("it is %q after a restart, was %q", again, id)
	}
	n := len(b.log)
	b.scan()
	if len(b.log) != n {
		t.Fatalf("what was held back was logged again: %+v", b.ops(n))
	}
	b.confirm(id)
	b.wantFree()
	sync(a, b)
	wantSame(a, b)
	b.wantFiles(81)
}

func TestOneConfirmationLetsAMassDeletionThroughEverywhere(t *testing.T) {
	a, b := braked(t, 100)
	c := newBox(t, 'c')
	link(a, b, c)
	sync(a, b, c)
	c.brake()
	a.loosen()
	a.removeFiles(0, 60)
	sync(a, b, c)
	b.wantHeld('a', 60, 0, 100)
	c.confirm(c.wantHeld('a', 60, 0, 100))
	sync(a, b, c)
	b.wantFree()
	wantSame(a, b, c)
	b.wantFiles(40)
}

func TestDeletesOfADayAreCountedTogether(t *testing.T) {
	a, b := braked(t, 100)
	a.removeFiles(0, 30)
	sync(a, b)
	wantSame(a, b)
	a.reopen()
	a.removeFiles(30, 60)
	a.wantHeld('a', 30, 0, 100)
	sync(a, b)
	b.wantFiles(70)
}

func TestDeletesOfAnotherDayAreNotCounted(t *testing.T) {
	a, b := braked(t, 100)
	a.removeFiles(0, 30)
	a.runFor(25 * time.Hour)
	a.removeFiles(30, 60)
	a.wantFree()
	b.runFor(25 * time.Hour)
	sync(a, b)
	b.wantHeld('a', 60, 0, 100) // b hears of all of them on one day
}

// runFor lets a box run.
func (b *box) runFor(d time.Duration) {
	b.t.Helper()
	for until := b.now.Add(d); b.now.Before(until); {
		b.pass(b.now.Add(20 * time.Minute))
		b.rest()
	}
}

func TestATimeInWhichADeviceSleptIsNoRunningTime(t *testing.T) {
	a, _ := braked(t, 100)
	a.removeFiles(0, 30)
	a.pass(a.now.Add(1000 * time.Hour))
	a.removeFiles(30, 60)
	a.wantHeld('a', 30, 0, 100)
}

func TestADeletedDirectoryCountsWithAllThatIsInIt(t *testing.T) {
	a, b := braked(t, 60)
	a.user().remove("d")
	a.scan()
	id := a.wantHeld('a', 60, 0, 60)
	sync(a, b)
	b.wantFiles(60)
	a.confirm(id)
	sync(a, b)
	wantSame(a, b)
	b.wantNames("")
}

func TestReplacementsCountAsDeletesDo(t *testing.T) {
	a, b := braked(t, 100)
	for i := range 60 {
		a.user().write(fileOf(i), fmt.Sprint("scrambled ", i))
	}
	a.scan()
	id := a.wantHeld('a', 0, 60, 100)
	sync(a, b)
	b.wantFile(fileOf(0), "text of 0")
	a.confirm(id)
	sync(a, b)
	wantSame(a, b)
	b.wantFile(fileOf(0), "scrambled 0")

	a, b = braked(t, 100)
	a.loosen()
	for i := range 60 {
		a.user().write(fileOf(i), fmt.Sprint("scrambled ", i))
	}
	a.scan()
	sync(a, b)
	b.wantFile(fileOf(0), "text of 0")
	b.confirm(b.wantHeld('a', 0, 60, 100))
	sync(a, b)
	wantSame(a, b)
}

func TestOneFileThatIsSavedAllDayCountsOnce(t *testing.T) {
	a, b := braked(t, 10)
	for i := range 120 {
		a.user().write(fileOf(0), fmt.Sprint("draft ", i))
		a.scan()
	}
	sync(a, b)
	wantSame(a, b)
}

func TestWhatIsMovedCopiedOrTouchedIsNotHeldBack(t *testing.T) {
	a, b := braked(t, 200)
	a.touched, b.touched = true, true
	a.user().rename("d", "e")
	a.scan()
	a.wantFree()
	sync(a, b)
	wantSame(a, b)

	for i := range 200 { // as from one disk to another
		old := strings.Replace(fileOf(i), "d/", "e/", 1)
		a.user().write(fileOf(i), string(a.disk.User().Read(old)))
		a.user().remove(old)
	}
	a.user().remove("e")
	a.scan()
	a.wantFree()
	sync(a, b)
	b.wantFree()
	wantSame(a, b)

	for i := range 200 {
		a.user().write(fileOf(i), fmt.Sprint("text of ", i))
	}
	a.scan()
	a.wantFree()
	sync(a, b)
	wantSame(a, b)
	b.wantFiles(200)
}

func TestAFirstMergeIsNotHeldBack(t *testing.T) {
	a, b := newBox(t, 'a'), newBox(t, 'b')
	link(a, b)
	for i := range 100 {
		a.user().write(fileOf(i), fmt.Sprint("of a ", i))
		b.user().write(fileOf(i), fmt.Sprint("of b ", i))
	}
	for _, x := range []*box{a, b} {
		x.brake()
		x.scan()
	}
	sync(a, b)
	a.wantFree()
	b.wantFree()
	wantSame(a, b)
	a.wantFiles(200)
}

func TestADeviceThatComesLaterIsNotHeldBackByWhatWasDeletedBefore(t *testing.T) {
	a, b := braked(t, 100)
	a.removeFiles(0, 60)
	a.confirm(a.wantHeld('a', 60, 0, 100))
	sync(a, b)
	c := newBox(t, 'c')
	c.brake()
	link(a, b, c)
	sync(a, b, c)
	c.wantFree()
	wantSame(a, b, c)
}

func TestWhatComesBackIsNotHeldBackAnyMore(t *testing.T) {
	a, b := braked(t, 100)
	a.touched, b.touched = true, true
	n := len(a.log)
	a.removeFiles(0, 60)
	a.wantHeld('a', 60, 0, 100)
	for i := range 60 {
		a.user().write(fileOf(i), fmt.Sprint("text of ", i))
	}
	a.scan()
	a.wantFree()
	a.wantOps(n)
	sync(a, b)
	wantSame(a, b)
}

func TestWhileDeletesAreHeldBackAllElseIsFoundAndLogged(t *testing.T) {
	a, b := braked(t, 100)
	a.removeFiles(0, 60)
	for i := range 3 {
		a.user().rename(fileOf(70+i), fmt.Sprint("moved ", i))
		a.user().write(fmt.Sprint("moved ", i), fmt.Sprint("and edited ", i))
		a.user().write(fmt.Sprint("n", i), fmt.Sprint("new ", i))
		a.scan()
		if s := a.status(); s.Scanning || len(s.Held) != 1 || s.Held[0].Deletes != 60 {
			t.Fatalf("%+v\n%s", s, a.state())
		}
	}
	sync(a, b)
	b.wantFile("moved 2", "and edited 2")
	b.wantFile("n2", "new 2")
	b.wantFile(fileOf(0), "text of 0")
}

func TestWhatIsHeldBackIsSoAfterALogWasFoldedAnew(t *testing.T) {
	a, b := braked(t, 100)
	a.loosen()
	a.removeFiles(0, 60)
	sync(a, b)
	b.wantHeld('a', 60, 0, 100)
	refold := func() {
		b.fact(func(tx kv.Tx) {
			err := b.rep.Refold(tx, func(yield func(eventlog.Event) bool) {
				for _, ev := range b.log {
					if !yield(ev) {
						return
					}
				}
			})
			if err != nil {
				t.Fatal(err)
			}
			b.rep.Advance(tx, b.now)
		})
		b.rest()
	}
	refold()
	b.confirm(b.wantHeld('a', 60, 0, 100))
	refold()
	b.wantFree()
	sync(a, b)
	wantSame(a, b)
}

func TestANameThatIsHeldBackIsLeftAlone(t *testing.T) {
	a, b := braked(t, 100)
	a.loosen()
	a.user().remove("d")
	a.scan()
	a.user().write("d", "a file now")
	a.scan()
	sync(a, b)
	id := b.wantHeld('a', 100, 0, 100)
	b.wantFiles(100)
	b.wantFile(fileOf(7), "text of 7")
	b.confirm(id)
	sync(a, b)
	wantSame(a, b)
	b.wantFile("d", "a file now")
}

func TestWhatIsNotHeldBackCannotBeConfirmed(t *testing.T) {
	a, _ := braked(t, 1)
	a.fact(func(tx kv.Tx) {
		if err := a.rep.Confirm(tx, "c1"); !errors.Is(err, ErrNotHeld) {
			t.Errorf("%v", err)
		}
	})
}

func TestAConfirmBodyIsWhatTheGoldenFileSays(t *testing.T) {
	golden, err := os.ReadFile("testdata/confirm.txt")
	if err != nil {
		t.Fatal(err)
	}
	c := Confirm{Writer: zsync.WriterID{1, 2, 3, 15: 16}, Seq: 812}
	if got := fmt.Sprintf("%x\n", EncodeConfirm(c)); got != string(golden) {
		t.Errorf("%s, golden %s", got, golden)
	}
	if back, err := DecodeConfirm(EncodeConfirm(c)); back != c || err != nil {
		t.Errorf("%+v, %v", back, err)
	}
}

func FuzzDecodeConfirmIsTheInverseOfEncodeConfirm(f *testing.F) {
	f.Add(EncodeConfirm(Confirm{Writer: zsync.WriterID{9}, Seq: 1}))
	f.Add(EncodeConfirm(Confirm{}))
	f.Add([]byte{0xa1, 0x02, 0x01})
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := DecodeConfirm(data)
		switch {
		case err != nil && !errors.Is(err, ErrConfirm):
			t.Errorf("%v does not wrap ErrConfirm", err)
		case err == nil && string(EncodeConfirm(c)) != string(data):
			t.Errorf("%x became %x", data, EncodeConfirm(c))
		}
	})
}
