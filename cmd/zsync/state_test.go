package main

import (
	"strings"
	"testing"
	"time"

	"github.com/zsync/zsync/internal/control"
	"github.com/zsync/zsync/internal/device"
)

func TestAFolderWithWhatIsNotSyncedIsNotCalledInSyncWithoutThat(t *testing.T) {
	problem := func(path, code string) control.Problem { return control.Problem{Path: path, Code: code} }
	for _, c := range []struct {
		folder control.Folder
		want   string
	}{
		{control.Folder{State: device.StateInSync}, "in sync"},
		{control.Folder{State: device.StateOffline}, "not running"},
		{control.Folder{State: device.StateWaiting, Unread: 1, Problems: []control.Problem{problem("a", "unreadable")}}, "in sync but for 1 item"},
		{control.Folder{State: device.StateInSync, Problems: []control.Problem{problem("a", "name"), problem("b", "depth"), problem("b", "symlink")}}, "in sync but for 2 items"},
		{control.Folder{State: device.StateInSync, Path: "/p", Problems: []control.Problem{problem("other", "nested")}}, "in sync but for 1 item"},
		{control.Folder{State: device.StateInSync, Path: "/p", Problems: []control.Problem{problem("kept", "nested")}}, "in sync"},
		{control.Folder{State: device.StateInSync, Problems: []control.Problem{problem("", "watch")}}, "in sync"},
		{control.Folder{State: device.StateSyncing, Problems: []control.Problem{problem("a", "unreadable")}}, "syncing"},
		{control.Folder{State: device.StateWaiting, Problems: []control.Problem{problem("a", "unreadable")}}, "waiting"}, // for a device
	} {
		st := control.Status{Folders: []control.Folder{c.folder, {Path: "/p/kept"}}}
		if got := folderState(st, c.folder); got != c.want {
			t.Errorf("%+v: %q, not %q", c.folder, got, c.want)
		}
		c.folder.Label = "P"
		line := summary(control.Status{Folders: []control.Folder{c.folder, {Label: "other", Path: "/p/kept"}}}, "P").line
		if c.folder.State != device.StateOffline && !strings.HasPrefix(line, "P: "+c.want+",") {
			t.Errorf("the live line is %q", line)
		}
	}
}

func TestADeviceThatIsNotConnectedIsSaidToHaveBeenInSync(t *testing.T) {
	seen := time.Now().Add(-20 * time.Second).UTC().Format(time.RFC3339Nano)
	box := control.Device{Device: "b0", Name: "box", Linked: true}
	for _, c := range []struct {
		is   control.Device
		want string
	}{
		{control.Device{State: device.StateInSync, Linked: true}, "in sync"},
		{control.Device{State: device.StateSyncing, Linked: true}, "syncing"},
		{control.Device{State: device.StateSyncing, Linked: true, NeedFiles: 2, NeedBytes: 1500, Progress: control.Progress{Percent: 71, ETA: 1870, Rate: 8e6}}, "syncing, 71 %, 2 files (1.5 kB) to go, 8.0 MB/s, about 30 min"},
		{control.Device{State: device.StateSyncing, Linked: true, NeedFiles: 1}, "syncing, 0 %, 1 file to go"},
		{control.Device{State: device.StateInSync, Linked: true, Silent: true}, "does not answer, was in sync"},
		{control.Device{State: device.StateSyncing, Linked: true, Silent: true, NeedFiles: 1}, "does not answer, was syncing, 1 file to go"},
		{control.Device{State: device.StateInSync, Via: "b0", Seen: seen}, "in sync, connected to box"},
		{control.Device{State: device.StateOffline, Was: device.StateInSync, Seen: seen}, "not connected, was in sync 20 seconds ago"},
		{control.Device{State: device.StateOffline, Was: device.StateSyncing, NeedFiles: 1, Seen: seen}, "not connected, had 1 file to go 20 seconds ago"},
		{control.Device{State: device.StateOffline, Was: device.StateSyncing, Seen: seen}, "not connected, seen 20 seconds ago; lacks what changed since"},
		{control.Device{State: device.StateOffline, Seen: seen}, "not connected, seen 20 seconds ago"},
		{control.Device{State: device.StateOffline}, "not connected, not seen yet"},
	} {
		if got := deviceState([]control.Device{box, c.is}, c.is); got != c.want {
			t.Errorf("%+v: %q, not %q", c.is, got, c.want)
		}
	}
}
