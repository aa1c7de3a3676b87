//go:build failpoint && linux

package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/zsync/zsync"
)

// editor is a person who is busy in one folder.
type editor struct {
	side   *side
	rng    *rand.Rand
	ledger *ledger
	desk   string // beside the folder: where drafts are written, and what is taken away is read
	count  int

	mutex sync.Mutex // the rounds ask how much was done
	done  map[string]int
}

const (
	actEvery   = 25 * time.Millisecond
	filesFew   = 120 // fewer would not have lain quietly when they are replaced
	filesMany  = 240
	dirsFew    = 4
	largeOneIn = 60 // is cut into chunks
	largeMin   = 1500 << 10
)

// live acts until told to stop, at an even pace.
func (e *editor) live(stop chan struct{}) {
	for next := time.Now(); ; next = next.Add(actEvery) {
		select {
		case <-stop:
			return
		case <-time.After(time.Until(next)):
			if late := time.Since(next); late > time.Second {
				next = next.Add(late)
			}
			if what, err := e.act(); err == nil {
				e.mutex.Lock()
				e.done[what]++
				e.mutex.Unlock()
			}
		}
	}
}

// total is how many operations were done so far.
func (e *editor) total() (total int) {
	e.mutex.Lock()
	defer e.mutex.Unlock()
	for _, count := range e.done {
		total += count
	}
	return total
}

var errNothing = errors.New("nothing to do it to")

// act does one thing. That it cannot be done, since zsync was there first, is no
// mistake; it is not counted.
func (e *editor) act() (what string, err error) {
	e.count++
	files, dirs := e.look()
	if len(files) < filesFew {
		return "create", e.create(dirs)
	}
	path, many := files[e.rng.IntN(len(files))], len(files) > filesMany
	switch chance := e.rng.IntN(100); {
	case chance < 25 && !many:
		return "create", e.create(dirs)
	case chance < 35:
		return "delete", e.remove(path)
	case chance < 60:
		return "replace", e.replace(path)
	case chance < 75:
		return "append", e.append(path)
	case chance < 85:
		return "rename file", renameNew(path, filepath.Join(e.directory(dirs), e.fresh("renamed")))
	case chance < 88:
		return "rename directory", e.renameDirectory(dirs)
	}
	modes := []os.FileMode{0o600, 0o640, 0o644, 0o755}
	return "chmod", os.Chmod(path, modes[e.rng.IntN(len(modes))])
}

// look returns the files and the directories of the folder.
func (e *editor) look() (files, dirs []string) {
	_ = filepath.WalkDir(e.side.folder, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil || path == e.side.folder:
			return nil
		case entry.Name() == zsync.PrivateDir:
			return fs.SkipDir
		case entry.IsDir():
			dirs = append(dirs, path)
		default:
			files = append(files, path)
		}
		return nil
	})
	return files, dirs
}

// directory returns one to put something into, made when there are few.
func (e *editor) directory(dirs []string) string {
	if len(dirs) < dirsFew {
		dir := filepath.Join(e.side.folder, fmt.Sprintf("d%d", e.rng.IntN(dirsFew)))
		_ = os.MkdirAll(dir, 0o755) // what is not there nothing can be put into
		return dir
	}
	return dirs[e.rng.IntN(len(dirs))]
}

// fresh is a name that nobody else takes.
func (e *editor) fresh(what string) string {
	return fmt.Sprintf("%s-%s-%d", what, e.side.name, e.count)
}

// text is a content that nobody else writes.
func (e *editor) text() []byte {
	text := fmt.Appendf(nil, "%s %d\n", e.side.name, e.count)
	if e.rng.IntN(largeOneIn) > 0 {
		return text
	}
	large := make([]byte, largeMin+e.rng.IntN(2*largeMin))
	for i := copy(large, text); i < len(large); i++ {
		large[i] = byte(e.rng.Uint32())
	}
	return large
}

// create writes a new file, in place or beside the folder first. Half of the names
// are ones that the other side uses too.
func (e *editor) create(dirs []string) error {
	name := fmt.Sprintf("file-%02d", e.rng.IntN(filesMany))
	if e.rng.IntN(2) == 0 {
		name = e.fresh("new")
	}
	path := filepath.Join(e.directory(dirs), name)
	if e.rng.IntN(2) == 0 {
		draft, err := e.draft()
		if err == nil {
			if err = renameNew(draft, path); err != nil {
				_ = os.Remove(draft)
			}
		}
		return err
	}
	file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	_, err = file.Write(e.text())
	return errors.Join(err, file.Close())
}

func (e *editor) draft() (path string, err error) {
	path = filepath.Join(e.desk, fmt.Sprint(e.count))
	return path, os.WriteFile(path, e.text(), 0o644)
}

// replace gives a name to other bytes in one step, as programs do that save a file.
// The old ones come to the desk in the same step: so it is known which they were.
func (e *editor) replace(path string) error {
	draft, err := e.draft()
	if err != nil {
		return err
	}
	if err := unix.Renameat2(unix.AT_FDCWD, draft, unix.AT_FDCWD, path, unix.RENAME_EXCHANGE); err != nil {
		_ = os.Remove(draft)
		return err
	}
	return e.discard(draft)
}

// append writes to a file in place; what it held before is no more.
func (e *editor) append(path string) error {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_APPEND, 0)
	if err != nil {
		return err
	}
	defer file.Close()
	before, err := io.ReadAll(file)
	if err != nil {
		return err
	}
	e.ledger.taken(before)
	_, err = fmt.Fprintf(file, "and %s %d\n", e.side.name, e.count)
	e.ledger.taken(before) // it may have been looked at between the two
	return err
}

func (e *editor) remove(path string) error {
	away := filepath.Join(e.desk, fmt.Sprint(e.count))
	if err := os.Rename(path, away); err != nil {
		return err
	}
	return e.discard(away)
}

// discard does away with a file on the desk.
func (e *editor) discard(path string) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	e.ledger.taken(data)
	return os.Remove(path)
}

// renameDirectory gives one a new name, or now and then a place in another.
func (e *editor) renameDirectory(dirs []string) error {
	if len(dirs) < dirsFew {
		return errNothing
	}
	into := e.side.folder
	if e.rng.IntN(4) == 0 {
		into = e.directory(dirs)
	}
	return renameNew(dirs[e.rng.IntN(len(dirs))], filepath.Join(into, e.fresh("dir")))
}

// renameNew renames what is at from unless there is something at to.
func renameNew(from, to string) error {
	return unix.Renameat2(unix.AT_FDCWD, from, unix.AT_FDCWD, to, unix.RENAME_NOREPLACE)
}
