package main

import (
	"slices"
	"strings"
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

func TestTheLogSaysInWordsWhoIsInAFolder(t *testing.T) {
	var out strings.Builder
	p := &program{stdout: &out}
	for _, line := range []control.Line{
		{Folder: "Photos", Name: "laptop", Op: "member", Path: "laptop"},
		{Name: "laptop", Op: "put", Path: "a.jpg", Size: 3000},
		{Name: "laptop", Op: "member", Path: "box"},
	} {
		if err := p.printLine(line, logColumns{device: 6}); err != nil {
			t.Fatal(err)
		}
	}
	var got []string
	for line := range strings.Lines(out.String()) {
		_, what, _ := strings.Cut(strings.TrimSpace(line), "laptop  ")
		got = append(got, what)
	}
	if want := []string{"begins  Photos", "put     a.jpg  3.0 kB", "lets in box"}; !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
}
