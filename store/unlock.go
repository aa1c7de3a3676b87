package store

import (
	"errors"
	"io/fs"

	"github.com/zsync/zsync"
)

// ownerAll is what the owner of a directory needs to change its entries.
const ownerAll = 0o700

// locked is a directory that its owner may not write to (0555, say), and which is
// writable for the length of a batch.
type locked struct {
	path zsync.Path
	mode uint32
}

// changeLocked makes a change and, when a directory's own mode forbids that, gives
// this user leave and tries again. The modes are set back at the end of the batch;
// after a crash before that, they look like a change of the user's.
func (a *applier) changeLocked(i int) (Result, error) {
	c := a.changes[i]
	result, err := a.change(i, c)
	if !errors.Is(err, fs.ErrPermission) {
		return result, err
	}
	unlocked := a.unlock(i, c.Path.Dir())
	if c.Op == OpRename {
		unlocked = a.unlock(i, c.From.Dir()) || unlocked
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
	if dir.Chmod(name, stat.Mode|ownerAll) != nil {
		return false
	}
	a.unlocked = append(a.unlocked, locked{path: path, mode: stat.Mode})
	return true
}

// lockAgain sets the modes back. A directory that is gone, or was given another
// mode meanwhile, is left alone.
func (a *applier) lockAgain() {
	for _, was := range a.unlocked {
		parent, name := split(string(was.path))
		dir, err := a.root.fs.Dir(parent)
		if err != nil {
			continue
		}
		if stat, err := dir.Stat(name); err == nil && stat.Mode == was.mode|ownerAll {
			_ = dir.Chmod(name, was.mode) // a scan will see what could not be set back
		}
		_ = dir.Close()
	}
}
