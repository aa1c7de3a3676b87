package store

import (
	"errors"
	"fmt"
	"io/fs"
	"strconv"
)

// PrunedMax is how many names one call of [Root.PruneVersions] removes at most, so
// that neither it nor what its caller does about them takes long.
const PrunedMax = 4096

// PruneVersions removes, oldest first, every kept file with a number below
// before, and then more of them until no more than octetsMax are left. It
// returns the names that are gone: [PrunedMax] of them mean that it is to be called
// again. Which numbers are too old is the caller's to know: it counts running time,
// which no clock can set forward; see [Root.VersionsNext].
//
// What the area holds is measured once, a thousand files at a time, and then
// counted; of what there is nothing to remove from, nothing is read. Files are kept
// meanwhile as ever.
func (r *Root) PruneVersions(before uint64, octetsMax int64) (gone []string, err error) {
	p := pruning{versions: &r.kept, before: before, excess: -octetsMax}
	groups, err := r.kept.listed()
	if err == nil {
		err = p.run(groups)
	}
	if err != nil {
		return p.gone, fmt.Errorf("store: prune versions: %w", err)
	}
	return p.gone, nil
}

// VersionsNext returns the number that the next kept file will have: who notes it
// with the running time will know which ones are how old.
func (r *Root) VersionsNext() uint64 {
	r.kept.mu.Lock()
	defer r.kept.mu.Unlock()
	return r.kept.next
}

// pruning is one call of PruneVersions. It holds the area for one directory at a
// time, so that a batch need not wait for all of it.
type pruning struct {
	versions *versions
	before   uint64
	excess   int64 // octets too many
	gone     []string
}

func (p *pruning) run(groups []uint64) error {
	for _, group := range groups {
		octets, err := p.versions.measure(group)
		if err != nil {
			return err
		}
		p.excess += octets
	}
	for _, group := range groups {
		if p.excess <= 0 && group*keptPerGroup >= p.before || len(p.gone) == PrunedMax {
			return nil
		}
		if err := p.prune(group); err != nil {
			return err
		}
	}
	return nil
}

// errEnough ends a walk before its end.
var errEnough = errors.New("enough")

func (p *pruning) prune(group uint64) error {
	v := p.versions
	v.mu.Lock()
	defer v.mu.Unlock()
	err := v.each(group, func(dir Dir, kept, file string) error {
		if seqOf(kept) >= p.before && p.excess <= 0 || len(p.gone) == PrunedMax {
			return errEnough
		}
		stat, err := dir.Stat(file)
		if err != nil {
			return err
		}
		if err := dir.Remove(file); err != nil {
			return err
		}
		p.gone = append(p.gone, kept)
		p.excess -= stat.Size
		if octets, measured := v.octets[group]; measured {
			v.octets[group] = max(0, octets-stat.Size)
		}
		return nil
	})
	if errors.Is(err, errEnough) {
		return nil
	}
	if err != nil || group >= (v.next-1)/keptPerGroup {
		return err // the newest stays, empty or not: it remembers which numbers were given
	}
	err = v.dir.Rmdir(groupName(group))
	if errors.Is(err, fs.ErrExist) {
		return nil // not empty
	}
	delete(v.octets, group)
	return err
}

// listed is groups for who does not hold the area.
func (v *versions) listed() ([]uint64, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.groups()
}

// measure returns the octets in a directory of the area. What is written to one of
// its files later is not seen until they are measured anew.
func (v *versions) measure(group uint64) (octets int64, err error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if octets, measured := v.octets[group]; measured {
		return octets, nil
	}
	err = v.each(group, func(dir Dir, _, file string) error {
		stat, err := dir.Stat(file)
		octets += stat.Size
		return err
	})
	if err == nil {
		v.octets[group] = octets
	}
	return octets, err
}

// added counts a file that is kept now; kept is "" when it is not.
func (v *versions) added(kept string, octets int64) {
	if kept == "" {
		return
	}
	group := seqOf(kept) / keptPerGroup
	if was, measured := v.octets[group]; measured {
		v.octets[group] = was + octets
	}
}

// unmeasured has a directory measured anew: something other than a keep or a prune
// changes what is in it.
func (v *versions) unmeasured(group string) {
	if number, err := strconv.ParseUint(group, 10, 64); err == nil {
		delete(v.octets, number)
	}
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
