package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/zsync/zsync/internal/control"
	"github.com/zsync/zsync/internal/device"
)

// drawEvery is how often the live line of a terminal is drawn.
const drawEvery = 500 * time.Millisecond

// follow shows the progress of a folder ("" for all): a live line on a terminal,
// elsewhere a line each time that it has come into sync. moved tells another number
// whenever something may have changed, and spares asking a device at rest; nil: that
// is not known.
func (p *program) follow(ctx context.Context, label string, moved func() uint64) {
	screen := newScreen(p.stderr)
	defer screen.leave()
	still := stillness{moved: moved}
	for {
		shown, is, err := still.look(func() (progress, error) {
			st, err := p.client().Status(ctx)
			return summary(st, label), err
		})
		if is {
			screen.show(shown)
		} else if errors.Is(err, control.ErrUnreachable) {
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(drawEvery):
		}
	}
}

// stillness knows whether there is anything new to ask of a device.
type stillness struct {
	moved func() uint64
	rests bool // as was shown last
	last  uint64
	looks int // since it moved
}

// stillLooks is at how many looks a device must not have moved: what moves it may take
// a moment to show.
const stillLooks = 2

// look asks a device, unless there is nothing new; is: here is what it said. One that
// did not answer is asked again.
func (s *stillness) look(ask func() (progress, error)) (shown progress, is bool, err error) {
	if s.yes() {
		return shown, false, nil
	}
	shown, err = ask()
	s.rests = err == nil && shown.rests()
	return shown, err == nil, err
}

func (s *stillness) yes() bool {
	if s.moved == nil {
		return false
	}
	now := s.moved()
	if now != s.last {
		s.last, s.looks = now, 0
	}
	s.looks++
	return s.rests && s.looks > stillLooks
}

// stateBut is the state of a folder that is in sync but for what is not synced.
const stateBut = "in sync but"

// progress is how far a folder is, or all of them: in a word, in a line, and what
// is being worked on.
type progress struct{ state, line, current string }

// rests reports whether nothing more happens by itself.
func (p progress) rests() bool {
	return p.state == device.StateInSync || p.state == device.StateHeld || p.state == stateBut
}

// summary tells how far the folder with a label is, or the least advanced of all.
func summary(st control.Status, label string) progress {
	var total control.Folder
	if len(st.Folders) > 0 {
		total.State = device.StateInSync
	}
	left := 0
	for _, f := range st.Folders {
		if label == "" || label == f.Label {
			add(&total, f)
			left += leftOutOf(st, f)
		}
	}
	if label == "" && len(st.Folders) > 1 {
		total.Label = fmt.Sprintf("%d folders", len(st.Folders))
	}
	switch {
	case total.Label == "" && label != "":
		return progress{line: label + ": opening"}
	case total.Label == "":
		return progress{line: "waiting for folders"}
	case total.State == device.StateHalted:
		return progress{total.State, total.Label + ": halted: " + total.Why, ""}
	case len(total.Held) > 0:
		return progress{device.StateHeld, total.Held[0].Why, ""}
	case total.NeedFiles > 0:
		return progress{total.State, total.Label + ": " + toGo(total), total.Current}
	}
	state, but := inSyncBut(total, left)
	if but {
		total.State = stateBut
	}
	return progress{total.State, fmt.Sprintf("%s: %s, %s, %s", total.Label, state, count(total.Files, "file"), octets(total.Bytes)), ""}
}

func add(total *control.Folder, f control.Folder) {
	if f.State != device.StateInSync {
		total.State, total.Current, total.Why, total.Unread = f.State, f.Current, f.Why, f.Unread
	}
	for _, held := range f.Held {
		total.Held = append(total.Held, control.Held{ID: held.ID, Why: f.Label + ": held: " + held.Why})
	}
	total.ETA = lastOf(*total, f)
	total.Label = f.Label
	total.Files += f.Files
	total.Bytes += f.Bytes
	total.NeedFiles += f.NeedFiles
	total.Left += f.Left
	total.Rate += f.Rate
}

// lastOf returns how long it takes until both of two folders have all; 0: nobody knows.
func lastOf(a, b control.Folder) int64 {
	unknown := func(f control.Folder) bool { return f.NeedFiles > 0 && f.ETA == 0 }
	if unknown(a) || unknown(b) {
		return 0
	}
	return max(a.ETA, b.ETA)
}

// toGo tells what a folder lacks and how long that takes. That it is syncing goes
// without saying.
func toGo(f control.Folder) (line string) {
	if f.State != device.StateSyncing {
		line = stateWords(f.State) + ", "
	}
	return line + fmt.Sprintf("%s (%s) to go", count(f.NeedFiles, "file"), octets(f.Left)) + pace(f.Progress)
}
