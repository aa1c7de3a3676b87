package store

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"

	"github.com/zsync/zsync"
)

// ownerAll is what the owner of a directory needs to change its entries.
const ownerAll = 0o700

// unlockedMax is the longest record of a directory that was unlocked, in octets.
const unlockedMax = 64 << 10

// locked is a directory that its owner may not write to (0555, say), and which is
// writable for the length of a batch.
type locked struct {
	path  zsync.Path
	inode uint64
	birth int64
	mode  uint32
}

// changeLocked makes a change and, when a directory's own mode forbids that, gives
// this user leave and tries again. The modes are set back at the end of the batch,
// or after a crash when the folder is opened.
func (a *applier) changeLocked(i int) (Result, error) {
	c := a.changes[i]
	result, err := a.change(i, c)
	if !errors.Is(err, fs.ErrPermission) {
		return result, err
	}
	unlocked := a.unlock(i, c.Path.Dir())
	if c.Op == OpRename {
		unlocked = a.unlock(i, c.From.Dir()) || unlocked
		unlocked = a.unlock(i, c.From) || unlocked // a directory that moves changes its ".."
	}
	if !unlocked {
		return result, err
	}
	return a.change(i, c)
}

// unlock reports whether it gave leave. The root itself is a person's to change.
func (a *applier) unlock(i int, path zsync.Path) bool {
	dir, name, err := a.parent(i, path)
	if err != nil {
		return false
	}
	stat, err := dir.Stat(name)
	if err != nil || stat.Type != zsync.TypeDir || stat.Mode&ownerAll == ownerAll {
		return false
	}
	was := locked{path: path, inode: stat.Inode, birth: stat.BirthNS, mode: stat.Mode}
	if a.root.noteUnlocked(was) != nil || dir.Chmod(name, stat.Mode|ownerAll) != nil {
		return false
	}
	a.unlocked = append(a.unlocked, was)
	return true
}

// moveUnlocked is called before a directory is moved: what is unlocked in it will
// have another path, which has to be known after a crash too.
func (a *applier) moveUnlocked(from, to zsync.Path) (moved []locked, err error) {
	for _, was := range a.unlocked {
		if was.path == from || strings.HasPrefix(string(was.path), string(from)+"/") {
			was.path = to + was.path[len(from):]
			err = errors.Join(err, a.root.noteUnlocked(was))
		}
		moved = append(moved, was)
	}
	return moved, err
}

// lockedMode is the mode that an entry has when what is unlocked is locked again.
func (a *applier) lockedMode(stat Stat) uint32 {
	for _, was := range a.unlocked {
		if was.is(stat) {
			return was.mode
		}
	}
	return stat.Mode
}

// is reports whether an entry is the directory, still as it was unlocked.
func (l locked) is(stat Stat) bool {
	return stat.Type == zsync.TypeDir && stat.Inode == l.inode && stat.BirthNS == l.birth && stat.Mode == l.mode|ownerAll
}

// lockAgain sets the modes back. A directory that is gone, or was given another
// mode meanwhile, is left alone.
func (a *applier) lockAgain() {
	for _, was := range a.unlocked {
		if found, err := a.root.lockOne(was); found && err == nil { // a scan will see what could not be set back
			a.need.add(syncThing{path: string(was.path)})
		}
	}
}

func (r *Root) lockOne(was locked) (found bool, err error) {
	parent, name := split(string(was.path))
	dir, err := r.fs.Dir(parent)
	if err != nil {
		return false, err
	}
	defer dir.Close()
	stat, err := dir.Stat(name)
	if err != nil || !was.is(stat) {
		return false, err
	}
	return true, dir.Chmod(name, was.mode)
}

// noteUnlocked writes down, durably, which mode a directory is to have again.
func (r *Root) noteUnlocked(was locked) error {
	tag := sha256.Sum256([]byte(was.path))
	name := hex.EncodeToString(tag[:slotTagBytes])
	record := fmt.Appendf(nil, "%o %d %d %s\n", was.mode, was.inode, was.birth, was.path)
	if err := r.unlocked.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := r.unlocked.Write(name, record); err != nil {
		return err
	}
	if err := syncFile(r.unlocked, name); err != nil {
		return err
	}
	return r.unlocked.Sync()
}

// forgetUnlocked ends what noteUnlocked began, once the modes are durable.
func (r *Root) forgetUnlocked(names []string) error {
	for _, name := range names {
		if err := r.unlocked.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return r.unlocked.Sync()
}

// lockLeft sets back the modes that a crash left changed, so that they do not look
// like a change of the user's. What cannot be read, or written, was not begun.
func (r *Root) lockLeft() error {
	names, err := r.unlocked.Names()
	if err != nil || len(names) == 0 {
		return err
	}
	var need toSync
	for _, name := range names {
		was, err := readUnlocked(r.unlocked, name)
		if err != nil {
			continue
		}
		switch found, err := r.lockOne(was); {
		case found && err != nil:
			return err
		case found:
			need.add(syncThing{path: string(was.path)})
		}
	}
	if err := need.sync(r.fs); err != nil {
		return err
	}
	return r.forgetUnlocked(names)
}

func readUnlocked(dir Dir, name string) (was locked, err error) {
	file, stat, err := dir.Open(name)
	if err != nil {
		return locked{}, err
	}
	defer file.Close()
	text := make([]byte, min(stat.Size, unlockedMax))
	if _, err := file.ReadAt(text, 0); err != nil && !errors.Is(err, io.EOF) {
		return locked{}, err
	}
	line, ended := bytes.CutSuffix(text, []byte("\n"))
	figures, path := line, ""
	for range 3 { // what follows the third space is the path, spaces and all
		_, rest, _ := bytes.Cut(figures, []byte(" "))
		figures, path = rest, string(rest)
	}
	was.path = zsync.Path(path)
	n, err := fmt.Sscanf(string(line), "%o %d %d ", &was.mode, &was.inode, &was.birth)
	if err == nil && n == 3 && !isParked(was.path) {
		_, _, err = place(was.path)
	}
	if err != nil || !ended || n != 3 {
		return locked{}, fmt.Errorf("store: the record of an unlocked directory is damaged")
	}
	return was, nil
}
