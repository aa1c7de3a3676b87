package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/gofrs/flock"

	"github.com/zsync/zsync/internal/control"
	"github.com/zsync/zsync/internal/device"
	"github.com/zsync/zsync/internal/kv"
	"github.com/zsync/zsync/internal/kv/bolt"
	"github.com/zsync/zsync/security"
)

// stoppedStatus reads what a device that does not run has written down.
func (p *program) stoppedStatus() (control.Status, error) {
	st := control.Empty()
	keys, err := p.loadOrMakeKeys(false)
	if err != nil {
		return st, err
	}
	s, err := p.settle(deviceFlags{})
	if err != nil {
		return st, err
	}
	st.Device = control.Self{Key: keys.Key().String(), Device: keys.Device().String(), Name: s.Name, Listen: s.Listen, Transfer: s.Transfer}
	limits, err := p.limitsOf(s)
	if err != nil {
		return st, err
	}
	st.Limits = control.LimitsOf(limits)
	w, err := p.written()
	if err != nil {
		return st, err
	}
	for _, f := range w.folders {
		st.Folders = append(st.Folders, control.Stopped(f))
	}
	st.Offered = append(st.Offered, w.offered...)
	st.AddTrust(w.trust.Records())
	return st, nil
}

// written is what a device keeps in its home.
type written struct {
	folders []device.Registration
	offered []string
	trust   *security.Trust
}

// written reads the home of a device that does not run.
func (p *program) written() (w written, err error) {
	if err := p.home().whole(); err != nil {
		return w, err
	}
	db, err := bolt.OpenReadOnly(p.home().database())
	if errors.Is(err, fs.ErrNotExist) {
		w.trust, err = security.LoadTrust(p.home().trusted())
		return w, failed(exitFailed, err, "")
	}
	if err != nil {
		return w, failed(exitFailed, err, "")
	}
	defer func() { err = failed(exitFailed, errors.Join(err, db.Close()), "") }()
	if w.folders, _, err = device.Kept(db); err != nil {
		return w, err
	}
	if w.offered, err = device.Offered(db); err != nil {
		return w, err
	}
	w.trust, _, err = device.Known(db, p.home().trusted())
	return w, err
}

// eachStopped reads the databases of a folder, or of all (""), of a device that
// does not run.
func (p *program) eachStopped(label string, read func(kv.Store, device.Registration) error) error {
	w, err := p.written()
	if err != nil {
		return err
	}
	found := label == ""
	for _, reg := range w.folders {
		if label != "" && string(reg.Label) != label {
			continue
		}
		found = true
		if err := read(briefly{p.home().space(reg.Space.String())}, reg); err != nil {
			return err
		}
	}
	if !found {
		return noFolder(label)
	}
	return nil
}

// briefly is a database that is open only while it is read, and not while what was
// read is shown: whoever looks at that for an hour does not keep the device from
// starting.
type briefly struct{ path string }

var _ kv.Store = briefly{}

// View implements [kv.Store].
func (b briefly) View(read func(kv.Tx) error) error {
	db, err := bolt.OpenReadOnly(b.path)
	if err != nil {
		return err
	}
	return errors.Join(db.View(read), db.Close())
}

// Update implements [kv.Store]: it fails.
func (b briefly) Update(func(kv.Tx) error) error { return fmt.Errorf("%s is open to be read", b.path) }

// Close implements [kv.Store].
func (briefly) Close() error { return nil }

// tellOnce tells what read finds. Once something was told, a device that starts
// meanwhile ends it: nothing is told twice.
func tellOnce[T any](yield func(T) error, read func(tell func(T) bool) error) error {
	told := false
	var refused error
	err := read(func(what T) bool {
		told = true
		refused = yield(what)
		return refused == nil
	})
	if told && locked(err) {
		err = failedf(exitFailed, "zsync status", "a device was started for this home meanwhile, and this is not all: run it again")
	}
	return errors.Join(refused, err)
}

// locked reports whether err is that another process has the database: a device
// that is starting, whose control socket does not answer yet, or one that ends.
func locked(err error) bool { return errors.Is(err, bolt.ErrLocked) }

// orWithout does something with the running device, and else without it. A device
// that is just starting or ending is waited for.
func orWithout(ctx context.Context, with, without func() error) error {
	for deadline := time.Now().Add(startingTime); ; {
		err := with()
		if !errors.Is(err, control.ErrUnreachable) {
			return failed(exitFailed, err, "")
		}
		if err = without(); !locked(err) {
			return err
		}
		if time.Now().After(deadline) || ctx.Err() != nil {
			return unlessInterrupted(ctx, exitUnreachable, "zsync status", "the device of this home is starting, and does not answer yet")
		}
	}
}

// runHint is what to do where no device runs.
const runHint = "start it with  zsync daemon  or  zsync watch DIR"

// notRunning is the failure of what only a running device can do.
func notRunning() error { return failed(exitUnreachable, control.ErrUnreachable, runHint) }

// refused is what a running device refused, with what to do then, or that none runs.
func refused(err error, hint string) error {
	if errors.Is(err, control.ErrUnreachable) {
		return notRunning()
	}
	return failed(exitFailed, err, hint)
}

// starting reports whether a process holds the home, which does not answer yet.
func (p *program) starting() bool {
	if _, err := os.Stat(p.home().lock()); err != nil {
		return false
	}
	lock := flock.New(p.home().lock())
	free, err := lock.TryLock()
	if free {
		err = lock.Unlock()
	}
	return !free && err == nil
}

// startingTime is how long a device may take to open its database and sockets.
const startingTime = 10 * time.Second
