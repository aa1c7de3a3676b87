package store

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"time"

	"github.com/gofrs/flock"
)

// portableDir is a Dir: an os.Root of its own, and its path for what concerns two
// directories.
type portableDir struct {
	disk *portable
	path string
	at   *os.Root
}

func (d *portableDir) of(name string) string { return filepath.ToSlash(filepath.Join(d.path, name)) }

func (d *portableDir) Self() (Stat, error) { return d.Stat(".") }

func (d *portableDir) Stat(name string) (Stat, error) {
	info, err := d.at.Lstat(name)
	if err != nil {
		return Stat{}, portably(err)
	}
	return statOf(info), nil
}

func (d *portableDir) Names() ([]string, error) {
	self, err := d.at.Open(".")
	if err != nil {
		return nil, portably(err)
	}
	defer self.Close()
	return self.Readdirnames(-1)
}

func (d *portableDir) Readlink(name string) (string, error) {
	target, err := d.at.Readlink(name)
	return target, portably(err)
}

func (d *portableDir) Open(name string) (File, Stat, error) {
	return d.open(name, os.O_RDONLY)
}

// open opens a regular file that is there, and makes sure that no symlink was
// followed to another one.
func (d *portableDir) open(name string, flags int) (File, Stat, error) {
	seen, err := d.at.Lstat(name)
	if err != nil {
		return nil, Stat{}, portably(err)
	}
	if !seen.Mode().IsRegular() {
		return nil, Stat{}, fmt.Errorf("open %s: %w (no regular file)", name, fs.ErrNotExist)
	}
	file, err := d.at.OpenFile(name, flags, 0)
	if err != nil {
		return nil, Stat{}, portably(err)
	}
	opened, err := file.Stat()
	if err != nil || !os.SameFile(seen, opened) {
		file.Close()
		return nil, Stat{}, fmt.Errorf("open %s: %w (replaced)", name, fs.ErrNotExist)
	}
	return portableFile{file}, statOf(opened), nil
}

func (d *portableDir) Create(name string) (File, error) {
	err := d.Write(name, nil)
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	d.disk.wrote(d.of(name))
	file, _, err := d.open(name, os.O_RDWR)
	return file, err
}

func (d *portableDir) Write(name string, data []byte) error {
	file, err := d.at.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, fileModePortable)
	if isMisfit(err) {
		return fmt.Errorf("create %s: %w (%w)", name, ErrUnfit, err)
	}
	if err != nil {
		return portably(err)
	}
	d.disk.wrote(d.of(name))
	_, err = file.Write(data)
	if closed := file.Close(); err == nil {
		err = closed
	}
	if err != nil {
		_ = d.at.Remove(name) // what is reported is why it could not be written
	}
	return portably(err)
}

// isMisfit reports whether the disk does not take the name that a file was to have.
func isMisfit(err error) bool {
	var errno syscall.Errno
	if !errors.As(err, &errno) {
		return false
	}
	windows := errno == 123 || errno == 206 // ERROR_INVALID_NAME, ERROR_FILENAME_EXCED_RANGE
	return errno == syscall.EINVAL || errno == syscall.ENAMETOOLONG || errno == syscall.EILSEQ || windows && runtime.GOOS == "windows"
}

const fileModePortable = 0o644 // of a new file, until Chmod says otherwise

func (d *portableDir) Mkdir(name string, mode uint32) error {
	if err := d.at.Mkdir(name, fs.FileMode(mode)); err != nil {
		return portably(err)
	}
	return d.Chmod(name, mode) // the umask may have taken bits away
}

func (d *portableDir) Symlink(name, target string) error {
	d.disk.wrote(d.of(name))
	return portably(d.at.Symlink(target, name))
}

func (d *portableDir) Rename(name string, to Dir, toName string, how RenameMode) error {
	into, ok := to.(*portableDir)
	if !ok {
		panic("store: rename between two kinds of disk")
	}
	if how == Exchange {
		return fmt.Errorf("exchange %s: %w", name, errors.ErrUnsupported)
	}
	d.disk.renamed(d.of(name), into.of(toName))
	return portably(d.disk.rename(d.of(name), into.of(toName), how))
}

func (d *portableDir) Remove(name string) error {
	if info, err := d.at.Lstat(name); err == nil && info.IsDir() {
		return fmt.Errorf("remove %s: is a directory", name)
	}
	d.disk.renamed(d.of(name), d.of(name))
	return portably(d.at.Remove(name))
}

func (d *portableDir) Rmdir(name string) error {
	if info, err := d.at.Lstat(name); err == nil && !info.IsDir() {
		return fmt.Errorf("rmdir %s: not a directory", name)
	}
	d.disk.renamed(d.of(name), d.of(name))
	return portably(d.at.Remove(name))
}

func (d *portableDir) Chmod(name string, mode uint32) error {
	if info, err := d.at.Lstat(name); err == nil && info.Mode()&fs.ModeSymlink != 0 {
		return fmt.Errorf("chmod %s: is a symlink", name)
	}
	d.disk.wrote(d.of(name))
	return portably(d.at.Chmod(name, fs.FileMode(mode)))
}

// SetMtime leaves symlinks as they are: os.Root has no way to.
func (d *portableDir) SetMtime(name string, mtimeNS int64) error {
	if info, err := d.at.Lstat(name); err != nil || info.Mode()&fs.ModeSymlink != 0 {
		return portably(err)
	}
	d.disk.wrote(d.of(name))
	return portably(d.at.Chtimes(name, time.Time{}, time.Unix(0, mtimeNS)))
}

func (d *portableDir) Lock(name string) (io.Closer, error) {
	lock := flock.New(filepath.Join(d.disk.path, filepath.FromSlash(d.of(name))))
	taken, err := lock.TryLock()
	if err != nil {
		return nil, err
	}
	if !taken {
		return nil, ErrLocked
	}
	return lock, nil
}

func (d *portableDir) Sync() error {
	if runtime.GOOS == "windows" { // directories cannot be synced there, and need not be
		return nil
	}
	self, err := d.at.Open(".")
	if err != nil {
		return portably(err)
	}
	defer self.Close()
	return self.Sync()
}

func (d *portableDir) Close() error { return d.at.Close() }
