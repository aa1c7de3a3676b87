package security

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/internal/wire"
)

// lower and higher are two devices, ascending by device id.
func lowerAndHigher(t fataler) (lower, higher Certificate) {
	lower, higher = certOf(t, "laptop"), certOf(t, "box")
	if lower.Device().Compare(higher.Device()) > 0 {
		lower, higher = higher, lower
	}
	return lower, higher
}

// pair is two devices that pair, joined by a pipe that a test may cut.
type pair struct {
	t       fataler
	now     time.Time
	certs   [2]Certificate
	ends    [2]*Pairing
	met     [2]Met
	refused [2][]string
	sent    [2]int
	lose    func() bool
	log     strings.Builder
}

func newPair(t fataler) *pair {
	p := &pair{t: t, now: epoch, lose: func() bool { return false }}
	p.certs[0], p.certs[1] = lowerAndHigher(t)
	for i, cert := range p.certs {
		p.ends[i] = NewPairing(cert)
	}
	return p
}

func (p *pair) link() {
	for i, end := range p.ends {
		end.Linked(p.now, p.certs[1-i].Curve)
	}
}

// settle carries messages until both ends are silent.
func (p *pair) settle() {
	for carried := true; carried; {
		carried = false
		for i, end := range p.ends {
			out := end.Output()
			for _, met := range out.Met {
				p.met[i] = met
				fmt.Fprintf(&p.log, "%d met %s circle %.4s step %d\n", i, met.Cert.Name, met.Circle, met.Next)
			}
			for _, r := range out.Refused {
				p.refused[i] = append(p.refused[i], r.Why)
				fmt.Fprintf(&p.log, "%d refused: %s\n", i, r.Why)
			}
			for _, send := range out.Send {
				if p.sent[i]++; p.sent[i] > 1000 {
					p.t.Fatal("they never stop")
				}
				if send.Key != p.certs[1-i].Curve {
					p.t.Fatal("sent to a third device")
				}
				if carried = true; !p.lose() {
					p.ends[1-i].ReceivedCert(p.now, p.certs[i].Curve, send.Body)
				}
			}
		}
	}
}

// wait lets time pass up to the next deadline of either end.
func (p *pair) wait() bool {
	next := p.ends[0].Deadline()
	if other := p.ends[1].Deadline(); next.IsZero() || !other.IsZero() && other.Before(next) {
		next = other
	}
	if next.IsZero() {
		return false
	}
	p.now = next
	for _, end := range p.ends {
		end.Advance(p.now)
	}
	return true
}

var someCircle, otherCircle = zsync.SpaceID{1}, zsync.SpaceID{2}

func TestNextStepFollowsFromTheTwoCircles(t *testing.T) {
	for _, c := range []struct {
		lower, higher zsync.SpaceID
		want          [2]Step
	}{
		{zsync.SpaceID{}, zsync.SpaceID{}, [2]Step{StepFound, StepAwait}},
		{someCircle, zsync.SpaceID{}, [2]Step{StepInvite, StepJoin}},
		{zsync.SpaceID{}, someCircle, [2]Step{StepJoin, StepInvite}},
		{someCircle, someCircle, [2]Step{StepSettled, StepSettled}},
	} {
		p := newPair(t)
		p.ends[0].SetCircle(p.now, c.lower, Firm)
		p.ends[1].SetCircle(p.now, c.higher, Firm)
		p.link()
		p.settle()
		if got := [2]Step{p.met[0].Next, p.met[1].Next}; got != c.want {
			t.Errorf("%v and %v: steps %v, want %v", c.lower, c.higher, got, c.want)
		}
		if p.met[0].Circle != c.higher || p.met[1].Circle != c.lower {
			t.Errorf("met circles %v, %v", p.met[0].Circle, p.met[1].Circle)
		}
		if p.met[0].Cert.Device() != p.certs[1].Device() {
			t.Error("met someone else")
		}
	}
}

