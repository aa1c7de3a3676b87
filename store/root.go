package store

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/zsync/zsync"
)

// The names in the private directory at the folder's root.
const (
	privateDir  = zsync.PrivateDir
	idName      = "id"       // 32 hexadecimal digits and a line feed
	lockName    = "lock"     // held while the folder is open
	tmpName     = "tmp"      // staging, resumed after a crash
	swapName    = "swap"     // in tmp: what is trading places with a user's file
	keptName    = "versions" // what was replaced or removed
	parkedName  = "parked"   // what is between two names
	lockedName  = "unlocked" // which directories a batch made writable
	privateMode = 0o700
)

// Identity says which folder a root is: a random id that it carries with it, and
// the inode of the directory, which a copy of it does not have.
type Identity struct {
	ID    [16]byte
	Inode uint64
}

// IsZero reports whether no folder is named.
func (i Identity) IsZero() bool { return i == Identity{} }

// Options say which folder is expected. The zero Options take any, and make a
// folder of a directory that is none yet.
type Options struct {
	// Expect is the Identity that the folder had when it was opened last; another
	// one is ErrRoot, and so is a directory without an id: the disk may not be
	// mounted.
	Expect Identity
	// SameFolder says that a person knows this directory to be the expected
	// folder, restored or moved to another disk.
	SameFolder bool
	// Reserve is how many octets are left free on the disk: what would take more is
	// ErrReserve. 0 means 1 % of the file system, but 512 MiB at least; negative, none.
	Reserve int64
	// Hands is how many goroutines may work at one large file. 0 means 1.
	Hands int
}

// Root is a folder's tree on disk. Its methods may be called by several
// goroutines at once; batches of changes are applied one after another.
type Root struct {
	fs      FS
	id      Identity
	lock    io.Closer
	staging staging
	kept    versions
	reserve int64 // as in Options
	hands   int   // as in Options
	coarse  bool  // the disk keeps no modes, and perhaps no exact times
	nature  Nature
	natured bool // nature is known
	// unlocked is the directory of what is writable for the length of a batch.
	unlocked Dir
	clock    clock
	// applying is a mutex because the caller of Apply waits for its results
	// anyway, and two batches must not move the same names at once.
	applying sync.Mutex
	swapped  bool // what an earlier run left in swap has been looked after
	ours     ours
	recent   recent
	stopped  atomic.Bool
}

// Open takes the folder's lock and makes ready its private directory. The
// Root owns disk from then on, and closes it too when Open fails.
func Open(disk FS, opt Options) (*Root, error) {
	r := &Root{fs: disk, reserve: opt.Reserve, hands: opt.Hands}
	if err := r.open(opt); err != nil {
		_ = r.Close() // what is reported is why it could not be opened
		return nil, fmt.Errorf("store: open folder: %w", err)
	}
	return r, nil
}

func (r *Root) open(opt Options) error {
	top, err := r.fs.Dir("")
	if err != nil {
		return err
	}
	defer top.Close()
	self, err := top.Self()
	if err != nil {
		return err
	}
	private, err := r.enter(top, self, opt)
	if err != nil {
		return err
	}
	defer private.Close()
	if r.id, err = identified(private, self.Inode, opt); err != nil {
		return err
	}
	kept, err := keepsModes(top)
	if err != nil {
		return err
	}
	if !kept {
		r.coarse, r.fs, private = true, modeless{r.fs}, modelessDir{private}
	}
	return r.prepare(private)
}

// enter opens the private directory and takes the lock. It makes the directory
// only where no folder, or this one by a person's word, is expected.
func (r *Root) enter(top Dir, self Stat, opt Options) (Dir, error) {
	fresh := opt.Expect.IsZero() || opt.SameFolder
	if !fresh && self.Inode != opt.Expect.Inode {
		return nil, fmt.Errorf("%w: it is another directory", ErrRoot)
	}
	switch _, err := top.Stat(privateDir); {
	case errors.Is(err, fs.ErrNotExist) && !fresh:
		return nil, fmt.Errorf("%w: %s is missing", ErrRoot, privateDir)
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return nil, err
	}
	private, err := makeDir(r.fs, top, "", privateDir)
	if err != nil {
		return nil, err
	}
	if stat, statErr := top.Stat(privateDir); statErr == nil && stat.Mode != privateMode {
		err = top.Chmod(privateDir, privateMode) // restored by something that lost modes
	}
	if err == nil {
		r.lock, err = private.Lock(lockName)
	}
	if err != nil {
		private.Close()
		return nil, err
	}
	return private, nil
}

// identified reads the folder's id, or gives it one.
func identified(private Dir, inode uint64, opt Options) (Identity, error) {
	id, err := readID(private)
	expect := opt.Expect
	switch {
	case err == nil && (expect.IsZero() || id == expect.ID):
		return Identity{ID: id, Inode: inode}, nil
	case err == nil:
		return Identity{}, fmt.Errorf("%w: it is another folder", ErrRoot)
	case !errors.Is(err, fs.ErrNotExist):
		return Identity{}, err
	case !expect.IsZero() && !opt.SameFolder:
		return Identity{}, fmt.Errorf("%w: its id is missing", ErrRoot)
	}
	id = expect.ID
	if expect.IsZero() {
		if _, err := rand.Read(id[:]); err != nil {
			return Identity{}, err
		}
	}
	return Identity{ID: id, Inode: inode}, writeID(private, id)
}

