package main

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/internal/control"
	"github.com/zsync/zsync/internal/device"
	"github.com/zsync/zsync/store"
)

func (c *checkup) checkFolders() {
	for _, f := range c.folders {
		again := "zsync watch " + quoted(f.Path) + " --label " + quoted(f.Label) + " --same-folder"
		info, err := os.Stat(f.Path)
		switch {
		case c.running && f.State == device.StateHalted:
			c.damage = c.damage || strings.Contains(f.Why, "zsync repair")
			c.say(levelBad, "folder", "zsync status", "%s is halted: %s", f.Label, f.Why)
		case errors.Is(err, fs.ErrNotExist):
			c.say(levelBad, "folder", "connect its disk; if it was moved:  "+again, "%s: %s is not there", f.Label, f.Path)
		case err != nil || !info.IsDir():
			c.say(levelBad, "folder", "ls -ld "+quoted(f.Path), "%s: %s cannot be looked into", f.Label, f.Path)
		case !there(filepath.Join(f.Path, zsync.PrivateDir, "id")):
			c.say(levelBad, "folder", "connect its disk; if it was restored:  "+again, "%s: %s is not the folder that was watched", f.Label, f.Path)
		default:
			c.say(levelOK, "folder", "", "%s is in %s", f.Label, f.Path)
			c.checkSpace(f)
			c.checkDisk(f)
		}
		for _, problem := range f.Problems {
			what, do := f.Label, "zsync status"
			if problem.Path != "" {
				what, do = f.Label+": "+problem.Path, "zsync why "+quoted(problem.Path)
			}
			c.say(levelWarn, "folder", do, "%s: %s: %s", what, problem.Code, problem.Why)
		}
	}
}

// checkSpace compares what is free with what zsync leaves free.
func (c *checkup) checkSpace(f control.Folder) {
	tree, err := store.OpenOS(f.Path)
	if err != nil {
		c.say(levelBad, "disk", "ls -ld "+quoted(f.Path), "%s: %v", f.Label, err)
		return
	}
	free, total, err := tree.Free()
	if closed := tree.Close(); err != nil || closed != nil || total <= 0 {
		return // it does not say
	}
	reserve := store.ReserveOf(total)
	switch {
	case free < reserve:
		c.say(levelBad, "disk", "zsync trash empty", "%s: %s are free, and %s are left free always: nothing is received", f.Label, octets(free), octets(reserve))
	case free < 2*reserve:
		c.say(levelWarn, "disk", "zsync trash empty", "%s: %s are free; below %s nothing is received", f.Label, octets(free), octets(reserve))
	default:
		c.say(levelOK, "disk", "", "%s: %s of %s are free", f.Label, octets(free), octets(total))
	}
}

const (
	syncSlow     = 500 * time.Millisecond
	coarseTimes  = time.Second
	watchesShare = 80 // percent of what the system allows
)

// traits are what a file system makes of what is put on it.
type traits struct {
	folds  bool          // names that differ in case alone are one
	modes  bool          // it keeps them
	times  time.Duration // the resolution of its times, up to 2 s
	fsync  time.Duration
	failed error
}

// checkDisk finds out what kind of file system a folder is on, in a directory of its
// own that is removed afterwards.
func (c *checkup) checkDisk(f control.Folder) {
	t := probe(filepath.Join(f.Path, zsync.PrivateDir))
	if t.failed != nil {
		c.say(levelBad, "disk", "ls -ld "+quoted(f.Path)+"; df -h "+quoted(f.Path), "%s: it cannot be written to: %v", f.Label, t.failed)
		return
	}
	fine := true
	warn := func(format string, args ...any) {
		fine = false
		c.say(levelWarn, "disk", "", f.Label+": "+format, args...)
	}
	if t.folds {
		warn("its disk takes names that differ in upper and lower case alone for one: of two such files, one waits")
	}
	if !t.modes {
		warn("its disk keeps no modes: a file that others made executable is not so here")
	}
	if t.times >= coarseTimes {
		warn("its disk keeps times to %s alone: a change soon after another is found by a scan within seconds, not at once", t.times)
	}
	if t.fsync > syncSlow {
		warn("its disk takes %s to make a small file durable: many small files come slowly", t.fsync.Round(time.Millisecond))
	}
	if fine {
		c.say(levelOK, "disk", "", "%s: its disk tells upper from lower case, keeps modes and fine times; a small file is durable in %s", f.Label, t.fsync.Round(time.Millisecond/10))
	}
}

// probe tries a file system out below dir.
func probe(dir string) (t traits) {
	dir, t.failed = os.MkdirTemp(dir, "doctor-*")
	if t.failed != nil {
		return t
	}
	defer func() { t.failed = errors.Join(t.failed, os.RemoveAll(dir)) }() // of two small files
	name := filepath.Join(dir, "probe")
	began := time.Now()
	if t.failed = writeThrough(name); t.failed != nil {
		return t
	}
	t.fsync = time.Since(began)
	_, err := os.Lstat(filepath.Join(dir, "PROBE"))
	t.folds = err == nil
	const mode, odd = 0o640, 1_600_000_001
	at := time.Unix(odd, 123_456_789)
	if t.failed = errors.Join(os.Chmod(name, mode), os.Chtimes(name, at, at)); t.failed != nil {
		return t
	}
	info, err := os.Lstat(name)
	if err != nil {
		t.failed = err
		return t
	}
	t.modes = info.Mode().Perm() == mode
	switch kept := info.ModTime(); {
	case kept.Unix() != odd:
		t.times = 2 * time.Second
	case kept.Nanosecond() == 0:
		t.times = time.Second
	}
	return t
}

func writeThrough(name string) error {
	file, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = file.WriteString("zsync doctor")
	return errors.Join(err, file.Sync(), file.Close())
}

// checkWatches compares the directories of the folders with how many the system lets
// one person watch.
func (c *checkup) checkWatches() {
	const limit = "/proc/sys/fs/inotify/max_user_watches"
	text, err := os.ReadFile(limit)
	if err != nil {
		return // another system
	}
	most, err := strconv.Atoi(string(bytes.TrimSpace(text)))
	if err != nil {
		return
	}
	dirs := 0
	for _, f := range c.folders {
		dirs += directories(f.Path)
	}
	if dirs*100 > most*watchesShare {
		c.say(levelWarn, "watches", "sysctl fs.inotify.max_user_watches="+strconv.Itoa(2*dirs), "the folders have %d directories, and the system watches %d for one person: changes in the others are noticed late", dirs, most)
		return
	}
	c.say(levelOK, "watches", "", "the folders have %s to be watched, and the system allows %d", countDirs(dirs), most)
}

func countDirs(n int) string {
	if n == 1 {
		return "1 directory"
	}
	return strconv.Itoa(n) + " directories"
}

// directories counts those below a directory, itself included.
func directories(top string) (n int) {
	_ = filepath.WalkDir(top, func(_ string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil || !entry.IsDir():
			return nil // what cannot be read is not watched
		case entry.Name() == zsync.PrivateDir:
			return fs.SkipDir
		}
		n++
		return nil
	})
	return n
}