func TestOfTwoCirclesTheLooseOneGivesWay(t *testing.T) {
	for _, c := range []struct {
		some, other Hold // of someCircle, which has the lower id, and of otherCircle
		want        [2]Step
	}{
		{Loose, Loose, [2]Step{StepAwait, StepYield}},
		{Loose, Firm, [2]Step{StepYield, StepAwait}},
		{Firm, Loose, [2]Step{StepAwait, StepYield}},
		{Firm, Firm, [2]Step{StepApart, StepApart}},
		{Taken, Loose, [2]Step{StepYield, StepAwait}},
		{Taken, Firm, [2]Step{StepYield, StepAwait}},
		{Taken, Taken, [2]Step{StepAwait, StepAwait}},
	} {
		p := newPair(t)
		p.ends[0].SetCircle(p.now, someCircle, c.some)
		p.ends[1].SetCircle(p.now, otherCircle, c.other)
		p.link()
		p.settle()
		if got := [2]Step{p.met[0].Next, p.met[1].Next}; got != c.want {
			t.Errorf("%v and %v: steps %v, want %v", c.some, c.other, got, c.want)
		}
	}
}

func TestDevicesThatHaveTakenUpCirclesWhichEverybodyLeftEndInOne(t *testing.T) {
	for _, c := range []struct {
		name    string
		circles [2]zsync.SpaceID
	}{
		{"two circles", [2]zsync.SpaceID{someCircle, otherCircle}},
		{"the same one", [2]zsync.SpaceID{someCircle, someCircle}},
		{"the higher has none", [2]zsync.SpaceID{someCircle, {}}},
		{"the lower has none", [2]zsync.SpaceID{{}, otherCircle}},
	} {
		p := newPair(t)
		for i, circle := range c.circles {
			p.ends[i].SetCircle(p.now, circle, Taken)
		}
		p.link()
		p.settle()
		if p.met[0].Next == StepFound {
			t.Errorf("%s: a member is not waited for", c.name)
		}
		for end := p.now.Add(orphanWait); p.now.Before(end); {
			if !p.wait() {
				t.Fatalf("%s: they wait for ever", c.name)
			}
			p.settle()
		}
		if p.met[0].Next != StepFound || p.met[1].Next == StepFound {
			t.Errorf("%s: steps %d and %d", c.name, p.met[0].Next, p.met[1].Next)
			continue
		}
		founded := zsync.SpaceID{9}
		p.ends[0].SetCircle(p.now, founded, Loose)
		p.settle()
		if next := p.met[1]; next.Circle != founded || next.Next != StepYield && next.Next != StepJoin {
			t.Errorf("%s: the other one's step is %d", c.name, next.Next)
		}
	}
}

func TestACircleThatWasTakenUpIsKeptWhileThereIsAMemberOrAnotherToGoOverTo(t *testing.T) {
	low, high := lowerAndHigher(t)
	member := certOf(t, "member")
	for _, c := range []struct {
		name   string
		circle zsync.SpaceID
		want   Step
	}{
		{"a member of it", someCircle, StepAwait},
		{"a member of another", zsync.SpaceID{7}, StepAwait},
	} {
		p := NewPairing(low)
		p.SetCircle(epoch, someCircle, Taken)
		for _, cert := range []Certificate{high, member} {
			p.Linked(epoch, cert.Curve)
		}
		p.ReceivedCert(epoch, high.Curve, encodeCert(high, otherCircle, Taken))
		p.ReceivedCert(epoch, member.Curve, encodeCert(member, c.circle, Firm))
		p.Advance(epoch.Add(2 * orphanWait))
		for _, met := range p.Output().Met {
			if met.Next == StepFound {
				t.Errorf("%s: it founds one of its own", c.name)
			}
		}
	}
}

func TestTwoDevicesThatBecomeFirmApartHearOfIt(t *testing.T) {
	p := newPair(t)
	for i, circle := range []zsync.SpaceID{someCircle, otherCircle} {
		p.ends[i].SetCircle(p.now, circle, Loose)
	}
	p.link()
	p.settle()
	expect(t, len(p.refused[0])+len(p.refused[1]), 0)
	p.ends[0].SetCircle(p.now, someCircle, Firm)
	p.ends[1].SetCircle(p.now, otherCircle, Firm)
	p.settle()
	expect(t, len(p.refused[0]), 1)
	expect(t, len(p.refused[1]), 1)
}

