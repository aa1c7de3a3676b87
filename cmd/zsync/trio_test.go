package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/internal/control"
)

// newSides makes devices with an empty folder each, which do not know each other.
func newSides(t *testing.T, names ...string) []*side {
	t.Helper()
	dir, err := os.MkdirTemp("", "z")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	sides := make([]*side, len(names))
	for i, name := range names {
		sides[i] = newSide(t, dir, name)
	}
	return sides
}

// pairSides pairs two devices by key, running or not; each may dial the other.
func pairSides(a, b *side) {
	a.zsync("pair", "--key", b.key, "--peer", b.listen)
	b.zsync("pair", "--key", a.key, "--peer", a.listen)
}

// TestThreeDevicesThatWerePairedWhileAllWereOffEndInOneCircle starts them at one
// time, so that two of them may found a circle each.
func TestThreeDevicesThatWerePairedWhileAllWereOffEndInOneCircle(t *testing.T) {
	t.Parallel()
	sides := newSides(t, "laptop", "box", "phone")
	for i, s := range sides {
		s.zsync("pair", "--key", sides[(i+1)%3].key, "--peer", sides[(i+1)%3].listen)
		s.zsync("pair", "--key", sides[(i+2)%3].key, "--peer", sides[(i+2)%3].listen)
		must(t, os.WriteFile(filepath.Join(s.folder, s.name+".txt"), []byte(s.name), 0o644))
	}
	for _, s := range sides {
		s.start()
	}
	agree(t, sides, func() error { return sameTrees(sides) })
	for _, s := range sides {
		st, err := s.status()
		must(t, err)
		if len(st.Circle) != 2 || len(st.Attempts) != 0 {
			t.Errorf("%s knows %v in its circle, and says %v", s.name, st.Circle, st.Attempts)
		}
	}
}

// end stops the device as Ctrl-C does, and waits until it has ended.
func (s *side) end() {
	s.t.Helper()
	err := s.process.Process.Signal(os.Interrupt)
	if err := errors.Join(err, s.process.Wait()); err != nil {
		s.t.Fatalf("%s: %v\n%s", s.name, err, s.said())
	}
}

// status asks the device, which may still be starting: what zsync status --json
// asks, and with no process started for it.
func (s *side) status() (control.Status, error) {
	ctx, cancel := context.WithTimeout(s.t.Context(), patience)
	defer cancel()
	return control.Dial(home{s.home}.socket()).Status(ctx)
}

// folderNow is the status of the one folder.
func (s *side) folderNow() (control.Folder, error) {
	st, err := s.status()
	switch {
	case err != nil:
		return control.Folder{}, err
	case !st.Running || len(st.Folders) != 1:
		return control.Folder{}, fmt.Errorf("%s: running %t, %d folders", s.name, st.Running, len(st.Folders))
	}
	return st.Folders[0], nil
}

// differing says why the devices are not in sync with each other, or their trees
// are not the same.
func differing(sides []*side) error {
	if err := disagreement(sides); err != nil {
		return err
	}
	return sameTrees(sides)
}

// disagreement says why the devices are not yet in sync with each other: each has
// nothing left to do, knows so of all the others, and holds the same events.
func disagreement(sides []*side) error {
	var frontier string
	for i, s := range sides {
		f, err := s.folderNow()
		if err != nil {
			return err
		}
		if i == 0 {
			frontier = f.Frontier
		}
		switch {
		case f.State != "in-sync":
			return fmt.Errorf("%s is %s: %d to go, %v", s.name, f.State, f.NeedFiles, f.Problems)
		case f.Frontier != frontier:
			return fmt.Errorf("%s does not hold the events that %s holds", s.name, sides[0].name)
		}
		for _, other := range sides {
			if other != s && !knowsInSync(f, other.name) {
				return fmt.Errorf("%s does not know that %s is in sync: %+v", s.name, other.name, f.Devices)
			}
		}
	}
	return nil
}

func knowsInSync(f control.Folder, name string) bool {
	return slices.ContainsFunc(f.Devices, func(d control.Device) bool { return d.Name == name && d.State == "in-sync" })
}

// agree waits until the devices are in sync, and with them what must be true then.
func agree(t *testing.T, sides []*side, also func() error) {
	t.Helper()
	began := time.Now()
	for {
		err := disagreement(sides)
		if err == nil && also != nil {
			err = also()
		}
		if err == nil {
			return
		}
		if time.Since(began) > patience {
			for _, s := range sides {
				t.Logf("%s said:\n%s", s.name, s.said())
			}
			t.Fatalf("after %s: %v", patience, err)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// sameTrees says how the folders differ in names, modes, bytes or times.
func sameTrees(sides []*side) error {
	first, err := readTree(sides[0].folder)
	if err != nil {
		return err
	}
	for _, s := range sides[1:] {
		tree, err := readTree(s.folder)
		if err != nil {
			return err
		}
		if diff := differ(first, tree); diff != "" {
			return fmt.Errorf("-%s +%s\n%s", sides[0].name, s.name, diff)
		}
	}
	return nil
}

// lamportOf is how far the log of the device's folder is.
func lamportOf(s *side) uint64 {
	f, err := s.folderNow()
	if err != nil {
		return 0
	}
	return f.Lamport
}

// shortID is how names of conflict copies name the device.
func (s *side) shortID() string {
	s.t.Helper()
	st, err := s.status()
	if err != nil {
		s.t.Fatal(err)
	}
	return st.Device.Device[:6]
}

// holdings returns every content of the device's tree and versions area. The device
// may be at work: what goes while it is looked for has gone somewhere else.
func (s *side) holdings() map[string]bool {
	s.t.Helper()
	kept := make(map[string]bool)
	staging := filepath.Join(s.folder, zsync.PrivateDir, "tmp")
	err := filepath.WalkDir(s.folder, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil
		case err != nil:
			return err
		case path == staging:
			return fs.SkipDir
		case !entry.Type().IsRegular():
			return nil
		}
		data, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		kept[string(data)] = true
		return err
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return kept
}

// lost fails the test for each content that a device had and has no more, neither
// in its tree nor in its versions area.
func lost(s *side, had map[string]bool) {
	s.t.Helper()
	has := s.holdings()
	for content := range had {
		if !has[content] {
			s.t.Errorf("%s lost %.60q", s.name, strings.TrimSpace(content))
		}
	}
}
