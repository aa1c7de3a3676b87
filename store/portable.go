package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"sync"

	"github.com/zsync/zsync"
)

// portable is an FS on top of os.Root, for systems without openat2. os.Root keeps
// every access below the root, against symlinks that are swapped in meanwhile
// too; the walk refuses those it meets inside. What it cannot do: see a mount
// point of the same device, exchange two names, or keep a directory from replacing
// an empty one in the moment between the look and the rename.
type portable struct {
	path   string
	root   *os.Root
	device uint64              // 0 where the system does not tell
	mu     sync.Mutex          // workers write at once; what they wrote is one set
	lost   map[string]struct{} // paths that a crash could take back: there is no syncfs
}

func openPortable(path string) (FS, error) {
	root, err := os.OpenRoot(path)
	if err != nil {
		return nil, err
	}
	self, err := root.Stat(".")
	if err != nil {
		root.Close()
		return nil, err
	}
	return &portable{path: path, root: root, device: deviceOf(self), lost: map[string]struct{}{}}, nil
}

func (p *portable) Dir(path string) (Dir, error) {
	at, err := p.root.OpenRoot(".")
	if err != nil {
		return nil, err
	}
	for _, name := range strings.Split(path, "/") {
		if path == "" {
			break
		}
		next, err := p.openChild(at, name)
		at.Close()
		if err != nil {
			return nil, fmt.Errorf("open %s: %w", path, portably(err))
		}
		at = next
	}
	return &portableDir{disk: p, path: path, at: at}, nil
}

// openChild opens the directory name as os.Root does, and then makes sure that
// no symlink was followed, nor another device entered.
func (p *portable) openChild(at *os.Root, name string) (*os.Root, error) {
	seen, err := at.Lstat(name)
	if err != nil {
		return nil, err
	}
	if !seen.IsDir() {
		return nil, fmt.Errorf("%s is no directory: %w", name, fs.ErrNotExist)
	}
	child, err := at.OpenRoot(name)
	if err != nil {
		return nil, err
	}
	opened, err := child.Stat(".")
	switch {
	case err != nil || !os.SameFile(seen, opened):
		err = fmt.Errorf("%s was replaced: %w", name, fs.ErrNotExist)
	case deviceOf(opened) != p.device:
		err = fmt.Errorf("%s: %w", name, ErrMount)
	default:
		return child, nil
	}
	child.Close()
	return nil, err
}

func (p *portable) Open(path string) (File, Stat, error) {
	dir, name := split(path)
	at, err := p.Dir(dir)
	if err != nil {
		return nil, Stat{}, err
	}
	defer at.Close()
	return at.Open(name)
}

func (p *portable) Self() (Stat, error) {
	info, err := os.Stat(p.path)
	if err != nil {
		return Stat{}, err
	}
	return statOf(info), nil
}

// wrote remembers what Sync has to sync: a file, and the directory that names it.
func (p *portable) wrote(path string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.lost[path] = struct{}{}
	p.lost[above(path)] = struct{}{}
}

// renamed remembers the directories of both names, and what had to be synced
// under the old one.
func (p *portable) renamed(from, to string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, written := p.lost[from]; written {
		delete(p.lost, from)
		p.lost[to] = struct{}{}
	}
	p.lost[above(from)], p.lost[above(to)] = struct{}{}, struct{}{}
}

func above(path string) string {
	dir, _ := split(path)
	return dir
}

func (p *portable) Sync() error {
	p.mu.Lock()
	paths := p.lost
	p.lost = map[string]struct{}{}
	p.mu.Unlock()
	var failed error
	for path := range paths {
		if err := p.syncPath(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			failed = errors.Join(failed, err)
		}
	}
	return failed
}

func (p *portable) syncPath(path string) error {
	dir, err := p.Dir(path)
	if err == nil {
		defer dir.Close()
		return dir.Sync()
	}
	file, _, err := p.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	return file.Sync()
}

func (p *portable) Free() (free, total int64, err error) { return freeOf(p.path) }

func (p *portable) Close() error { return p.root.Close() }

// rename has plain renames and links only; see [RenameMode].
func (p *portable) rename(from, to string, how RenameMode) error {
	for _, path := range []string{above(from), above(to)} { // os.Root would follow a symlink there
		dir, err := p.Dir(path)
		if err != nil {
			return err
		}
		_ = dir.Close()
	}
	info, err := p.root.Lstat(from)
	if err != nil {
		return err
	}
	switch {
	case info.IsDir() || how == IntoPrivate:
	case how == FromPrivate:
		linked, err := p.linkAndRemove(from, to)
		if linked || err != nil {
			return err
		}
	default:
		return fmt.Errorf("rename %s without replacing: %w", from, errors.ErrUnsupported)
	}
	if _, err := p.root.Lstat(to); err == nil {
		return fmt.Errorf("rename to %s: %w", to, fs.ErrExist)
	}
	return p.root.Rename(from, to)
}

// linkAndRemove is a rename that fails where the new name is taken. No crash may
// take the new name and leave the old one removed. linked is false when there are
// no links here.
func (p *portable) linkAndRemove(from, to string) (linked bool, err error) {
	if err := p.root.Link(from, to); err != nil {
		if errors.Is(err, fs.ErrExist) {
			return false, err
		}
		return false, nil
	}
	dir, err := p.Dir(above(to))
	if err != nil {
		return true, err
	}
	defer dir.Close()
	if err := dir.Sync(); err != nil {
		return true, err
	}
	return true, p.root.Remove(from)
}

// portableFile is a File: os.File has most of it.
type portableFile struct{ *os.File }

func (f portableFile) Stat() (Stat, error) {
	info, err := f.File.Stat()
	if err != nil {
		return Stat{}, err
	}
	return statOf(info), nil
}

func (f portableFile) Data(offset int64) (from, to int64, err error) {
	return dataRange(offset, f.Seek)
}

func (f portableFile) Clone(File) error { return errors.ErrUnsupported }

func (f portableFile) WriteBack(int64, int64) {}

func (f portableFile) Uncached() {}

func (f portableFile) Closed() bool { return false }

// statOf adds to the common fields what this system tells beyond them.
func statOf(info fs.FileInfo) Stat {
	stat := Stat{Size: info.Size(), MtimeNS: info.ModTime().UnixNano(), Mode: uint32(info.Mode().Perm())}
	switch {
	case info.Mode().IsRegular():
		stat.Type = zsync.TypeFile
	case info.IsDir():
		stat.Type = zsync.TypeDir
	case info.Mode()&fs.ModeSymlink != 0:
		stat.Type = zsync.TypeSymlink
	}
	identify(&stat, info)
	return stat
}
