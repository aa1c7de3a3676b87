package device

import (
	"syscall"
	"testing"
	"time"

	"github.com/zsync/zsync"
)

func (c *testCopy) status(t *testing.T) FolderStatus {
	t.Helper()
	st, err := c.machine.Status()
	must(t, err)
	return st
}

// writes has the user of a copy put a file there, and lets a time pass.
func (w *twoCopies) writes(c *testCopy, path string) {
	w.t.Helper()
	w.gone, w.content = true, "another" // which is the one that is fetched from now on
	c.disk.User().Write(path, w.bytes())
	c.disk.User().Settle()
	w.post(c, Hinted{Dirs: []zsync.Path{""}})
	w.run(time.Minute)
}

func TestAFolderWithAFileThatCannotBeReadIsNotInSyncHereOrElsewhere(t *testing.T) {
	w := newTwoCopies(t)
	w.run(time.Minute)
	one, two := w.copies[0], w.copies[1]
	one.failing = map[zsync.Path]error{"b.txt": syscall.EACCES}
	w.writes(one, "b.txt")
	if st := one.status(t); st.State != StateWaiting || st.Unread != 1 || st.Settled {
		t.Errorf("here it is %s, %d cannot be read, settled %t", st.State, st.Unread, st.Settled)
	}
	if st := two.status(t); st.State != StateInSync || st.Devices[0].State != StateSyncing {
		t.Errorf("elsewhere it is %s, and of this device %s", st.State, st.Devices[0].State)
	}
	one.failing = nil
	w.run(2 * time.Minute)
	for _, c := range w.copies {
		if st := c.status(t); st.State != StateInSync || st.Unread != 0 || st.Replica.Files != 2 || st.Devices[0].State != StateInSync {
			t.Errorf("when it can be read, %s has %+v", c.cfg.Cert.Name, st)
		}
	}
}

func TestWhatIsKnownOfADeviceThatIsNotConnectedIsOld(t *testing.T) {
	w := newTwoCopies(t)
	w.run(time.Minute)
	one, two := w.copies[0], w.copies[1]
	if d := one.status(t).Devices[0]; d.State != StateInSync || d.Was != "" {
		t.Fatalf("connected: %+v", d)
	}
	heard := w.now.Add(-20 * time.Second)
	w.post(one, Unlinked{Device: two.cfg.Keys.Device(), Heard: heard})
	w.run(time.Second)
	if d := one.status(t).Devices[0]; d.State != StateOffline || d.Was != StateInSync || !d.Seen.Equal(heard) {
		t.Errorf("gone: %+v", d)
	}
	w.writes(one, "b.txt")
	if d := one.status(t).Devices[0]; d.State != StateOffline || d.Was != StateSyncing {
		t.Errorf("after a change here: %+v", d)
	}
}

func TestAConnectionThatWasLostAMomentAgoIsNone(t *testing.T) {
	peer, by := deviceNamed('b'), deviceNamed('c')
	seen, heard := epoch, epoch.Add(time.Second)
	linked := DeviceStatus{Device: peer, State: StateInSync, Linked: true, Seen: seen}
	through := DeviceStatus{Device: peer, State: StateInSync, Via: by, Seen: seen}
	lost := DeviceStatus{Device: peer, State: StateOffline, Was: StateInSync, Seen: seen}
	lostNow, silent := lost, linked
	lostNow.Seen, silent.Silent = heard, true
	for _, c := range []struct {
		name  string
		is    DeviceStatus
		peers []PeerStatus
		want  DeviceStatus
	}{
		{"it stands", linked, []PeerStatus{{Device: peer}}, linked},
		{"it was lost", linked, []PeerStatus{{Device: peer, Connecting: true, Heard: heard}}, lostNow},
		{"it does not answer", linked, []PeerStatus{{Device: peer, Evasive: true, Heard: heard}}, silent},
		{"another one stands", linked, []PeerStatus{{Device: peer, Connecting: true}, {Device: peer}}, linked},
		{"another device was lost", linked, []PeerStatus{{Device: by, Connecting: true}}, linked},
		{"it is reached through one that stands", through, []PeerStatus{{Device: by}}, through},
		{"it was reached through one that was lost", through, []PeerStatus{{Device: by, Connecting: true, Heard: heard}}, lost},
	} {
		s := Snapshot{Links: LinkStatus{Peers: c.peers}, Folders: []FolderStatus{{Devices: []DeviceStatus{c.is}}}, Circle: []DeviceStatus{c.is}}
		s.meet()
		if s.Circle[0] != c.want || s.Folders[0].Devices[0] != c.want {
			t.Errorf("%s: %+v", c.name, s.Circle[0])
		}
	}
}

func TestADeviceThatOneConnectedHereIsConnectedToIsReached(t *testing.T) {
	p := newTeller(t, 'b', 'c')
	far := func(linked bool) line {
		l := lineOf('d', 0)
		l.Linked = linked
		return l
	}
	want := func(name byte) {
		t.Helper()
		if got := p.through(deviceNamed('d')); got != deviceNamed(name) {
			t.Errorf("through %q", got[0])
		}
	}
	want(0)
	p.hears('c', false, far(true))
	want('c')
	p.hears('b', false, far(true))
	want('b')
	p.hears('b', false, far(false))
	want('c')
	p.unlinked(p.now, deviceNamed('c'))
	want(0)
}
