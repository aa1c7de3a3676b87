package eventlog

import (
	"errors"
	"fmt"
	"math/rand"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/internal/kv"
)

func TestFounderAppendsAndOthersOpenTheirWriters(t *testing.T) {
	all := space(t, "ann", "bob")
	ann, bob := all[0], all[1]
	if !bob.log.HasGenesis() || bob.log.Founder() != ann.id.device() {
		t.Error("bob does not know the founder")
	}
	var writer zsync.WriterID
	var seq uint64
	bob.do(func(tx kv.Tx) error {
		writer, seq = bob.log.Next(tx)
		return nil
	})
	e := bob.write("first")
	if e.Header.Writer != writer || e.Header.Seq != seq || seq != 2 || e.Void {
		t.Errorf("event %d of %s, Next said %d of %s", e.Header.Seq, e.Header.Writer, seq, writer)
	}
	m := ann.merge(bob.all()...)
	if len(m.Fresh) != 2 || m.Fresh[0].Header.Kind != zsync.KindWriterOpen || m.Fresh[1].Author != bob.id.device() {
		t.Errorf("ann merged %d events", len(m.Fresh))
	}
	if diff := cmp.Diff(ann.meaning(), bob.meaning()); diff != "" || ann.log.Frontier() != bob.log.Frontier() {
		t.Error("logs differ", diff)
	}
}

func TestOwnEventsAreRefusedWithAReason(t *testing.T) {
	ann := founded(t, "ann")
	stranger := open(t, "bob", kv.NewMemory(), ann.log.Space())
	try := func(r *replica, kind zsync.Kind, body []byte) (err error) {
		_ = r.store.Update(func(tx kv.Tx) error {
			_, err = r.log.Append(tx, kind, body, 0, folk{})
			return err
		})
		return err
	}
	if err := try(stranger, zsync.KindFS, nil); !errors.Is(err, ErrNoAuthor) {
		t.Error("without an author:", err)
	}
	stranger.log.Use(stranger.id.author(ann.log.Space(), 0))
	if err := try(stranger, zsync.KindFS, nil); !errors.Is(err, ErrNoGenesis) {
		t.Error("without a genesis:", err)
	}
	if err := try(ann, zsync.KindGenesis, nil); !errors.Is(err, ErrRefused) {
		t.Error("second genesis:", err)
	}
	if err := try(ann, zsync.KindFS, make([]byte, BodyBytesMax+1)); !errors.Is(err, ErrRefused) {
		t.Error("overlong body:", err)
	}
	stranger.merge(ann.all()...)
	stranger.log.Use(stranger.id.author(zsync.SpaceID{9}, 0))
	if err := try(stranger, zsync.KindFS, nil); !errors.Is(err, ErrRefused) {
		t.Error("endorsed for another space:", err)
	}
}

func TestEventsOfAStrangerAreKeptAndVoid(t *testing.T) {
	ann := founded(t, "ann")
	eve := open(t, "eve", kv.NewMemory(), ann.log.Space())
	eve.merge(ann.all()...)
	eve.log.Use(eve.id.author(ann.log.Space(), 0))
	if e := eve.write("let me in"); !e.Void {
		t.Error("a stranger's own event counts")
	}
	m := ann.merge(eve.all()...)
	if len(m.Fresh) != 2 || !m.Fresh[0].Void || !m.Fresh[1].Void || m.Bad != 0 {
		t.Errorf("%d fresh, %d bad", len(m.Fresh), m.Bad)
	}
	if e := ann.write("goes on"); len(e.Header.Deps) != 1 || e.Void {
		t.Error("void events are covered like others")
	}
}

