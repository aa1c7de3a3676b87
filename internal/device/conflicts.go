package device

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/internal/kv"
	"github.com/zsync/zsync/replica"
	"github.com/zsync/zsync/security"
)

// Conflict is a file of which several versions stand beside each other.
type Conflict struct {
	Folder   string
	Versions []ConflictVersion // the one that has the name first
}

// ConflictVersion is one of them, and who wrote it.
type ConflictVersion struct {
	replica.Version
	Name string // of the device
}

// What KeepVersions.Which may say; "" keeps the version at each path.
const (
	KeepMine   = "mine"   // the version that this device wrote
	KeepTheirs = "theirs" // the one that another device wrote
	KeepBoth   = "both"   // each, under the name that it has, as a file of its own
)

// KeepVersions asks a folder to settle conflicts.
type KeepVersions struct {
	Which string
	Paths []zsync.Path

	kept    []replica.Conflict
	refused error
}

// ErrChoice is wrapped where what was asked for leaves more than one version to
// choose from.
var ErrChoice = errors.New("name the version to keep")

// Conflicts lists what clashed in a folder, or in every folder ("").
func (r *Running) Conflicts(label string) (all []Conflict, err error) {
	folders, err := r.foldersOf(label)
	if err != nil {
		return nil, err
	}
	for _, f := range folders {
		some, err := answer(f, f.machine.Conflicts)
		if err != nil {
			return nil, err
		}
		all = append(all, some...)
	}
	return all, nil
}

// Conflicts lists what clashed in the folder, ascending by path.
func (f *FolderMachine) Conflicts() (all []Conflict, err error) {
	err = f.store.View(func(tx kv.Tx) error {
		names := f.space.names(tx)
		for _, c := range f.replica.Conflicts(tx) {
			out := Conflict{Folder: string(f.cfg.Label)}
			for _, v := range c.Versions {
				out.Versions = append(out.Versions, ConflictVersion{v, names[v.Author]})
			}
			all = append(all, out)
		}
		return nil
	})
	return all, err
}

const (
	lookTime  = 5 * time.Second  // the longest wait for the disk to be looked at before a choice
	applyTime = 10 * time.Second // … and for what a choice leaves to be done on this disk
)

// Keep settles conflicts of a folder, and returns how many. Their directories are
// looked at first, so that what a person did a moment ago counts; it waits, within
// limits, until this disk is as was chosen.
func (r *Running) Keep(label string, order KeepVersions) (settled int, err error) {
	f, err := r.folderOf(label)
	if err != nil {
		return 0, err
	}
	r.look(f, order.Paths)
	kept, err := answer(f, func() ([]replica.Conflict, error) {
		err := r.turn(f, &order)
		return order.kept, errors.Join(err, order.refused)
	})
	if err != nil {
		return 0, err
	}
	f.wait(applyTime, func() bool { return f.machine.settled(kept) })
	return len(kept), nil
}

// look has the directories of some paths listed, and waits until they are.
func (r *Running) look(f *runningFolder, paths []zsync.Path) {
	var dirs []zsync.Path
	for _, path := range paths {
		dirs = append(dirs, path.Dir())
	}
	_ = f.ask(func() error { return r.turn(f, Hinted{Dirs: dirs, Problem: f.machine.status.watch}) }) // its failure shows again
	f.wait(lookTime, func() bool {
		return !slices.ContainsFunc(paths, f.machine.replica.Looking)
	})
}

// settled reports whether this disk shows what was chosen.
func (f *FolderMachine) settled(kept []replica.Conflict) bool {
	done := true
	err := f.store.View(func(tx kv.Tx) error {
		for _, c := range kept {
			done = done && f.replica.Settled(tx, c)
		}
		return nil
	})
	return err != nil || done
}

