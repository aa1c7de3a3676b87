package store

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/internal/failpoint"
)

// writeBackBytes is how much of a large file is written before the disk is asked
// to begin with it, so that the flush at the end has little left to do.
const writeBackBytes = 8 << 20

// Stage verifies received pieces and writes them to the staging files of their
// contents. The answer has one place for each piece: nil, ErrCorrupt for a piece
// that is not what its digest says, or why it could not be written. Nothing is
// durable before Flush.
func (r *Root) Stage(pieces []Piece) []error {
	shelf := <-r.staging.idle
	defer func() { r.staging.idle <- shelf }()
	w := stageWriter{root: r, shelf: shelf, room: budget{r.room()}}
	defer w.done()
	answer := make([]error, len(pieces))
	for i, piece := range pieces {
		if err := w.stage(piece); err != nil {
			answer[i] = fmt.Errorf("store: stage %s: %w", piece.Content, err)
		}
		failpoint.Reach(failpoint.Staging)
	}
	return answer
}

// stageWriter writes the pieces of one call. Pieces of one large file tend to
// come together, so its file stays open from one to the next.
type stageWriter struct {
	root    *Root
	shelf   int
	room    budget
	content zsync.Digest
	file    File // nil: none is open
}

func (w *stageWriter) stage(p Piece) error {
	if err := p.check(); err != nil {
		return err
	}
	if err := w.room.take(int64(len(p.Data))); err != nil {
		return err
	}
	if p.Size <= zsync.ContentChunkMax {
		return w.root.staging.put(w.shelf, p.Content, p.Data)
	}
	if err := w.turnTo(p); err != nil {
		return err
	}
	if _, err := w.file.WriteAt(p.Data, p.Offset); err != nil {
		return err
	}
	end := p.Offset + int64(len(p.Data))
	w.root.staging.wrote(p.Content, p.Offset, end)
	if full := end - end%writeBackBytes; full > p.Offset {
		w.file.WriteBack(full-writeBackBytes, writeBackBytes)
	}
	return nil
}

// check verifies a piece: within its content, and what its digest says.
func (p Piece) check() error {
	size := int64(len(p.Data))
	switch {
	case size == 0 || size > zsync.ContentChunkMax || p.Offset < 0 || p.Offset > p.Size-size:
		return fmt.Errorf("%w: %d octets at %d of %d", ErrCorrupt, size, p.Offset, p.Size)
	case p.Size <= zsync.ContentChunkMax && (size != p.Size || p.Hash != p.Content):
		return fmt.Errorf("%w: a part of a small content", ErrCorrupt)
	case sha256.Sum256(p.Data) != p.Hash:
		return ErrCorrupt
	}
	return nil
}

// turnTo opens the staging file that a piece of a large content belongs to.
func (w *stageWriter) turnTo(p Piece) error {
	if w.file != nil && w.content == p.Content {
		return nil
	}
	w.done()
	file, _, err := w.root.staging.large(w.shelf, p.Content, p.Size, w.room.octets+int64(len(p.Data)))
	w.file, w.content = file, p.Content
	return err
}

func (w *stageWriter) done() {
	if w.file != nil {
		_ = w.file.Close() // what was written is vouched for by the flush
		w.file = nil
	}
}

// large opens the staging file of a large content, made with its full size when
// there is none; found says whether there was one. The size is a peer's word: more
// than there is room for is refused here, where nothing was written yet.
func (s *staging) large(preferred int, content zsync.Digest, size, room int64) (file File, found bool, err error) {
	shelf, found := s.shelfOf(content, preferred)
	file, err = s.shelves[shelf].Create(content.String())
	if err != nil {
		return nil, found, err
	}
	stat, err := file.Stat()
	switch {
	case err != nil || stat.Size == size:
	case size-stat.Size > room:
		err = ErrReserve
	default:
		err = file.Truncate(size)
	}
	if err == nil {
		return file, found, nil
	}
	file.Close()
	if !found {
		s.forget(content)
		err = errors.Join(err, s.shelves[shelf].Remove(content.String()))
	}
	return nil, found, err
}

// put writes a small content, verified by the caller, to a shelf. It enters the
// table when its file is whole; when another worker was faster, that one's stays.
func (s *staging) put(shelf int, content zsync.Digest, data []byte) error {
	size := int64(len(data))
	if whole, err := s.clear(content, size); whole || err != nil {
		return err
	}
	if err := s.shelves[shelf].Write(content.String(), data); err != nil {
		return err
	}
	if at, _ := s.shelfOf(content, shelf); at != shelf {
		return s.shelves[shelf].Remove(content.String())
	}
	s.wrote(content, 0, size)
	return nil
}

