package store

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strconv"
	"sync"

	"github.com/zsync/zsync"
)

// shelfCount is how many directories the staging files are spread over: threads
// that create in one directory wait for each other.
const shelfCount = 8

// staging is the area of received bytes: one file for each content, named by it,
// on one of several shelves (.zsync/tmp/0 to 7). Beside the shelves lies swap,
// where a new file trades places with a user's; only the shelves may be cleaned
// without a look.
type staging struct {
	shelves [shelfCount]Dir
	idle    chan int // shelves that no worker is using
	swap    Dir
	mu      sync.Mutex // workers stage at once; what is where is one table
	files   map[zsync.Digest]*stagedFile
	fresh   map[zsync.Digest]struct{} // written since the last flush
}

// stagedFile is what is known of one staging file.
type stagedFile struct {
	shelf    int
	verified coverage // what was verified by this process
}

func (s *staging) open(disk FS, tmp Dir) error {
	s.files = map[zsync.Digest]*stagedFile{}
	s.fresh = map[zsync.Digest]struct{}{}
	s.idle = make(chan int, shelfCount)
	at := join(privateDir, tmpName)
	for i := range s.shelves {
		shelf, err := makeDir(disk, tmp, at, strconv.Itoa(i))
		if err != nil {
			return err
		}
		s.shelves[i] = shelf
		s.idle <- i
		if err := s.find(i); err != nil {
			return err
		}
	}
	swap, err := makeDir(disk, tmp, at, swapName)
	s.swap = swap
	return err
}

// find enters what an earlier run left on a shelf. It counts as not flushed: that
// run may have ended before it could.
func (s *staging) find(shelf int) error {
	names, err := s.shelves[shelf].Names()
	if err != nil {
		return err
	}
	for _, name := range names {
		content, err := zsync.ParseDigest(name)
		if _, twice := s.files[content]; err != nil || twice {
			if err := s.shelves[shelf].Remove(name); err != nil {
				return err
			}
			continue
		}
		s.files[content] = &stagedFile{shelf: shelf}
		s.fresh[content] = struct{}{}
	}
	return nil
}

func (s *staging) close() error {
	var failed error
	for _, dir := range append(s.shelves[:], s.swap) {
		if dir != nil {
			failed = errors.Join(failed, dir.Close())
		}
	}
	return failed
}

// shelfOf returns the shelf that content lies on, and whether it lies there; a
// content that does not is given the preferred one.
func (s *staging) shelfOf(content zsync.Digest, preferred int) (shelf int, found bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	file, found := s.files[content]
	if !found {
		file = &stagedFile{shelf: preferred}
		s.files[content] = file
	}
	return file.shelf, found
}

// where returns the directory that holds the staging file of content.
func (s *staging) where(content zsync.Digest) (Dir, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	file, found := s.files[content]
	if !found {
		return nil, fmt.Errorf("%s is not staged: %w", content, fs.ErrNotExist)
	}
	return s.shelves[file.shelf], nil
}

func (s *staging) read(content zsync.Digest) (File, Stat, error) {
	dir, err := s.where(content)
	if err != nil {
		return nil, Stat{}, err
	}
	return dir.Open(content.String())
}

// wrote notes that octets of content were verified and written to its file.
func (s *staging) wrote(content zsync.Digest, from, to int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if file, found := s.files[content]; found {
		file.verified.add(from, to)
		s.fresh[content] = struct{}{}
	}
}

// holds reports whether the octets were verified by this process.
func (s *staging) holds(content zsync.Digest, from, to int64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	file, found := s.files[content]
	return found && file.verified.covers(from, to)
}

// forget takes content out of the table: its file was moved away or removed.
func (s *staging) forget(content zsync.Digest) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.files, content)
	delete(s.fresh, content)
}

// takeFresh returns what was written since it was called last, ascending.
func (s *staging) takeFresh() []zsync.Digest {
	s.mu.Lock()
	defer s.mu.Unlock()
	taken := slices.SortedFunc(maps.Keys(s.fresh), zsync.Digest.Compare)
	s.fresh = map[zsync.Digest]struct{}{}
	return taken
}

// isFresh reports whether content waits for a flush.
func (s *staging) isFresh(content zsync.Digest) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, waiting := s.fresh[content]
	return waiting
}

// names returns every content that lies on a shelf, in no order.
func (s *staging) names() []zsync.Digest {
	s.mu.Lock()
	defer s.mu.Unlock()
	found := make([]zsync.Digest, 0, len(s.files))
	for content := range s.files {
		found = append(found, content)
	}
	return found
}