func TestADeviceStaysInTheCircleThatItTookUpWhileAMemberOfItIsLinked(t *testing.T) {
	own, member, other := certOf(t, "laptop"), certOf(t, "box"), certOf(t, "phone")
	p := NewPairing(own)
	p.SetCircle(epoch, someCircle, Taken)
	for _, cert := range []Certificate{member, other} {
		p.Linked(epoch, cert.Curve)
	}
	p.ReceivedCert(epoch, member.Curve, encodeCert(member, someCircle, Loose))
	p.Output()
	p.ReceivedCert(epoch, other.Curve, encodeCert(other, otherCircle, Firm))
	expect(t, p.Output().Met[0].Next, StepAwait)
	p.ReceivedCert(epoch, member.Curve, encodeCert(member, otherCircle, Taken))
	met := p.Output().Met
	expect(t, met[len(met)-1].Next, StepYield)
}

func TestNobodyTakesUpACircleFromOneThatIsNoMemberOfIt(t *testing.T) {
	p := newPair(t)
	p.ends[1].SetCircle(p.now, someCircle, Taken)
	p.link()
	p.settle()
	expect(t, p.met[0].Next, StepAwait)
	p.ends[1].SetCircle(p.now, someCircle, Loose)
	p.settle()
	expect(t, p.met[0].Next, StepJoin)
}

func TestTwoDevicesWithoutACircleEndInOne(t *testing.T) {
	p := newPair(t)
	p.link()
	p.settle()
	p.ends[0].SetCircle(p.now, someCircle, Firm) // founded
	p.settle()
	expect(t, p.met[0].Next, StepInvite)
	expect(t, p.met[1].Next, StepJoin)
	expect(t, p.met[1].Circle, someCircle)
	p.ends[1].SetCircle(p.now, someCircle, Firm) // joined
	p.settle()
	expect(t, p.met[0].Next, StepSettled)
	expect(t, p.met[1].Next, StepSettled)
	if p.wait() {
		t.Fatal("something is left to be said")
	}
	expect(t, p.sent, [2]int{2, 2})
}

func TestTwoCirclesAreRefusedOnceWithASentence(t *testing.T) {
	p := newPair(t)
	p.ends[0].SetCircle(p.now, someCircle, Firm)
	p.ends[1].SetCircle(p.now, otherCircle, Firm)
	p.link()
	p.settle()
	for i, why := range p.refused {
		if len(why) != 1 || !strings.Contains(why[0], "two circles") || !strings.Contains(why[0], p.certs[1-i].Name) {
			t.Errorf("end %d said %q", i, why)
		}
	}
	if p.wait() {
		t.Fatal("a refused device is asked again")
	}
	p.ends[0].SetCircle(p.now, otherCircle, Firm)
	p.settle()
	expect(t, p.met[0].Next, StepSettled)
	expect(t, p.met[1].Next, StepSettled)
}

func TestLostCertificateIsSaidAgain(t *testing.T) {
	for lost := range 4 {
		p := newPair(t)
		p.ends[0].SetCircle(p.now, someCircle, Firm)
		n := 0
		p.lose = func() bool { n++; return n-1 == lost }
		p.link()
		p.settle()
		p.ends[1].SetCircle(p.now, someCircle, Firm)
		p.settle()
		for p.wait() {
			p.settle()
			if p.now.Sub(epoch) > time.Hour {
				t.Fatalf("without message %d they never settle:\n%s", lost, &p.log)
			}
		}
		if p.met[0].Next != StepSettled || p.met[1].Next != StepSettled {
			t.Fatalf("without message %d:\n%s", lost, &p.log)
		}
	}
}

