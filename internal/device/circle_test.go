package device

import (
	"slices"
	"testing"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/internal/kv"
	"github.com/zsync/zsync/security"
)

// founder is a home that has founded a circle for a device that may come into it.
func founder(t *testing.T) (k *keeper, two security.Certificate) {
	t.Helper()
	k, two = newKeeper(t, "one"), keysOf(t, "two").Certify("two", 1)
	k.start()
	k.do(security.Met{Next: security.StepFound, Cert: two})
	return k, two
}

// later gives a home inputs once its circle is fresh no more.
func (k *keeper) later(in ...any) []Effect {
	k.t.Helper()
	effects, err := k.home.Handle(epoch.Add(freshFor), in)
	must(k.t, err)
	return effects
}

func yieldTo(to zsync.SpaceID, cert security.Certificate) security.Met {
	return security.Met{Next: security.StepYield, Circle: to, Cert: cert}
}

// toLink returns which circle the link is told to leave and to enter, and how firm
// this device is in the last one.
func toLink(effects []Effect) (quit, enter zsync.SpaceID, told []security.Hold) {
	for _, e := range effects {
		switch what := e.What.(type) {
		case Quit:
			quit = what.Space
		case Enter:
			enter = what.Space
		case CircleIs:
			told = append(told, what.Holds)
		}
	}
	return quit, enter, told
}

func TestADeviceThatIsAloneInItsCircleLeavesItForAnother(t *testing.T) {
	k, two := founder(t)
	k.watch("Photos")
	old, other := k.home.circle.id, spaceNamed(5)
	quit, enter, told := toLink(k.later(yieldTo(other, two)))
	if quit != old || enter != other || !slices.Equal(told, []security.Hold{security.Taken}) {
		t.Errorf("left %v, entered %v, told %v", quit, enter, told)
	}
	must(t, k.db.View(func(tx kv.Tx) error {
		if all := labels(tx); len(all) != 0 {
			t.Errorf("claims of the old circle stay: %v", all)
		}
		return nil
	}))
	if opened := k.start(); len(opened) != 1 || opened[0].Label != "Photos" || k.home.circle.id != other {
		t.Errorf("after a start it has %d folders and is in %v", len(opened), k.home.circle.id)
	}
}

func TestWhatIsSaidInACircleThatWasLeftIsNotTakenForTheNewOne(t *testing.T) {
	k, two := founder(t)
	old := k.home.circle.id
	k.do(yieldTo(spaceNamed(5), two))
	effects := k.do(Linked{Peer: two, Space: old}, Heard{From: two, Type: typeWant, Body: encodeWant(old)}, Unlinked{Device: two.Device(), Space: old})
	effects = append(effects, k.do(Linked{Peer: two, Space: old})...)
	blames := func(e Effect) bool { _, blames := e.What.(Offended); return blames }
	if len(k.home.circle.peers) != 0 || slices.ContainsFunc(effects, blames) {
		t.Errorf("%d devices linked; %v", len(k.home.circle.peers), effects)
	}
}

func TestOnlyADeviceThatIsInTheCircleIsMadeAMemberOfIt(t *testing.T) {
	k, two := founder(t)
	members := func() int {
		devices, _ := k.home.Status()
		return len(devices)
	}
	if members() != 0 {
		t.Error("one that may still take up another circle is a member")
	}
	k.do(security.Met{Next: security.StepSettled, Circle: k.home.circle.id, Cert: two})
	if members() != 1 {
		t.Error("one that has taken the circle up is no member")
	}
}

func TestACircleOfTwoGivesWayWhileItIsFresh(t *testing.T) {
	k, two := founder(t)
	k.do(security.Met{Next: security.StepSettled, Circle: k.home.circle.id, Cert: two})
	if _, enter, _ := toLink(k.do(yieldTo(spaceNamed(5), two))); enter != spaceNamed(5) {
		t.Error("it stays")
	}
}

func TestACircleOfTwoIsKeptUntilTheOtherOneLeavesIt(t *testing.T) {
	k, two := founder(t)
	three := keysOf(t, "three").Certify("three", 1)
	k.do(security.Met{Next: security.StepSettled, Circle: k.home.circle.id, Cert: two})
	if due := k.home.Deadline(); due.IsZero() || due.After(epoch.Add(freshFor)) {
		t.Errorf("it does not say by itself that it is firm now: %v", due)
	}
	if _, _, told := toLink(k.later()); !slices.Equal(told, []security.Hold{security.Firm}) {
		t.Errorf("a minute later it says %v", told)
	}
	if quit, _, _ := toLink(k.later(yieldTo(spaceNamed(5), three))); !quit.IsZero() {
		t.Error("it leaves a circle that another device is in")
	}
	_, _, told := toLink(k.later(security.Met{Next: security.StepApart, Circle: spaceNamed(5), Cert: two}))
	if !slices.Equal(told, []security.Hold{security.Loose}) {
		t.Errorf("alone it says %v", told)
	}
	if _, enter, _ := toLink(k.later(yieldTo(spaceNamed(5), two))); enter != spaceNamed(5) {
		t.Error("it stays alone")
	}
}

func TestACircleThatWasOnlyTakenUpIsLeftForOneThatThisDeviceFounds(t *testing.T) {
	k, two := newKeeper(t, "one"), keysOf(t, "two").Certify("two", 1)
	k.start()
	k.watch("Photos")
	k.do(security.Met{Next: security.StepJoin, Circle: spaceNamed(5), Cert: two})
	quit, enter, told := toLink(k.later(security.Met{Next: security.StepFound, Circle: spaceNamed(6), Cert: two}))
	if quit != spaceNamed(5) || enter.IsZero() || enter == spaceNamed(6) || !slices.Equal(told, []security.Hold{security.Loose}) {
		t.Errorf("left %v, entered %v, told %v", quit, enter, told)
	}
	if quit, _, _ := toLink(k.later(security.Met{Next: security.StepFound, Circle: spaceNamed(6), Cert: two})); !quit.IsZero() {
		t.Error("a member leaves its circle for a new one")
	}
}

func TestADeviceDoesNotGoFromCircleToCircleForEver(t *testing.T) {
	k, two := founder(t)
	k.home.moves = movesMax
	if quit, _, _ := toLink(k.later(yieldTo(spaceNamed(5), two))); !quit.IsZero() {
		t.Error("it goes over once more")
	}
}
