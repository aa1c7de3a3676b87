package device

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/zsync/zsync/internal/kv"
	"github.com/zsync/zsync/security"
)

// fullDisk is a database on a disk that may be full: what a turn wrote is rolled back
// at the commit, when the machine has done all of its work.
type fullDisk struct {
	kv.Store
	full bool
}

func (d *fullDisk) Update(f func(kv.Tx) error) error {
	return d.Store.Update(func(tx kv.Tx) error {
		if err := f(tx); err != nil || !d.full {
			return err
		}
		return fmt.Errorf("write device.db: %w", syscall.ENOSPC)
	})
}

// unsteady is a home on such a disk.
func unsteady(t *testing.T) (*keeper, *fullDisk, *homeLoop) {
	k := newKeeper(t, "one")
	disk := &fullDisk{Store: k.db}
	home, _, err := OpenHomeMachine(epoch, disk, k.cfg)
	must(t, err)
	return k, disk, &homeLoop{HomeMachine: home}
}

func TestAHomeWhoseDiskIsFullTakesUpWhatItWasToldWhenThereIsRoomAgain(t *testing.T) {
	_, disk, home := unsteady(t)
	two := keysOf(t, "two").Certify("two", 1)
	_, err := home.Handle(epoch, []any{security.Met{Next: security.StepFound, Cert: two}})
	must(t, err)
	three := keysOf(t, "three").Certify("three", 1)
	disk.full = true
	later := epoch.Add(confirmWait)
	effects, err := home.Handle(later, []any{
		security.Met{Next: security.StepSettled, Cert: three, Circle: home.circle.id},
		SaveTrust{Text: []byte("trust")},
	})
	must(t, err)
	if len(effects) != 0 {
		t.Errorf("of what is not on the disk it says %v", effects)
	}
	if why := home.trouble(); !strings.Contains(why, "the disk is full; make room") {
		t.Errorf("it says %q", why)
	}
	for range 3 {
		later = home.Deadline()
		effects, err = home.Handle(later, nil)
		must(t, err)
		if len(effects) != 0 || !home.Deadline().After(later) {
			t.Fatalf("effects %v, the next try is %s later", effects, home.Deadline().Sub(later))
		}
	}
	disk.full = false
	effects, err = home.Handle(home.Deadline(), nil)
	must(t, err)
	if home.trouble() != "" {
		t.Errorf("it still says %q", home.trouble())
	}
	said := fmt.Sprint(effects)
	for _, want := range []any{Enter{home.circle.id}, WriteTrusted{Text: []byte("trust")}} {
		if !strings.Contains(said, fmt.Sprint(want)) {
			t.Errorf("it never ordered %T", want)
		}
	}
	_, err = home.Handle(later.Add(2*confirmWait), nil) // it makes sure first that its log is the newest
	must(t, err)
	if !strings.Contains(membersOf(t, home), "three") {
		t.Error("the device that was met meanwhile is not in the circle")
	}
}

func membersOf(t *testing.T, home *homeLoop) (names string) {
	t.Helper()
	devices, _ := home.Status()
	for _, d := range devices {
		names += d.Name + " "
	}
	return names
}

func TestAnOrderThatTheDiskHadNoRoomForIsRefusedWithASentenceAndMayBeGivenAgain(t *testing.T) {
	_, disk, home := unsteady(t)
	disk.full = true
	photos := Watch{Registration: Registration{Label: "Photos", Dir: "/p", Role: "sync"}}
	_, err := home.order(epoch, photos)
	var refused *Refusal
	if !errors.As(err, &refused) || !strings.Contains(err.Error(), "the disk is full; make room") {
		t.Fatalf("it says %v", err)
	}
	if len(home.folders) != 0 && home.trouble() == "" {
		t.Error("it goes on with a folder that is not written down")
	}
	disk.full = false
	effects, err := home.order(epoch.Add(time.Second), photos)
	must(t, err)
	if len(opens(effects)) != 1 {
		t.Errorf("%d folders opened", len(opens(effects)))
	}
	effects, err = home.Handle(home.Deadline(), nil)
	must(t, err)
	if len(opens(effects)) != 0 {
		t.Errorf("the order was kept: %v", effects)
	}
}

func TestAHomeEndsForWhatNoRoomMends(t *testing.T) {
	k := newKeeper(t, "one")
	home, _, err := OpenHomeMachine(epoch, &failing{k.db, errors.New("of another make")}, k.cfg)
	if err == nil {
		_, err = (&homeLoop{HomeMachine: home}).Handle(epoch, []any{SaveTrust{}})
	}
	if err == nil {
		t.Error("it goes on")
	}
}

type failing struct {
	kv.Store
	err error
}

func (f *failing) Update(func(kv.Tx) error) error { return f.err }

func TestTheFileOfTrustedKeysIsWrittenOnceThereIsRoom(t *testing.T) {
	var written []string
	full := true
	r := &Running{owner: make(chan any, 4), ctx: t.Context()}
	r.host.Log = slog.New(slog.DiscardHandler)
	r.host.WriteTrusted = func(text []byte) error {
		if full {
			return syscall.ENOSPC
		}
		written = append(written, string(text))
		return nil
	}
	r.writeTrusted(WriteTrusted{Text: []byte("old")})
	r.writeTrusted(WriteTrusted{Text: []byte("new")})
	full = false
	if r.unwritten == nil {
		t.Fatal("nothing is left to write")
	}
	r.writeTrusted(*r.unwritten)
	if len(written) != 1 || written[0] != "new" || r.unwritten != nil {
		t.Errorf("written: %q", written)
	}
}

func TestAHaltedFolderTellsThatNothingIsLostAndWhatToDo(t *testing.T) {
	why := haltedWhy(fmt.Errorf("write a.db: %w", syscall.ENOSPC))
	if !strings.Contains(why, "nothing of it is lost") || !strings.Contains(why, "the disk is full; make room") {
		t.Errorf("it says %q", why)
	}
	if why := haltedWhy(errors.New("of another make")); why != "of another make" {
		t.Errorf("it says %q", why)
	}
}
