package store

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/zsync/zsync"
)

// versions is the area of what was replaced or removed. Each file has a number of
// its own, counted up for ever and never taken from a clock, so that names are
// unique and the oldest comes first: 000012/000012345~holiday.jpg. A thousand
// share a directory.
type versions struct {
	disk      FS
	dir       Dir
	mu        sync.Mutex // Apply keeps while another goroutine prunes
	group     Dir        // the newest directory; nil: none is open
	groupName string
	next      uint64
	octets    map[uint64]int64 // in each directory, for those that were measured
}

const (
	keptPerGroup = 1000
	groupDigits  = 6
	seqDigits    = 9
)

func (v *versions) open(disk FS, dir Dir) error {
	v.disk, v.dir, v.next, v.octets = disk, dir, 1, map[uint64]int64{}
	groups, err := v.groups()
	if err != nil || len(groups) == 0 {
		return err
	}
	newest := groups[len(groups)-1]
	names, err := v.names(newest)
	if err != nil {
		return err
	}
	v.next = (newest + 1) * keptPerGroup // where all was removed, numbers may not come again
	if len(names) > 0 {
		v.next = seqOf(names[len(names)-1]) + 1
	}
	return nil
}

func (v *versions) close() error {
	var failed error
	for _, dir := range []Dir{v.group, v.dir} {
		if dir != nil {
			failed = errors.Join(failed, dir.Close())
		}
	}
	return failed
}

// keep moves the entry that is old here and returns its new name. What turns out
// to be another file is moved back, and that is ErrDiverged. need is told what has
// to be synced for the move to last.
func (v *versions) keep(from Dir, name, base string, old Stat, need *toSync) (string, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.keepLocked(from, name, base, old, need)
}

// pass moves the entry that is old to a free name by way of this area, on disks
// that cannot do it in one step. When it cannot get its new name it goes back, and
// when its old one was taken meanwhile it stays here, under the name returned.
func (v *versions) pass(from Dir, name string, to Dir, toName string, old Stat, need *toSync) (string, error) {
	v.mu.Lock() // nothing is pruned on its way
	defer v.mu.Unlock()
	kept, err := v.keepLocked(from, name, name, old, need)
	if err != nil {
		return kept, err
	}
	group, file := split(kept)
	v.unmeasured(group)
	for _, dir := range []Dir{v.group, from} { // or a crash could leave its old name and the new one
		if err := dir.Sync(); err != nil {
			return "", errors.Join(err, v.group.Rename(file, from, name, FromPrivate))
		}
	}
	return onOrBack(v.group, file, kept, from, name, to, toName)
}

// passOn ends what a crash cut short in pass; kept is "" when the entry has gone on
// or back.
func (v *versions) passOn(kept string, from Dir, name string, to Dir, toName string, need *toSync) (string, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	dir, file, err := v.leaving(kept, need)
	if err != nil {
		return kept, err
	}
	defer dir.Close()
	return onOrBack(dir, file, kept, from, name, to, toName)
}

// leaving opens the directory of a kept file that is about to be moved out of it.
// need is told of it, and its octets are measured again.
func (v *versions) leaving(kept string, need *toSync) (dir Dir, file string, err error) {
	group, file := split(kept)
	if dir, err = v.disk.Dir(v.path(group)); err != nil {
		return nil, "", err
	}
	v.unmeasured(group)
	need.add(syncThing{path: v.path(group)})
	return dir, file, nil
}

func onOrBack(dir Dir, file, kept string, from Dir, name string, to Dir, toName string) (string, error) {
	err := dir.Rename(file, to, toName, FromPrivate)
	if err == nil {
		return "", nil
	}
	if back := dir.Rename(file, from, name, FromPrivate); back != nil {
		return kept, errors.Join(err, back)
	}
	return "", err
}

// unlink removes a kept name of a file that has another one too, which a crash in
// pass left behind.
func (v *versions) unlink(kept string, other Stat, need *toSync) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	group, file := split(kept)
	dir, err := v.disk.Dir(v.path(group))
	if err != nil {
		return err
	}
	defer dir.Close()
	if now, err := dir.Stat(file); err != nil || !sameInode(now, other) {
		return nil
	}
	v.unmeasured(group)
	need.add(syncThing{path: v.path(group)})
	return dir.Remove(file)
}

