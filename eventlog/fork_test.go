package eventlog

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/internal/kv"
)

// forked returns a space in which bob's writer goes on as two branches after
// its event 2: bob has the left one, twin the right one.
func forked(t *testing.T) (ann, bob, twin, cat *replica) {
	all := space(t, "ann", "bob", "cat")
	ann, bob, cat = all[0], all[1], all[2]
	bob.write("common")
	ann.merge(bob.all()...)
	cat.merge(bob.all()...)
	twin = bob.restored()
	for i := range 3 {
		bob.write(fmt.Sprint("left ", i))
		twin.write(fmt.Sprint("right ", i))
	}
	return ann, bob, twin, cat
}

func counts(r *replica, e Event) bool { return slices.Contains(r.meaning(), e.ID) }

func TestTwoEventsWithOneSeqCutTheirWriterBeforeThem(t *testing.T) {
	ann, bob, twin, _ := forked(t)
	if m := ann.merge(bob.all()...); m.Refold || len(m.Forked) > 0 {
		t.Error("one branch alone is no fork")
	}
	m := ann.merge(twin.all()...)
	if !slices.Equal(m.Forked, []zsync.WriterID{bob.log.own}) || !m.Refold {
		t.Errorf("forked %v, refold %v", m.Forked, m.Refold)
	}
	for _, h := range ann.log.Heads() {
		if h.Writer == bob.log.own && (h.Seq != 2 || !h.Cut) {
			t.Errorf("the head stands at %d", h.Seq)
		}
	}
	if void := len(ann.events()) - len(ann.meaning()); void != 3 {
		t.Errorf("%d events are void", void)
	}
}

func TestWhatLiesPastACutCanBeRead(t *testing.T) {
	ann, bob, twin, _ := forked(t)
	past := func() (ids []zsync.EventID) {
		ann.do(func(tx kv.Tx) error {
			ann.log.EachPastCut(tx, func(e Event) bool {
				ids = append(ids, e.ID)
				return true
			})
			return nil
		})
		return ids
	}
	ann.merge(bob.all()...)
	if ids := past(); len(ids) > 0 {
		t.Errorf("%d events lie past a cut, and there is none", len(ids))
	}
	ann.merge(twin.all()...)
	ids := past()
	for _, id := range ids {
		if counts(ann, Event{ID: id}) {
			t.Errorf("%s counts", id)
		}
	}
	if len(ids) != 3 {
		t.Errorf("%d events lie past the cut", len(ids))
	}
}

func TestBothBranchesInOneMergeNeedNoRefold(t *testing.T) {
	ann, bob, twin, _ := forked(t)
	m := ann.merge(slices.Concat(bob.all(), twin.all())...)
	if m.Refold || len(m.Forked) != 1 || len(m.Fresh) != 3 {
		t.Errorf("refold %v, %d forked, %d fresh", m.Refold, len(m.Forked), len(m.Fresh))
	}
	for _, e := range m.Fresh {
		if !e.Void {
			t.Error("an event past the cut was returned as if it counted")
		}
	}
}

func TestTheLowestProofDecidesInAnyOrder(t *testing.T) {
	ann, bob, twin, _ := forked(t)
	left, right := bob.all(), twin.all()
	slices.Reverse(right) // the highest fork is proven first
	ann.merge(left...)
	for _, e := range right {
		ann.merge(e)
	}
	if seq := ann.log.byID[bob.log.own].Cut; seq != 2 {
		t.Errorf("cut after %d", seq)
	}
}

func TestWhatRestsOnALostBranchIsTakenOnceTheForkIsProven(t *testing.T) {
	ann, bob, twin, cat := forked(t)
	ann.merge(bob.all()...)
	rests := ann.write("rests on the left branch")
	cat.merge(twin.all()...)
	if m := cat.merge(ann.envelope(rests)); len(m.Fresh) > 0 || len(cat.log.parking.waiting) != 1 {
		t.Fatal("not parked, though what it rests on is not here")
	}
	m := cat.merge(bob.all()...)
	if !slices.ContainsFunc(m.Fresh, func(e Event) bool { return e.ID == rests.ID && !e.Void }) {
		t.Error("still parked after the fork was proven")
	}
	ann.merge(twin.all()...)
	if ann.log.Frontier() != cat.log.Frontier() || !slices.Equal(ann.meaning(), cat.meaning()) {
		t.Error("holders of different branches do not agree")
	}
}