// clear reports whether all of a small content is staged, and removes what an
// earlier run left of it and nobody has looked at.
func (s *staging) clear(content zsync.Digest, size int64) (whole bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	file, found := s.files[content]
	if !found || file.verified.covers(0, size) {
		return found, nil
	}
	delete(s.files, content)
	delete(s.fresh, content)
	err = s.shelves[file.shelf].Remove(content.String())
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return false, err
}

// Staged reads what lies in staging after a start, and returns the contents that
// are whole, ascending. Torn small ones are removed; of large ones that are not
// whole, [Root.Assemble] will find the chunks that are good, and
// [Root.Unfinished] the names.
func (r *Root) Staged() ([]zsync.Digest, error) {
	var whole []zsync.Digest
	for _, content := range sorted(r.staging.names()) {
		err := r.inspect(content)
		switch {
		case err == nil:
			whole = append(whole, content)
		case !errors.Is(err, ErrCorrupt) && !errors.Is(err, fs.ErrNotExist):
			return nil, fmt.Errorf("store: staged: %w", err)
		}
	}
	return whole, nil
}

// inspect verifies one staging file, unless this process wrote all of it.
func (r *Root) inspect(content zsync.Digest) error {
	file, stat, err := r.staging.read(content)
	if err != nil {
		return err
	}
	defer file.Close()
	if stat.Size > 0 && r.staging.holds(content, 0, stat.Size) {
		return nil
	}
	if err := gapless(file, stat.Size); err != nil {
		return err
	}
	buffer, release := r.buffer()
	defer release()
	err = verify(content, file, stat.Size, buffer)
	switch {
	case err == nil:
		r.staging.wrote(content, 0, stat.Size)
	case stat.Size <= zsync.ContentChunkMax && errors.Is(err, ErrCorrupt):
		return errors.Join(err, r.Unstage(content))
	}
	return err
}

// gapless returns ErrCorrupt for a large file that has a gap: it is not read to its
// end to find out what is missing, since the end may be as far as a peer has said.
// A whole one with a gap, where the disk keeps zeros so, is found by Assemble.
func gapless(file File, size int64) error {
	if size <= zsync.ContentChunkMax {
		return nil
	}
	from, to, err := file.Data(0)
	if errors.Is(err, io.EOF) || err == nil && (from > 0 || to < size) {
		err = fmt.Errorf("%w: parts of it were not written", ErrCorrupt)
	}
	return err
}

// Unfinished returns the large contents in staging that were not found whole,
// ascending. The caller unstages those that nobody wants any more.
func (r *Root) Unfinished() []zsync.Digest {
	names := r.staging.names()
	return sorted(slices.DeleteFunc(names, func(content zsync.Digest) bool {
		dir, err := r.staging.where(content)
		if err != nil {
			return true
		}
		stat, err := dir.Stat(content.String())
		return err != nil || r.staging.holds(content, 0, stat.Size)
	}))
}

func sorted(contents []zsync.Digest) []zsync.Digest {
	slices.SortFunc(contents, zsync.Digest.Compare)
	return contents
}

// Unstage removes the staging file of a content that nobody wants any more;
// none is no error.
func (r *Root) Unstage(content zsync.Digest) error {
	dir, err := r.staging.where(content)
	if err != nil {
		return nil
	}
	r.staging.forget(content)
	if err := dir.Remove(content.String()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("store: unstage: %w", err)
	}
	return nil
}

// Flush makes all that was staged so far durable. When that fails, none of it can
// be trusted, not even what still reads well (a kernel forgets an error that it
// has told once): it is removed from staging, to be fetched again.
func (r *Root) Flush() error {
	fresh := r.staging.takeFresh()
	if len(fresh) == 0 {
		return nil
	}
	var need toSync
	for _, content := range fresh {
		if dir, err := r.staging.where(content); err == nil {
			need.file(dir, content.String())
		}
	}
	err := need.sync(r.fs)
	if err == nil {
		return nil
	}
	return fmt.Errorf("store: flush: %w", errors.Join(err, r.unstageAll(fresh)))
}

// unstageAll takes away contents of which nobody can tell any more whether they will
// be durable: a sync that failed leaves them looking as if they were, and the next one
// says so.
func (r *Root) unstageAll(contents []zsync.Digest) (err error) {
	for _, content := range contents {
		err = errors.Join(err, r.Unstage(content))
	}
	return err
}
