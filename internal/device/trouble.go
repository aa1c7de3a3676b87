package device

import (
	"errors"
	"fmt"
	"maps"
	"time"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/eventlog"
	"github.com/zsync/zsync/store"
)

// What stops for want of what the machine may have later goes on by itself: a disk
// that is full has room again, a limit is raised. The machine that failed begins anew
// from its database, since what it has in memory may be ahead of that.

// haltedWhy tells why a folder is halted.
func haltedWhy(err error) string {
	if why := store.Trouble(err); why != "" {
		return fmt.Sprintf("nothing of it is lost, and nothing of it is synced, while %s (%v)", why, err)
	}
	return err.Error()
}

// trouble tells what home waits for, if it does.
func (h *HomeMachine) trouble() string {
	if h.failed == nil || store.Trouble(h.failed) == "" {
		return ""
	}
	return "what this device knows of its circle and its folders cannot be written down now, so nothing new is taken up: " + store.Explain(h.failed)
}

// anew begins home again from its database.
func (h *HomeMachine) anew(now time.Time) error {
	was := *h
	*h = HomeMachine{
		cfg: was.cfg, store: was.store, draws: was.draws, joined: was.joined, met: was.met, silent: was.silent,
		away: was.away, fresh: was.fresh, moves: was.moves,
		folders: make(map[Label]Registration), scouts: make(map[zsync.SpaceID]Label),
	}
	if was.circle != nil {
		h.emit(Address{Part: Link}, Quit{was.circle.id}) // what follows enters it, and so hears who is there
	}
	err := h.begin(now)
	if err != nil {
		h.circle, h.failed = was.circle, err
	}
	return err
}

// homeLoop steps home. Where the disk does not take a turn, it keeps what must not be
// lost of the turn's inputs, and tries again until the disk does.
type homeLoop struct {
	*HomeMachine
	left []any
	due  time.Time // of the next try; zero where nothing failed
}

func (l *homeLoop) Handle(now time.Time, in []any) ([]Effect, error) {
	if l.due.IsZero() {
		return l.try(now, in)
	}
	l.keep(in)
	if now.Before(l.due) {
		return nil, nil
	}
	return l.try(now, l.left)
}

// try takes a turn; one that the disk did not take is no error yet.
func (l *homeLoop) try(now time.Time, in []any) ([]Effect, error) {
	effects, err := l.step(now, in)
	switch {
	case err == nil:
		l.left, l.due = nil, time.Time{}
	case l.trouble() != "":
		if l.due.IsZero() {
			l.keep(in)
		}
		l.due = now.Add(reopenAfter)
		return nil, nil
	}
	return effects, err
}

// order has home take one order of a person, who is told of the failure and gives it
// again: nothing is kept of it.
func (l *homeLoop) order(now time.Time, order any) ([]Effect, error) {
	effects, err := l.step(now, []any{order})
	if err != nil && l.trouble() != "" {
		l.due = now.Add(reopenAfter)
		err = &Refusal{l.trouble()}
	}
	return effects, err
}

func (l *homeLoop) step(now time.Time, in []any) ([]Effect, error) {
	if l.trouble() != "" {
		err := l.anew(now)
		if errors.Is(err, eventlog.ErrRefused) {
			err = l.silence(now, err)
		}
		if err != nil {
			return nil, err
		}
	}
	met, away, fresh, moves := maps.Clone(l.met), maps.Clone(l.away), l.fresh, l.moves
	effects, err := l.HomeMachine.Handle(now, in)
	if l.failed != nil {
		l.met, l.away, l.fresh, l.moves = met, away, fresh, moves
	}
	return effects, err
}

// keep remembers the inputs that nobody says again. Who is linked, and what they say,
// home hears once more when it enters the circle's group again.
func (l *homeLoop) keep(in []any) {
	for _, what := range in {
		switch what.(type) {
		case Heard, Linked, Unlinked, AskProgress:
		default:
			l.left = append(l.left, what)
		}
	}
}

// Deadline is when a turn is next needed without an input.
func (l *homeLoop) Deadline() time.Time {
	if !l.due.IsZero() {
		return l.due
	}
	return l.HomeMachine.Deadline()
}
