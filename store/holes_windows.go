package store

import "io"

// dataRange is [File.Data] where nobody tells of holes.
func dataRange(offset int64, seek func(offset int64, whence int) (int64, error)) (from, to int64, err error) {
	to, err = seek(0, io.SeekEnd)
	if err == nil && to <= offset {
		err = io.EOF
	}
	return offset, to, err
}