func (v *versions) keepLocked(from Dir, name, base string, old Stat, need *toSync) (string, error) {
	for {
		if err := v.openGroup(); err != nil {
			return "", err
		}
		group, file := nameKept(v.next, base)
		v.next++
		err := from.Rename(name, v.group, file, IntoPrivate)
		if errors.Is(err, fs.ErrExist) {
			continue
		}
		if err != nil {
			return "", err
		}
		need.add(syncThing{path: v.path(group)})
		kept, err := v.check(from, name, group, file, old)
		v.added(kept, old.Size)
		return kept, err
	}
}

// check makes sure that what was moved here is what was meant. If it is not and
// its place was taken meanwhile, it stays, and nothing is lost.
func (v *versions) check(from Dir, name, group, file string, old Stat) (string, error) {
	now, err := v.group.Stat(file)
	if err == nil && now.SameFile(old) {
		return join(group, file), nil
	}
	if err == nil {
		err = ErrDiverged
	}
	if back := v.group.Rename(file, from, name, FromPrivate); back != nil {
		return join(group, file), errors.Join(err, back)
	}
	return "", err
}

// openGroup opens the directory that the next number belongs in. A new one is
// durable before anything of a user's is moved there.
func (v *versions) openGroup() error {
	name := groupName(v.next / keptPerGroup)
	if v.group != nil && v.groupName == name {
		return nil
	}
	if v.group != nil {
		old := v.group
		v.group = nil
		if err := old.Close(); err != nil {
			return err
		}
	}
	group, err := makeDir(v.disk, v.dir, v.path(""), name)
	if err != nil {
		return err
	}
	v.group, v.groupName = group, name
	return nil
}

func (v *versions) path(group string) string {
	at := join(privateDir, keptName)
	if group == "" {
		return at
	}
	return join(at, group)
}

// groups returns the numbers of the directories, ascending.
func (v *versions) groups() ([]uint64, error) {
	names, err := v.dir.Names()
	if err != nil {
		return nil, err
	}
	var groups []uint64
	for _, name := range names {
		if number, err := strconv.ParseUint(name, 10, 64); err == nil && groupName(number) == name {
			groups = append(groups, number)
		}
	}
	slices.Sort(groups)
	return groups, nil
}

// names returns what is kept in a directory, ascending by number; names that are
// not ours are left alone.
func (v *versions) names(group uint64) ([]string, error) {
	dir, err := v.disk.Dir(v.path(groupName(group)))
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	files, err := dir.Names()
	if err != nil {
		return nil, err
	}
	var names []string
	for _, file := range files {
		if kept := join(groupName(group), file); seqOf(kept) > 0 {
			names = append(names, kept)
		}
	}
	slices.SortFunc(names, func(a, b string) int { return cmp.Compare(seqOf(a), seqOf(b)) })
	return names, nil
}

// seqOf is KeptSeq of a name that is known to be one; any other is 0.
func seqOf(kept string) uint64 {
	seq, _ := KeptSeq(kept)
	return seq
}

func groupName(number uint64) string { return fmt.Sprintf("%0*d", groupDigits, number) }

// nameKept names a kept file: its number, and as much of the end of its old name
// as fits, since the end says what kind of file it is.
func nameKept(seq uint64, base string) (group, file string) {
	prefix := fmt.Sprintf("%0*d~", seqDigits, seq)
	for len(prefix)+len(base) > zsync.NameBytesMax {
		_, size := utf8.DecodeRuneInString(base)
		base = base[size:]
	}
	return groupName(seq / keptPerGroup), prefix + base
}

// KeptSeq returns the number that is part of a kept file's name. Numbers ascend:
// a file with a lower one was moved to the versions area earlier.
func KeptSeq(kept string) (uint64, error) {
	_, file, _ := strings.Cut(kept, "/")
	digits, base, _ := strings.Cut(file, "~")
	seq, err := strconv.ParseUint(digits, 10, 64)
	if err != nil || seq == 0 || strings.Contains(base, "/") || kept != join(nameKept(seq, base)) {
		return 0, fmt.Errorf("store: %q names no kept file", kept)
	}
	return seq, nil
}

// KeptStat returns the Stat that a kept file has now. Another size or mtime than
// it had in its place: someone holds it open and has written to it since.
func (r *Root) KeptStat(kept string) (Stat, error) {
	if _, err := KeptSeq(kept); err != nil {
		return Stat{}, err
	}
	group, file := split(kept)
	dir, err := r.fs.Dir(r.kept.path(group))
	if err != nil {
		return Stat{}, fmt.Errorf("store: version %s: %w", kept, err)
	}
	defer dir.Close()
	return dir.Stat(file)
}