// Whatever is lost on the way, two devices that hear each other in the end
// agree and fall silent.
func TestLossyLinkSettlesInTheEnd(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		p := newPair(rt)
		losses := rapid.IntRange(0, 12).Draw(rt, "losses")
		p.lose = func() bool {
			if losses == 0 || !rapid.Bool().Draw(rt, "lost") {
				return false
			}
			losses--
			return true
		}
		p.link()
		for range 200 {
			p.settle()
			if p.met[0].Next == StepFound {
				p.ends[0].SetCircle(p.now, someCircle, Firm)
			}
			if p.met[1].Next == StepJoin {
				p.ends[1].SetCircle(p.now, p.met[1].Circle, Firm)
			}
			p.settle()
			if !p.wait() {
				break
			}
		}
		if p.met[0].Next != StepSettled || p.met[1].Next != StepSettled || p.wait() {
			rt.Fatalf("not settled:\n%s", &p.log)
		}
	})
}

func TestRepeatedCertificateIsAnsweredOnceByOneWhoIsSettled(t *testing.T) {
	p := newPair(t)
	for _, end := range p.ends {
		end.SetCircle(p.now, someCircle, Firm)
	}
	p.link()
	p.settle()
	repeat := func() (answers [2]int) {
		before := p.sent
		p.ends[0].ReceivedCert(p.now, p.certs[1].Curve, encodeCert(p.certs[1], someCircle, Firm))
		p.settle()
		return [2]int{p.sent[0] - before[0], p.sent[1] - before[1]}
	}
	p.now = p.now.Add(certAnswerAfter - 1)
	expect(t, repeat(), [2]int{0, 0})
	p.now = p.now.Add(1)
	p.ends[1].peers[0].sentAt = p.now // it is the one that repeats
	expect(t, repeat(), [2]int{1, 0})
	expect(t, repeat(), [2]int{0, 0})
}

func TestAnUnansweredCertificateIsRepeatedLessAndLess(t *testing.T) {
	p := NewPairing(certOf(t, "laptop"))
	p.Linked(epoch, certOf(t, "box").Curve)
	p.Output()
	now, gaps := epoch, []time.Duration(nil)
	for range 8 {
		gaps = append(gaps, p.Deadline().Sub(now))
		now = p.Deadline()
		p.Advance(now.Add(-1))
		expect(t, len(p.Output().Send), 0)
		p.Advance(now)
		expect(t, len(p.Output().Send), 1)
	}
	s := time.Second
	want := []time.Duration{10 * s, 20 * s, 40 * s, 80 * s, 160 * s, 300 * s, 300 * s, 300 * s}
	expect(t, fmt.Sprint(gaps), fmt.Sprint(want))
}

func TestNothingIsSaidToADeviceThatIsGone(t *testing.T) {
	p := newPair(t)
	p.link()
	p.settle()
	for i, end := range p.ends {
		end.Unlinked(p.now, p.certs[1-i].Curve)
		end.SetCircle(p.now, someCircle, Firm)
		end.ReceivedCert(p.now, p.certs[1-i].Curve, encodeCert(p.certs[1-i], someCircle, Firm))
		out := end.Output()
		expect(t, len(out.Send)+len(out.Met)+len(out.Refused), 0)
		expect(t, end.Deadline(), time.Time{})
		end.Unlinked(p.now, p.certs[1-i].Curve)
	}
}

func TestADeviceThatComesBackIsMetAnew(t *testing.T) {
	p := newPair(t)
	p.link()
	p.settle()
	p.met = [2]Met{}
	p.link()
	p.settle()
	expect(t, p.met[0].Next, StepFound)
	expect(t, p.met[1].Next, StepAwait)
}

func TestOwnKeyIsNoPeer(t *testing.T) {
	own := certOf(t, "laptop")
	p := NewPairing(own)
	p.Linked(epoch, own.Curve)
	p.ReceivedCert(epoch, own.Curve, encodeCert(own, someCircle, Firm))
	out := p.Output()
	expect(t, len(out.Send)+len(out.Met)+len(out.Refused), 0)
}

func TestCertificateMustBeOfTheKeyThatSentIt(t *testing.T) {
	own, box, thief := certOf(t, "laptop"), certOf(t, "box"), certOf(t, "thief")
	p := NewPairing(own)
	p.Linked(epoch, thief.Curve)
	p.Output()
	for range 2 {
		p.ReceivedCert(epoch, thief.Curve, encodeCert(box, zsync.SpaceID{}, Firm))
	}
	out := p.Output()
	expect(t, len(out.Met), 0)
	expect(t, len(out.Refused), 1)
	expect(t, out.Refused[0].Key, thief.Curve)
	p.ReceivedCert(epoch, thief.Curve, encodeCert(thief, zsync.SpaceID{}, Firm))
	expect(t, len(p.Output().Met), 1)
}

