package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// The labels of the two folders.
const (
	photosLabel = "Photos"
	sourceLabel = "Source"
)

// debianPhotos is where Debian's mate-backgrounds puts photographs.
const debianPhotos = "/usr/share/backgrounds/mate"

// story is the three devices and what they have lived through.
type story struct {
	ctx     context.Context
	dir     string
	program string
	began   time.Time
	devices []*device

	laptop, box, tablet *device
}

// chapter is one thing that happens.
type chapter struct {
	title string
	tell  func() error
}

func (s *story) chapters() []chapter {
	return []chapter{
		{"the laptop watches two folders, the box takes what is offered, the two pair", s.meet},
		{"edits and deletes on the laptop, a rename of a directory on the box", s.edit},
		{"the laptop is turned off; a tablet joins through the box", s.join},
		{"the laptop comes back and edits while the box was off, on the same file as the tablet", s.conflict},
		{"the box is killed half-way through a big file and starts again", s.kill},
		{"the three are compared: names, types, modes, bytes, times, frontiers", s.compare},
	}
}

// prepare fills the laptop's folders.
func (s *story) prepare(photos string) (err error) {
	if photos == "" {
		photos = debianPhotos
	}
	if s.laptop, err = s.newDevice("laptop"); err != nil {
		return err
	}
	if s.box, err = s.newDevice("box"); err != nil {
		return err
	}
	if s.tablet, err = s.newDevice("tablet"); err != nil {
		return err
	}
	n, err := copyTree(photos, s.folder(s.laptop, photosLabel))
	if err != nil {
		return fmt.Errorf("copy photographs: %w", err)
	}
	root, err := exec.CommandContext(s.ctx, "go", "env", "GOROOT").Output()
	if err != nil {
		return err
	}
	source := filepath.Join(strings.TrimSpace(string(root)), "src")
	m, err := copyTree(source, s.folder(s.laptop, sourceLabel))
	fmt.Printf("%d entries of photographs, %d of source, three devices in %s\n", n, m, s.dir)
	return err
}

// folder is where a device keeps a label: the box serves, and has it elsewhere.
func (s *story) folder(d *device, label string) string { return filepath.Join(d.home, "data", label) }

func (s *story) meet() error {
	if err := s.laptop.start("watch", s.folder(s.laptop, photosLabel)); err != nil {
		return err
	}
	// The second watch finds the device running and hands the folder over; left
	// alone it would go on to show the progress.
	brief, cancel := context.WithTimeout(s.ctx, 2*time.Second)
	defer cancel()
	_, _ = s.laptop.zsync(brief, "watch", s.folder(s.laptop, sourceLabel)) // ended by the time, as meant
	if err := s.box.start("serve", filepath.Join(s.box.home, "data")); err != nil {
		return err
	}
	if err := s.pair(s.laptop, s.box); err != nil {
		return err
	}
	return errors.Join(s.inSync(s.laptop), s.tell(s.box))
}

// tell prints what a device holds.
func (s *story) tell(d *device) error {
	st, err := d.status()
	for _, f := range st.Folders {
		fmt.Printf("  %s: %s, %s, %d files, %.1f MB, %d conflict copies\n", d.name, f.Label, f.State, f.Files, float64(f.Bytes)/1e6, f.Conflicts)
	}
	return err
}

func (s *story) edit() error {
	photos := s.folder(s.laptop, photosLabel)
	files, err := s.files(photos)
	if err != nil {
		return err
	}
	err = errors.Join(
		appendTo(files[0], "edited on the laptop"),
		os.Remove(files[1]),
		os.MkdirAll(filepath.Join(photos, "new", "empty"), 0o750),
		os.WriteFile(filepath.Join(photos, "new", "note.txt"), []byte("taken today\n"), 0o640),
		os.Symlink("note.txt", filepath.Join(photos, "new", "link")),
		os.Rename(filepath.Join(s.folder(s.box, sourceLabel), "net"), filepath.Join(s.folder(s.box, sourceLabel), "network")),
		os.RemoveAll(filepath.Join(photos, "never-there")),
	)
	if err != nil {
		return err
	}
	time.Sleep(time.Second)
	return errors.Join(s.inSync(s.laptop), s.same(s.laptop, s.box))
}

func (s *story) join() error {
	if err := s.laptop.stop(); err != nil {
		return err
	}
	if err := s.tablet.start("serve", filepath.Join(s.tablet.home, "data")); err != nil {
		return err
	}
	if err := s.pair(s.tablet, s.box); err != nil {
		return err
	}
	if err := s.paired(s.tablet, s.box); err != nil {
		return err
	}
	if err := s.inSync(s.tablet, "--connected"); err != nil {
		return err
	}
	return errors.Join(s.same(s.box, s.tablet), s.tell(s.tablet))
}

