package main

import (
	"testing"

	"github.com/zsync/zsync/internal/control"
)

func TestAPathOfThisComputerIsFoundInItsFolder(t *testing.T) {
	photos, music := t.TempDir(), t.TempDir()
	st := control.Status{Folders: []control.Folder{{Label: "Photos", Path: photos}, {Label: "Music", Path: music}}}
	for _, c := range []struct{ typed, folder, place, inFolder string }{
		{"2026/a.jpg", "", "2026/a.jpg", ""},
		{"2026/", "", "2026", ""},
		{".hidden/a", "", ".hidden/a", ""},
		{"", "Music", "", "Music"},
		{photos + "/2026/a.jpg", "", "2026/a.jpg", "Photos"},
		{music, "", "", "Music"},
		{music + "/b/", "Music", "b", "Music"},
	} {
		folder := c.folder
		place, err := placeOf(c.typed, &folder, st)
		if err != nil || place != c.place || folder != c.inFolder {
			t.Errorf("%q: %q in %q, %v", c.typed, place, folder, err)
		}
	}
	for _, typed := range []string{"/nowhere/at/all", "./here", "../there"} {
		folder := ""
		if place, err := placeOf(typed, &folder, st); err == nil {
			t.Errorf("%q: %q", typed, place)
		}
	}
	folder := "Photos"
	if place, err := placeOf(music+"/b", &folder, st); err == nil {
		t.Errorf("in another folder than the one named: %q", place)
	}
}
