package eventlog

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/internal/kv"
	"github.com/zsync/zsync/internal/wire"
)

// ladder returns a space in which bob has written so many events that ann has, and
// can prove a fork of each.
func ladder(t *testing.T, rungs int) (ann, bob *replica, proofs []ForkProof) {
	all := space(t, "ann", "bob")
	ann, bob = all[0], all[1]
	bob.write("opens")
	for i := range rungs {
		e := bob.write(fmt.Sprint("rung ", i))
		twin := bob.forge("another", func(h *zsync.Header) {
			h.Seq, h.Prev, h.Lamport = e.Header.Seq, e.Header.Prev, e.Header.Lamport
		})
		proofs = append(proofs, proofOf(bob.envelope(e), twin))
	}
	ann.merge(bob.all()...)
	slices.Reverse(proofs) // the last fork is proven first
	return ann, bob, proofs
}

// tells lets a peer say something, and counts what has to be folded anew for it.
func tells(t *testing.T, r *replica, x *Exchange, now time.Time, from zsync.DeviceID, kind uint8, body any) (refolds int) {
	t.Helper()
	r.do(func(tx kv.Tx) error {
		m, err := x.Received(tx, now, from, kind, wire.Marshal(body))
		if m.Refold {
			refolds++
		}
		return err
	})
	return refolds
}

func hears(t *testing.T, r *replica, from *replica) *Exchange {
	t.Helper()
	x := NewExchange(r.log, folk{}, r.id.device())
	r.do(func(tx kv.Tx) error {
		x.Linked(tx, start, from.id.device())
		return nil
	})
	return x
}

func TestForksThatAreProvenOneByOneAreNotFoldedOneByOne(t *testing.T) {
	const rungs = 200
	ann, bob, proofs := ladder(t, rungs)
	x, now, refolds := hears(t, ann, bob), start, 0
	for _, p := range proofs {
		now = now.Add(50 * time.Millisecond)
		refolds += tells(t, ann, x, now, bob.id.device(), MessageFork, forkBody{ann.log.Space(), p})
	}
	if refolds < cutsFree || refolds > cutsFree+5 {
		t.Errorf("%d refolds for %d proofs", refolds, rungs)
	}
	ann.reopen()
	x = hears(t, ann, bob)
	heads := headsBody{Space: ann.log.Space()}
	for range 3 {
		tells(t, ann, x, now, bob.id.device(), MessageHeads, heads)
		now = now.Add(recutMax)
	}
	fresh := open(t, "cat", kv.NewMemory(), ann.log.Space())
	fresh.merge(bob.all()...)
	fresh.do(func(tx kv.Tx) error {
		_, err := fresh.log.learn(tx, proofs[len(proofs)-1], folk{})
		return err
	})
	if !slices.Equal(ann.meaning(), fresh.meaning()) || ann.log.Frontier() != fresh.log.Frontier() || ann.log.held {
		t.Errorf("%d events count, and %d where the lowest proof came at once", len(ann.meaning()), len(fresh.meaning()))
	}
}

func TestAProofThatIsHeldInTheLogKeepsItsCarrier(t *testing.T) {
	ann, bob, proofs := ladder(t, cutsFree+3)
	x := hears(t, ann, bob)
	second := open(t, "bob", bob.store.Image(), bob.log.Space())
	second.log.Use(bob.id.author(bob.log.Space(), 1))
	second.write("opens")
	var carried [][]byte
	for _, p := range proofs {
		second.append(zsync.KindForkProof, mustMarshal(p))
	}
	for _, e := range second.all() {
		if w := second.log.byID[second.log.own]; second.log.byID[headerIn(t, e).Writer] == w {
			carried = append(carried, e.Encode())
		}
	}
	for _, e := range carried {
		tells(t, ann, x, start, bob.id.device(), MessageEvents, eventsBody{Space: ann.log.Space(), Envelopes: [][]byte{e}})
	}
	if !ann.log.held {
		t.Fatal("nothing is held")
	}
	for _, at := range []time.Duration{time.Minute, time.Hour} {
		tells(t, ann, x, start.Add(at), bob.id.device(), MessageHeads, headsBody{Space: ann.log.Space()})
	}
	ann.do(func(tx kv.Tx) error {
		rec, found := ann.log.forkOf(tx, bob.log.own)
		if !found || !ann.log.carried(rec) || rec.Seq != proofSeq(t, ann, proofs[len(proofs)-1]) {
			t.Errorf("%+v", rec)
		}
		return nil
	})
	if n := len(ann.prove()); n != 0 {
		t.Errorf("%d proofs that are in the log were logged again", n)
	}
}

