package replica

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/internal/kv"
	"github.com/zsync/zsync/store"
)

// verify carries out an order to read files again.
func (b *box) verify(jobs []store.HashJob) {
	b.job("verify", false, func() func(kv.Tx) {
		var verified []store.Hashed
		for _, j := range jobs {
			h := b.root.Verify(j)
			if b.onVerify != nil {
				b.onVerify(&h)
			}
			verified = append(verified, h)
		}
		return func(tx kv.Tx) { b.rep.Verified(tx, b.now, verified) }
	})
}

// scrub reads a share of the files again, to the end.
func (b *box) scrub(order Scrub) ScrubStatus {
	b.t.Helper()
	b.fact(func(tx kv.Tx) {
		if !b.rep.Scrub(tx, b.now, order) {
			b.t.Fatalf("a scrub is under way")
		}
	})
	for range 1000 {
		for b.run() {
		}
		b.pass(b.now.Add(time.Second))
		if s := b.scrubbed(); !s.Reading {
			break
		}
	}
	for b.run() {
	}
	return b.scrubbed()
}

func (b *box) scrubbed() (s ScrubStatus) {
	if err := b.db.View(func(tx kv.Tx) error { s = b.rep.ScrubStatus(tx); return nil }); err != nil {
		b.t.Fatalf("%v", err)
	}
	return s
}

// age lets the files become old enough to be trusted.
func (b *box) age() {
	b.pass(b.now.Add(10 * time.Second))
	b.scan()
}

// rottenPair has two devices with one file, which then rots on the second.
func rottenPair(t *testing.T) (a, b *box) {
	a, b = pairOf(t, func(u user) { u.write("x", "good") })
	a.age()
	b.age()
	b.disk.User().Rot("x", []byte("evil"))
	return a, b
}

func TestAScrubFindsBytesThatNobodyWroteAndHasThemPutRight(t *testing.T) {
	a, b := rottenPair(t)
	n := len(b.log)
	b.scan()
	b.wantFile("x", "evil") // which is why there is a scrub
	s := b.scrub(Scrub{Share: 1})
	sync(a, b)
	s = b.scrubbed()
	if s.Files != 1 || s.Damaged != 1 || len(s.Damage) != 1 || s.Damage[0].State != DamageRepaired || s.Damage[0].Path != "x" {
		t.Fatalf("it says %+v", s)
	}
	b.wantFile("x", "good")
	wantSame(a, b)
	if string(b.disk.User().Read(".zsync/versions/"+s.Damage[0].Kept)) != "evil" {
		t.Error("the damaged bytes are not in the versions area")
	}
	if len(b.log) != n {
		t.Error("damage was logged as if somebody had written it")
	}
	if why := b.problem("x", CodeDamaged); why != "" {
		t.Errorf("afterwards it says %q", why)
	}
	b.age()
	if s := b.scrub(Scrub{Share: 1}); s.Verified != 1 || s.Damaged != 0 {
		t.Errorf("then it says %+v", s)
	}
}

func TestDamageWaitsForADeviceThatHasTheBytesAcrossARestart(t *testing.T) {
	a, b := rottenPair(t)
	fetch := b.fetch
	b.fetch = nil
	if s := b.scrub(Scrub{Share: 1}); s.Damaged != 1 || s.Damage[0].State != DamageFetching {
		t.Fatalf("it says %+v", s)
	}
	b.wantFile("x", "evil") // better than nothing
	if st := b.status(); st.NeedFiles != 1 || st.Idle {
		t.Errorf("it says that it has all: %+v", st)
	}
	b.reopen()
	b.scan()
	if b.problem("x", CodeDamaged) == "" {
		t.Error("after a restart nothing tells of it")
	}
	if s := b.scrub(Scrub{Share: 1}); s.Damaged != 1 {
		t.Errorf("then it says %+v", s)
	}
	b.fetch = fetch
	sync(a, b)
	b.wantFile("x", "good")
}

func TestAnEditOfADamagedFileIsAnEdit(t *testing.T) {
	a, b := rottenPair(t)
	fetch := b.fetch
	b.fetch = nil
	b.scrub(Scrub{Share: 1})
	b.user().write("x", "edited")
	b.scan()
	b.fetch = fetch
	sync(a, b)
	a.wantFile("x", "edited")
	wantSame(a, b)
	if b.problem("x", CodeDamaged) != "" {
		t.Error("it is still said to be damaged")
	}
	if s := b.scrubbed(); s.Damage[0].State != DamageOverdue {
		t.Errorf("the scrub says %+v", s)
	}
}

func TestAChmodAndARenameOfADamagedFileSpreadNoDamage(t *testing.T) {
	for _, do := range []func(u user){
		func(u user) { u.chmod("x", 0o600) },
		func(u user) { u.rename("x", "y") },
		func(u user) { u.disk.User().Touch("x", 5); u.tick() },
	} {
		a, b := rottenPair(t)
		fetch := b.fetch
		b.fetch = nil
		b.scrub(Scrub{Share: 1})
		do(b.user())
		b.scan()
		b.fetch = fetch
		sync(a, b)
		wantSame(a, b)
		path := "x"
		if b.disk.User().Read("x") == nil {
			path = "y"
		}
		b.wantFile(path, "good")
		a.wantFile(path, "good")
	}
}

func TestARenameOfADamagedFileThatAnotherRemovesAsksForTheGoodBytes(t *testing.T) {
	a, b := rottenPair(t)
	fetch := b.fetch
	b.fetch = nil
	b.scrub(Scrub{Share: 1})
	b.user().rename("x", "y")
	b.scan()
	a.user().remove("x")
	a.user().write("elsewhere", "good")
	a.scan()
	b.fetch = fetch
	sync(a, b)
	wantSame(a, b)
	if got := string(a.disk.User().Read("y")); got != "good" {
		t.Errorf("it is %q", got)
	}
}

