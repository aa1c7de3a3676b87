package store

import (
	"errors"
	"fmt"
	"syscall"
)

// ErrMedium is returned where the disk itself could not read some bytes of a file.
var ErrMedium = errors.New("the disk could not read it")

// Verify is [Root.Hash] of what lies on the disk itself: what the system keeps in
// memory of the file is let go of before and after, so that it neither hides what the
// disk has become nor pushes out what others use. Err is [ErrMedium] where the disk
// could not read it, and [ErrStopped] once [Root.Stop] was called.
func (r *Root) Verify(j HashJob) Hashed {
	hashed := Hashed{Path: j.Path}
	err := r.hash(j, &hashed, File.Uncached)
	if errors.Is(err, syscall.EIO) {
		err = fmt.Errorf("%w (%w)", ErrMedium, err)
	}
	if err != nil {
		return Hashed{Path: j.Path, Stat: hashed.Stat, Err: fmt.Errorf("store: verify %s: %w", j.Path, err)}
	}
	return hashed
}

// ErrStopped is returned for a file that was being read when the folder was closed.
var ErrStopped = errors.New("the folder is being closed")

// Stop ends the reading of files that Hash and Verify are at, however large they are.
func (r *Root) Stop() { r.stopped.Store(true) }

// stoppable is a file that is read no further once its root is stopped.
type stoppable struct {
	File
	root *Root
}

func (s stoppable) ReadAt(into []byte, offset int64) (int, error) {
	if s.root.stopped.Load() {
		return 0, ErrStopped
	}
	return s.File.ReadAt(into, offset)
}
