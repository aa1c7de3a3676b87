package store

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"
)

// OpenOS opens the directory dir of the operating system as a folder's disk.
// Symlinks on the way to dir are followed; none below it ever is.
func OpenOS(dir string) (FS, error) {
	path, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	return openPortable(path)
}

// portably puts errors of package os in the terms that FS promises.
func portably(err error) error {
	switch {
	case errors.Is(err, syscall.ENOTDIR), errors.Is(err, syscall.ELOOP):
		return fmt.Errorf("%w (%w)", fs.ErrNotExist, err)
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return fmt.Errorf("%w (%w)", ErrNoSpace, err)
	case errors.Is(err, syscall.EXDEV):
		return fmt.Errorf("%w (%w)", ErrMount, err)
	}
	return err
}

func identify(stat *Stat, info fs.FileInfo) {
	if sys, ok := info.Sys().(*syscall.Stat_t); ok {
		stat.Inode = sys.Ino
		stat.CtimeNS = sys.Ctimespec.Nano()
		stat.BirthNS = sys.Birthtimespec.Nano()
	}
}

func deviceOf(info fs.FileInfo) uint64 {
	if sys, ok := info.Sys().(*syscall.Stat_t); ok {
		return uint64(sys.Dev)
	}
	return 0
}

func freeOf(path string) (free, total int64, err error) {
	var answer unix.Statfs_t
	if err := unix.Statfs(path, &answer); err != nil {
		return 0, 0, err
	}
	return int64(answer.Bavail) * int64(answer.Bsize), int64(answer.Blocks) * int64(answer.Bsize), nil
}
