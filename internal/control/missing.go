package control

import (
	"fmt"
	"strings"
	"time"

	"github.com/zsync/zsync/internal/device"
	"github.com/zsync/zsync/replica"
)

// Missing says what keeps the device from being in sync with all the others; ""
// when nothing does. A device counts only if it was linked since the given time.
func (st Status) Missing(since time.Time, connectedOnly bool) string {
	if len(st.Pending) > 0 && !connectedOnly {
		return st.Pending[0].Sentence()
	}
	if st.Counters.Joining > 0 {
		return "this device is not yet a member of all its folders; another device of the circle has to be reached"
	}
	for _, f := range st.Folders {
		if len(f.Held) > 0 {
			return fmt.Sprintf("%s is held here: %s", f.Label, f.Held[0].Why)
		}
		if f.Unread > 0 {
			return fmt.Sprintf("%s is in sync here but for what cannot be read, %s", f.Label, f.unreadable())
		}
		if f.State != device.StateInSync {
			return fmt.Sprintf("%s is %s here%s", f.Label, strings.ReplaceAll(f.State, "-", " "), toGo(uint64(max(0, f.NeedFiles))))
		}
	}
	if why := missingIn("the circle", st.Circle, since, connectedOnly); why != "" {
		return why
	}
	for _, f := range st.Folders {
		if why := missingIn(f.Label, f.Devices, since, connectedOnly); why != "" {
			return why
		}
	}
	return ""
}

func missingIn(what string, devices []Device, since time.Time, connectedOnly bool) string {
	for _, d := range devices {
		seen, _ := time.Parse(time.RFC3339Nano, d.Seen) // "" is never
		switch {
		case connectedOnly && !d.Linked:
		case seen.Before(since):
			return fmt.Sprintf("%s is not connected", d.Name)
		case d.State != device.StateInSync && d.Was != device.StateInSync:
			return fmt.Sprintf("%s is not in sync with %s%s", d.Name, what, toGo(d.NeedFiles))
		}
	}
	return ""
}

// unreadable names the first thing that cannot be read, and counts them all.
func (f *Folder) unreadable() string {
	for _, p := range f.Problems {
		switch {
		case p.Code != replica.CodeUnreadable:
		case f.Unread == 1:
			return fmt.Sprintf("%s: %s", p.Path, p.Why)
		default:
			return fmt.Sprintf("%d items; the first is %s: %s", f.Unread, p.Path, p.Why)
		}
	}
	return ""
}

func toGo(files uint64) string {
	if files == 0 {
		return ""
	}
	return fmt.Sprintf(" (files to go: %d)", files)
}

// Sentence says what a pairing waits for.
func (p Pending) Sentence() string {
	if p.Name == "" {
		return fmt.Sprintf("the device with key %s… was paired here and has not been met yet", p.Key[:10])
	}
	return fmt.Sprintf("%s was met and is not in the circle yet", p.Name)
}

// Paired reports whether the owner of a key is in the circle.
func (st Status) Paired(key string) bool {
	for _, p := range st.Pending {
		if p.Key == key {
			return false
		}
	}
	for _, k := range st.Keys {
		if k == key {
			return true
		}
	}
	return false
}
