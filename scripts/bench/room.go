package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"
)

// hasRoom skips a row for which the disk has no space: half of it is no figure, and
// a full disk is a nuisance to everybody else.
func (b *bench) hasRoom(w row) error {
	var disk syscall.Statfs_t
	if err := syscall.Statfs(b.dir, &disk); err != nil {
		return err
	}
	free := float64(disk.Bavail) * float64(disk.Bsize) / (1 << 30)
	if needs := w.gib / float64(b.scale); free < needs {
		return fmt.Errorf("%w: it needs %.1f GiB, and %s has %.1f: set TMPDIR, or -scale", errSkipped, needs, b.dir, free)
	}
	return nil
}

// Which files emptied cuts to nothing, by how many names they have.
const (
	whatIsNotShared = 1 // hard links of a source are not a run's to cut
	everything      = 1 << 30
)

// emptied gives the bytes below a directory back. The files themselves stay: see the
// comment of the package.
func (b *bench) emptied(dir string, namesMax uint64) error {
	if b.keep {
		return nil
	}
	err := eachFile(dir, func(path string) error {
		info, err := os.Lstat(path)
		if err != nil {
			return err
		}
		if stat, ok := info.Sys().(*syscall.Stat_t); !ok || uint64(stat.Nlink) > namesMax || info.Size() == 0 {
			return nil
		}
		return os.Truncate(path, 0)
	})
	if errors.Is(err, fs.ErrNotExist) {
		return nil // a row that was skipped has nothing
	}
	return err
}
