package store

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/zsync/zsync"
)

// List reads the directory p.
func (r *Root) List(p zsync.Path) Listing {
	listing := Listing{Path: p}
	if err := r.list(p, &listing); err != nil {
		listing.Gone = errors.Is(err, fs.ErrNotExist)
		listing.Err = fmt.Errorf("store: list %s: %w", shown(p), err)
		listing.Entries = nil
	}
	if listing.Gone && !errors.Is(listing.Err, ErrRoot) {
		listing.Err = nil // that it is gone is an answer
	}
	return listing
}

func (r *Root) list(p zsync.Path, into *Listing) error {
	if p == "" {
		if err := r.Check(); err != nil {
			return err
		}
	} else if _, _, err := place(p); err != nil {
		return err
	}
	dir, err := r.fs.Dir(string(p))
	if err != nil {
		return err
	}
	defer dir.Close()
	if into.Self, err = dir.Self(); err != nil {
		return err
	}
	into.Entries, err = r.entries(dir, string(p))
	return err
}

// entries reads the directory at path; at the top the private one is left out.
// Elsewhere one with an id says that this is no part of the folder.
func (r *Root) entries(dir Dir, path string) ([]Entry, error) {
	names, err := dir.Names()
	if err != nil {
		return nil, err
	}
	slices.Sort(names)
	found := make([]Entry, 0, len(names))
	for _, name := range names {
		if strings.EqualFold(name, privateDir) {
			if path == "" {
				continue
			}
			if r.nested(path) {
				return nil, ErrNested
			}
		}
		switch entry, err := entryOf(dir, name); {
		case err == nil:
			entry.Nested = entry.Stat.Type == zsync.TypeDir && r.nested(join(path, name))
			found = append(found, entry)
		case !errors.Is(err, fs.ErrNotExist): // gone since: as if it had never been
			return nil, err
		}
	}
	return found, nil
}

func entryOf(dir Dir, name string) (Entry, error) {
	stat, err := dir.Stat(name)
	if err != nil || stat.Type != zsync.TypeSymlink {
		return Entry{Name: name, Stat: stat}, err
	}
	target, err := dir.Readlink(name)
	return Entry{Name: name, Stat: stat, Target: target}, err
}

// shown is how an error names a path.
func shown(p zsync.Path) string {
	if p == "" {
		return "the folder's root"
	}
	return string(p)
}
