package store

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/windows"
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
	case errors.Is(err, windows.ERROR_DISK_FULL), errors.Is(err, windows.ERROR_HANDLE_DISK_FULL):
		return fmt.Errorf("%w (%w)", ErrNoSpace, err)
	case errors.Is(err, windows.ERROR_DIR_NOT_EMPTY):
		return fmt.Errorf("%w (%w)", fs.ErrExist, err)
	}
	return err
}

// identify has no inode to tell: a renamed file is known by its time of birth
// and its content alone.
func identify(stat *Stat, info fs.FileInfo) {
	if sys, ok := info.Sys().(*syscall.Win32FileAttributeData); ok {
		stat.BirthNS = sys.CreationTime.Nanoseconds()
	}
}

// deviceOf has none to tell: a volume mounted in a directory is a reparse point,
// which is not taken for a directory.
func deviceOf(fs.FileInfo) uint64 { return 0 }

func freeOf(path string) (free, total int64, err error) {
	name, err := windows.UTF16PtrFromString(path)
	if err != nil {
		return 0, 0, err
	}
	var mine, all, others uint64
	if err := windows.GetDiskFreeSpaceEx(name, &mine, &all, &others); err != nil {
		return 0, 0, err
	}
	return int64(mine), int64(all), nil
}
