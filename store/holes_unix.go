//go:build unix

package store

import (
	"errors"
	"io"

	"golang.org/x/sys/unix"
)

// dataRange is [File.Data] by way of a descriptor's seek, whose position is of no
// use to anybody else.
func dataRange(offset int64, seek func(offset int64, whence int) (int64, error)) (from, to int64, err error) {
	from, err = seek(offset, unix.SEEK_DATA)
	if errors.Is(err, unix.ENXIO) {
		return 0, 0, io.EOF
	}
	if err == nil {
		to, err = seek(from, unix.SEEK_HOLE)
	}
	if err != nil { // a disk that knows of no holes
		from = offset
		to, err = seek(0, io.SeekEnd)
		if err == nil && to <= from {
			err = io.EOF
		}
	}
	return from, to, err
}