func TestBytesThatAreReadWrongOnceAreNoDamage(t *testing.T) {
	a, b := pairOf(t, func(u user) { u.write("x", "good") })
	a.age()
	b.age()
	once := true
	b.onVerify = func(h *store.Hashed) {
		if once {
			h.Content, once = zsync.Digest{1}, false
		}
	}
	if s := b.scrub(Scrub{Share: 1}); s.Damaged != 0 || s.Fickle != 1 || s.Verified != 1 {
		t.Errorf("it says %+v", s)
	}
}

func TestAFileThatIsReadOtherwiseEachTimeIsLeftAlone(t *testing.T) {
	a, b := pairOf(t, func(u user) { u.write("x", "good") })
	a.age()
	b.age()
	n := byte(0)
	b.onVerify = func(h *store.Hashed) {
		n++
		h.Content = zsync.Digest{n}
	}
	if s := b.scrub(Scrub{Share: 1}); s.Damaged != 0 || len(s.Unread) != 1 {
		t.Errorf("it says %+v", s)
	}
}

func TestWhatTheDiskCannotReadIsPutRightToo(t *testing.T) {
	a, b := pairOf(t, func(u user) { u.write("x", "good") })
	a.age()
	b.age()
	b.onVerify = func(h *store.Hashed) { *h = store.Hashed{Path: h.Path, Err: store.ErrMedium} }
	b.scrub(Scrub{Share: 1})
	sync(a, b)
	if s := b.scrubbed(); len(s.Damage) != 1 || s.Damage[0].State != DamageRepaired || s.Damage[0].Kept == "" {
		t.Errorf("it says %+v", s)
	}
	wantSame(a, b)
}

func TestAFileThatMayNotBeReadIsTold(t *testing.T) {
	a, b := pairOf(t, func(u user) { u.write("x", "good") })
	a.age()
	b.age()
	b.onVerify = func(h *store.Hashed) { *h = store.Hashed{Path: h.Path, Err: fmt.Errorf("denied")} }
	if s := b.scrub(Scrub{Share: 1}); s.Damaged != 0 || len(s.Unread) != 1 {
		t.Errorf("it says %+v", s)
	}
}

func TestMuchDamageWaitsForAPerson(t *testing.T) {
	const files = brakeFiles + 10
	a, b := pairOf(t, func(u user) {
		for i := range files {
			u.write(fmt.Sprintf("%02d", i), fmt.Sprintf("good %02d", i))
		}
	})
	a.age()
	b.age()
	for i := range files {
		b.disk.User().Rot(fmt.Sprintf("%02d", i), fmt.Appendf(nil, "evil %02d", i))
	}
	b.scrub(Scrub{Share: 1})
	sync(a, b)
	count := func(s ScrubStatus, state DamageState) (n int) {
		for _, d := range s.Damage {
			if d.State == state {
				n++
			}
		}
		return n
	}
	s := b.scrubbed()
	if !s.Held || count(s, DamageRepaired) != brakeFiles || count(s, DamageHeld) != files-brakeFiles {
		t.Errorf("held %v, repaired %d, held back %d", s.Held, count(s, DamageRepaired), count(s, DamageHeld))
	}
	b.scrub(Scrub{Share: 1, Anyway: true})
	sync(a, b)
	wantSame(a, b)
	b.wantFile("59", "good 59")
}

func TestSharesOfAScrubTakeTurns(t *testing.T) {
	a, b := pairOf(t, func(u user) {
		for i := range 10 {
			u.write(fmt.Sprintf("%02d", i), fmt.Sprintf("good %02d", i))
		}
		u.write("dir/inside", "good")
	})
	a.age()
	b.age()
	var seen []string
	b.onVerify = func(h *store.Hashed) { seen = append(seen, string(h.Path)) }
	for range 4 { // of 3 files each
		if s := b.scrub(Scrub{Share: 0.25}); s.Files != 3 || s.Seen != 3 {
			t.Fatalf("it says %+v", s)
		}
	}
	slices.Sort(seen)
	if n := len(slices.Compact(seen)); n != 11 {
		t.Errorf("%d files of 11 were read", n)
	}
	seen = nil
	if s := b.scrub(Scrub{Share: 1}); s.Verified != 11 || len(seen) != 11 {
		t.Errorf("a whole one reads %d: %+v", len(seen), s)
	}
}

func TestAScrubThatIsStoppedGoesOnWhereItWas(t *testing.T) {
	a, b := pairOf(t, func(u user) {
		for i := range verifiesMax + 1 {
			u.write(fmt.Sprintf("%02d", i), fmt.Sprintf("good %02d", i))
		}
	})
	a.age()
	b.age()
	var read []zsync.Path
	b.onVerify = func(h *store.Hashed) { read = append(read, h.Path) }
	b.fact(func(tx kv.Tx) { b.rep.Scrub(tx, b.now, Scrub{Share: 1}) })
	b.rep.StopScrub()
	for b.run() {
	}
	if s := b.scrubbed(); s.Reading || s.Seen != verifiesMax {
		t.Errorf("stopped, it says %+v", s)
	}
	if s := b.scrub(Scrub{Share: 1}); s.Verified != verifiesMax+1 || slices.Contains(read[:verifiesMax], read[verifiesMax]) {
		t.Errorf("from %q on: %+v", read[verifiesMax], s)
	}
}
