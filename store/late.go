package store

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"unicode/utf8"

	"github.com/zsync/zsync"
)

// Kept is a file in the versions area, and the Stat that it had in its place.
type Kept struct {
	Name string // as in a Result
	Stat Stat
}

// Recheck looks once more at files that were moved to the versions area, and returns
// those that somebody who held them open has written to since, with the Stat that
// they have now. What was pruned meanwhile is left out. Where err is set, some could
// not be looked at.
func (r *Root) Recheck(kept []Kept) (changed []Kept, err error) {
	for _, was := range kept {
		now, statErr := r.KeptStat(was.Name)
		switch {
		case errors.Is(statErr, fs.ErrNotExist):
		case statErr != nil:
			err = errors.Join(err, statErr)
		case !now.SameFile(was.Stat):
			changed = append(changed, Kept{Name: was.Name, Stat: now})
		}
	}
	return changed, err
}

// BringBack moves a file from the versions area to a free name in the tree, where a
// scan finds it, and what its writer goes on to write. It is the file itself, so no
// octet is lost on the way. The error is fs.ErrExist where the name is taken,
// fs.ErrNotExist where its directory is gone, or else as of [Root.Apply].
func (r *Root) BringBack(kept string, path zsync.Path) (Stat, error) {
	if _, err := KeptSeq(kept); err != nil {
		return Stat{}, err
	}
	result := r.Apply([]Change{{Op: opBringBack, Path: path, From: zsync.Path(kept)}}, false)[0]
	return result.Stat, result.Err
}

func (a *applier) bringBack(i int, c Change) (Result, error) {
	dir, name, err := a.parent(i, c.Path)
	if err != nil {
		return Result{}, err
	}
	if err := a.root.kept.bringBack(string(c.From), dir, name, &a.need); err != nil {
		return Result{}, err
	}
	a.touched(c.Path, true)
	stat, err := dir.Stat(name)
	return Result{Stat: stat}, err
}

func (v *versions) bringBack(kept string, to Dir, toName string, need *toSync) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	dir, file, err := v.leaving(kept, need)
	if err != nil {
		return err
	}
	defer dir.Close()
	return dir.Rename(file, to, toName, FromPrivate)
}

// lateNameEndMax is up to how many octets after the last dot of a name say what kind
// of file it is.
const lateNameEndMax = 32

// LateName returns the name beside path for a kept file that is brought back: the
// number it was kept by makes it one that nobody else gives.
func LateName(path zsync.Path, kept string) zsync.Path {
	stem, end := string(path.Base()), ""
	if dot := strings.LastIndexByte(stem, '.'); dot > 0 && len(stem)-dot <= lateNameEndMax {
		stem, end = stem[:dot], stem[dot:]
	}
	end = fmt.Sprintf("~late-%d%s", seqOf(kept), end)
	for len(stem)+len(end) > zsync.NameBytesMax {
		_, size := utf8.DecodeLastRuneInString(stem)
		stem = stem[:len(stem)-size]
	}
	return path.Dir().Join(zsync.Name(stem + end))
}
