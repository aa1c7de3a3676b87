package store

import (
	"errors"
	"fmt"
	"io/fs"
)

// Hash names the content of one file, and cuts it where it is large, in one
// read. The file must have j.Old before the read and after it; see [HashJob].
func (r *Root) Hash(j HashJob) Hashed {
	hashed := Hashed{Path: j.Path}
	if err := r.hash(j, &hashed, func(File) {}); err != nil {
		return Hashed{Path: j.Path, Stat: hashed.Stat, Err: fmt.Errorf("store: hash %s: %w", j.Path, err)}
	}
	return hashed
}

// hash reads the file; around is called with it before and after.
func (r *Root) hash(j HashJob, into *Hashed, around func(File)) error {
	file, stat, err := r.openSpan(Span{Area: InTree, Path: j.Path, Stat: j.Old})
	into.Stat = stat
	if err != nil {
		return err
	}
	defer file.Close()
	if j.Closed && !file.Closed() {
		return ErrOpen
	}
	around(file)
	defer around(file)
	buffer, release := r.buffer()
	defer release()
	if into.Content, into.List, err = r.name(stoppable{file, r}, stat.Size, buffer); err != nil {
		return err
	}
	if err := held(file, stat); err != nil {
		return err
	}
	if stat.Size <= recentFileMax {
		r.recent.keep(into.Content, buffer[:stat.Size])
	}
	into.Young, err = r.young(stat)
	return err
}

// Read fills into with the bytes of a span from offset on. The file must have the
// span's Stat before and after: else ErrChanged, or ErrGone.
func (r *Root) Read(s Span, offset int64, into []byte) error {
	file, stat, err := r.openSpan(s)
	if err != nil {
		return fmt.Errorf("store: read %s: %w", s, err)
	}
	defer file.Close()
	if n, err := file.ReadAt(into, offset); n < len(into) {
		return fmt.Errorf("store: read %s: %w", s, shortRead(err))
	}
	if err := held(file, stat); err != nil {
		return fmt.Errorf("store: read %s: %w", s, err)
	}
	return nil
}

func (s Span) String() string {
	switch s.Area {
	case InVersions:
		return "version " + s.Kept
	case InStaging:
		return "staged " + s.Content.String()
	}
	return string(s.Path)
}

// openSpan opens the file that a span names, if it still is what it was. In the
// versions area the ctime has no say, since the move there changed it; a staging
// file is named by its bytes.
func (r *Root) openSpan(s Span) (File, Stat, error) {
	file, stat, err := r.openArea(s)
	if errors.Is(err, fs.ErrNotExist) {
		err = fmt.Errorf("%w (%w)", ErrGone, err)
	}
	if err != nil {
		return nil, Stat{}, err
	}
	same := s.Area == InStaging || stat.Unchanged(s.Stat) || s.Area == InVersions && stat.SameFile(s.Stat)
	if !same {
		file.Close()
		return nil, stat, ErrChanged
	}
	return file, stat, nil
}

func (r *Root) openArea(s Span) (File, Stat, error) {
	switch s.Area {
	case InTree:
		if _, _, err := place(s.Path); err != nil {
			return nil, Stat{}, err
		}
		return r.fs.Open(string(s.Path))
	case InVersions:
		if _, err := KeptSeq(s.Kept); err != nil {
			return nil, Stat{}, err
		}
		return r.fs.Open(join(join(privateDir, keptName), s.Kept))
	case InStaging:
		return r.staging.read(s.Content)
	}
	panic("store: a span in no area")
}

// held returns ErrChanged when the file is not as it was when it was opened.
func held(file File, before Stat) error {
	after, err := file.Stat()
	if err == nil && !after.Unchanged(before) {
		err = ErrChanged
	}
	return err
}
