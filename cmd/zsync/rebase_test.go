package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/zsync/zsync/internal/control"
)

// TestFullFoldersOfOneLabelBecomeOneWhileTheyAreUsed has three people fill a folder
// of one name each, before their devices meet, and go on using it while they do: the
// folder holds what all had, and nothing is taken for deleted.
func TestFullFoldersOfOneLabelBecomeOneWhileTheyAreUsed(t *testing.T) {
	t.Parallel()
	for name, order := range map[string][3]int{"the first two, then the last": {0, 1, 2}, "the last two, then the first": {2, 1, 0}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sides := newSides(t, "left", "right", "third")
			for _, s := range sides {
				fill(t, s)
				s.start()
			}
			for _, s := range sides {
				alone(t, s)
			}
			x, y, z := sides[order[0]], sides[order[1]], sides[order[2]]
			pairSides(x, y)
			useWhileMeeting(t, x)
			x.zsync("pair", "--key", y.key, "--wait", "--timeout", patience.String())
			pairSides(z, y)
			useWhileMeeting(t, y)
			z.zsync("pair", "--key", y.key, "--wait", "--timeout", patience.String())
			useWhileMeeting(t, z)
			had := haveNow(sides)
			agree(t, sides, func() error { return sameTrees(sides) })
			for i, s := range sides {
				lost(s, had[i])
			}
			wantUnion(t, sides)
			wantAmong(t, sides[0].folder, "same/00", editOf(z)) // the others may have been seen there, and replaced
			wantNoDeletes(t, sides[0])
		})
	}
}

const (
	sameFiles    = 40 // equal on all devices
	clashFiles   = 10 // of one name, and different on each
	ownFiles     = 15 // only on one
	usedOfEach   = 2  // of the own ones: one is edited and one is deleted while they meet
	deletedOfOwn = "00.txt"
	editedOfOwn  = "01.txt"
)

func fill(t *testing.T, s *side) {
	t.Helper()
	write := func(count int, dir, text string) {
		must(t, os.MkdirAll(filepath.Join(s.folder, dir), 0o755))
		for i := range count {
			must(t, os.WriteFile(filepath.Join(s.folder, dir, fmt.Sprintf("%02d.txt", i)), fmt.Appendf(nil, "%s %d", text, i), 0o644))
		}
	}
	write(sameFiles, "same", "the same")
	write(clashFiles, "clash", "clash of "+s.name)
	write(ownFiles, "own-"+s.name, "own of "+s.name)
	must(t, os.MkdirAll(filepath.Join(s.folder, "empty", "of "+s.name), 0o755))
	thing := filepath.Join(s.folder, "thing") // a file, a directory and a link
	switch s.name {
	case "left":
		must(t, os.WriteFile(thing, []byte("thing of left"), 0o600))
	case "right":
		must(t, os.Mkdir(thing, 0o755))
		must(t, os.WriteFile(filepath.Join(thing, "inside"), []byte("thing of right"), 0o644))
	default:
		must(t, os.Symlink("thing of third", thing))
	}
}

// useWhileMeeting edits and deletes what only this device had, and one that all had.
func useWhileMeeting(t *testing.T, s *side) {
	t.Helper()
	own := filepath.Join(s.folder, "own-"+s.name)
	must(t, os.Remove(filepath.Join(own, deletedOfOwn)))
	must(t, os.WriteFile(filepath.Join(own, editedOfOwn), []byte("edited on "+s.name), 0o644))
	must(t, os.WriteFile(filepath.Join(own, "new.txt"), []byte("new on "+s.name), 0o644))
	must(t, os.WriteFile(filepath.Join(s.folder, "same", "00.txt"), []byte(editOf(s)), 0o644))
}

// editOf is what a device writes into a file that all had.
func editOf(s *side) string { return "the same, edited on " + s.name }

// wantUnion looks for everything that anybody had, under its own name or as a copy.
func wantUnion(t *testing.T, sides []*side) {
	t.Helper()
	folder := sides[0].folder
	for i := 1; i < sameFiles; i++ {
		wantFiles(t, folder, fmt.Sprintf("same/%02d", i), fmt.Sprintf("the same %d", i))
	}
	for i := range clashFiles {
		var texts []string
		for _, s := range sides {
			texts = append(texts, fmt.Sprintf("clash of %s %d", s.name, i))
		}
		wantFiles(t, folder, fmt.Sprintf("clash/%02d", i), texts...)
	}
	for _, s := range sides {
		for i := usedOfEach; i < ownFiles; i++ {
			wantFiles(t, folder, fmt.Sprintf("own-%s/%02d", s.name, i), fmt.Sprintf("own of %s %d", s.name, i))
		}
		wantFiles(t, folder, "own-"+s.name+"/00")
		wantFiles(t, folder, "own-"+s.name+"/01", "edited on "+s.name)
		wantFiles(t, folder, "own-"+s.name+"/new", "new on "+s.name)
		if info, err := os.Stat(filepath.Join(folder, "empty", "of "+s.name)); err != nil || !info.IsDir() {
			t.Errorf("the empty directory of %s: %v", s.name, err)
		}
	}
	wantFiles(t, folder, "thing/inside", "thing of right")
	wantAmong(t, folder, "thing~", "thing of left")
	links := 0
	entries, err := os.ReadDir(folder)
	must(t, err)
	for _, entry := range entries {
		if target, err := os.Readlink(filepath.Join(folder, entry.Name())); err == nil && target == "thing of third" {
			links++
		}
	}
	if links != 1 {
		t.Errorf("%d links to the thing of third", links)
	}
}

// textsOf returns what the files say whose paths begin so, in order.
func textsOf(t *testing.T, folder, front string) (texts []string) {
	t.Helper()
	entries, err := os.ReadDir(filepath.Join(folder, filepath.Dir(front)))
	must(t, err)
	for _, entry := range entries {
		if entry.Type().IsRegular() && strings.HasPrefix(entry.Name(), filepath.Base(front)) {
			data, err := os.ReadFile(filepath.Join(folder, filepath.Dir(front), entry.Name()))
			must(t, err)
			texts = append(texts, string(data))
		}
	}
	slices.Sort(texts)
	return texts
}

func wantFiles(t *testing.T, folder, front string, want ...string) {
	t.Helper()
	slices.Sort(want)
	if got := textsOf(t, folder, front); !slices.Equal(got, want) {
		t.Errorf("%s: %q, not %q", front, got, want)
	}
}

func wantAmong(t *testing.T, folder, front string, want ...string) {
	t.Helper()
	got := textsOf(t, folder, front)
	for _, text := range want {
		if !slices.Contains(got, text) {
			t.Errorf("%s: %q is not among %q", front, text, got)
		}
	}
}

// wantNoDeletes looks into the log for deletions that nobody made.
func wantNoDeletes(t *testing.T, s *side) {
	t.Helper()
	for text := range strings.Lines(s.zsync("log", "--json", "--folder", "Photos")) {
		var line control.Line
		must(t, json.Unmarshal([]byte(text), &line))
		if line.Op == "delete" && (!strings.HasPrefix(line.Path, "own-") || !strings.HasSuffix(line.Path, deletedOfOwn)) {
			t.Errorf("the log deletes %s, which nobody did", line.Path)
		}
	}
}
