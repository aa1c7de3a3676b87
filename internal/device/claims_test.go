package device

import (
	"errors"
	"strings"
	"testing"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/internal/kv"
	"github.com/zsync/zsync/security"
)

// inCircle returns a home in a circle of its own with one folder, and that folder's
// space.
func inCircle(t *testing.T) (*keeper, zsync.SpaceID) {
	k := newKeeper(t, "one")
	k.start()
	reg := k.watch("Photos")
	k.do(security.Met{Next: security.StepFound, Cert: keysOf(t, "two").Certify("two", 1)})
	return k, reg.Space
}

// claim has the circle say that a label means a space, at a time.
func (k *keeper) claim(label Label, lamport uint64, id zsync.SpaceID) {
	k.t.Helper()
	must(k.t, k.db.Update(func(tx kv.Tx) error {
		tx.Put(bucketClaims, claimKey(label, zsync.Stamp{Lamport: lamport}), append(id[:], make([]byte, len(zsync.EventID{}))...))
		return nil
	}))
}

// unclaim takes claims of a time back, as when they turn out to be void.
func (k *keeper) unclaim(label Label, lamport uint64) {
	k.t.Helper()
	must(k.t, k.db.Update(func(tx kv.Tx) error {
		tx.Delete(bucketClaims, claimKey(label, zsync.Stamp{Lamport: lamport}))
		return nil
	}))
}

func closes(effects []Effect) (spaces []zsync.SpaceID) {
	for _, e := range effects {
		if order, ok := e.What.(CloseFolder); ok {
			spaces = append(spaces, order.Space)
		}
	}
	return spaces
}

func TestAFolderStaysInItsSpaceUntilItIsAMemberOfTheOneItMovesTo(t *testing.T) {
	k, own := inCircle(t)
	k.claim("Photos", 0, spaceNamed('w'))
	for range 3 { // nobody has that space, at first
		effects := k.do(AskProgress{})
		if len(closes(effects)) > 0 || k.home.folders["Photos"].Space != own {
			t.Fatal("it left a space that works for one that it cannot reach")
		}
		for _, order := range opens(effects) {
			if !order.Scout || order.Space != spaceNamed('w') || order.Dir != "" {
				t.Fatalf("opened %+v", order)
			}
		}
	}
	if k.home.joining == 0 {
		t.Error("nobody hears that something is awaited")
	}
	effects := k.do(Joined{spaceNamed('w')})
	orders := opens(effects)
	if got := closes(effects); len(got) != 2 || got[0] != own || got[1] != spaceNamed('w') {
		t.Errorf("closed %v", got)
	}
	if len(orders) != 1 || orders[0].Scout || orders[0].Space != spaceNamed('w') || orders[0].Cache != own || orders[0].Taken == (Mark{}) {
		t.Errorf("opened %+v", orders)
	}
}

func TestOfTwoSpacesThatCanBeReachedTheFirstClaimedIsTheFolder(t *testing.T) {
	k, _ := inCircle(t)
	k.claim("Photos", 0, spaceNamed('d')) // of a device that is gone
	k.claim("Photos", 1, spaceNamed('w'))
	scouted := opens(k.do(AskProgress{}))
	if len(scouted) != 2 {
		t.Fatalf("scouted %+v", scouted)
	}
	k.do(Joined{spaceNamed('w')})
	if k.home.folders["Photos"].Space != spaceNamed('w') {
		t.Error("it waits for a device that is gone")
	}
	k.do(Joined{spaceNamed('d')})
	if k.home.folders["Photos"].Space != spaceNamed('d') {
		t.Error("the device is back, and the folder is not its")
	}
	if len(k.home.scouts) > 0 {
		t.Errorf("still scouted: %v", k.home.scouts)
	}
}

func TestAFolderMovesIntoASpaceOnce(t *testing.T) {
	k, own := inCircle(t)
	moves := 0
	for range 5 {
		k.claim("Photos", 0, spaceNamed('w'))
		for _, effects := range [][]Effect{k.do(AskProgress{}), k.do(Joined{spaceNamed('w')})} {
			moves += moved(effects)
		}
		k.unclaim("Photos", 0)
		for _, effects := range [][]Effect{k.do(AskProgress{}), k.do(Joined{own})} {
			moves += moved(effects)
		}
		k.start()
	}
	if moves != 2 || k.home.folders["Photos"].Space != own {
		t.Errorf("%d moves", moves)
	}
}

func moved(effects []Effect) (n int) {
	for _, order := range opens(effects) {
		if !order.Scout {
			n++
		}
	}
	return n
}

func TestNoMoreSpacesAreScoutedThanAFewHoweverManyAreClaimed(t *testing.T) {
	k, _ := inCircle(t)
	for i := range 100 {
		k.claim("Photos", 0, spaceNamed(byte(i+1)))
		k.claim("Photos", uint64(i), zsync.SpaceID{1, byte(i)})
	}
	if n := len(opens(k.do(AskProgress{}))); n == 0 || n > scoutsMax {
		t.Errorf("scouted %d", n)
	}
}

func TestALabelIsANameInOneFormWithoutControlCharacters(t *testing.T) {
	for _, text := range []string{"Photos", "Fotos 2026", "Bj\u00f6rk", strings.Repeat("x", 255), "\u5199\u771f"} {
		if got, err := ParseLabel(text); err != nil || string(got) != text {
			t.Errorf("%q: %q, %v", text, got, err)
		}
	}
	for _, text := range []string{"", ".", "..", "a/b", "a\x00b", "a\nb", "\x1b[31m", "a\u0085b", "Bjo\u0308rk", "\xff", strings.Repeat("x", 256)} {
		if _, err := ParseLabel(text); !errors.Is(err, zsync.ErrName) {
			t.Errorf("%q passed: %v", text, err)
		}
	}
}

func TestFoldersThatOthersOfferAreTakenWhileThereAreDescriptors(t *testing.T) {
	k := newKeeper(t, "one")
	k.cfg.FoldersMax = 3
	k.start()
	k.watch("Photos")
	k.do(security.Met{Next: security.StepFound, Cert: keysOf(t, "two").Certify("two", 1)})
	k.do(ServeAll{Dir: t.TempDir()})
	for i := range byte(10) {
		k.claim(Label("offered "+string('a'+i)), 5, spaceNamed('a'+i))
	}
	k.do(AskProgress{})
	if got := len(k.home.folders); got != 3 {
		t.Errorf("%d folders are kept, want 3", got)
	}
}
