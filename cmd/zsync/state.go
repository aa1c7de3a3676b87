package main

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/zsync/zsync/internal/control"
	"github.com/zsync/zsync/internal/device"
	"github.com/zsync/zsync/replica"
)

func stateWords(state string) string { return strings.ReplaceAll(state, "-", " ") }

// folderState says of a folder of a device that does not run no more than that: what is
// in it was not looked at. It calls none in sync that holds what is not synced without
// saying so.
func folderState(st control.Status, f control.Folder) string {
	if f.State == device.StateOffline {
		return "not running"
	}
	text, _ := inSyncBut(f, leftOutOf(st, f))
	return text
}

// inSyncBut says how a folder is that holds so many items that are not synced, and
// reports whether all else is in sync.
func inSyncBut(f control.Folder, left int) (text string, but bool) {
	if left > 0 && (f.Unread > 0 || f.State == device.StateInSync) {
		return "in sync but for " + count(left, "item"), true
	}
	return stateWords(f.State), false
}

// leftOutOf counts what a folder holds that is not synced. What is a folder of its own
// that this device keeps is in sync as that.
func leftOutOf(st control.Status, f control.Folder) (n int) {
	left := make(map[string]bool)
	for _, p := range f.Problems {
		is := func(other control.Folder) bool { return other.Path == filepath.Join(f.Path, p.Path) }
		if p.Path != "" && (p.Code != replica.CodeNested || !slices.ContainsFunc(st.Folders, is)) {
			left[p.Path] = true
		}
	}
	return len(left)
}

// deviceState says how far a device is with a folder. What is known of one that is not
// connected, or does not answer, is old.
func deviceState(all []control.Device, d control.Device) string {
	switch {
	case d.State == device.StateOffline:
		return "not connected" + wasState(d)
	case d.Silent && d.State == device.StateInSync:
		return "does not answer, was in sync"
	case d.Silent:
		return "does not answer, was " + farState(d.State, d)
	}
	text := farState(d.State, d)
	for _, by := range all {
		if d.Via != "" && by.Device == d.Via {
			text += ", connected to " + by.Name
		}
	}
	return text
}

// farState is a state with what is to go.
func farState(state string, d control.Device) string {
	switch {
	case state == device.StateSyncing && d.NeedFiles > 0 && d.Silent:
		return "syncing, " + toGoWords(d)
	case state == device.StateSyncing && d.NeedFiles > 0:
		return fmt.Sprintf("syncing, %d %%, ", d.Percent) + toGoWords(d) + pace(d.Progress)
	}
	return stateWords(state)
}

func toGoWords(d control.Device) string {
	if d.NeedBytes == 0 {
		return count(d.NeedFiles, "file") + " to go"
	}
	return fmt.Sprintf("%s (%s) to go", count(d.NeedFiles, "file"), octets(d.NeedBytes))
}

// wasState is how far a device was that is not connected.
func wasState(d control.Device) string {
	switch {
	case d.Seen == "":
		return ", not seen yet"
	case d.Was == device.StateInSync:
		return ", was in sync " + ago(d.Seen)
	case d.Was == device.StateSyncing && d.NeedFiles > 0:
		return fmt.Sprintf(", had %s %s", toGoWords(d), ago(d.Seen))
	case d.Was == device.StateSyncing:
		return ", seen " + ago(d.Seen) + "; lacks what changed since"
	}
	return ", seen " + ago(d.Seen)
}
