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
	photos := control.Folder{Label: "Photos", State: device.StateSyncing, NeedFiles: 500, NeedBytes: 500e6, Left: 400e6, Current: "a.jpg"}
	music := control.Folder{Label: "Music", State: device.StateSyncing, NeedFiles: 1, NeedBytes: 3e6, Left: 3e6}
	for _, c := range []struct {
		here, there control.Progress
		want, both  string
	}{
		{
			control.Progress{},
			control.Progress{},
			"Photos: 500 files (400 MB) to go", "2 folders: 501 files (403 MB) to go",
		},
		{
			control.Progress{Rate: 8e6, ETA: 1870},
			control.Progress{},
			"Photos: 500 files (400 MB) to go, 8.0 MB/s, about 30 min", "2 folders: 501 files (403 MB) to go, 8.0 MB/s",
		},
		{
			control.Progress{Rate: 8e6, ETA: 50},
			control.Progress{Rate: 1e6, ETA: 70},
			"Photos: 500 files (400 MB) to go, 8.0 MB/s, about 50 s", "2 folders: 501 files (403 MB) to go, 9.0 MB/s, about 1 min",
		},
	} {
		photos.Progress, music.Progress = c.here, c.there
		st := control.Status{Folders: []control.Folder{photos, music}}
		if got := summary(st, "Photos"); got.line != c.want || got.current != "a.jpg" {
			t.Errorf("%+v, not %q", got, c.want)
		}
		if got := summary(st, ""); got.line != c.both {
			t.Errorf("%q, not %q", got.line, c.both)
		}
	}
}

func TestATimeIsToldNoMoreExactlyThanItCanBe(t *testing.T) {
	for left, want := range map[time.Duration]string{
		time.Second: "a few seconds", 12 * time.Second: "about 10 s", 54 * time.Second: "about 55 s", 56 * time.Second: "about 1 min",
		185 * time.Second: "about 3 min", 31 * time.Minute: "about 30 min", 119 * time.Minute: "about 120 min",
		5*time.Hour + 20*time.Minute: "about 5 h", 75 * time.Hour: "about 3 days",
	} {
		if got := about(left); got != want {
			t.Errorf("%s: %q, not %q", left, got, want)
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
		if got := summary(control.Status{Folders: folders}, label); got.line != want {
			t.Errorf("%q: %q, not %q", label, got.line, want)
		}
	}
	if got := summary(control.Status{}, ""); got.line != "waiting for folders" || got.state != "" {
		t.Errorf("%+v", got)
	}
}
