package eventlog

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/internal/kv"
)

func TestAnEmptyLogPullsEverything(t *testing.T) {
	all := space(t, "ann", "bob")
	for i := range 20 {
		all[0].write(fmt.Sprint("a", i))
		all[1].merge(all[0].all()...)
		all[1].write(fmt.Sprint("b", i))
		all[0].merge(all[1].all()...)
	}
	n := join(t, all[0], open(t, "cat", kv.NewMemory(), all[0].log.Space()))
	n.link(0, 1)
	n.run(time.Second)
	n.agree()
	if n.counts[MessageVV] > 2 || n.counts[MessagePull] != 1 || n.counts[MessageEvents] != 1 {
		t.Errorf("messages by type: %v", n.counts)
	}
}

func TestASmallEventReachesAllLinkedPeersInOneMessage(t *testing.T) {
	n := join(t, space(t, "ann", "bob", "cat")...)
	n.linkAll()
	n.run(10 * time.Second)
	clear(n.counts)
	n.write(1, "small")
	n.run(20 * time.Millisecond)
	n.agree()
	if n.counts[MessageHeads] != 2 || len(n.counts) != 1 {
		t.Errorf("messages by type: %v", n.counts)
	}
	n.run(2 * time.Second)
	if n.counts[MessageVV] > 0 || n.counts[MessagePull] > 0 || n.counts[MessageHeads] > 6 {
		t.Errorf("messages by type, a little later: %v", n.counts)
	}
}

func TestALargeEventIsPulled(t *testing.T) {
	n := join(t, space(t, "ann", "bob")...)
	n.linkAll()
	n.run(10 * time.Second)
	clear(n.counts)
	n.write(0, string(make([]byte, pushBytesMax)))
	n.run(100 * time.Millisecond)
	n.agree()
	if n.counts[MessagePull] != 1 || n.counts[MessageEvents] != 1 {
		t.Errorf("messages by type: %v", n.counts)
	}
}

func TestEventsCrossADeviceThatLinksTwoOthers(t *testing.T) {
	n := join(t, space(t, "ann", "bridge", "cat")...)
	n.link(0, 1)
	n.link(1, 2)
	n.run(10 * time.Second)
	n.write(0, "to the far side")
	n.run(time.Second)
	n.agree()
	n.nothingWaits()
}

func TestDevicesInStepSayLittle(t *testing.T) {
	n := join(t, space(t, "ann", "bob", "cat")...)
	n.linkAll()
	n.run(time.Minute)
	n.octets = 0
	clear(n.counts)
	n.run(10 * time.Minute)
	if n.counts[MessageHeads] > 3*2*20 || len(n.counts) != 1 || n.octets > 3*2*20*70 {
		t.Errorf("messages by type in ten minutes: %v, %d octets", n.counts, n.octets)
	}
}

func TestAnUnlinkedPeersShareIsPulledFromAnother(t *testing.T) {
	all := space(t, "ann", "bob", "cat")
	for range 30 {
		all[0].append(zsync.KindFS, make([]byte, 100<<10))
	}
	all[1].merge(all[0].all()...)
	n := join(t, all...)
	n.link(2, 0)
	n.run(35 * time.Millisecond)
	n.link(2, 1)
	n.run(40 * time.Millisecond)
	n.unlink(2, 0)
	n.run(2 * time.Second)
	n.agree()
	n.nothingWaits()
}

func TestTwoPeersAreNotAskedForTheSame(t *testing.T) {
	all := space(t, "ann", "bob", "cat")
	total := 0
	for range 30 {
		e := all[0].append(zsync.KindFS, make([]byte, 100<<10))
		total += len(e.Body)
	}
	all[1].merge(all[0].all()...)
	n := join(t, all...)
	n.linkAll()
	n.run(time.Minute)
	n.agree()
	if n.octets > total*11/10 {
		t.Errorf("%d octets sent for %d", n.octets, total)
	}
}

