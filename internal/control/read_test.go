package control

import (
	"errors"
	"fmt"
	"testing"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/eventlog"
	"github.com/zsync/zsync/internal/device"
	"github.com/zsync/zsync/replica"
)

func (f *fake) Conflicts(folder string) ([]device.Conflict, error) {
	version := func(path zsync.Path, name string) device.ConflictVersion {
		return device.ConflictVersion{Version: replica.Version{Path: path, Author: zsync.DeviceID{1}, WallMS: 1000, Size: 3}, Name: name}
	}
	return []device.Conflict{{Folder: folder, Versions: []device.ConflictVersion{version("a", "laptop"), version("a~conflict", "box")}}}, f.refuse
}

func (f *fake) Keep(folder string, order device.KeepVersions) (int, error) {
	f.orders = append(f.orders, fmt.Sprint(folder, order.Which, order.Paths))
	return len(order.Paths), f.refuse
}

func (f *fake) Why(folder string, path zsync.Path) (device.Why, error) {
	return device.Why{Folder: folder, Path: path, Code: "in-sync", Why: "so it is"}, f.refuse
}

func (f *fake) Tree(folder string, path zsync.Path, yield func(device.TreeLine) bool) error {
	for i := range 3 {
		item := replica.Item{Version: replica.Version{Path: path.Join(zsync.Name(fmt.Sprint(i))), Type: zsync.TypeFile}, Mode: 0o640}
		if f.refuse == nil && !yield(device.TreeLine{Folder: folder, Item: item}) {
			return nil
		}
	}
	return f.refuse
}

func (f *fake) Events(_ string, yield func(device.LogEvent) bool) error {
	for i := range 3 {
		ev := eventlog.Event{ID: zsync.EventID{byte(i)}, Header: zsync.Header{Version: 1, Seq: uint64(i)}, Body: []byte{byte(i)}}
		if !yield(device.LogEvent{Event: ev, Name: "laptop"}) {
			return nil
		}
	}
	return f.refuse
}

func (f *fake) Show(digits string) ([]device.Shown, error) {
	return []device.Shown{{Folder: digits, Damaged: "burnt"}, {Folder: digits}}, f.refuse
}

func TestConflictsAreListedAndSettledOverTheSocket(t *testing.T) {
	f := &fake{}
	client, _ := serving(t, f)
	all, err := client.Conflicts(t.Context(), "Photos")
	if err != nil || len(all) != 1 || all[0].Path != "a" || all[0].Name != "laptop" || len(all[0].Copies) != 1 || all[0].Copies[0].Wall != "1970-01-01T00:00:01Z" {
		t.Errorf("%+v, %v", all, err)
	}
	kept, err := client.Keep(t.Context(), Keep{Folder: "Photos", Which: "mine", Paths: []string{"a", "b/c"}})
	if err != nil || kept.Settled != 2 || fmt.Sprint(f.orders) != "[Photosmine[a b/c]]" {
		t.Errorf("%+v, %v, %v", kept, f.orders, err)
	}
	f.refuse = fmt.Errorf("a: %w", device.ErrChoice)
	if kept, err = client.Keep(t.Context(), Keep{Paths: []string{"a"}}); err != nil || !kept.Choice || kept.Refused == "" {
		t.Errorf("%+v, %v", kept, err)
	}
	for _, wrong := range []Keep{{}, {Which: "yours", Paths: []string{"a"}}, {Paths: []string{"../a"}}, {Paths: []string{".zsync/id"}}} {
		if _, err := client.Keep(t.Context(), wrong); err == nil {
			t.Errorf("taken: %+v", wrong)
		}
	}
}

func TestWhatIsReadOverTheSocketIsWhatTheDeviceSays(t *testing.T) {
	f := &fake{}
	client, _ := serving(t, f)
	for path, code := range map[string]string{"a/b": "in-sync", "": "in-sync", "a//b": "name", ".zsync/id": "private", "..": "name"} {
		if why, err := client.Why(t.Context(), "Photos", path); err != nil || why.Code != code || why.Folder != "Photos" || why.Path != path {
			t.Errorf("%q: %+v, %v", path, why, err)
		}
	}
	n := 0
	if err := client.Tree(t.Context(), "Photos", "d", func(line TreeLine) error {
		if line.Path != fmt.Sprintf("d/%d", n) || line.Mode != "0640" || line.Type != "file" || line.Event != "" {
			t.Errorf("%+v", line)
		}
		n++
		return nil
	}); err != nil || n != 3 {
		t.Errorf("%d, %v", n, err)
	}
	n = 0
	if err := client.Events(t.Context(), "Photos", func(ev device.LogEvent) error {
		if ev.ID[0] != byte(n) || ev.Header.Seq != uint64(n) || ev.Body[0] != byte(n) || ev.Name != "laptop" {
			t.Errorf("%+v", ev)
		}
		n++
		return nil
	}); err != nil || n != 3 {
		t.Errorf("%d, %v", n, err)
	}
	if shown, err := client.Show(t.Context(), "abcd"); err != nil || len(shown) != 2 || shown[0].Verified || !shown[1].Verified {
		t.Errorf("%+v, %v", shown, err)
	}
	f.refuse = errors.New("no")
	if err := client.Tree(t.Context(), "", "", func(TreeLine) error { return nil }); err == nil || err.Error() != "no" {
		t.Errorf("%v", err)
	}
}
