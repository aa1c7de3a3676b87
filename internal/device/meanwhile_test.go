package device

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/internal/kv"
)

// slowStore is a database whose commits take long while it is told to.
type slowStore struct {
	kv.Store
	takes atomic.Int64 // nanoseconds
}

func (s *slowStore) Update(f func(kv.Tx) error) error {
	err := s.Store.Update(f)
	time.Sleep(time.Duration(s.takes.Load()))
	return err
}

// turning runs a folder that is in sync, one of two copies, with commits that take so
// long once it has something to do, and asks how it stands while it does it.
func turning(t *testing.T, takes time.Duration, do func(f *runningFolder)) {
	t.Helper()
	w := newTwoCopies(t)
	w.run(time.Minute)
	machine := w.copies[0].machine
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		slow := &slowStore{Store: machine.store}
		machine.store = slow
		clock := func() time.Time { return w.now.Add(time.Since(began)) }
		f := &runningFolder{machine: machine, loop: newLoop(&folderLoop{FolderMachine: machine}, clock, func([]Effect) {})}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- f.loop.run(ctx) }()
		synctest.Wait()
		slow.takes.Store(int64(takes))
		f.loop.post(Hinted{Dirs: []zsync.Path{""}})
		synctest.Wait()
		do(f)
		slow.takes.Store(0)
		cancel()
		must(t, <-ended)
	})
}

func TestAStatusDoesNotWaitForALongTurn(t *testing.T) {
	turning(t, 5*time.Second, func(f *runningFolder) {
		began := time.Now()
		said, err := f.stands()
		must(t, err)
		if waited := time.Since(began); waited != promptTime {
			t.Errorf("after %v", waited)
		}
		if st := said.status; st.State != StateSyncing || st.Settled || st.Replica.Files == 0 || len(st.Devices) != 1 {
			t.Errorf("in the middle of a turn: %+v", st)
		}
		time.Sleep(10 * time.Second)
		said, err = f.stands()
		if err != nil || said.status.Replica.Files == 0 {
			t.Errorf("afterwards: %+v, %v", said.status, err)
		}
		if f.before() != nil {
			t.Error("what was before a turn is said after it")
		}
	})
}

func TestWhatTheLinkAddsToAStatusDuringATurnIsNotInTheNext(t *testing.T) {
	turning(t, 5*time.Second, func(f *runningFolder) {
		first, err := f.stands()
		must(t, err)
		here := first.status.Devices[0].Device
		first.status.Devices[0].meet(map[zsync.DeviceID]PeerStatus{here: {Device: here, Evasive: true}})
		second, err := f.stands()
		must(t, err)
		if !first.status.Devices[0].Silent || second.status.Devices[0].Silent {
			t.Errorf("%+v, then %+v", first.status.Devices[0], second.status.Devices[0])
		}
	})
}

func TestHowLongTheRestTakesIsSaidDuringATurn(t *testing.T) {
	w := newTwoCopies(t)
	w.run(time.Minute)
	machine := w.copies[0].machine
	machine.status.Settled = false
	for i := range int64(60) {
		machine.rest.estimate.saw(w.now, work{files: 2000 - 20*i, bytes: 2e9 - 2e7*i})
		w.now = w.now.Add(time.Second)
	}
	after, err := machine.Status()
	must(t, err)
	machine.Foretell(w.now, &after)
	turns := &folderLoop{FolderMachine: machine}
	turns.note(w.now)
	if during := turns.before.Load().status; during.Outlook != after.Outlook || during.Outlook.Left == 0 {
		t.Errorf("%+v during the turn, %+v after it", during.Outlook, after.Outlook)
	}
}

func TestAFolderWhoseTurnDoesNotEndIsSaidToBeBusy(t *testing.T) {
	turning(t, time.Hour, func(f *runningFolder) {
		time.Sleep(statusTime)
		began := time.Now()
		if _, err := f.stands(); err == nil {
			t.Error("what was before a turn that hangs is still said")
		}
		if waited := time.Since(began); waited != statusTime {
			t.Errorf("after %v", waited)
		}
	})
}

func TestAShortTurnIsWaitedForSoThatItsEndIsSeen(t *testing.T) {
	turning(t, promptTime/2, func(f *runningFolder) {
		if _, err := f.stands(); err != nil || f.before() != nil {
			t.Errorf("asked in the middle of it: %v", err)
		}
	})
}