// writeID is crash-safe: the id is whole on the disk before it has its name.
func writeID(private Dir, id [16]byte) error {
	const unfinished = idName + ".new"
	if err := private.Remove(unfinished); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := private.Write(unfinished, []byte(hex.EncodeToString(id[:])+"\n")); err != nil {
		return err
	}
	if err := syncFile(private, unfinished); err != nil {
		return err
	}
	if err := private.Rename(unfinished, private, idName, IntoPrivate); err != nil {
		return err
	}
	return private.Sync()
}

func readID(private Dir) (id [16]byte, err error) {
	file, stat, err := private.Open(idName)
	if err != nil {
		return id, err
	}
	defer file.Close()
	text := make([]byte, 2*len(id)+1)
	if _, err := file.ReadAt(text, 0); err != nil && !errors.Is(err, io.EOF) {
		return id, err
	}
	line, ended := bytes.CutSuffix(text, []byte("\n"))
	if n, err := hex.Decode(id[:], line); err != nil || n != len(id) || !ended || stat.Size != int64(len(text)) {
		return id, fmt.Errorf("%w: its id is damaged", ErrRoot)
	}
	return id, nil
}

// prepare makes and opens what the private directory holds.
func (r *Root) prepare(private Dir) error {
	tmp, err := makeDir(r.fs, private, privateDir, tmpName)
	if err != nil {
		return err
	}
	defer tmp.Close()
	if r.nature, r.natured = probe(tmp); !r.natured {
		r.nature = Nature{Cases: true, Forms: true} // what is done with care is right on any disk
	}
	if err := r.staging.open(r.fs, tmp); err != nil {
		return err
	}
	kept, err := makeDir(r.fs, private, privateDir, keptName)
	if err != nil {
		return err
	}
	if err := r.kept.open(r.fs, kept); err != nil {
		return err
	}
	parked, err := makeDir(r.fs, private, privateDir, parkedName)
	if err != nil {
		return err
	}
	if err := parked.Close(); err != nil {
		return err
	}
	if r.unlocked, err = makeDir(r.fs, private, privateDir, lockedName); err != nil {
		return err
	}
	return r.lockLeft()
}

// makeDir opens the private directory name below parent, whose path is at, and
// makes it, durably, when it is not there.
func makeDir(disk FS, parent Dir, at, name string) (Dir, error) {
	err := parent.Mkdir(name, privateMode)
	if err == nil {
		err = parent.Sync()
	} else if errors.Is(err, fs.ErrExist) {
		err = nil
	}
	if err != nil {
		return nil, err
	}
	return disk.Dir(join(at, name))
}

// Identity returns what the next Open should expect.
func (r *Root) Identity() Identity { return r.id }

// Check returns ErrRoot when the root's name no longer leads to this folder: it
// was moved away, replaced, or its disk is gone.
func (r *Root) Check() error {
	self, err := r.fs.Self()
	if err != nil {
		return fmt.Errorf("%w: %w", ErrRoot, err)
	}
	if self.Inode != r.id.Inode {
		return fmt.Errorf("%w: it is another directory", ErrRoot)
	}
	private, err := r.fs.Dir(privateDir)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrRoot, err)
	}
	defer private.Close()
	if id, err := readID(private); err != nil || id != r.id.ID {
		return fmt.Errorf("%w: its id is gone", ErrRoot)
	}
	return nil
}

// Free returns the octets that may still be written, and the size of the file
// system that holds the folder.
func (r *Root) Free() (free, total int64, err error) { return r.fs.Free() }

// Close lets go of the lock and of all that is open. Nothing is flushed.
func (r *Root) Close() error {
	failed := errors.Join(r.staging.close(), r.kept.close())
	if r.unlocked != nil {
		failed = errors.Join(failed, r.unlocked.Close())
	}
	if r.lock != nil {
		failed = errors.Join(failed, r.lock.Close())
	}
	return errors.Join(failed, r.fs.Close())
}

// buffers are those of all folders: a folder that is quiet keeps none for itself.
var buffers = sync.Pool{New: func() any { return new([bufferBytes]byte) }}

// buffer lends bufferBytes octets; they go back with the returned function.
func (r *Root) buffer() ([]byte, func()) {
	lent := buffers.Get().(*[bufferBytes]byte)
	return lent[:], func() { buffers.Put(lent) }
}

// place checks that path is one that a folder may hold, and takes it apart. On
// a disk that forgets case, other spellings of the private directory are its
// names too.
func place(path zsync.Path) (dir, name string, err error) {
	if _, err := zsync.ParsePath(string(path)); err != nil {
		return "", "", err
	}
	first, _, _ := strings.Cut(string(path), "/")
	if path == "" || strings.EqualFold(first, privateDir) {
		return "", "", fmt.Errorf("%w %q: belongs to zsync", zsync.ErrName, path)
	}
	dir, name = split(string(path))
	return dir, name, nil
}

func split(path string) (dir, name string) {
	if i := strings.LastIndexByte(path, '/'); i >= 0 {
		return path[:i], path[i+1:]
	}
	return "", path
}

func join(dir, name string) string {
	if dir == "" {
		return name
	}
	return dir + "/" + name
}

func syncFile(dir Dir, name string) error {
	file, _, err := dir.Open(name)
	if err != nil {
		return err
	}
	defer file.Close()
	return file.Sync()
}
