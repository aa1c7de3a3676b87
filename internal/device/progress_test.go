package device

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/zsync/zsync/internal/wire"
)

// A teller is a progress whose reports are written down.
type teller struct {
	*progress
	t   *testing.T
	now time.Time
}

func newTeller(t *testing.T, linked ...byte) *teller {
	p := &teller{newProgress(spaceNamed(1), deviceNamed('a')), t, epoch}
	for _, name := range linked {
		p.linked(p.now, deviceNamed(name))
	}
	if len(linked) > 0 {
		p.says(0) // the greeting
	}
	return p
}

func lineOf(name byte, need uint64) line {
	return line{Device: deviceNamed(name), Linked: true, NeedFiles: need}
}

// says lets the device report that it needs so many files, and returns what it
// tells to whom: "all a=0 b=3?", with ? where no link stands and ! where it asks.
func (p *teller) says(need uint64) string {
	p.t.Helper()
	var said []string
	for _, r := range p.report(p.now, lineOf('a', need)) {
		body, err := decodeProgress(r.Body)
		must(p.t, err)
		to := "all"
		if !r.To.IsZero() {
			to = string(r.To[:1])
		}
		if body.Ask {
			to += "!"
		}
		for _, l := range body.Lines {
			to += fmt.Sprintf(" %c=%d", l.Device[0], l.NeedFiles)
			if !l.Linked {
				to += "?"
			}
		}
		said = append(said, to)
	}
	return strings.Join(said, ", ")
}

// hears takes a report of a peer.
func (p *teller) hears(from byte, ask bool, lines ...line) {
	p.received(p.now, deviceNamed(from), wire.Marshal(progressBody{Space: p.space, Ask: ask, Lines: lines}))
}

func (p *teller) after(d time.Duration) { p.now = p.now.Add(d) }

func (p *teller) want(got, want string) {
	p.t.Helper()
	if got != want {
		p.t.Errorf("said %q, want %q", got, want)
	}
}

func TestReportsAreOneASecondAndZeroAtOnce(t *testing.T) {
	for _, c := range []struct {
		name  string
		needs []uint64 // one each 100 ms
		want  []string
	}{
		{"nothing new", []uint64{0, 0, 0}, []string{"", "", ""}},
		{"a want waits for its second", []uint64{5, 4, 3}, []string{"", "", ""}},
		{"zero is said at once", []uint64{5, 4, 0}, []string{"", "", "all a=0"}},
		{"zero is said once", []uint64{5, 0, 0}, []string{"", "all a=0", ""}},
		{"each time it is reached", []uint64{5, 0, 7, 0}, []string{"", "all a=0", "", "all a=0"}},
		{"at the end of the second what is true then", []uint64{9, 8, 7, 6, 5, 4, 3, 2, 1, 1, 2}, []string{"", "", "", "", "", "", "", "", "", "all a=1", ""}},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := newTeller(t, 'b')
			p.hears('b', false, line{Device: deviceNamed('b')})
			p.after(time.Second)
			p.says(0)
			for i, need := range c.needs {
				p.after(100 * time.Millisecond)
				got := strings.Replace(p.says(need), " b=0", "", 1)
				p.want(got, c.want[i])
			}
		})
	}
}

func TestAHeldBackReportHasADeadline(t *testing.T) {
	p := newTeller(t, 'b')
	if got := p.deadline(); !got.IsZero() {
		t.Errorf("nothing to say, and a deadline at %s", got)
	}
	p.after(300 * time.Millisecond)
	p.want(p.says(4), "")
	if got, want := p.deadline(), epoch.Add(progressEvery); !got.Equal(want) {
		t.Errorf("deadline %s, want %s", got, want)
	}
	p.now = p.deadline()
	p.want(p.says(4), "all a=4")
	if got := p.deadline(); !got.IsZero() {
		t.Errorf("said, and still a deadline at %s", got)
	}
}

func TestNothingIsSaidToNobody(t *testing.T) {
	p := newTeller(t)
	for _, need := range []uint64{3, 0, 2} {
		p.after(2 * time.Second)
		p.want(p.says(need), "")
	}
	p.asks()
	p.want(p.says(0), "")
}

func TestANewcomerIsToldAtOnceOfAllThatIsKnown(t *testing.T) {
	p := newTeller(t, 'b')
	p.hears('b', false, lineOf('b', 3), lineOf('d', 9))
	p.says(0)
	p.after(100 * time.Millisecond)
	p.linked(p.now, deviceNamed('c'))
	p.want(p.says(0), "c a=0 b=3 d=9?")
}

func TestWhoAsksIsAnsweredAloneAndAtOnce(t *testing.T) {
	p := newTeller(t, 'b', 'c')
	p.after(10 * time.Millisecond)
	p.hears('c', true, lineOf('c', 1))
	p.hears('c', true, lineOf('c', 1))
	p.want(p.says(6), "c a=6 c=1")
	p.want(p.says(6), "")
}

func TestAskingAsksEverybody(t *testing.T) {
	p := newTeller(t, 'b', 'c')
	p.asks()
	p.want(p.says(6), "all! a=6")
	p.after(2 * time.Second)
	p.want(p.says(6), "") // once
}

func TestAReportOfAStrangerCountsForNothing(t *testing.T) {
	p := newTeller(t, 'b')
	p.hears('x', true, lineOf('x', 3), lineOf('b', 7))
	p.received(p.now, deviceNamed('b'), []byte("no report"))
	p.after(2 * time.Second)
	p.want(p.says(0), "")
}

func TestLinesOfOthersAreBelievedByWhoKnowsBest(t *testing.T) {
	far := func(need uint64, linked bool) line {
		l := lineOf('d', need)
		l.Linked = linked
		return l
	}
	for _, c := range []struct {
		name string
		hear func(p *teller)
		want string // of d
	}{
		{"nobody told", func(*teller) {}, ""},
		{"a teller told, linked or not", func(p *teller) { p.hears('b', false, far(4, false)) }, "d=4?"},
		{"a teller that is linked beats what was known", func(p *teller) {
			p.hears('b', false, far(4, false))
			p.hears('c', false, far(2, true))
		}, "d=2?"},
		{"a teller that is not changes nothing", func(p *teller) {
			p.hears('c', false, far(2, true))
			p.hears('b', false, far(4, false))
		}, "d=2?"},
		{"its own word beats any teller's", func(p *teller) {
			p.linked(p.now, deviceNamed('d'))
			p.hears('d', false, far(1, true))
			p.hears('b', false, far(9, true))
		}, "d=1"},
		{"when it is gone, a teller that has it is believed again", func(p *teller) {
			p.linked(p.now, deviceNamed('d'))
			p.hears('d', false, far(1, true))
			p.unlinked(p.now, deviceNamed('d'))
			p.hears('b', false, far(0, true))
		}, "d=0?"},
		{"nobody tells a device of itself", func(p *teller) { p.hears('b', false, line{Device: deviceNamed('a'), NeedFiles: 77}) }, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := newTeller(t, 'b', 'c')
			c.hear(p)
			p.after(2 * time.Second)
			p.asks()
			said := strings.Fields(p.says(0))
			got := ""
			if i := slices.IndexFunc(said, func(s string) bool { return strings.HasPrefix(s, "d=") }); i >= 0 {
				got = said[i]
			}
			p.want(got, c.want)
			if !strings.Contains(strings.Join(said, " "), "a=0") {
				t.Errorf("its own line is another: %v", said)
			}
		})
	}
}