func TestAnAuthorWritesLamportOnePastAllItKnows(t *testing.T) {
	all := space(t, "ann", "bob", "cat")
	for i := range 5 {
		all[1].write(fmt.Sprint(i))
	}
	e := all[2].write("unaware")
	if want := uint64(4); e.Header.Lamport != want { // genesis 1, member 2, open 3
		t.Errorf("lamport %d, want %d", e.Header.Lamport, want)
	}
	all[2].merge(all[1].all()...)
	if e, last := all[2].write("aware"), all[1].log.MaxLamport(); e.Header.Lamport != last+1 || len(e.Header.Deps) != 1 {
		t.Errorf("lamport %d after %d, %d deps", e.Header.Lamport, last, len(e.Header.Deps))
	}
}

func TestMembershipFrontierIsWrittenWhenItChanges(t *testing.T) {
	all := space(t, "ann", "bob")
	ann, bob := all[0], all[1]
	first, second := bob.write("1"), bob.write("2")
	cat := named("cat").device()
	ann.append(zsync.KindMember, cat[:])
	bob.merge(ann.all()...)
	third, fourth := bob.write("3"), bob.write("4")
	for i, e := range []Event{first, second, third, fourth} {
		if want := map[int]int{2: 1}[i]; len(e.Header.Auth) != want {
			t.Errorf("event %d names %d auth, want %d", i+1, len(e.Header.Auth), want)
		}
	}
}

func TestLamportJumpsAreRefusedByAll(t *testing.T) {
	for name, test := range map[string]struct {
		jump uint64
		bad  int
	}{
		"no step": {0, 1}, "one": {1, 0}, "the longest": {lamportJumpMax, 0}, "longer": {lamportJumpMax + 1, 1},
	} {
		all := space(t, "ann", "bob")
		e := all[0].forge("x", func(h *zsync.Header) { h.Lamport += test.jump - 1 })
		if m := all[1].merge(e); m.Bad != test.bad || len(m.Fresh) != 1-test.bad {
			t.Errorf("%s: %d bad, %d fresh", name, m.Bad, len(m.Fresh))
		}
	}
}

func TestAJoiningWriterMayJumpFromItsAuthOnly(t *testing.T) {
	for jump, bad := range map[uint64]int{0: 1, 1: 0, lamportJumpMax: 0, lamportJumpMax + 1: 1} {
		all := space(t, "ann", "bob")
		ann, bob := all[0], all[1]
		base := ann.log.MaxLamport() // of the member event
		a := bob.log.author
		r := seal(a, zsync.Header{
			Space: bob.log.Space(), Writer: bob.log.own, Seq: 1, Lamport: base + jump, Kind: zsync.KindWriterOpen,
			Auth: slices.Clone(bob.log.meta.Members),
		}, mustMarshal(a.writerOpen()))
		if m := ann.merge(r.Envelope); m.Bad != bad {
			t.Errorf("jump of %d: %d bad", jump, m.Bad)
		}
	}
}

func TestAnHonestAuthorCatchesUpWithAHostileClockInSteps(t *testing.T) {
	all := space(t, "ann", "bob")
	ann, bob := all[0], all[1]
	for range 3 {
		bob.merge(ann.forge("jump", func(h *zsync.Header) { h.Lamport += lamportJumpMax - 1 }))
		ann.merge(bob.all()...)
	}
	bob.write("within reach of its own past")
	bob.write("and on")
	if m := ann.merge(bob.all()...); m.Bad > 0 || ann.log.Frontier() != bob.log.Frontier() {
		t.Errorf("%d bad", m.Bad)
	}
}

func TestMergeIsIdempotent(t *testing.T) {
	all := space(t, "ann", "bob")
	for i := range 5 {
		all[0].write(fmt.Sprint("a", i))
		all[1].write(fmt.Sprint("b", i))
		all[1].merge(all[0].all()...)
	}
	all[0].merge(all[1].all()...)
	before := all[0].dump()
	if m := all[0].merge(slices.Concat(all[1].all(), all[0].all())...); m.gained() || m.Bad > 0 || all[0].dump() != before {
		t.Error("merging known events changed something")
	}
}

