package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/dustin/go-humanize"

	"github.com/zsync/zsync/internal/control"
	"github.com/zsync/zsync/internal/device"
)

// drawEvery is how often the live line of a terminal is drawn.
const drawEvery = 500 * time.Millisecond

// follow shows the progress of a folder ("" for all): a live line on a terminal,
// elsewhere a line each time that it has come into sync.
func (p *program) follow(ctx context.Context, label string) {
	screen := newScreen(p.stderr)
	defer screen.leave()
	var rates rate
	for {
		if st, err := p.client().Status(ctx); err == nil {
			screen.show(summary(time.Now(), st, label, &rates))
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
func summary(now time.Time, st control.Status, label string, rates *rate) progress {
	var total control.Folder
	if len(st.Folders) > 0 {
		total.State = device.StateInSync
	}
	syncing, left := 0, 0
	for _, f := range st.Folders {
		if f.NeedFiles > 0 {
			syncing++
		}
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
		togo := amount{files: total.NeedFiles, bytes: total.NeedBytes}
		if label == "" || syncing == 1 {
			togo.received = received(st)
		}
		return progress{total.State, total.Label + ": " + toGo(now, total, togo, rates), total.Current}
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
	total.Label = f.Label
	total.Files += f.Files
	total.Bytes += f.Bytes
	total.NeedFiles += f.NeedFiles
	total.NeedBytes += f.NeedBytes
}

// toGo tells what a folder lacks and how long that takes. That it is syncing goes
// without saying.
func toGo(now time.Time, f control.Folder, togo amount, rates *rate) (line string) {
	if f.State != device.StateSyncing {
		line = stateWords(f.State) + ", "
	}
	line += fmt.Sprintf("%s (%s) to go", count(f.NeedFiles, "file"), octets(f.NeedBytes))
	left, perSecond := rates.eta(now, togo)
	if perSecond > 0 {
		line += fmt.Sprintf(", %s/s", humanize.Bytes(uint64(perSecond)))
	}
	if left = left.Round(time.Second); left > 0 {
		line += fmt.Sprintf(", %s left", left)
	}
	return line
}

// received is what all peers have sent since they connected, in octets.
func received(st control.Status) (sum uint64) {
	for _, peer := range st.Peers {
		sum += peer.Received
	}
	return sum
}

// amount is what is to go. Octets of a file are counted there once it is whole;
// what was received tells of the files under way, or is 0 where it says nothing.
type amount struct {
	files, bytes int64
	received     uint64
}

// rate works out how fast what is to go goes, by octets and by files; what takes
// longer decides.
type rate struct {
	began time.Time
	first amount
	last  amount
}

func (r *rate) eta(now time.Time, togo amount) (left time.Duration, perSecond float64) {
	if r.began.IsZero() || togo.files > r.last.files || togo.bytes > r.last.bytes || togo.received < r.last.received {
		*r = rate{began: now, first: togo, last: togo}
		return 0, 0
	}
	r.last = togo
	seconds := now.Sub(r.began).Seconds()
	files := r.first.files - togo.files
	octets := max(r.first.bytes-togo.bytes, min(r.first.bytes, int64(togo.received-r.first.received)))
	if seconds < 1 || files == 0 && octets == 0 {
		return 0, 0
	}
	perSecond = float64(octets) / seconds
	if octets > 0 {
		left = inSeconds(float64(r.first.bytes-octets) / perSecond)
	}
	if files > 0 {
		left = max(left, inSeconds(float64(togo.files)/float64(files)*seconds))
	}
	return left, perSecond
}

func inSeconds(n float64) time.Duration { return time.Duration(n * float64(time.Second)) }
