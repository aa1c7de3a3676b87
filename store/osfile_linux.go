package store

import (
	"errors"
	"fmt"
	"io"

	"golang.org/x/sys/unix"
)

// linuxFile is a File: a descriptor of a regular file.
type linuxFile struct{ fd int }

func (f *linuxFile) ReadAt(into []byte, offset int64) (int, error) {
	read := 0
	for read < len(into) {
		n, err := restarted(func() (int, error) { return unix.Pread(f.fd, into[read:], offset+int64(read)) })
		if err != nil {
			return read, fault("read", "file", err)
		}
		if n == 0 {
			return read, io.EOF
		}
		read += n
	}
	return read, nil
}

func (f *linuxFile) WriteAt(data []byte, offset int64) (int, error) {
	n, err := writeAll(f.fd, data, offset)
	return n, fault("write", "file", err)
}

func writeAll(fd int, data []byte, offset int64) (int, error) {
	written := 0
	for written < len(data) {
		n, err := restarted(func() (int, error) { return unix.Pwrite(fd, data[written:], offset+int64(written)) })
		if err != nil {
			return written, err
		}
		written += n
	}
	return written, nil
}

func (f *linuxFile) Stat() (Stat, error) { return statx(f.fd, "", unix.AT_EMPTY_PATH) }

func (f *linuxFile) Data(offset int64) (from, to int64, err error) {
	return dataRange(offset, func(offset int64, whence int) (int64, error) { return unix.Seek(f.fd, offset, whence) })
}

func (f *linuxFile) Truncate(size int64) error {
	return fault("truncate", "file", insist(func() error { return unix.Ftruncate(f.fd, size) }))
}

// Clone shares extents (FICLONE), as btrfs, xfs and bcachefs can.
func (f *linuxFile) Clone(from File) error {
	source, ok := from.(*linuxFile)
	if !ok {
		return unsupported("clone", "file")
	}
	err := insist(func() error { return unix.IoctlFileClone(f.fd, source.fd) })
	switch err {
	case unix.EOPNOTSUPP, unix.ENOTTY, unix.EINVAL, unix.EXDEV, unix.ENOSYS, unix.EPERM:
		return unsupported("clone", "file")
	}
	return fault("clone", "file", err)
}

// WriteBack starts the write and does not wait; an error shows at the next Sync.
func (f *linuxFile) WriteBack(offset, size int64) {
	_ = unix.SyncFileRange(f.fd, offset, size, unix.SYNC_FILE_RANGE_WRITE)
}

// Uncached lets go of pages that are on the disk as they are in memory, and no others.
func (f *linuxFile) Uncached() { _ = unix.Fadvise(f.fd, 0, 0, unix.FADV_DONTNEED) }

// Closed asks for a lease, which the kernel grants only where nobody has the file open
// to write, and gives it back. Of a file of another user it tells nothing.
func (f *linuxFile) Closed() bool {
	if _, err := unix.FcntlInt(uintptr(f.fd), unix.F_SETLEASE, unix.F_RDLCK); err != nil {
		return false
	}
	_, err := unix.FcntlInt(uintptr(f.fd), unix.F_SETLEASE, unix.F_UNLCK)
	return err == nil
}

func (f *linuxFile) Sync() error {
	return fault("sync", "file", insist(func() error { return unix.Fsync(f.fd) }))
}

func (f *linuxFile) Close() error { return fault("close", "file", unix.Close(f.fd)) }

func unsupported(call, name string) error {
	return fmt.Errorf("%s %s: %w", call, name, errors.ErrUnsupported)
}