// keepVersions logs what settles the conflicts that a person chose in. A choice
// that makes no sense is refused with all others; where only the disk is busy at
// one of them, those before it hold.
func (f *FolderMachine) keepVersions(tx kv.Tx, now time.Time, in *KeepVersions) error {
	choices, err := f.choices(tx, in)
	switch {
	case err != nil:
	case f.cfg.Role != "" && f.cfg.Role != "sync" && f.cfg.Role != "send":
		err = errors.New("this device only receives the folder; choose on another one")
	case f.space.right(tx) == security.RightNone || !f.space.mayAppend(tx, now):
		err = errors.New("this device may not write to the folder yet")
	}
	in.refused = err
	for len(choices) > 0 && in.refused == nil {
		if choices, err = f.choose(tx, now, in, choices); err != nil {
			return err
		}
	}
	return nil
}

// choose logs one event that settles as many conflicts as it has room for, and
// returns the rest.
func (f *FolderMachine) choose(tx kv.Tx, now time.Time, in *KeepVersions, choices []replica.Choice) ([]replica.Choice, error) {
	writer, seq := f.space.log.Next(tx)
	body, n, err := f.replica.Choose(tx, writer, seq, choices)
	if err != nil || n == 0 {
		in.refused = err
		return nil, nil
	}
	if err := f.write(tx, now, zsync.KindFS, body); err != nil {
		return nil, err
	}
	for _, c := range choices[:n] {
		in.kept = append(in.kept, c.Conflict)
	}
	return choices[n:], nil
}

// choices finds the conflicts that a person means, and in each the version.
func (f *FolderMachine) choices(tx kv.Tx, in *KeepVersions) (choices []replica.Choice, err error) {
	all := f.replica.Conflicts(tx)
	if in.Which == "" {
		all = append(all, f.lostConflicts(tx, in.Paths, all)...)
	}
	seen := make(map[zsync.Path]bool)
	for _, path := range in.Paths {
		found := false
		for _, c := range all {
			at := slices.IndexFunc(c.Versions, func(v replica.Version) bool { return v.Path == path })
			inside := in.Which != "" && (path == "" || strings.HasPrefix(string(c.Versions[0].Path), string(path)+"/"))
			if at < 0 && !inside {
				continue
			}
			found = true
			main := c.Versions[0].Path
			switch {
			case seen[main] && in.Which == "":
				return nil, fmt.Errorf("two versions of %s are to be kept; for all of them say  both", main)
			case seen[main]:
				continue // by its name and by its directory
			case in.Which != "":
				at, err = f.meant(c, in.Which)
			}
			if err != nil {
				return nil, err
			}
			seen[main] = true
			choices = append(choices, replica.Choice{Conflict: c, Keep: at})
		}
		if !found {
			return nil, fmt.Errorf("%s has no conflict copies here", orFolder(path))
		}
	}
	return choices, nil
}

// lostConflicts are those of some paths, not among those listed, where this disk has the
// version at the path and this device wrote all others and has them no more: a person
// gives them up.
func (f *FolderMachine) lostConflicts(tx kv.Tx, paths []zsync.Path, listed []replica.Conflict) (lost []replica.Conflict) {
	for _, path := range paths {
		c, found := f.replica.ConflictAt(tx, path)
		another := func(v replica.Version) bool {
			return v.Here != (v.Path == path) || !v.Here && v.Author != f.space.keys.Device()
		}
		same := func(o replica.Conflict) bool { return o.Versions[0].Path == c.Versions[0].Path }
		if found && !slices.ContainsFunc(listed, same) && !slices.ContainsFunc(c.Versions, another) {
			lost = append(lost, c)
		}
	}
	return lost
}

// meant returns which version a word means.
func (f *FolderMachine) meant(c replica.Conflict, which string) (at int, err error) {
	if which == KeepBoth {
		return replica.KeepAll, nil
	}
	var fits []int
	for i, v := range c.Versions {
		if (v.Author == f.space.keys.Device()) == (which == KeepMine) {
			fits = append(fits, i)
		}
	}
	if len(fits) != 1 {
		return 0, fmt.Errorf("%s: %d versions are %s; %w", c.Versions[0].Path, len(fits), which, ErrChoice)
	}
	return fits[0], nil
}