func TestAPullOfManyLargeEventsSendsAndReadsEachOnce(t *testing.T) {
	const events, bodyBytes = 100, 100 << 10
	all := space(t, "ann", "bob")
	for range events {
		all[0].append(zsync.KindFS, make([]byte, bodyBytes))
	}
	n := join(t, all...)
	n.link(0, 1)
	n.run(10 * time.Second)
	n.agree()
	if n.octets > events*bodyBytes*101/100 {
		t.Errorf("%d octets sent", n.octets)
	}
	if n.counts[MessagePull] > events*bodyBytes/(eventsBytesMax-bodyBytes)+2 {
		t.Errorf("%d pulls", n.counts[MessagePull])
	}
}

func TestAPullReadsLittleMoreThanItGives(t *testing.T) {
	const events, bodyBytes = 100, 100 << 10
	ann := founded(t, "ann")
	for range events {
		ann.append(zsync.KindFS, make([]byte, bodyBytes))
	}
	ann.do(func(tx kv.Tx) error {
		counting := &countingTx{Tx: tx}
		given, _ := ann.log.gather(counting, []span{{Writer: ann.log.own, From: 1, To: 1000}}, eventsBytesMax)
		if counting.octets > 2*eventsBytesMax || len(given) != 6 {
			t.Errorf("%d octets read to give %d events", counting.octets, len(given))
		}
		return nil
	})
}

// countingTx counts the octets that are read.
type countingTx struct {
	kv.Tx
	octets int
}

func (c *countingTx) Get(bucket string, key []byte) []byte {
	value := c.Tx.Get(bucket, key)
	c.octets += len(value)
	return value
}

func (c *countingTx) Scan(bucket string, from []byte, visit func(key, value []byte) bool) {
	c.Tx.Scan(bucket, from, func(key, value []byte) bool {
		c.octets += len(value)
		return visit(key, value)
	})
}

func TestAPeerThatAsksWithoutEndIsAnsweredLittleInOneTurn(t *testing.T) {
	n := join(t, space(t, "ann", "bob")...)
	n.link(0, 1)
	n.run(time.Second)
	for range 20 {
		n.write(0, string(make([]byte, 200<<10)))
	}
	n.run(time.Second)
	ann, bob := n.nodes[0], n.nodes[1].id.device()
	pull := mustMarshal(pullBody{ann.log.Space(), []span{{Writer: ann.log.own, From: 1, To: 30}}, eventsBytesMax})
	vv := mustMarshal(vvBody{Space: ann.log.Space(), Heads: []headPrefix{}})
	for turn := range 2 {
		octets := 0
		ann.do(func(tx kv.Tx) error {
			for range 100 {
				if _, err := ann.exchange.Received(tx, n.now, bob, MessagePull, pull); err != nil {
					return err
				}
				if _, err := ann.exchange.Received(tx, n.now, bob, MessageVV, vv); err != nil {
					return err
				}
			}
			for _, m := range ann.exchange.Output().Whisper {
				octets += len(m.Body)
			}
			return nil
		})
		if octets == 0 || octets > 2*answersBytesMax {
			t.Errorf("turn %d: %d octets of answers", turn, octets)
		}
	}
}

func TestLostMessagesAreMadeUpFor(t *testing.T) {
	n := join(t, space(t, "ann", "bob", "cat")...)
	count := 0
	n.drop = func() bool { count++; return count%3 == 0 }
	n.linkAll()
	for i := range 30 {
		n.write(i%3, fmt.Sprint(i))
		n.run(300 * time.Millisecond)
	}
	n.run(5 * time.Minute)
	n.agree()
	n.nothingWaits()
}

func TestTheOwnHeadIsConfirmedByAPeer(t *testing.T) {
	all := space(t, "ann", "bob")
	all[1].write("1")
	n := join(t, all...)
	if n.nodes[1].exchange.Confirmed() {
		t.Error("confirmed by nobody")
	}
	n.link(0, 1)
	n.run(time.Second)
	for _, d := range n.nodes {
		if !d.exchange.Confirmed() || d.exchange.OwnBehind() {
			t.Errorf("%s is not confirmed", d.id.name)
		}
	}
}