func TestMalformedCertMessagesAreRefused(t *testing.T) {
	own, box := certOf(t, "laptop"), certOf(t, "box")
	good, circle := encodeCert(box, someCircle, Firm), someCircle
	for what, body := range map[string][]byte{
		"empty":           {},
		"cut":             good[:len(good)-1],
		"trailing":        append(bytes.Clone(good), 0),
		"a zero circle":   wire.Marshal(certMessage{Cert: box.Encoded, Circle: new(zsync.SpaceID)}),
		"a forged name":   bytes.Replace(good, []byte("box"), []byte("fox"), 1),
		"a short circle":  append(bytes.Clone(good[:len(good)-17]), 0x4f, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15),
		"a hold of none":  wire.Marshal(certMessage{Cert: box.Encoded, Holds: Loose}),
		"a hold unknown":  wire.Marshal(certMessage{Cert: box.Encoded, Circle: &circle, Holds: Loose + 1}),
		"an overlong one": make([]byte, certBodyBytesMax+1),
	} {
		p := NewPairing(own)
		p.Linked(epoch, box.Curve)
		p.Output()
		p.ReceivedCert(epoch, box.Curve, body)
		if out := p.Output(); len(out.Refused) != 1 || len(out.Met) != 0 {
			t.Errorf("%s: %+v", what, out)
		}
	}
}

func TestCertMessageKeepsItsForm(t *testing.T) {
	box := certOf(t, "box")
	golden(t, "cert-alone", encodeCert(box, zsync.SpaceID{}, Firm))
	golden(t, "cert-circle", encodeCert(box, someCircle, Firm))
	golden(t, "cert-loose", encodeCert(box, someCircle, Loose))
}

// The machine's output is a function of its input: twice the same gives the
// same octets, whatever the order in which devices were linked.
func TestPairingIsDeterministic(t *testing.T) {
	run := func(order []string) string {
		p := NewPairing(certOf(t, "laptop"))
		for _, name := range order {
			p.Linked(epoch, certOf(t, name).Curve)
		}
		p.Output()
		p.SetCircle(epoch, someCircle, Firm)
		p.Advance(epoch.Add(time.Minute))
		return fmt.Sprintf("%x", p.Output().Send)
	}
	first := run([]string{"a", "b", "c", "d"})
	expect(t, run([]string{"a", "b", "c", "d"}), first)
	expect(t, run([]string{"d", "b", "a", "c"}), first)
}

func FuzzDecodeCert(f *testing.F) {
	f.Add(encodeCert(certOf(f, "box"), zsync.SpaceID{}, Firm))
	f.Add(encodeCert(certOf(f, "box"), someCircle, Firm))
	f.Add(encodeCert(certOf(f, "box"), someCircle, Taken))
	f.Add([]byte{0xa0})
	f.Fuzz(func(t *testing.T, body []byte) {
		cert, circle, holds, err := decodeCert(body)
		if err == nil && !bytes.Equal(encodeCert(cert, circle, holds), body) {
			t.Fatalf("%x read as %+v, %v", body, cert, circle)
		}
	})
}

func TestOneThatWasWaitedForAndThenSendsNoCertificateIsNotWaitedFor(t *testing.T) {
	low, high := lowerAndHigher(t)
	p := NewPairing(low)
	p.SetCircle(epoch, someCircle, Taken)
	p.Linked(epoch, high.Curve)
	p.ReceivedCert(epoch, high.Curve, encodeCert(high, otherCircle, Taken))
	p.ReceivedCert(epoch, high.Curve, []byte("nonsense"))
	now := epoch.Add(2 * orphanWait)
	p.Advance(now)
	if at := p.Deadline(); !at.IsZero() && !at.After(now) {
		t.Errorf("after its turn it is to have another one at once, %s ago", now.Sub(at))
	}
}
