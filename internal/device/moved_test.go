package device

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/internal/meter"
)

func TestADeviceHasMovedAfterATurnOfAFolderThatConcernsNobodyElse(t *testing.T) {
	w := newTwoCopies(t)
	w.run(time.Minute)
	r := &Running{host: Host{Stages: new(meter.Stages)}}
	f := r.runningFolder(Registration{}, w.copies[0].machine, Opened{})
	f.loop.clock = func() time.Time { return w.now }
	deliver := f.loop.deliver
	f.loop.deliver = func(effects []Effect) {
		if len(effects) > 0 {
			t.Errorf("the turn has effects: %+v", effects)
		}
		deliver(effects)
	}
	before := r.Moved()
	f.loop.post(StopScrub{})
	if _, err := f.loop.turn(); err != nil {
		t.Fatal(err)
	}
	if r.Moved() == before {
		t.Error("what the turn has changed is not asked for")
	}
}

func TestADeviceHasMovedWhenAFolderCouldNotBeOpened(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		r := &Running{
			ctx: ctx, owner: make(chan any, 1), folders: map[zsync.SpaceID]*runningFolder{}, halted: map[zsync.SpaceID]Halted{},
			host: Host{
				Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
				Open: func(OpenFolder, func(Address, any)) (Opened, error) {
					time.Sleep(time.Minute) // a disk that hangs
					return Opened{}, errors.New("it is away")
				},
			},
		}
		r.Post(Address{Part: Owner}, OpenFolder{})
		go r.own()
		time.Sleep(time.Second)
		opening := r.Moved()
		time.Sleep(time.Minute)
		if _, halted := r.kept(); len(halted) != 1 {
			t.Fatalf("%d folders are halted", len(halted))
		}
		if r.Moved() == opening {
			t.Error("that it is halted is not asked for")
		}
		cancel()
	})
}
