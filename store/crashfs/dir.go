package crashfs

import (
	"errors"
	"fmt"
	"io"
	"io/fs"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/store"
)

// dir is an open directory.
type dir struct {
	fs   *FS
	node *node
}

const fileMode = 0o644 // of a new file

func (d *dir) Self() (store.Stat, error) {
	if err := d.fs.look("stat"); err != nil {
		return store.Stat{}, err
	}
	defer d.fs.mu.Unlock()
	return d.node.stat(), nil
}

func (d *dir) Names() ([]string, error) {
	if err := d.fs.look("list"); err != nil {
		return nil, err
	}
	defer d.fs.mu.Unlock()
	return d.node.names(), nil
}

func (d *dir) Stat(name string) (store.Stat, error) {
	if err := d.fs.look("stat"); err != nil {
		return store.Stat{}, err
	}
	defer d.fs.mu.Unlock()
	if found := d.fs.entry(d.node, name); found != nil {
		return found.stat(), nil
	}
	return store.Stat{}, missing("stat", name)
}

func (d *dir) Readlink(name string) (string, error) {
	if err := d.fs.look("readlink"); err != nil {
		return "", err
	}
	defer d.fs.mu.Unlock()
	if found := d.fs.entry(d.node, name); found != nil && found.kind == zsync.TypeSymlink {
		return found.target, nil
	}
	return "", missing("readlink", name)
}

func (d *dir) Open(name string) (store.File, store.Stat, error) {
	if err := d.fs.look("open"); err != nil {
		return nil, store.Stat{}, err
	}
	defer d.fs.mu.Unlock()
	return d.fs.open(d.fs.entry(d.node, name), name)
}

func (d *dir) Create(name string) (store.File, error) {
	if err := d.fs.begin("create", name); err != nil {
		return nil, err
	}
	defer d.fs.mu.Unlock()
	if d.fs.entry(d.node, name) == nil {
		if err := errors.Join(d.closed(), d.fs.unfit("create", name)); err != nil {
			return nil, err
		}
		d.add(name, d.fs.newNode(zsync.TypeFile, fileMode))
	}
	opened, _, err := d.fs.open(d.fs.entry(d.node, name), name)
	return opened, err
}

// closed returns an error when the directory's mode forbids to change its entries.
func (d *dir) closed() error {
	if d.fs.modes && d.node.meta.mode&0o200 == 0 {
		return fmt.Errorf("change directory: %w", fs.ErrPermission)
	}
	return nil
}

// add gives a free name to a new node.
func (d *dir) add(name string, n *node) {
	d.fs.record(change{sets: []set{{dir: d.node, name: name, node: n}}})
}

func (d *dir) Write(name string, data []byte) error {
	if err := d.make("create", name, zsync.TypeFile, fileMode, ""); err != nil {
		return err
	}
	opened, _, err := d.Open(name)
	if err != nil {
		return err
	}
	if _, err := opened.WriteAt(data, 0); err != nil {
		return errors.Join(err, d.Remove(name))
	}
	return nil
}

func (d *dir) Mkdir(name string, mode uint32) error {
	return d.make("mkdir", name, zsync.TypeDir, mode, "")
}

func (d *dir) Symlink(name, target string) error {
	return d.make("symlink", name, zsync.TypeSymlink, 0o777, target)
}

func (d *dir) make(call, name string, kind zsync.FileType, mode uint32, target string) error {
	if err := d.fs.begin(call, name); err != nil {
		return err
	}
	defer d.fs.mu.Unlock()
	if d.fs.entry(d.node, name) != nil {
		return taken(call, name)
	}
	if err := errors.Join(d.closed(), d.fs.unfit(call, name)); err != nil {
		return err
	}
	made := d.fs.newNode(kind, mode)
	made.target = target
	d.add(name, made)
	return nil
}

