package store

import "strings"

// openDirs keeps the directories of a batch open while changes go on in them.
// A directory that is open follows when a user moves it, so it is held for few
// changes, and afterwards its path is walked again: when that leads elsewhere,
// moved is told the changes in question.
type openDirs struct {
	disk  FS
	moved func(change int)
	open  []openDir
}

type openDir struct {
	path string
	dir  Dir
	uses []int // the changes made in it
}

const (
	openDirsMax = 16
	openUsesMax = 64 // about 2 ms of small files
)

// at returns the directory at path for a change. It stays open at least until the
// change has asked for its last one.
func (o *openDirs) at(path string, change int) (Dir, error) {
	for i, entry := range o.open {
		if entry.path != path {
			continue
		}
		if len(entry.uses) < openUsesMax || entry.uses[len(entry.uses)-1] == change {
			entry.uses = append(entry.uses, change)
			o.open = append(append(o.open[:i], o.open[i+1:]...), entry) // the first is the next to go
			return entry.dir, nil
		}
		o.drop(i)
		break
	}
	dir, err := o.disk.Dir(path)
	if err != nil {
		return nil, err
	}
	if len(o.open) == openDirsMax {
		o.drop(0)
	}
	o.open = append(o.open, openDir{path: path, dir: dir, uses: []int{change}})
	return dir, nil
}

// dropBelow closes a directory and those below it, before it is moved or removed.
func (o *openDirs) dropBelow(path string) {
	for i := len(o.open) - 1; i >= 0; i-- {
		if o.open[i].path == path || strings.HasPrefix(o.open[i].path, path+"/") {
			o.drop(i)
		}
	}
}

func (o *openDirs) dropAll() {
	for len(o.open) > 0 {
		o.drop(len(o.open) - 1)
	}
}

func (o *openDirs) drop(i int) {
	entry := o.open[i]
	o.open = append(o.open[:i], o.open[i+1:]...)
	defer entry.dir.Close()
	if o.leadsTo(entry.path, entry.dir) {
		return
	}
	for _, change := range entry.uses {
		o.moved(change)
	}
}

func (o *openDirs) leadsTo(path string, dir Dir) bool {
	again, err := o.disk.Dir(path)
	if err != nil {
		return false
	}
	defer again.Close()
	was, err := dir.Self()
	if err != nil {
		return false
	}
	is, err := again.Self()
	return err == nil && is.SameFile(was)
}
