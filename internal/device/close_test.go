package device

import (
	"testing"
	"time"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/internal/kv"
)

// lateWorkers have something to post while they are closed.
type lateWorkers struct{ post func() }

func (w lateWorkers) Do(any) {}

func (w lateWorkers) Close() error {
	w.post()
	return nil
}

func TestADeviceStopsThoughAWorkerIsStillPosting(t *testing.T) {
	r := &Running{folders: make(map[zsync.SpaceID]*runningFolder)}
	space := spaceNamed(1)
	post := func() { r.Post(Address{Part: Folder, Space: space}, Flushed{}) }
	r.folders[space] = &runningFolder{opened: Opened{Store: kv.NewMemory(), Disk: lateWorkers{post}}}
	closed := make(chan struct{})
	go func() { r.closeAll(); close(closed) }()
	select {
	case <-closed:
	case <-time.After(10 * time.Second):
		t.Fatal("they wait for each other")
	}
}
