package store

import (
	"errors"
	"io/fs"
	"syscall"

	"golang.org/x/sys/unix"
)

// portably is fault for errors of package os.
func portably(err error) error {
	var errno syscall.Errno
	if errors.As(err, &errno) && (errno == unix.ENOTDIR || errno == unix.ELOOP || errno == unix.ENOSPC || errno == unix.EDQUOT || errno == unix.EXDEV) {
		return fault("os", "root", errno)
	}
	return err
}

func identify(stat *Stat, info fs.FileInfo) {
	if sys, ok := info.Sys().(*syscall.Stat_t); ok {
		stat.Inode = sys.Ino
		stat.CtimeNS = sys.Ctim.Nano()
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
		return 0, 0, fault("statfs", path, err)
	}
	return int64(answer.Bavail) * int64(answer.Bsize), int64(answer.Blocks) * int64(answer.Bsize), nil
}
