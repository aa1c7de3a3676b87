package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/internal/device"
	"github.com/zsync/zsync/internal/disk"
	"github.com/zsync/zsync/internal/kv"
	"github.com/zsync/zsync/internal/kv/bolt"
	"github.com/zsync/zsync/store"
)

// open opens one folder's database and directory.
func (a *appliance) open(order device.OpenFolder, post func(device.Address, any)) (device.Opened, error) {
	reg := order.Registration
	if !order.Scout && overlap(a.home.dir, reg.Dir) {
		return device.Opened{}, fmt.Errorf("%s and this device's home %s lie in each other; its keys are not for sharing", reg.Dir, a.home.dir)
	}
	path := a.home.space(reg.Space.String())
	noted, _ := a.home.notedFolders() // without it nothing is known to be lost
	known := isNoted(noted, reg) && !order.Scout
	lost := known && !there(path)
	if known && !lost && !order.Same && !there(filepath.Join(reg.Dir, zsync.PrivateDir, "id")) {
		return device.Opened{}, unopened(reg, store.ErrRoot) // it is asked often, and a database takes time to open
	}
	db, err := bolt.Open(path)
	if errors.Is(err, bolt.ErrDamaged) {
		return device.Opened{}, fmt.Errorf("%w; stop this device and run:  zsync repair", err)
	}
	if err != nil {
		return device.Opened{}, err
	}
	db.Commits = &a.stages.Commit
	if order.Scout {
		return device.Opened{Store: db}, nil
	}
	if lost {
		a.log.Warn("the database of a folder is lost: it is made anew from the folder and from other devices", "folder", reg.Label, "database", path)
	}
	if !order.Same && lost && emptied(reg.Dir) {
		err := fmt.Errorf("the database of %s is lost, and so are the files in %s; connect the disk or, if they are to be fetched anew, run:  zsync watch %s --label %s --same-folder",
			reg.Label, reg.Dir, quoted(reg.Dir), quoted(string(reg.Label)))
		return device.Opened{}, errors.Join(err, db.Close(), os.Remove(path)) // or it would be known at the next look
	}
	if err := a.lendRoot(order.Cache, db); err != nil {
		return device.Opened{}, errors.Join(err, db.Close())
	}
	if order.Same {
		if err := device.ForgetAtOpen(db); err != nil {
			return device.Opened{}, errors.Join(err, db.Close())
		}
	}
	if err := claimDir(reg, db); err != nil {
		return device.Opened{}, errors.Join(err, db.Close())
	}
	folder, staged, err := disk.Open(reg.Dir, reg.Space, db, order.Same, a.stages, post)
	if err != nil {
		return device.Opened{}, errors.Join(unopened(reg, err), db.Close())
	}
	a.noteOpened(reg)
	return device.Opened{Store: db, Disk: folder, Staged: staged, Unfinished: folder.Unfinished, Nature: folder.Nature}, nil
}

// noteOpened adds a folder to the list that stands in for device.db. A list that is
// not renewed is renewed at the end.
func (a *appliance) noteOpened(reg device.Registration) {
	folders, err := a.home.notedFolders()
	if err != nil {
		return
	}
	folders = slices.DeleteFunc(folders, func(old device.Registration) bool { return old.Label == reg.Label })
	_ = a.home.noteFolders(append(folders, reg))
}

// emptied reports whether a directory is not there, or holds nothing: a disk that is
// not connected leaves such a one.
func emptied(dir string) bool {
	names, err := os.ReadDir(dir)
	return errors.Is(err, os.ErrNotExist) || err == nil && len(names) == 0
}

// unopened says what to do about a directory that is gone or is another one.
func unopened(reg device.Registration, err error) error {
	problem := ""
	if _, missing := os.Stat(reg.Dir); errors.Is(missing, os.ErrNotExist) {
		problem = "is not there"
	} else if errors.Is(err, store.ErrRoot) {
		problem = "is not the directory that was watched"
	}
	if problem == "" {
		return err
	}
	return fmt.Errorf("%s %s; put it back or, if it was moved or restored, run:  zsync watch %s --label %s --same-folder",
		reg.Dir, problem, quoted(reg.Dir), quoted(string(reg.Label)))
}

// lendRoot lets the database of a folder's new space know the directory that the
// old one was about.
func (a *appliance) lendRoot(from zsync.SpaceID, into kv.Store) error {
	if from.IsZero() {
		return nil
	}
	old := a.oldStore(from)
	if old == nil {
		return nil
	}
	return errors.Join(disk.LendRoot(old, into), old.Close())
}

// claimDir makes the directory of a folder that another device named. What is
// there already is not taken, unless it was made for this folder or is empty.
func claimDir(reg device.Registration, db kv.Store) error {
	known, err := disk.Knows(db)
	if err != nil || known || !reg.Offered {
		return err
	}
	if err := os.Mkdir(reg.Dir, 0o755); err == nil || !errors.Is(err, os.ErrExist) {
		return err
	}
	info, err := os.Lstat(reg.Dir)
	if err != nil {
		return err
	}
	names, err := os.ReadDir(reg.Dir)
	if err != nil || len(names) > 0 || !info.IsDir() {
		return errors.Join(err, fmt.Errorf("%s is there already and is not this folder's; run zsync watch %s --label %s to share it", reg.Dir, reg.Dir, reg.Label))
	}
	return nil
}

// overlap reports whether one of two directories lies in the other.
func overlap(a, b string) bool {
	a, b = resolved(a), resolved(b)
	return liesIn(a, b) || liesIn(b, a)
}

func liesIn(inner, outer string) bool {
	rest, err := filepath.Rel(outer, inner)
	return err == nil && filepath.IsLocal(rest)
}

// resolved follows symlinks as far as they lead somewhere.
func resolved(path string) string {
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real
	}
	if abs, err := filepath.Abs(path); err == nil {
		path = abs
	}
	return path
}

func (a *appliance) oldStore(id zsync.SpaceID) kv.Store {
	old, err := bolt.OpenReadOnly(a.home.space(id.String()))
	if err != nil {
		return nil
	}
	return old
}
