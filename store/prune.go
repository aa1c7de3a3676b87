package store

import (
	"errors"
	"fmt"
	"io/fs"
)

// PruneVersions removes, oldest first, every kept file with a number below
// before, and then more of them until no more than bytesMax octets are left. It
// returns the names that are gone. Which numbers are too old is the caller's to
// know: it counts running time, which no clock can set forward.
func (r *Root) PruneVersions(before uint64, bytesMax int64) (gone []string, err error) {
	r.kept.mu.Lock()
	defer r.kept.mu.Unlock()
	p := pruning{versions: &r.kept, before: before, excess: -bytesMax}
	for _, step := range []func(group uint64) error{p.measure, p.prune} {
		groups, err := r.kept.groups()
		for _, group := range groups {
			err = errors.Join(err, step(group))
		}
		if err != nil {
			return p.gone, fmt.Errorf("store: prune versions: %w", err)
		}
	}
	return p.gone, nil
}

// pruning is one call of PruneVersions. It walks the area twice, since its files
// may be too many to remember.
type pruning struct {
	versions *versions
	before   uint64
	excess   int64 // octets too many, of those that are not too old
	gone     []string
}

func (p *pruning) measure(group uint64) error {
	return p.versions.each(group, func(dir Dir, kept, file string) error {
		if seqOf(kept) < p.before {
			return nil
		}
		stat, err := dir.Stat(file)
		p.excess += stat.Size
		return err
	})
}

func (p *pruning) prune(group uint64) error {
	err := p.versions.each(group, func(dir Dir, kept, file string) error {
		old := seqOf(kept) < p.before
		if !old && p.excess <= 0 {
			return nil
		}
		stat, err := dir.Stat(file)
		if err != nil {
			return err
		}
		if err := dir.Remove(file); err != nil {
			return err
		}
		p.gone = append(p.gone, kept)
		if !old {
			p.excess -= stat.Size
		}
		return nil
	})
	if err != nil || group >= (p.versions.next-1)/keptPerGroup {
		return err // the newest stays, empty or not: it remembers which numbers were given
	}
	err = p.versions.dir.Rmdir(groupName(group))
	if errors.Is(err, fs.ErrExist) {
		return nil // not empty
	}
	return err
}

// each calls do for every kept file of a group, oldest first.
func (v *versions) each(group uint64, do func(dir Dir, kept, file string) error) error {
	names, err := v.names(group)
	if err != nil {
		return err
	}
	dir, err := v.disk.Dir(v.path(groupName(group)))
	if err != nil {
		return err
	}
	defer dir.Close()
	for _, kept := range names {
		_, file := split(kept)
		if err := do(dir, kept, file); err != nil {
			return err
		}
	}
	return nil
}
