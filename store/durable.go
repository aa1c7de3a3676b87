package store

import "errors"

// fewMax is up to how many files and directories are synced one by one. One sync
// of the file system costs as little as one of a file, but waits for everybody
// else's bytes too; so a small batch does without.
const fewMax = 16

// toSync collects what a batch has to make durable.
type toSync struct {
	things []syncThing
	many   bool // too many, or not to be found by name any more
}

// syncThing is a file in a directory, or the directory when name is "". A
// directory that is not held open is named by path.
type syncThing struct {
	dir  Dir
	path string
	name string
}

func (t *toSync) add(thing syncThing) {
	if t.many {
		return
	}
	for _, had := range t.things {
		if had == thing {
			return
		}
	}
	if t.many = len(t.things) == fewMax; !t.many {
		t.things = append(t.things, thing)
	}
}

// file adds a file, and the directory that names it.
func (t *toSync) file(dir Dir, name string) {
	t.add(syncThing{dir: dir})
	t.add(syncThing{dir: dir, name: name})
}

// sync makes it all durable: each thing, or the whole file system when they are
// many or one of them cannot be opened.
func (t *toSync) sync(disk FS) error {
	if t.many {
		return disk.Sync()
	}
	for _, thing := range t.things {
		switch err := thing.sync(disk); {
		case errors.Is(err, errNotOpened):
			return disk.Sync()
		case err != nil:
			return err
		}
	}
	return nil
}

// errNotOpened: what was to be synced has another name by now, or may not be
// read by this user.
var errNotOpened = errors.New("not opened")

func (s syncThing) sync(disk FS) error {
	dir := s.dir
	if dir == nil {
		opened, err := disk.Dir(s.path)
		if err != nil {
			return errors.Join(errNotOpened, err)
		}
		defer opened.Close()
		dir = opened
	}
	if s.name == "" {
		return dir.Sync()
	}
	file, _, err := dir.Open(s.name)
	if err != nil {
		return errors.Join(errNotOpened, err)
	}
	defer file.Close()
	return file.Sync()
}
