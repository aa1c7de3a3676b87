package main

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/gofrs/flock"

	"github.com/zsync/zsync/internal/kv/bolt"
	"github.com/zsync/zsync/internal/zeromq"
	"github.com/zsync/zsync/security"
)

// startWhileHeld assembles the device of a home, which something holds that lets go of it
// in a while.
func startWhileHeld(t *testing.T, hold func(home) (release func() error)) {
	t.Helper()
	dir, err := os.MkdirTemp("", "z")
	must(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	p := &program{stdout: io.Discard, stderr: io.Discard, homeDir: dir}
	_, err = p.loadOrMakeKeys(false)
	must(t, err)
	release := hold(p.home())
	released := make(chan error, 1)
	time.AfterFunc(3*time.Second/2, func() { released <- release() })
	a, err := p.assembleWhenFree(t.Context(), deviceFlags{listen: "127.0.0.1:0", transfer: "127.0.0.1:0"}, "")
	must(t, err)
	must(t, <-released)
	must(t, a.close())
}

func TestADeviceThatStartsWaitsForACommandThatWritesToItsDatabase(t *testing.T) {
	t.Parallel()
	startWhileHeld(t, func(h home) func() error {
		db, err := bolt.Open(h.database())
		must(t, err)
		return db.Close
	})
}

func TestWhoHoldsTheLockOfAHomeForAMomentIsNotTakenForItsDevice(t *testing.T) {
	t.Parallel()
	startWhileHeld(t, func(h home) func() error {
		lock := flock.New(h.lock())
		must(t, lock.Lock())
		return lock.Unlock
	})
}

func TestADeviceWhoseDatabaseIsDamagedSaysSo(t *testing.T) {
	t.Parallel()
	p := &program{stdout: io.Discard, stderr: io.Discard, homeDir: t.TempDir()}
	_, err := p.loadOrMakeKeys(false)
	must(t, err)
	must(t, os.WriteFile(p.home().database(), []byte(strings.Repeat("no database ", 1000)), 0o600))
	if _, err := p.assemble(deviceFlags{listen: "127.0.0.1:0", transfer: "127.0.0.1:0"}, ""); !errors.Is(err, bolt.ErrDamaged) {
		t.Errorf("it says %v", err)
	}
}

// TestADeviceLetsItsPeersInFromTheMomentThatItListens dials a device that has bound
// its sockets and does not run yet. Who is not let in then tries again seconds later.
func TestADeviceLetsItsPeersInFromTheMomentThatItListens(t *testing.T) {
	t.Parallel()
	dir, err := os.MkdirTemp("", "z")
	must(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	laptop, err := security.GenerateKeys(rand.Reader)
	must(t, err)
	p := &program{stdout: io.Discard, stderr: io.Discard, homeDir: dir}
	box, err := p.loadOrMakeKeys(false)
	must(t, err)
	must(t, p.pair(t.Context(), laptop.Key(), ""))
	a, err := p.assemble(deviceFlags{listen: "127.0.0.1:0", transfer: "127.0.0.1:0"}, "")
	must(t, err)
	t.Cleanup(func() { must(t, a.close()) })

	far, err := zeromq.NewContext()
	must(t, err)
	_, secret := laptop.Curve()
	link, err := far.Listen(zeromq.Config{Key: laptop.Key(), Secret: secret, Multipart: true})
	must(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- link.Run(ctx) }()
	link.Do(zeromq.Orders{Dial: []zeromq.Dial{{Conn: 1, Endpoint: "tcp://" + a.self.Listen, Key: box.Key()}}})
	if facts := <-link.Facts(); len(facts) == 0 || facts[0].Kind != zeromq.Opened {
		t.Errorf("%+v", facts)
	}
	cancel()
	must(t, <-ended)
	must(t, far.Close())
}
