package store

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// OpenOS opens the directory dir of the operating system as a folder's disk.
// Symlinks on the way to dir are followed; none below it ever is.
//
// Linux does the work with openat2 (RESOLVE_BENEATH, RESOLVE_NO_SYMLINKS,
// RESOLVE_NO_XDEV) and renameat2, in bare system calls: for small files they cost
// half of what package os does. Where openat2 is missing or forbidden, and on
// other systems, os.Root walks each path name by name.
func OpenOS(dir string) (FS, error) {
	path, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	disk, err := openLinux(path)
	if errors.Is(err, errors.ErrUnsupported) {
		return openPortable(path)
	}
	return disk, err
}

// linux is an FS. It holds nothing but the root's descriptor.
type linux struct {
	path string // absolute, to find out whether it still leads to fd
	fd   int
}

const (
	resolveBeneath = unix.RESOLVE_BENEATH | unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_XDEV
	openDirectory  = unix.O_RDONLY | unix.O_DIRECTORY | unix.O_NOFOLLOW | unix.O_CLOEXEC
	// O_NONBLOCK: a pipe that someone left in the tree must not stop the caller.
	openToRead = unix.O_RDONLY | unix.O_NOFOLLOW | unix.O_NONBLOCK | unix.O_NOCTTY | unix.O_CLOEXEC
	// pathBytesMax is what one system call takes; longer paths are walked in parts.
	pathBytesMax = unix.PathMax - 1
)

func openLinux(path string) (FS, error) {
	fd, err := restarted(func() (int, error) {
		return unix.Open(path, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	})
	if err != nil {
		return nil, fault("open", path, err)
	}
	disk := &linux{path: path, fd: fd}
	probe, err := disk.openBeneath(".", openDirectory)
	if err != nil {
		unix.Close(fd)
		if err == unix.ENOSYS || err == unix.EPERM { // an old kernel, or a sandbox that knows no openat2
			return nil, fmt.Errorf("openat2: %w", errors.ErrUnsupported)
		}
		return nil, fault("open", path, err)
	}
	unix.Close(probe)
	return disk, nil
}

func (l *linux) Dir(path string) (Dir, error) {
	if path == "" {
		path = "."
	}
	fd, err := l.openBeneath(path, openDirectory)
	if err != nil {
		return nil, fault("open", path, err)
	}
	return &linuxDir{fd: fd}, nil
}

func (l *linux) Open(path string) (File, Stat, error) {
	fd, err := unnoticed(func(flags uint64) (int, error) { return l.openBeneath(path, openToRead|flags) })
	if err != nil {
		return nil, Stat{}, fault("open", path, err)
	}
	return regular(fd, path)
}

// unnoticed opens something to read without a change of its access time: that time
// tells when a person read a file, and to write it for each would cost as much as the
// read. Whose file it is not must do without.
func unnoticed(open func(flags uint64) (int, error)) (int, error) {
	fd, err := open(unix.O_NOATIME)
	if err == unix.EPERM {
		return open(0)
	}
	return fd, err
}

// openBeneath opens a path of any length below the root.
func (l *linux) openBeneath(path string, flags uint64) (int, error) {
	from := l.fd
	for len(path) > pathBytesMax {
		cut := strings.LastIndexByte(path[:pathBytesMax], '/')
		if cut <= 0 {
			return -1, unix.ENAMETOOLONG
		}
		next, err := openat2(from, path[:cut], openDirectory)
		if from != l.fd {
			unix.Close(from)
		}
		if err != nil {
			return -1, err
		}
		from, path = next, path[cut+1:]
	}
	fd, err := openat2(from, path, flags)
	if from != l.fd {
		unix.Close(from)
	}
	return fd, err
}

func openat2(from int, path string, flags uint64) (int, error) {
	how := unix.OpenHow{Flags: flags, Resolve: resolveBeneath}
	return restarted(func() (int, error) { return unix.Openat2(from, path, &how) })
}

// Self compares the device too, which cannot be trusted across starts but is the
// same while the root is open: the roots of two disks have the same inode number.
func (l *linux) Self() (Stat, error) {
	var named, open unix.Stat_t
	if err := unix.Fstat(l.fd, &open); err != nil {
		return Stat{}, fault("stat", l.path, err)
	}
	if err := insist(func() error { return unix.Stat(l.path, &named) }); err != nil {
		return Stat{}, fault("stat", l.path, err)
	}
	if named.Dev != open.Dev {
		return Stat{}, fault("stat", l.path, unix.EXDEV)
	}
	return statx(unix.AT_FDCWD, l.path, 0)
}

func (l *linux) Sync() error {
	return fault("sync", l.path, insist(func() error { return unix.Syncfs(l.fd) }))
}

func (l *linux) Free() (free, total int64, err error) {
	var answer unix.Statfs_t
	if err := unix.Fstatfs(l.fd, &answer); err != nil {
		return 0, 0, fault("statfs", l.path, err)
	}
	unit := int64(answer.Frsize)
	if unit == 0 {
		unit = int64(answer.Bsize)
	}
	return int64(answer.Bavail) * unit, int64(answer.Blocks) * unit, nil
}

func (l *linux) Close() error { return fault("close", l.path, unix.Close(l.fd)) }

// restarted repeats a call that a signal cut short: the Go runtime sends signals
// of its own, and file systems across a network let them through.
func restarted[T any](call func() (T, error)) (T, error) {
	for {
		if answer, err := call(); err != unix.EINTR {
			return answer, err
		}
	}
}

// insist is restarted for a call without an answer.
func insist(call func() error) error {
	_, err := restarted(func() (struct{}, error) { return struct{}{}, call() })
	return err
}

// fault says which call failed on what, in the terms that FS promises.
func fault(call, name string, err error) error {
	switch err {
	case nil:
		return nil
	case unix.ENOTDIR, unix.ELOOP:
		return fmt.Errorf("%s %s: %w (%w)", call, name, fs.ErrNotExist, err)
	case unix.ENOSPC, unix.EDQUOT:
		return fmt.Errorf("%s %s: %w (%w)", call, name, ErrNoSpace, err)
	case unix.EXDEV:
		return fmt.Errorf("%s %s: %w", call, name, ErrMount)
	}
	return fmt.Errorf("%s %s: %w", call, name, err)
}