func TestARestoredDeviceLearnsThatItIsBehindAndOpensANewWriter(t *testing.T) {
	all := space(t, "ann", "bob")
	all[1].write("1")
	backup := all[1].store.Image()
	all[1].write("2")
	all[0].merge(all[1].all()...)
	n := join(t, all...)
	n.restart(1, backup)
	n.link(0, 1)
	n.run(time.Second)
	bob := n.nodes[1]
	if !bob.exchange.OwnBehind() || bob.exchange.Confirmed() {
		t.Error("bob does not see that it lost an event")
	}
	n.write(1, "3")
	n.run(time.Second)
	n.agree()
	if bob.exchange.OwnBehind() || !bob.exchange.Confirmed() || len(bob.log.Heads()) != 3 || bob.log.byID[bob.log.own].forked() {
		t.Error("bob did not go on as a new writer")
	}
}

func TestAClaimToKnowMoreOfTheOwnWriterHoldsItBackForAWhileAndNoMore(t *testing.T) {
	all := space(t, "ann", "bob")
	ann, bob := all[0].id.device(), all[1]
	bob.write("1")
	x := NewExchange(bob.log, folk{}, bob.id.device())
	claim := func(at time.Time, seq uint64) {
		bob.do(func(tx kv.Tx) error {
			heads := []headPrefix{{Writer: bob.log.own, Seq: seq}}
			_, err := x.Received(tx, at, ann, MessageVV, mustMarshal(vvBody{Space: bob.log.Space(), Heads: heads}))
			return err
		})
	}
	bob.do(func(tx kv.Tx) error { x.Linked(tx, start, ann); return nil })
	for i, seq := range []uint64{9, 2} { // beyond the head, and another in its place
		claim(start.Add(time.Duration(i)*time.Second), seq)
		if x.OwnBehind() || x.Confirmed() {
			t.Errorf("a mere claim of event %d: behind %v, confirmed %v", seq, x.OwnBehind(), x.Confirmed())
		}
	}
	if d := x.Deadline(); d.After(start.Add(doubtWait)) {
		t.Error("nothing happens when the time for the proof is over")
	}
	bob.do(func(tx kv.Tx) error { x.Advance(tx, start.Add(doubtWait)); return nil })
	if claim(start.Add(time.Minute), 99); x.OwnBehind() || !x.Confirmed() {
		t.Error("claims without a proof hold the own writer back for longer")
	}
}

func TestAForgedEventOfTheOwnWriterProvesNothing(t *testing.T) {
	all := space(t, "ann", "bob")
	bob := all[1]
	bob.write("1")
	twin := bob.restored()
	e := twin.envelope(twin.write("2"))
	forged := Envelope{e.Header, slices.Clone(e.Sig), e.Body}
	forged.Sig[0]++
	if m := bob.merge(forged); m.Bad != 1 || bob.log.OwnLost() {
		t.Error("a forgery was believed")
	}
	if bob.merge(e); !bob.log.OwnLost() {
		t.Error("a signed event of the own writer that was not here was not believed")
	}
}

func TestARestoredDeviceThatLostItsWholeWriterLearnsIt(t *testing.T) {
	all := space(t, "ann", "bob")
	bob := all[1].restored() // as it was before its first event
	all[1].write("1")
	all[0].merge(all[1].all()...)
	n := join(t, all[0], bob)
	n.link(0, 1)
	n.run(time.Second)
	if !n.nodes[1].exchange.OwnBehind() {
		t.Error("bob would open its writer for the second time")
	}
}

