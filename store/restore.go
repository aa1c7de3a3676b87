package store

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
)

// Discard removes these files of the versions area for good, and returns the names
// that are gone; one that was gone before is among them. Where err is set, some are
// still there. A name that is none of the area is an error, and nothing is removed.
func (r *Root) Discard(kept []string) (gone []string, err error) {
	for _, name := range kept {
		if _, err := KeptSeq(name); err != nil {
			return nil, err
		}
	}
	for _, name := range kept {
		if removeErr := r.kept.discard(name); removeErr != nil {
			err = errors.Join(err, fmt.Errorf("store: version %s: %w", name, removeErr))
			continue
		}
		gone = append(gone, name)
	}
	return gone, err
}

// discard removes one kept file, or finds it gone.
func (v *versions) discard(kept string) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	group, file := split(kept)
	dir, err := v.disk.Dir(v.path(group))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer dir.Close()
	v.unmeasured(group)
	if err := dir.Remove(file); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// KeptBase returns the last part of the path that a kept file had, or as much of its
// end as fitted into the name; "" of a name that is none of the area.
func KeptBase(kept string) string {
	if _, err := KeptSeq(kept); err != nil {
		return ""
	}
	_, base, _ := strings.Cut(kept, "~")
	return base
}