func TestAProofIsLoggedOnceAndCutsEverywhere(t *testing.T) {
	ann, bob, twin, cat := forked(t)
	ann.merge(slices.Concat(bob.all(), twin.all())...)
	proofs := ann.prove()
	if len(proofs) != 1 || len(ann.prove()) != 0 {
		t.Fatalf("%d proofs", len(proofs))
	}
	if m := cat.merge(ann.all()...); len(m.Forked) != 1 {
		t.Error("the logged proof does not cut")
	}
	cat.write("opens a writer")
	if len(cat.prove()) != 0 {
		t.Error("a proof that is in the log was logged again")
	}
}

func TestAProofWhoseCarrierIsCutIsLoggedAgain(t *testing.T) {
	ann, bob, twin, cat := forked(t)
	cat.write("opens")
	other := cat.restored()
	for _, r := range []*replica{ann, cat} {
		r.merge(slices.Concat(bob.all(), twin.all())...)
	}
	carrier := cat.prove()[0]
	ann.merge(cat.all()...)
	if len(ann.prove()) != 0 {
		t.Fatal("cat's proof is in the log")
	}
	other.write("another in its place")
	if ann.merge(other.all()...); ann.log.void(nil, ann.log.byID[carrier.Header.Writer], carrier.Header.Seq) == false {
		t.Fatal("cat's proof still counts")
	}
	if len(ann.prove()) != 2 {
		t.Error("want both proofs logged: bob's again, and cat's")
	}
}

func TestAForkedAuthorGoesOnWithANewIncarnation(t *testing.T) {
	_, bob, twin, cat := forked(t)
	bob.merge(twin.all()...)
	if !bob.log.OwnForked() {
		t.Fatal("bob does not see its own fork")
	}
	err := bob.store.Update(func(tx kv.Tx) error {
		_, err := bob.log.Append(tx, zsync.KindFS, nil, 0, folk{})
		return err
	})
	if !errors.Is(err, ErrForked) {
		t.Error(err)
	}
	a := bob.id.author(bob.log.Space(), 1)
	a.Reason = 2
	bob.log.Use(a)
	e := bob.write("goes on")
	if e.Void || e.Header.Seq != 2 || bob.log.OwnForked() {
		t.Errorf("void %v, seq %d", e.Void, e.Header.Seq)
	}
	bob.prove()
	if cat.merge(bob.all()...); !counts(cat, e) || cat.log.Frontier() != bob.log.Frontier() {
		t.Error("cat does not follow")
	}
}

func TestAWriterForkedAtItsFirstEventIsLeftOutOfTheFrontier(t *testing.T) {
	all := space(t, "ann", "bob", "cat")
	ann, bob, cat := all[0], all[1], all[2]
	twin := bob.restored()
	ann.write("seen by the twin alone")
	twin.merge(ann.all()...)
	bob.write("left")
	twin.write("right")
	ann.merge(bob.all()...)
	rests := ann.write("rests on the left branch")
	ann.merge(twin.all()...)
	if n := len(ann.log.Heads()); n != 1 {
		t.Errorf("%d heads", n)
	}
	ann.prove()
	cat.merge(twin.all()...)
	if cat.merge(ann.all()...); !counts(cat, rests) || ann.log.Frontier() != cat.log.Frontier() {
		t.Error("cat does not follow")
	}
}

func TestAVoidedMembershipEventTakesBackTheRightsItGave(t *testing.T) {
	all := space(t, "ann", "bob", "cat")
	ann, bob, cat := all[0], all[1], all[2]
	twin := bob.restored()
	dan := open(t, "dan", kv.NewMemory(), ann.log.Space())
	dan.log.Use(dan.id.author(ann.log.Space(), 0))
	id := dan.id.device()
	bob.write("opens")
	twin.merge(bob.all()...)
	bob.append(zsync.KindMember, id[:])
	dan.merge(bob.all()...)
	photo := dan.write("a photo")
	if ann.merge(dan.all()...); photo.Void || !counts(ann, photo) {
		t.Fatal("dan is a member")
	}
	after := ann.write("rests on dan's")
	twin.write("in place of dan's admission")
	if m := ann.merge(twin.all()...); !m.Refold || counts(ann, photo) || !counts(ann, after) {
		t.Error("what rests on a voided right still counts")
	}

	// Cat has the right branch, so it never stores what admitted dan.
	cat.merge(twin.all()...)
	ann.prove()
	cat.merge(ann.all()...)
	for _, e := range bob.all() {
		cat.merge(e) // past the cut: only noted, for dan's events wait for it
	}
	if ann.log.Frontier() != cat.log.Frontier() || !slices.Equal(ann.meaning(), cat.meaning()) || len(cat.log.parking.waiting) > 0 {
		t.Errorf("cat does not agree; %d parked", len(cat.log.parking.waiting))
	}
	cat.reopen()
	if e := cat.write("on"); e.Void {
		t.Error("cat lost its right")
	}
}

