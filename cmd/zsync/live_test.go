package main

import (
	"bytes"
	"testing"
	"time"

	"github.com/zsync/zsync/internal/control"
	"github.com/zsync/zsync/internal/device"
)

func TestALineAndANameFitIntoTheTerminal(t *testing.T) {
	for _, c := range []struct {
		line, name string
		columns    int
		want       string
	}{
		{"Photos: in sync", "", 20, "Photos: in sync"},
		{"Photos: in sync", "", 15, "Photos: in sync"},
		{"Photos: in sync", "", 10, "Photos: i…"},
		{"Photos: in sync", "", 1, "…"},
		{"Photos: 9 to go", "a.jpg", 22, "Photos: 9 to go  a.jpg"},
		{"Photos: 9 to go", "a.jpg", 21, "Photos: 9 to go"},
		{"Photos: 9 to go", "2026/summer/a.jpg", 27, "Photos: 9 to go  …mer/a.jpg"},
		{"Photos: 9 to go", "2026/summer/a.jpg", 24, "Photos: 9 to go"},
		{"写真: 9 to go", "日本語の写真.jpg", 24, "写真: 9 to go  …写真.jpg"},
		{"写真: 9 to go", "", 6, "写真:…"},
		{"写真", "", 3, "写…"},
	} {
		got := fit(c.line, c.name, c.columns)
		if got != c.want || columnsIn(got) > c.columns {
			t.Errorf("%q, %q in %d: %q, not %q", c.line, c.name, c.columns, got, c.want)
		}
	}
}

func TestALiveLineLeavesNoRemainsOfALongerOne(t *testing.T) {
	var out bytes.Buffer
	s := &screen{out: &out, live: true}
	s.show(progress{"syncing", "Photos: 2 files to go", "a long\x1b[2Jname.jpg"})
	s.show(progress{"in-sync", "Photos: in sync", ""})
	s.leave()
	want := "\rPhotos: 2 files to go  a long\\x1b[2Jname.jpg\x1b[J\r" + "\rPhotos: in sync\x1b[J\r" + "\rPhotos: in sync\x1b[J\n"
	if out.String() != want {
		t.Errorf("got  %q\nwant %q", out.String(), want)
	}
}

func TestWithoutATerminalOnlyComingIntoSyncIsTold(t *testing.T) {
	var out bytes.Buffer
	s := &screen{out: &out}
	for _, p := range []progress{
		{"scanning", "1", "a"}, {"in-sync", "2", ""}, {"in-sync", "3", ""}, {"syncing", "4", "b"}, {"in-sync", "5", ""},
	} {
		s.show(p)
	}
	s.leave()
	if out.String() != "2\n5\n" {
		t.Errorf("%q", out.String())
	}
}

func TestTheProgressLineSaysHowMuchHowFastAndHowLong(t *testing.T) {
	var rates rate
	began := time.Unix(1e9, 0)
	for _, c := range []struct {
		after        time.Duration
		files, bytes int64
		received     uint64
		want         string
	}{
		{0, 1000, 500e6, 0, "Photos: 1,000 files (500 MB) to go"},
		{2 * time.Second, 500, 400e6, 100e6, "Photos: 500 files (400 MB) to go, 50 MB/s, 8s left"},
		// One large file is under way: it is not whole, and what came of it counts.
		{4 * time.Second, 500, 400e6, 300e6, "Photos: 500 files (400 MB) to go, 75 MB/s, 4s left"},
		{8 * time.Second, 1, 1000, 500e6, "Photos: 1 file (1.0 kB) to go, 63 MB/s"},
		// More is found: the reckoning begins anew.
		{9 * time.Second, 100, 2000, 500e6, "Photos: 100 files (2.0 kB) to go"},
	} {
		st := control.Status{
			Folders: []control.Folder{{Label: "Photos", State: device.StateSyncing, NeedFiles: c.files, NeedBytes: c.bytes, Current: "a.jpg"}},
			Peers:   []control.Peer{{Received: c.received}},
		}
		if got := summary(began.Add(c.after), st, "Photos", &rates); got.line != c.want || got.current != "a.jpg" {
			t.Errorf("after %s: %+v, not %q", c.after, got, c.want)
		}
	}
}

func TestTheLeastAdvancedFolderIsTold(t *testing.T) {
	folders := []control.Folder{
		{Label: "Music", State: device.StateInSync, Files: 2, Bytes: 2000},
		{Label: "Photos", State: device.StateScanning, Files: 1000, Bytes: 1000},
	}
	for label, want := range map[string]string{
		"":      "2 folders: scanning, 1,002 files, 3.0 kB",
		"Music": "Music: in sync, 2 files, 2.0 kB",
		"Fotos": "Fotos: opening",
	} {
		if got := summary(time.Time{}, control.Status{Folders: folders}, label, &rate{}); got.line != want {
			t.Errorf("%q: %q, not %q", label, got.line, want)
		}
	}
	if got := summary(time.Time{}, control.Status{}, "", &rate{}); got.line != "waiting for folders" || got.state != "" {
		t.Errorf("%+v", got)
	}
}