func TestAProofThatIsKnownCostsNoLookAtTheOthers(t *testing.T) {
	names := []string{"ann"}
	for i := range 20 {
		names = append(names, fmt.Sprint("device ", i))
	}
	all := space(t, names...)
	ann := all[0]
	for _, r := range all[1:] {
		twin := r.restored()
		r.write("left")
		twin.write("right")
		ann.merge(r.all()...)
		ann.merge(twin.all()...)
	}
	x := NewExchange(ann.log, folk{}, ann.id.device())
	peer := all[1].id.device()
	known := ForkProof{}
	ann.do(func(tx kv.Tx) error {
		rec, _ := ann.log.forkOf(tx, all[2].log.own)
		known = rec.Proof
		x.Linked(tx, start, peer)
		return nil
	})
	for i := range 4 { // in the second all proofs are logged
		at := start.Add(time.Duration(i) * proveMax)
		ann.do(func(tx kv.Tx) error {
			x.compared = true
			counting := &countingTx{Tx: tx}
			_, err := x.Received(counting, at, peer, MessageFork, mustMarshal(forkBody{ann.log.Space(), known}))
			if i > 1 && counting.octets > 2000 {
				t.Errorf("%d octets read", counting.octets)
			}
			return err
		})
	}
}

func TestAForkSpreadsToAllAndIsLoggedByFew(t *testing.T) {
	all := space(t, "ann", "bob", "cat", "dan")
	bob := all[1]
	for i := range 20 {
		bob.write(fmt.Sprint("common ", i))
	}
	for _, r := range all {
		r.merge(bob.all()...)
		r.write("opens")
	}
	twin := bob.restored()
	for i := range 30 {
		bob.write(fmt.Sprint("left ", i))
		twin.write(fmt.Sprint("right ", i))
	}
	all[0].merge(bob.all()...)
	all[0].write("rests on the left")
	all[2].merge(twin.all()...)
	all[2].write("rests on the right")
	n := join(t, all[0], all[2], all[3]) // neither bob is there
	n.linkAll()
	n.run(2 * time.Minute)
	n.agree()
	cut, proofs := n.nodes[2].log.byID[bob.log.own].Cut, 0
	for _, e := range n.nodes[2].events() {
		if e.Header.Kind == zsync.KindForkProof {
			proofs++
		}
	}
	if want := uint64(22); cut != want || proofs == 0 || proofs > 12 {
		t.Errorf("cut after %d, want %d; %d proofs logged", cut, want, proofs)
	}
}

func TestALateDeviceTakesALogWithForksInIt(t *testing.T) {
	ann, bob, twin, cat := forked(t)
	ann.merge(bob.all()...)
	ann.write("rests on the left")
	ann.merge(twin.all()...)
	ann.prove()
	n := join(t, ann, cat, open(t, "new", kv.NewMemory(), ann.log.Space()))
	n.link(0, 1)
	n.run(time.Minute)
	n.unlink(0, 1) // cat holds no branch at all
	n.link(1, 2)
	n.run(time.Minute)
	n.agree()
	n.nothingWaits()
}

func TestALateDeviceTakesALogWhoseWriterForkedAtItsFirstEvent(t *testing.T) {
	all := space(t, "ann", "bob", "cat")
	ann, bob, cat := all[0], all[1], all[2]
	twin := bob.restored()
	ann.write("seen by the twin alone")
	twin.merge(ann.all()...)
	bob.write("left")
	twin.write("right")
	ann.merge(bob.all()...)
	ann.write("rests on the left")
	ann.merge(twin.all()...)
	ann.prove()
	n := join(t, ann, cat)
	n.linkAll()
	n.run(time.Minute)
	n.agree()
	n.nothingWaits()
}

func TestALateDeviceLearnsOfARightThatAForkVoided(t *testing.T) {
	all := space(t, "ann", "bob", "cat")
	ann, bob, cat := all[0], all[1], all[2]
	bob.write("opens")
	ann.merge(bob.all()...)
	cat.merge(bob.all()...)
	twin := bob.restored()
	dan := open(t, "dan", kv.NewMemory(), ann.log.Space())
	dan.log.Use(dan.id.author(ann.log.Space(), 0))
	id := dan.id.device()
	bob.append(zsync.KindMember, id[:])
	dan.merge(bob.all()...)
	dan.write("a photo")
	ann.merge(dan.all()...)
	ann.write("rests on it")
	twin.write("in place of dan's admission")
	ann.merge(twin.all()...)
	cat.merge(twin.all()...)
	ann.prove()
	n := join(t, ann, cat, open(t, "new", kv.NewMemory(), ann.log.Space()))
	n.link(0, 1)
	n.run(2 * time.Minute)
	n.unlink(0, 1) // from here on only cat, who merely noted dan's admission, tells
	n.link(1, 2)
	n.run(2 * time.Minute)
	n.agree()
	n.nothingWaits()
}