func TestAnyOrderOfArrivalGivesTheSameLog(t *testing.T) {
	all := space(t, "ann", "bob", "cat")
	for i := range 12 {
		r := all[i%3]
		r.write(fmt.Sprint(i))
		all[(i+1)%3].merge(r.all()...)
	}
	all[0].merge(slices.Concat(all[1].all(), all[2].all())...)
	for seed := range int64(20) {
		late := open(t, "late", kv.NewMemory(), all[0].log.Space())
		in := all[0].all()
		rand.New(rand.NewSource(seed)).Shuffle(len(in), func(i, j int) { in[i], in[j] = in[j], in[i] })
		for _, e := range in {
			late.merge(e, e)
			if late.reopen(); seed%2 == 0 {
				late.merge(e)
			}
		}
		if late.log.Frontier() != all[0].log.Frontier() || !slices.Equal(late.meaning(), all[0].meaning()) {
			t.Fatalf("seed %d: other log", seed)
		}
		if n := len(late.log.parking.waiting); n != 0 || late.log.parking.bytes != 0 || late.log.parking.strangers != 0 {
			t.Fatalf("seed %d: %d events still parked", seed, n)
		}
	}
}

func TestParkingIsBoundedAndDropsTheOldest(t *testing.T) {
	all := space(t, "ann", "bob")
	ann, bob := all[0], all[1]
	first := ann.write("the one that is lost")
	for range parkEventsMax + 50 {
		bob.merge(ann.envelope(ann.write("later")))
	}
	if n := len(bob.log.parking.waiting); n != parkEventsMax {
		t.Errorf("%d events are parked", n)
	}
	before := bob.log.parking
	if bob.reopen(); bob.log.parking.bytes != before.bytes || !slices.Equal(bob.log.parking.waiting, before.waiting) {
		t.Error("a reopened log has another view of what is parked")
	}
	bob.merge(ann.envelope(first))
	bob.merge(ann.all()...)
	if bob.log.Frontier() != ann.log.Frontier() || len(bob.log.parking.waiting) > 0 {
		t.Error("pulling again did not make up for what was dropped")
	}
}

func TestParkingIsBoundedInOctets(t *testing.T) {
	all := space(t, "ann", "bob")
	ann, bob := all[0], all[1]
	ann.write("lost")
	for range 30 {
		bob.merge(ann.envelope(ann.append(zsync.KindFS, make([]byte, BodyBytesMax))))
	}
	if p := &bob.log.parking; p.bytes > parkBytesMax || p.bytes < parkBytesMax-2*BodyBytesMax {
		t.Errorf("%d octets are parked", p.bytes)
	}
}

func TestEventsOfUnknownWritersGetASmallShareOfTheParking(t *testing.T) {
	all := space(t, "ann", "bob")
	ann, bob := all[0], all[1]
	bob.write("opens")
	for range parkStrangersMax + 20 {
		ann.merge(bob.envelope(bob.write("from nowhere")))
	}
	if n := len(ann.log.parking.waiting); n != parkStrangersMax {
		t.Errorf("%d events of an unknown writer are parked", n)
	}
	if ann.merge(bob.all()...); ann.log.Frontier() != bob.log.Frontier() || ann.log.parking.strangers != 0 {
		t.Error("the writer was opened and its events are still waiting")
	}
}

func TestForgeriesAreCountedAndLeaveNoTrace(t *testing.T) {
	all := space(t, "ann", "bob")
	ann, bob := all[0], all[1]
	e := ann.forge("text", func(*zsync.Header) {})
	e.Sig[5]++
	before := bob.dump()
	if m := bob.merge(e); m.Bad != 1 || bob.dump() != before {
		t.Error("a forged signature left a trace")
	}
	eve := open(t, "eve", kv.NewMemory(), ann.log.Space())
	eve.merge(ann.all()...)
	a := eve.id.author(ann.log.Space(), 0)
	a.Device = ann.id.public() // claims another's device
	r := seal(a, zsync.Header{
		Space: ann.log.Space(), Writer: WriterOf(a.public(), ann.log.Space()), Seq: 1, Lamport: 3,
		Kind: zsync.KindWriterOpen, Auth: eve.log.meta.Members,
	}, mustMarshal(a.writerOpen()))
	if m := bob.merge(r.Envelope); m.Bad != 1 || bob.dump() != before {
		t.Error("a writer that its device did not endorse was opened")
	}
}