func proofSeq(t *testing.T, r *replica, p ForkProof) uint64 {
	t.Helper()
	_, seq, err := p.accused(r.log.Space())
	must(err)
	return seq
}

func headerIn(t *testing.T, e Envelope) zsync.Header {
	t.Helper()
	h, err := parseHeader(e.Header)
	must(err)
	return h
}

func TestAnOwnForkIsNeverHeld(t *testing.T) {
	_, bob, proofs := ladder(t, cutsFree+3)
	bob.log.patient = true
	bob.do(func(tx kv.Tx) error {
		_, err := bob.log.learn(tx, proofs[0], folk{})
		return err
	})
	if !bob.log.OwnForked() {
		t.Error("it goes on with a writer that is cut")
	}
}

// recount is an authority that counts how often all was judged anew.
type recount struct {
	folk
	times int
}

func (r *recount) Forget(tx kv.Tx) {
	r.times++
	r.folk.Forget(tx)
}

func TestForksThatComeInOneMessageWithTheRightsThatTheyTakeBackAreNotJudgedOneByOne(t *testing.T) {
	const rungs = 24
	all := space(t, "ann", "bob")
	ann, bob, guest := all[0], all[1], named("guest").device()
	bob.write("opens")
	var in, twins []Envelope
	for range rungs {
		e := bob.append(zsync.KindMember, guest[:])
		twins = append(twins, bob.forge("another", func(h *zsync.Header) {
			h.Seq, h.Prev, h.Lamport = e.Header.Seq, e.Header.Prev, e.Header.Lamport
		}))
	}
	in = bob.all()
	slices.Reverse(twins)
	hears(t, ann, bob)
	judge := &recount{}
	ann.do(func(tx kv.Tx) error {
		_, err := ann.log.Merge(tx, append(in, twins...), judge)
		return err
	})
	if judge.times == 0 || judge.times > cutsFree+1 {
		t.Errorf("all was judged anew %d times for %d forks", judge.times, rungs)
	}
	ann.do(func(tx kv.Tx) error {
		_, err := ann.log.release(tx, judge)
		return err
	})
	fresh := open(t, "cat", kv.NewMemory(), ann.log.Space())
	fresh.merge(append(in, twins...)...)
	if !slices.Equal(ann.meaning(), fresh.meaning()) || ann.log.Frontier() != fresh.log.Frontier() {
		t.Errorf("%d events count, and %d where nothing was held", len(ann.meaning()), len(fresh.meaning()))
	}
}

func TestWritersThatCrowdOutOthersOneByOneAreNotFoldedOneByOne(t *testing.T) {
	const more = 4 * cutsFree
	all := space(t, "ann", "bob")
	ann, bob := all[0], all[1]
	hears(t, ann, bob)
	writers := writersOf(bob, bob.id, deviceWritersMax+more)
	slices.SortFunc(writers, func(a, b []Envelope) int { // each crowds out the one before
		return -headerIn(t, a[0]).Writer.Compare(headerIn(t, b[0]).Writer)
	})
	refolds := 0
	for _, w := range writers {
		if ann.merge(w...).Refold {
			refolds++
		}
	}
	if refolds > cutsFree {
		t.Errorf("%d refolds for %d writers", refolds, more)
	}
	ann.reopen()
	hears(t, ann, bob)
	ann.do(func(tx kv.Tx) error {
		_, err := ann.log.release(tx, folk{})
		return err
	})
	fresh := open(t, "cat", kv.NewMemory(), ann.log.Space())
	fresh.merge(bob.all()...)
	for _, w := range writers {
		fresh.merge(w...)
	}
	if !slices.Equal(ann.meaning(), fresh.meaning()) || ann.log.Frontier() != fresh.log.Frontier() || ann.log.held {
		t.Errorf("%d events count, and %d where nothing was held", len(ann.meaning()), len(fresh.meaning()))
	}
}