func (s *story) conflict() error {
	files, err := s.files(s.folder(s.tablet, photosLabel))
	if err != nil {
		return err
	}
	other := filepath.Join(s.folder(s.laptop, photosLabel), strings.TrimPrefix(files[2], s.folder(s.tablet, photosLabel)))
	err = errors.Join(
		s.box.stop(),
		appendTo(files[2], "edited on the tablet"),
		appendTo(other, "edited on the laptop, which was off"),
	)
	if err != nil {
		return err
	}
	time.Sleep(time.Second)
	err = errors.Join(
		s.laptop.start("daemon"),
		s.box.start("daemon"),
	)
	if err != nil {
		return err
	}
	return errors.Join(s.inSync(s.laptop), s.inSync(s.tablet), s.tell(s.laptop))
}

// kill ends the box while a big file is on its way to it, twice the size that is
// there in the first moments.
func (s *story) kill() error {
	big := filepath.Join(s.folder(s.laptop, photosLabel), "film.raw")
	if err := writeNoise(big, 600<<20); err != nil {
		return err
	}
	time.Sleep(2500 * time.Millisecond)
	if err := s.box.kill(); err != nil {
		return err
	}
	if err := s.box.start("daemon"); err != nil {
		return err
	}
	if err := errors.Join(s.inSync(s.laptop), s.inSync(s.box), s.inSync(s.tablet)); err != nil {
		return err
	}
	st, err := s.box.status()
	for _, f := range st.Folders {
		if f.Resumed > 0 {
			fmt.Printf("  box: %d chunks were whole in staging and not fetched again\n", f.Resumed)
		}
	}
	return err
}

// compare holds the three devices against each other.
func (s *story) compare() error {
	if err := errors.Join(s.same(s.laptop, s.box), s.same(s.laptop, s.tablet)); err != nil {
		return err
	}
	return s.tell(s.laptop)
}

// same compares both folders of two devices, and their frontiers.
func (s *story) same(a, b *device) error {
	var errs []error
	for _, label := range []string{photosLabel, sourceLabel} {
		treeA, errA := readTree(s.folder(a, label))
		treeB, errB := readTree(s.folder(b, label))
		err := errors.Join(errA, errB, differ(treeA, treeB), s.sameFrontier(a, b, label))
		if err != nil {
			errs = append(errs, fmt.Errorf("%s on %s and %s: %w", label, a.name, b.name, err))
			continue
		}
		fmt.Printf("  %s: %d entries the same on %s and %s\n", label, len(treeA), a.name, b.name)
	}
	return errors.Join(errs...)
}

func (s *story) sameFrontier(a, b *device, label string) error {
	frontierA, errA := frontier(a, label)
	frontierB, errB := frontier(b, label)
	if frontierA != frontierB || frontierA == "" {
		return fmt.Errorf("frontiers %q and %q", frontierA, frontierB)
	}
	return errors.Join(errA, errB)
}

func frontier(d *device, label string) (string, error) {
	st, err := d.status()
	for _, f := range st.Folders {
		if f.Label == label {
			return f.Frontier, err
		}
	}
	return "", err
}

// files returns the regular files under dir, ascending.
func (s *story) files(dir string) ([]string, error) {
	tree, err := readTree(dir)
	var paths []string
	for path, leaf := range tree {
		if leaf.mode.IsRegular() && leaf.size > 0 {
			paths = append(paths, filepath.Join(dir, path))
		}
	}
	slices.Sort(paths)
	if err == nil && len(paths) < 3 {
		err = fmt.Errorf("%s has %d files, and the story needs three", dir, len(paths))
	}
	return paths, err
}

func appendTo(path, text string) error {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return err
	}
	_, err = file.WriteString(text)
	return errors.Join(err, file.Close())
}

// end stops what runs, and removes all but the logs' last words.
func (s *story) end(keep bool) {
	for _, d := range s.devices {
		if d.running() {
			_ = d.stop() // it is going away with its directory
		}
	}
	if !keep {
		_ = os.RemoveAll(s.dir) // in the system's temporary directory
	}
}

// confess prints the end of each device's log after something went wrong.
func (s *story) confess() {
	for _, d := range s.devices {
		text, err := os.ReadFile(d.log.Name())
		if err == nil {
			fmt.Printf("--- the last words of the %s:\n%s\n", d.name, text[max(0, len(text)-1500):])
		}
	}
}
