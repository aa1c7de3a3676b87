package store

import (
	"fmt"
	"io"
	"io/fs"
	"math"

	"github.com/zsync/zsync"
	"golang.org/x/sys/unix"
)

// linuxDir is a Dir: a descriptor, and system calls on names in it.
type linuxDir struct{ fd int }

func (d *linuxDir) Self() (Stat, error) { return statx(d.fd, "", unix.AT_EMPTY_PATH) }

func (d *linuxDir) Stat(name string) (Stat, error) {
	return statx(d.fd, name, unix.AT_SYMLINK_NOFOLLOW)
}

const listBufferBytes = 32 << 10 // about 1,000 names a system call

func (d *linuxDir) Names() ([]string, error) {
	if _, err := unix.Seek(d.fd, 0, io.SeekStart); err != nil {
		return nil, fault("list", "directory", err)
	}
	var names []string
	buffer := make([]byte, listBufferBytes)
	for {
		n, err := restarted(func() (int, error) { return unix.Getdents(d.fd, buffer) })
		if err != nil {
			return nil, fault("list", "directory", err)
		}
		if n == 0 {
			return names, nil
		}
		_, _, names = unix.ParseDirent(buffer[:n], math.MaxInt, names)
	}
}

func (d *linuxDir) Readlink(name string) (string, error) {
	var target [zsync.SymlinkBytesMax + 1]byte
	n, err := unix.Readlinkat(d.fd, name, target[:])
	if err != nil {
		return "", fault("readlink", name, err)
	}
	return string(target[:n]), nil
}

func (d *linuxDir) Open(name string) (File, Stat, error) {
	fd, err := unnoticed(func(flags uint64) (int, error) {
		return restarted(func() (int, error) { return unix.Openat(d.fd, name, openToRead|int(flags), 0) })
	})
	if err != nil {
		return nil, Stat{}, fault("open", name, err)
	}
	return regular(fd, name)
}

const (
	fileMode    = 0o644 // of a new file, until Chmod says otherwise
	openToWrite = unix.O_RDWR | unix.O_CREAT | unix.O_NOFOLLOW | unix.O_NONBLOCK | unix.O_CLOEXEC
)

func (d *linuxDir) Create(name string) (File, error) {
	fd, err := restarted(func() (int, error) { return unix.Openat(d.fd, name, openToWrite, fileMode) })
	if err != nil {
		return nil, fault("create", name, err)
	}
	file, _, err := regular(fd, name)
	return file, err
}

func (d *linuxDir) Write(name string, data []byte) error {
	fd, err := restarted(func() (int, error) {
		return unix.Openat(d.fd, name, openToWrite|unix.O_EXCL, fileMode)
	})
	if err != nil {
		return misfit("create", name, err)
	}
	_, err = writeAll(fd, data, 0)
	if closed := unix.Close(fd); err == nil {
		err = closed
	}
	if err != nil {
		_ = unix.Unlinkat(d.fd, name, 0) // what is reported is why it could not be written
	}
	return fault("write", name, err)
}

func (d *linuxDir) Mkdir(name string, mode uint32) error {
	if err := insist(func() error { return unix.Mkdirat(d.fd, name, mode) }); err != nil {
		return misfit("mkdir", name, err)
	}
	return d.Chmod(name, mode) // the umask may have taken bits away
}

func (d *linuxDir) Symlink(name, target string) error {
	return misfit("symlink", name, insist(func() error { return unix.Symlinkat(target, d.fd, name) }))
}

// misfit is fault for what gives something a name: where the disk takes no such thing,
// or no such name, that is sure to have done nothing.
func misfit(call, name string, err error) error {
	switch err {
	case unix.EINVAL, unix.ENAMETOOLONG, unix.EILSEQ, unix.ENOSYS, unix.EOPNOTSUPP:
		return fmt.Errorf("%s %s: %w (%w)", call, name, ErrUnfit, err)
	}
	return fault(call, name, err)
}

func (d *linuxDir) Rename(name string, to Dir, toName string, how RenameMode) error {
	into, ok := to.(*linuxDir)
	if !ok {
		panic("store: rename between two kinds of disk")
	}
	flags := uint(unix.RENAME_NOREPLACE)
	if how == Exchange {
		flags = unix.RENAME_EXCHANGE
	}
	err := insist(func() error { return unix.Renameat2(d.fd, name, into.fd, toName, flags) })
	if err != unix.EINVAL && err != unix.ENOSYS {
		return misfit("rename", name, err)
	}
	return d.renameWithoutFlags(name, into, toName, how)
}

// renameWithoutFlags is for file systems that know no RENAME_NOREPLACE. A directory
// can only be renamed over an empty one, and a name that ends in '/' is only ever a
// directory's.
func (d *linuxDir) renameWithoutFlags(name string, to *linuxDir, toName string, how RenameMode) error {
	moved, err := d.Stat(name)
	if err != nil {
		return err
	}
	from := name
	switch {
	case how == Exchange:
		return unsupported("exchange", name)
	case moved.Type == zsync.TypeDir && how != IntoPrivate:
		from += "/"
	case how == NoReplace:
		return unsupported("rename without replacing", name)
	case how == FromPrivate:
		linked, err := d.linkAndRemove(name, to, toName)
		if linked || err != nil {
			return fault("rename", name, err)
		}
	}
	if _, err := to.Stat(toName); err == nil {
		return fault("rename to", toName, unix.EEXIST)
	}
	return misfit("rename", name, insist(func() error { return unix.Renameat(d.fd, from, to.fd, toName) }))
}

