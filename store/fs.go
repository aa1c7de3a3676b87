package store

import (
	"errors"
	"io"
)

// FS is the one door to a folder's disk. Paths are relative to the folder's
// root, names joined by '/'; "" is the root. No method ever follows a symlink,
// leaves the root or crosses into another file system.
//
// Two implementations keep one contract, checked by the same tests: the operating
// system's ([OpenOS]) and package crashfs, which forgets what was not synced.
//
// Errors are told apart with errors.Is: fs.ErrNotExist (also where a parent is no
// directory, or a symlink), fs.ErrExist (also for a directory that is not empty),
// fs.ErrPermission, [ErrNoSpace], [ErrMount], errors.ErrUnsupported, and where
// something gets its name, [ErrUnfit].
//
// An FS may be used by several goroutines at once.
type FS interface {
	// Dir opens the directory at path.
	Dir(path string) (Dir, error)
	// Open opens the regular file at path to read, and returns its Stat; anything
	// else than a file is fs.ErrNotExist.
	Open(path string) (File, Stat, error)
	// Self returns the Stat of what the root's own name leads to now: another
	// Inode than at first means that the root was replaced or unmounted.
	Self() (Stat, error)
	// Sync makes everything that was written or renamed so far durable.
	Sync() error
	// Free returns the octets that this user may still write, and the size of the
	// file system.
	Free() (free, total int64, err error)
	// Close releases the FS. Dirs and Files opened from it are closed on their own.
	Close() error
}

// Dir is an open directory. It stays the same directory when its name or a name
// above it changes, so it is held for short and its place is checked afterwards.
// Every name is a single one and is taken as it is, symlink or not.
type Dir interface {
	// Self returns the directory's own Stat.
	Self() (Stat, error)
	// Names returns the names in the directory, in no order, without "." and "..".
	Names() ([]string, error)
	// Stat returns what the entry says of itself.
	Stat(name string) (Stat, error)
	// Readlink returns the target of a symlink.
	Readlink(name string) (string, error)
	// Open is [FS.Open] of an entry.
	Open(name string) (File, Stat, error)
	// Create opens a regular file to read and write, and makes it, empty, when
	// there is none.
	Create(name string) (File, error)
	// Write makes a new file that holds data. Where the name is taken it returns
	// fs.ErrExist; after any other error nothing is left under the name.
	Write(name string, data []byte) error
	// Mkdir makes a directory with just the given mode.
	Mkdir(name string, mode uint32) error
	// Symlink makes a symlink to target.
	Symlink(name, target string) error
	// Rename moves an entry, atomically.
	Rename(name string, to Dir, toName string, how RenameMode) error
	// Remove removes a file or symlink.
	Remove(name string) error
	// Rmdir removes an empty directory.
	Rmdir(name string) error
	// Chmod sets the 0777 bits of a file or directory.
	Chmod(name string, mode uint32) error
	// SetMtime sets the modification time of a file or symlink, in nanoseconds
	// since 1970 UTC.
	SetMtime(name string, mtimeNS int64) error
	// Lock takes the advisory lock that the file name stands for, made when there
	// is none, or returns [ErrLocked]. Close, or the end of the process, lets go.
	Lock(name string) (io.Closer, error)
	// Sync makes the directory's entries durable.
	Sync() error
	// Close releases the directory.
	Close() error
}

// RenameMode says what a rename does where the new name is taken, and which of the
// names nobody else will touch meanwhile.
type RenameMode uint8

// The ways to rename. There is none that replaces: bytes of a user are never
// overwritten, only moved. Not every disk can do that in one step when others may
// give and take both names at once; it can when one of them is ours alone, in the
// private directory.
const (
	// NoReplace: the new name must be free, else fs.ErrExist. Of anything but a
	// directory it may be errors.ErrUnsupported.
	NoReplace RenameMode = iota
	// Exchange: both names must be taken and trade places; may be
	// errors.ErrUnsupported.
	Exchange
	// IntoPrivate is NoReplace where the new name is ours alone: a look and a plain
	// rename will do, and take along whatever has the old name in that instant.
	IntoPrivate
	// FromPrivate is NoReplace where the old name is ours alone: a link, which fails
	// where a name is taken, and the removal of the old name will do. A crash may
	// leave both names. Where the disk has no links either, a moment is left between
	// a look and the rename.
	FromPrivate
)

// File is an open regular file.
type File interface {
	io.ReaderAt
	io.WriterAt
	// Stat returns the file's Stat.
	Stat() (Stat, error)
	// Data returns the first range of octets at or after offset that takes room on the
	// disk, or io.EOF when there is none: what lies between the ranges reads as zeros.
	// A disk that cannot tell calls all the rest one range.
	Data(offset int64) (from, to int64, err error)
	// Truncate sets the file's size in octets.
	Truncate(size int64) error
	// Clone makes the file share all the bytes of from, or returns
	// errors.ErrUnsupported and leaves it as it was.
	Clone(from File) error
	// WriteBack asks that the given range be written to the disk soon; it
	// promises nothing and only keeps a later Sync short.
	WriteBack(offset, size int64)
	// Uncached asks the system to let go of what it keeps of the file in memory, so
	// that the next read comes from the disk; it promises nothing.
	Uncached()
	// Closed reports whether no process has the file open to write. It is false, too,
	// where the system does not tell.
	Closed() bool
	// Sync makes the file's bytes, mode and mtime durable.
	Sync() error
	// Close releases the file.
	Close() error
}

var (
	// ErrNoSpace: the disk or the user's share of it is full.
	ErrNoSpace = errors.New("no space left on the disk")
	// ErrReserve is an [ErrNoSpace]: there is room, but it is to be left free.
	ErrReserve error = &narrower{text: "no space left for the reserve", wider: ErrNoSpace}
	// ErrMount: another file system is mounted inside the folder; what lies there
	// is not part of it.
	ErrMount = errors.New("another file system is mounted here")
	// ErrNested is an [ErrMount]: the directory is the root of another folder, and
	// what lies there is that one's alone.
	ErrNested error = &narrower{text: "is a folder of its own", wider: ErrMount}
	// ErrUnfit: the disk cannot hold such a thing, or one of that name. Nothing was made.
	ErrUnfit = errors.New("this disk cannot hold it")
	// ErrLocked: another process has this folder open.
	ErrLocked = errors.New("the folder is in use by another zsync")
)

// narrower is an error that is also a wider one, and says more than that would.
type narrower struct {
	text  string
	wider error
}

func (n *narrower) Error() string { return n.text }

func (n *narrower) Unwrap() error { return n.wider }