func (d *dir) Rename(name string, to store.Dir, toName string, how store.RenameMode) error {
	into := to.(*dir)
	if err := d.fs.begin("rename", name+" to "+toName); err != nil {
		return err
	}
	defer d.fs.mu.Unlock()
	if how == store.Exchange && !d.fs.exchange {
		return fmt.Errorf("exchange %s: %w", name, errors.ErrUnsupported)
	}
	name = d.fs.called(d.node, name)
	if how == store.Exchange {
		toName = d.fs.called(into.node, toName)
	}
	moved, other := d.node.entries[name], d.fs.entry(into.node, toName)
	switch {
	case moved == nil || how == store.Exchange && other == nil:
		return missing("rename", name)
	case how != store.Exchange && other != nil:
		return taken("rename to", toName)
	case moved.holds(into.node):
		return fmt.Errorf("rename %s into itself", name)
	}
	if err := d.fs.unfit("rename to", toName); err != nil {
		return err
	}
	if !d.fs.flags && moved.kind != zsync.TypeDir {
		switch how {
		case store.NoReplace:
			return fmt.Errorf("rename %s without replacing: %w", name, errors.ErrUnsupported)
		case store.FromPrivate:
			return d.linkAndRemove(name, moved, into, toName)
		}
	}
	if err := errors.Join(d.closed(), into.closed()); err != nil {
		return err
	}
	if moved.kind == zsync.TypeDir && into.node != d.node { // its ".." is one of its entries
		if err := (&dir{d.fs, moved}).closed(); err != nil {
			return err
		}
	}
	isDir := moved.kind == zsync.TypeDir || other != nil && other.kind == zsync.TypeDir
	d.fs.record(change{sets: []set{{dir: d.node, name: name, node: other}, {dir: into.node, name: toName, node: moved}}, after: isDir})
	return nil
}

// linkAndRemove is a rename in three steps, of which the caller has begun the
// first. The lock is held, and held again at the end.
func (d *dir) linkAndRemove(name string, moved *node, into *dir, toName string) error {
	into.add(toName, moved)
	d.fs.mu.Unlock()
	err := into.Sync()
	if err == nil {
		err = d.fs.begin("unlink", name) // holds the lock when it is nil
	}
	if err != nil {
		d.fs.mu.Lock()
		return err
	}
	if d.node.entries[name] != nil { // whatever it is by now
		d.fs.record(change{sets: []set{{dir: d.node, name: name}}})
	}
	return nil
}

// holds reports whether a directory lies in n, or is n.
func (n *node) holds(inner *node) bool {
	found := false
	n.each(func(below *node) { found = found || below == inner })
	return found
}

func (d *dir) Remove(name string) error {
	return d.unlink("remove", name, func(n *node) error {
		if n.kind == zsync.TypeDir {
			return fmt.Errorf("remove %s: is a directory", name)
		}
		return nil
	})
}

func (d *dir) Rmdir(name string) error {
	return d.unlink("rmdir", name, func(n *node) error {
		switch {
		case n.kind != zsync.TypeDir:
			return missing("rmdir", name)
		case len(n.entries) > 0:
			return taken("rmdir", name)
		}
		return nil
	})
}

func (d *dir) unlink(call, name string, allowed func(*node) error) error {
	if err := d.fs.begin(call, name); err != nil {
		return err
	}
	defer d.fs.mu.Unlock()
	name = d.fs.called(d.node, name)
	found := d.node.entries[name]
	if found == nil {
		return missing(call, name)
	}
	if err := errors.Join(allowed(found), d.closed()); err != nil {
		return err
	}
	d.fs.used -= int64(len(found.data))
	d.fs.record(change{sets: []set{{dir: d.node, name: name}}, after: found.kind == zsync.TypeDir})
	return nil
}

func (d *dir) Chmod(name string, mode uint32) error {
	return d.alter("chmod", name, func(n *node) { n.meta.mode = mode })
}

func (d *dir) SetMtime(name string, mtimeNS int64) error {
	return d.alter("set time of", name, func(n *node) { n.meta.mtimeNS = mtimeNS })
}

func (d *dir) alter(call, name string, do func(*node)) error {
	if err := d.fs.begin(call, name); err != nil {
		return err
	}
	defer d.fs.mu.Unlock()
	name = d.fs.called(d.node, name)
	found := d.node.entries[name]
	if found == nil {
		return missing(call, name)
	}
	do(found)
	d.fs.altered(found)
	return nil
}

func (d *dir) Lock(name string) (io.Closer, error) {
	opened, err := d.Create(name)
	if err != nil {
		return nil, err
	}
	d.fs.mu.Lock()
	defer d.fs.mu.Unlock()
	n := opened.(*file).node
	if d.fs.locks[n] {
		return nil, store.ErrLocked
	}
	d.fs.locks[n] = true
	return lock{d.fs, n}, nil
}

type lock struct {
	fs   *FS
	node *node
}

func (l lock) Close() error {
	l.fs.mu.Lock()
	defer l.fs.mu.Unlock()
	delete(l.fs.locks, l.node)
	return nil
}

func (d *dir) Sync() error {
	if err := d.fs.begin("sync", "directory"); err != nil {
		return err
	}
	defer d.fs.mu.Unlock()
	d.node.disk.meta = d.node.meta
	d.fs.syncDir(d.node)
	return nil
}

func (d *dir) Close() error { return nil }