func TestAFailedTransactionLeavesAReopenedLogRight(t *testing.T) {
	all := space(t, "ann", "bob")
	ann, bob := all[0], all[1]
	for i := range 4 {
		ann.write(fmt.Sprint(i))
	}
	before, frontier := bob.dump(), bob.log.Frontier()
	full := errors.New("disk full")
	bob.store.Commit = func() error { return full }
	for _, f := range []func(kv.Tx) error{
		func(tx kv.Tx) error { _, err := bob.log.Merge(tx, ann.all(), folk{}); return err },
		func(tx kv.Tx) error { _, err := bob.log.Append(tx, zsync.KindFS, nil, 0, folk{}); return err },
	} {
		if err := bob.store.Update(f); !errors.Is(err, full) {
			t.Fatal(err)
		}
		bob.store.Commit = nil
		if bob.reopen(); bob.dump() != before || bob.log.Frontier() != frontier {
			t.Fatal("something of a failed transaction is left")
		}
		bob.store.Commit = func() error { return full }
	}
	bob.store.Commit = nil
	if bob.merge(ann.all()...); bob.log.Frontier() != ann.log.Frontier() {
		t.Error("the reopened log did not take what the failed one had seen")
	}
	bob.write("goes on")
}

func TestALogReadsEventsByIDAndInTotalOrder(t *testing.T) {
	all := space(t, "ann", "bob")
	ann, bob := all[0], all[1]
	bob.write("b")
	ann.write("a")
	ann.merge(bob.all()...)
	events := ann.events()
	if !slices.IsSortedFunc(events, func(a, b Event) int { return a.Header.Stamp(0).Compare(b.Header.Stamp(0)) }) {
		t.Error("Each leaves the total order")
	}
	ann.do(func(tx kv.Tx) error {
		for _, e := range events {
			if got, found := ann.log.Event(tx, e.ID); !found || !cmp.Equal(got, e) {
				t.Errorf("event %s is not found by its id", e.ID)
			}
		}
		if _, found := ann.log.Event(tx, zsync.EventID{1}); found {
			t.Error("an unknown id was found")
		}
		return nil
	})
}

func TestADatabaseHoldsOneLog(t *testing.T) {
	ann := founded(t, "ann")
	_ = ann.store.View(func(tx kv.Tx) error {
		if _, err := Open(tx, zsync.SpaceID{1}); !errors.Is(err, ErrOccupied) {
			t.Error(err)
		}
		return nil
	})
	err := ann.store.Update(func(tx kv.Tx) error {
		_, _, err := Found(tx, Folder, ann.id.author(zsync.SpaceID{}, 1), [16]byte{}, 0, folk{})
		return err
	})
	if !errors.Is(err, ErrOccupied) {
		t.Error(err)
	}
}

func TestMoreTipsThanAnEventCanNameAreCoveredByTheNext(t *testing.T) {
	names := []string{"ann"}
	for i := range depsMax + 5 {
		names = append(names, fmt.Sprint("device", i))
	}
	all := space(t, names...)
	for _, r := range all[1:] {
		r.write("alone")
		all[0].merge(r.all()...)
	}
	first, second, third := all[0].write("1"), all[0].write("2"), all[0].write("3")
	if len(first.Header.Deps) != depsMax || len(second.Header.Deps) != 5 || len(third.Header.Deps) != 0 {
		t.Errorf("%d, %d and %d deps", len(first.Header.Deps), len(second.Header.Deps), len(third.Header.Deps))
	}
	if m := all[1].merge(all[0].all()...); m.Bad > 0 || all[1].log.Frontier() != all[0].log.Frontier() {
		t.Error("not taken by others")
	}
}