// linkAndRemove is a rename that fails where the new name is taken. No crash may
// take the new name and leave the old one removed. linked is false when there are
// no links here.
func (d *linuxDir) linkAndRemove(name string, to *linuxDir, toName string) (linked bool, err error) {
	err = insist(func() error { return unix.Linkat(d.fd, name, to.fd, toName, 0) })
	switch err {
	case nil:
	case unix.EPERM, unix.EOPNOTSUPP, unix.EMLINK, unix.ENOSYS, unix.EINVAL:
		return false, nil
	default:
		return false, err
	}
	if err := to.Sync(); err != nil {
		return true, err
	}
	return true, insist(func() error { return unix.Unlinkat(d.fd, name, 0) })
}

func (d *linuxDir) Remove(name string) error {
	return fault("remove", name, insist(func() error { return unix.Unlinkat(d.fd, name, 0) }))
}

func (d *linuxDir) Rmdir(name string) error {
	return fault("rmdir", name, insist(func() error { return unix.Unlinkat(d.fd, name, unix.AT_REMOVEDIR) }))
}

// Chmod opens what it changes where the kernel (before 6.6) cannot be told to
// leave symlinks alone.
func (d *linuxDir) Chmod(name string, mode uint32) error {
	err := insist(func() error { return unix.Fchmodat(d.fd, name, mode, unix.AT_SYMLINK_NOFOLLOW) })
	if err != unix.EOPNOTSUPP && err != unix.ENOSYS && err != unix.EPERM {
		return fault("chmod", name, err)
	}
	fd, openErr := restarted(func() (int, error) { return unix.Openat(d.fd, name, openToRead, 0) })
	if openErr != nil {
		return fault("chmod", name, openErr)
	}
	defer unix.Close(fd)
	return fault("chmod", name, insist(func() error { return unix.Fchmod(fd, mode) }))
}

func (d *linuxDir) SetMtime(name string, mtimeNS int64) error {
	times := []unix.Timespec{{Nsec: unix.UTIME_OMIT}, unix.NsecToTimespec(mtimeNS)}
	return fault("set time of", name, insist(func() error {
		return unix.UtimesNanoAt(d.fd, name, times, unix.AT_SYMLINK_NOFOLLOW)
	}))
}

// Lock keeps the file open to be read alone: one that is open to be written to would
// keep a person from making the disk read-only. Where the system locks no other (NFS),
// it is that one.
func (d *linuxDir) Lock(name string) (io.Closer, error) {
	other, err := d.Create(name)
	if err != nil {
		return nil, err
	}
	file, _, err := d.Open(name)
	if err != nil {
		other.Close()
		return nil, err
	}
	if err = lockWhole(file); err == unix.EBADF {
		file, other = other, file
		err = lockWhole(file)
	}
	other.Close()
	if err == nil {
		return file, nil
	}
	file.Close()
	if err == unix.EWOULDBLOCK {
		return nil, ErrLocked
	}
	return nil, fault("lock", name, err)
}

func lockWhole(file File) error {
	return insist(func() error { return unix.Flock(file.(*linuxFile).fd, unix.LOCK_EX|unix.LOCK_NB) })
}

func (d *linuxDir) Sync() error {
	return fault("sync", "directory", insist(func() error { return unix.Fsync(d.fd) }))
}

func (d *linuxDir) Close() error { return fault("close", "directory", unix.Close(d.fd)) }

// statx is stat with the time of birth, which tells a file from a later one that
// was given the same inode number.
func statx(dirfd int, name string, flags int) (Stat, error) {
	const mask = unix.STATX_BASIC_STATS | unix.STATX_BTIME
	var answer unix.Statx_t
	err := insist(func() error { return unix.Statx(dirfd, name, flags|unix.AT_NO_AUTOMOUNT, mask, &answer) })
	if err != nil {
		return Stat{}, fault("stat", name, err)
	}
	stat := Stat{
		Type:    typeOf(uint32(answer.Mode)),
		Size:    int64(answer.Size),
		MtimeNS: answer.Mtime.Sec*1e9 + int64(answer.Mtime.Nsec),
		CtimeNS: answer.Ctime.Sec*1e9 + int64(answer.Ctime.Nsec),
		Inode:   answer.Ino,
		Mode:    uint32(answer.Mode) & 0o777,
	}
	if answer.Mask&unix.STATX_BTIME != 0 {
		stat.BirthNS = answer.Btime.Sec*1e9 + int64(answer.Btime.Nsec)
	}
	return stat, nil
}

func typeOf(mode uint32) zsync.FileType {
	switch mode & unix.S_IFMT {
	case unix.S_IFREG:
		return zsync.TypeFile
	case unix.S_IFDIR:
		return zsync.TypeDir
	case unix.S_IFLNK:
		return zsync.TypeSymlink
	}
	return zsync.TypeOther
}

// regular takes an open descriptor and lets go of what is no regular file.
func regular(fd int, name string) (File, Stat, error) {
	stat, err := statx(fd, "", unix.AT_EMPTY_PATH)
	if err == nil && stat.Type != zsync.TypeFile {
		err = fmt.Errorf("open %s: %w (no regular file)", name, fs.ErrNotExist)
	}
	if err != nil {
		unix.Close(fd)
		return nil, Stat{}, err
	}
	return &linuxFile{fd: fd}, stat, nil
}
