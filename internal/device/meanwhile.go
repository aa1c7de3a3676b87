package device

import (
	"errors"
	"slices"
	"sync/atomic"
	"time"
)

const (
	// promptTime is how long a status waits for a folder that is in the middle of a turn.
	// One on a slow disk, or with a million files, may be long.
	promptTime = 50 * time.Millisecond
	// seenTime is how old may be what a status reads from the database, in the middle of
	// a turn: who the other devices are, and what none of them has.
	seenTime = time.Second
)

// meanwhile is how a folder stood when the turn that is under way began.
type meanwhile struct {
	status FolderStatus
	since  time.Time
}

// told returns the status for one who asks: several may during one turn, and each adds
// to the devices what the link knows of them.
func (m *meanwhile) told() FolderStatus {
	st := m.status
	st.Devices = slices.Clone(st.Devices)
	return st
}

// folderLoop is a folder's machine as its loop steps it. Whoever asks during a turn is
// told how things stood before it, which is what would have been said a moment earlier.
type folderLoop struct {
	*FolderMachine
	before atomic.Pointer[meanwhile] // nil: no turn is under way

	seen   FolderStatus // with what the database says; the loop's own
	seenAt time.Time
}

// Handle steps the machine, and lets be seen meanwhile what was before.
func (l *folderLoop) Handle(now time.Time, in []any) ([]Effect, error) {
	l.note(now)
	defer l.before.Store(nil)
	return l.FolderMachine.Handle(now, in)
}

func (l *folderLoop) note(now time.Time) {
	if age := now.Sub(l.seenAt); age < 0 || age >= seenTime || !slices.Equal(l.seen.Replica.Held, l.status.Replica.Held) {
		seen, err := l.Status()
		if err != nil {
			return
		}
		l.seen, l.seenAt = seen, now
	}
	st := l.brief()
	st.Devices, st.Held, st.Missing = slices.Clone(l.seen.Devices), l.seen.Held, l.seen.Missing
	st.judge()
	l.Foretell(now, &st)
	st.Settled = false // it is at work
	if st.State == StateInSync {
		st.State = StateSyncing
	}
	l.before.Store(&meanwhile{st, now})
}

// stands is what a folder says of itself.
type stands struct {
	status FolderStatus
	err    error
}

// stands asks a folder how it stands, or how it stood when its turn began. One that does
// not end its turn, or that does not begin one, is a [Busy].
func (f *runningFolder) stands() (stands, error) {
	question := func() (t stands) {
		t.status, t.err = f.machine.Status()
		f.machine.Foretell(f.loop.clock(), &t.status)
		return t
	}
	t, err := ask(f.loop, promptTime, question)
	var busy *Busy
	if !errors.As(err, &busy) {
		return t, err
	}
	if before := f.before(); before != nil && f.loop.clock().Sub(before.since) < statusTime {
		return stands{status: before.told()}, nil
	}
	t, err = ask(f.loop, statusTime-promptTime, question)
	if errors.As(err, &busy) {
		busy.Waits = statusTime
	}
	return t, err
}

func (f *runningFolder) before() *meanwhile {
	if turning, is := f.loop.machine.(*folderLoop); is {
		return turning.before.Load()
	}
	return nil
}