func TestRightsThatAVoidedMembershipEventHadCoveredStayInForce(t *testing.T) {
	all := space(t, "ann", "bob", "cat", "dan")
	ann, bob, cat, dan := all[0], all[1], all[2], all[3]
	dan.write("opens first, so that it is judged first")
	ann.merge(dan.all()...)
	bob.write("opens")
	twin := bob.restored()
	guest, other := named("guest").device(), named("other").device()
	cat.append(zsync.KindMember, guest[:])
	bob.merge(cat.all()...)
	bob.append(zsync.KindMember, other[:]) // covers cat's
	dan.merge(bob.all()...)
	e := dan.write("its auth is bob's alone")
	ann.merge(dan.all()...)
	twin.write("in place of bob's")
	if m := ann.merge(twin.all()...); !m.Refold || !counts(ann, e) {
		t.Error("dan lost the right that it had without bob")
	}
}

func TestProofsThatProveNothingHaveNoEffect(t *testing.T) {
	ann, bob, twin, cat := forked(t)
	left, right := bob.all(), twin.all()
	a, b := left[len(left)-1], right[len(right)-1]
	good := proofOf(a, b)
	swapped := ForkProof{good.HeaderB, good.SigB, good.HeaderA, good.SigA}
	forged := good
	forged.SigB[0]++
	for name, p := range map[string]ForkProof{
		"one event twice":   {HeaderA: a.Header, SigA: good.SigA, HeaderB: a.Header, SigB: good.SigA},
		"two seqs":          proofOf(a, right[len(right)-2]),
		"descending":        swapped,
		"a forged one":      forged,
		"no headers at all": {},
	} {
		for _, r := range []*replica{ann, cat} {
			r.do(func(tx kv.Tx) error {
				m, err := r.log.learn(tx, p, folk{})
				if m.gained() {
					t.Errorf("%s was taken for a proof", name)
				}
				return err
			})
			r.append(zsync.KindForkProof, mustMarshal(p))
			if len(r.log.Heads()) != 3 && r == cat {
				t.Errorf("%s, logged, was taken for a proof", name)
			}
		}
	}
	if ann.log.byID[bob.log.own].forked() {
		t.Error("cut without a proof")
	}
	cat.do(func(tx kv.Tx) error {
		m, err := cat.log.learn(tx, good, folk{})
		if len(m.Forked) != 1 {
			t.Error("a good proof was not taken")
		}
		return err
	})
}

func TestACutSurvivesReopening(t *testing.T) {
	ann, bob, twin, _ := forked(t)
	ann.merge(slices.Concat(bob.all(), twin.all())...)
	frontier, events := ann.log.Frontier(), len(ann.meaning())
	ann.reopen()
	if ann.log.Frontier() != frontier || len(ann.meaning()) != events {
		t.Error("another log after reopening")
	}
	before := ann.dump()
	if m := ann.merge(slices.Concat(twin.all(), bob.all())...); m.gained() || ann.dump() != before {
		t.Error("merging both branches again changed something")
	}
}

func TestTheFoundersGenesisCannotBeForked(t *testing.T) {
	all := space(t, "ann", "bob")
	ann, bob := all[0], all[1]
	e := ann.forge("", func(h *zsync.Header) {
		h.Seq, h.Prev, h.Kind, h.Auth = 1, nil, zsync.KindWriterOpen, ann.log.meta.Members
	})
	before := bob.dump()
	if m := bob.merge(e); m.Bad != 1 || bob.dump() != before {
		t.Error("another first event of the founder was taken")
	}
}

func TestEventsPastACutAreNotStored(t *testing.T) {
	ann, bob, twin, cat := forked(t)
	ann.merge(slices.Concat(bob.all(), twin.all())...)
	ann.prove()
	cat.merge(ann.all()...)
	before := cat.dump()
	late := bob.write("bob does not know yet")
	if m := cat.merge(bob.envelope(late)); m.gained() || m.Bad > 0 || !bytes.Equal([]byte(before), []byte(cat.dump())) {
		t.Error("an event past a cut was stored")
	}
}