func TestARefusalStopsTheQuestions(t *testing.T) {
	all := space(t, "ann", "bob")
	all[0].write("1")
	x := NewExchange(all[1].log, folk{}, all[1].id.device())
	ann := all[0].id.device()
	all[1].do(func(tx kv.Tx) error {
		x.Linked(tx, start, ann)
		y := NewExchange(all[0].log, folk{}, ann)
		if _, err := x.Received(tx, start, ann, MessageHeads, y.heads(nil)); err != nil {
			return err
		}
		_, err := x.Received(tx, start, ann, MessageNak, EncodeNak(all[0].log.Space(), NakNotMember))
		return err
	})
	if d := x.Deadline(); d.Before(start.Add(announceMin)) {
		t.Errorf("next deadline after %v", d.Sub(start))
	}
}

func TestMessagesOfOthersAreRefusedWithAReason(t *testing.T) {
	all := space(t, "ann", "bob")
	x := NewExchange(all[0].log, folk{}, all[0].id.device())
	bob := all[1].id.device()
	all[0].do(func(tx kv.Tx) error {
		good := x.heads(nil)
		if _, err := x.Received(tx, start, bob, MessageHeads, good); !errors.Is(err, ErrNotLinked) {
			t.Error("a stranger's message:", err)
		}
		x.Linked(tx, start, bob)
		for name, m := range map[string]Message{
			"an unknown type": {Type: 99, Body: good},
			"no body":         {Type: MessageHeads},
			"another body":    {Type: MessageVV, Body: good},
			"another space":   {Type: MessageNak, Body: EncodeNak(zsync.SpaceID{1}, 1)},
			"too many spans":  {Type: MessagePull, Body: mustMarshal(pullBody{all[0].log.Space(), make([]span, spansMax+1), 1})},
		} {
			if _, err := x.Received(tx, start, bob, m.Type, m.Body); !errors.Is(err, ErrMalformed) {
				t.Errorf("%s: %v", name, err)
			}
		}
		return nil
	})
}

func TestTheSpaceOfAMessageIsReadFromItsFront(t *testing.T) {
	r := founded(t, "ann")
	x := NewExchange(r.log, folk{}, r.id.device())
	for _, body := range [][]byte{x.heads(nil), EncodeNak(r.log.Space(), 1), mustMarshal(pullBody{Space: r.log.Space()})} {
		if id, found := SpaceOf(body); !found || id != r.log.Space() {
			t.Errorf("read %s, %v", id, found)
		}
	}
	if _, found := SpaceOf([]byte{0xa1, 1, 0x50, 0}); found {
		t.Error("read a space that ends early")
	}
}

// transcript plays a little history and returns all that was delivered.
func transcript(t *testing.T) []byte {
	var out bytes.Buffer
	n := join(t, space(t, "ann", "bob", "cat", "dan")...)
	n.script = &out
	n.link(0, 1)
	n.link(1, 2)
	n.run(time.Second)
	twin := n.nodes[1].store.Image()
	for i := range 8 {
		n.write(i%3, fmt.Sprint("event ", i))
		n.run(200 * time.Millisecond)
	}
	n.restart(1, twin)
	n.write(1, "in place of another")
	n.linkAll()
	n.run(3 * time.Minute)
	n.agree()
	return out.Bytes()
}

func TestTheSameFactsGiveTheSameOctets(t *testing.T) {
	first, second := transcript(t), transcript(t)
	if !bytes.Equal(first, second) || len(first) == 0 {
		t.Error("two runs differ")
	}
}
