package disk

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/fsnotify/fsnotify"
	"github.com/zsync/zsync"
	"golang.org/x/sync/errgroup"
)

const (
	// settleQuiet is how long nothing must happen before changes are reported.
	settleQuiet = 50 * time.Millisecond
	// settleMax is how long changes wait at most, however busy the tree is.
	settleMax = 300 * time.Millisecond
	// settleStep is how often it is looked at whether something happened.
	settleStep = 10 * time.Millisecond
	// gatherFor is how long the reader rests after it has noted what there was, so
	// that a tree in which much happens does not wake it for each name.
	gatherFor = 10 * time.Millisecond
	// gatherMax is how many events may wait for it outside of the kernel's queue, which
	// has room for 16,384. They are few, because each of them costs a system call; when
	// there are more, all are had with one.
	gatherMax = 16
	// seenMax is how many names are remembered before everything counts as
	// changed: a scan of everything is cheaper then, and memory is bounded.
	seenMax = 1 << 16
)

// ErrNoWatches is wrapped by a Problem and by the error of [NewWatcher] when the
// kernel gives no more watches. Changes in the directories that have none are
// found by scans alone.
var ErrNoWatches = errors.New("no file watches left")

// Hint says where something may have changed: the directories whose entries, or
// whose files' bytes, did; or everywhere, when the kernel lost count. Problem, when
// set, says why there are fewer hints than changes from now on.
//
// A hint is never more than that: what is true is found by a scan.
type Hint struct {
	Dirs    []zsync.Path // ascending
	All     bool
	Problem error
}

// Made reports whether a name is as this program left it: that is no news.
type Made func(path zsync.Path, now fs.FileInfo) bool

// Watcher reports changes in a tree. The kernel watches single directories, so
// each has a watch of its own, and a new one is given its when it is reported; the
// private directory has none. What this program made itself is not reported.
type Watcher struct {
	root    string
	notify  *fsnotify.Watcher
	add     func(dir string) error // notify.Add
	made    Made
	watched map[string]bool // the directories that have a watch; Run owns it
	problem error           // told once; Run owns it
	told    bool
	hints   chan Hint
	nudge   chan struct{} // something was seen
	// mu guards seen alone. The reader must never wait for the receiver of hints,
	// or the kernel's queue overflows; so a channel between them will not do.
	mu   sync.Mutex
	seen seen
}

// seen is what the reader noted since it was last taken. Paths are absolute.
type seen struct {
	names   map[string]bool // names that changed; true: they are new, and may be directories
	gone    map[string]bool // names that are no more; true: all below went with it
	all     bool            // the kernel lost count, or there were too many to note
	problem error
}

func newSeen() seen {
	return seen{names: map[string]bool{}, gone: map[string]bool{}}
}

// NewWatcher watches the tree below dir. What happens from its return on will be
// reported, so a scan that is begun then misses nothing. It fails when dir cannot be
// watched at all; what else cannot is the Problem of the first Hint.
func NewWatcher(dir string, made Made) (*Watcher, error) {
	root, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	notify, err := fsnotify.NewBufferedWatcher(gatherMax)
	if errors.Is(err, syscall.EMFILE) {
		err = fmt.Errorf("%w: raise the sysctl fs.inotify.max_user_instances: %w", ErrNoWatches, err)
	}
	if err != nil {
		return nil, fmt.Errorf("watch %s: %w", dir, err)
	}
	w := &Watcher{
		root: root, notify: notify, add: notify.Add, made: made, watched: map[string]bool{}, seen: newSeen(),
		hints: make(chan Hint), nudge: make(chan struct{}, 1),
	}
	w.watchBelow(root, func(string) {})
	if !w.watched[root] {
		return nil, errors.Join(fmt.Errorf("watch %s: %w", dir, w.problem), notify.Close())
	}
	if w.problem != nil {
		w.nudge <- struct{}{}
	}
	return w, nil
}

// Hints is where Run reports.
func (w *Watcher) Hints() <-chan Hint { return w.hints }

// Run reports changes until ctx ends. It is called once.
func (w *Watcher) Run(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	group.Go(w.read)
	group.Go(func() error {
		w.report(ctx)
		return w.notify.Close() // which ends read, too
	})
	return group.Wait()
}

// read notes what the kernel says, and does nothing else.
func (w *Watcher) read() error {
	events, faults := w.notify.Events, w.notify.Errors
	for events != nil || faults != nil {
		select {
		case event, open := <-events:
			if !open {
				events = nil
				continue
			}
			w.gather(event)
		case err, open := <-faults:
			if !open {
				faults = nil
				continue
			}
			w.note(func(s *seen) { s.fault(err) })
		}
	}
	return nil
}

// gather notes an event with all that are there, and leaves others some time to come.
func (w *Watcher) gather(first fsnotify.Event) {
	w.note(func(s *seen) {
		s.event(w.root, first)
		for w.waiting() {
			for range len(w.notify.Events) {
				s.event(w.root, <-w.notify.Events)
			}
		}
	})
	time.Sleep(gatherFor)
}

// waiting reports whether there are more events, once fsnotify had its turn to hand
// over those that it has read.
func (w *Watcher) waiting() bool {
	if len(w.notify.Events) == 0 {
		runtime.Gosched()
	}
	return len(w.notify.Events) > 0
}

func (w *Watcher) note(note func(*seen)) {
	w.mu.Lock()
	note(&w.seen)
	w.mu.Unlock()
	select {
	case w.nudge <- struct{}{}:
	default: // one is pending already
	}
}

func (s *seen) event(root string, event fsnotify.Event) {
	relative, inside := below(root, event.Name)
	first, _, _ := strings.Cut(relative, "/")
	if s.all || !inside || first == zsync.PrivateDir {
		return
	}
	if relative == "" {
		s.all = true // the root itself was moved, removed or changed its mode
		return
	}
	s.names[event.Name] = s.names[event.Name] || event.Has(fsnotify.Create)
	if event.Has(fsnotify.Rename) || event.Has(fsnotify.Remove) {
		s.gone[event.Name] = s.gone[event.Name] || event.Has(fsnotify.Rename)
	}
	if len(s.names)+len(s.gone) > seenMax {
		s.all = true
	}
}

func (s *seen) fault(err error) {
	s.all = true
	if !errors.Is(err, fsnotify.ErrEventOverflow) {
		s.problem = err
	}
}

// report turns what was noted into hints, one batch after the other.
func (w *Watcher) report(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-w.nudge:
		}
		w.settle(ctx)
		hint, some := w.take()
		if !some {
			continue
		}
		select {
		case <-ctx.Done():
			return
		case w.hints <- hint: // meanwhile the reader goes on noting
		}
	}
}

// settle waits until nothing happens any more.
func (w *Watcher) settle(ctx context.Context) {
	step := time.NewTicker(settleStep)
	defer step.Stop()
	began := time.Now()
	for last := began; time.Since(last) < settleQuiet && time.Since(began) < settleMax; {
		select {
		case <-ctx.Done():
			return
		case <-step.C:
		}
		select {
		case <-w.nudge:
			last = time.Now()
		default:
		}
	}
}

// take makes a hint of what was noted, and moves the watches after it. some
// is false when there is nothing to say.
func (w *Watcher) take() (hint Hint, some bool) {
	w.mu.Lock()
	s := w.seen
	w.seen = newSeen()
	w.mu.Unlock()
	if s.problem != nil {
		w.problem, w.told = s.problem, false
	}
	if s.all {
		w.watchAnew()
		hint.All = true
	} else {
		hint.Dirs = w.paths(w.follow(s))
	}
	if w.problem != nil && !w.told {
		hint.Problem, w.told = w.problem, true
	}
	return hint, hint.All || len(hint.Dirs) > 0 || hint.Problem != nil
}

// follow takes the watches off directories that went and puts them on those that
// came, and returns the directories in which there is news. A new directory is one
// of them: things may lie in it that were there before its watch was.
func (w *Watcher) follow(s seen) (dirty map[string]bool) {
	for name, withAllBelow := range s.gone {
		switch {
		case !w.watched[name]: // a file
		case withAllBelow:
			w.forgetBelow(name)
		default:
			w.forget(name)
		}
	}
	dirty = make(map[string]bool)
	for name, isNew := range s.names {
		dir := filepath.Dir(name)
		if isNew && filepath.Base(name) == zsync.PrivateDir && w.nested(dir) {
			w.forgetBelow(dir)
		}
		info, err := os.Lstat(name)
		if err != nil || !w.isMade(name, info) {
			dirty[dir] = true
		}
		if isNew && err == nil && info.IsDir() {
			w.watchBelow(name, func(dir string) { dirty[dir] = true })
		}
	}
	return dirty
}

func (w *Watcher) isMade(name string, info fs.FileInfo) bool {
	path, usable := w.path(name)
	return usable && w.made(path, info)
}

// forgetBelow takes the watches off a directory and all below. The kernel would
// go on watching them where they are now, and they would be reported under their
// old names.
func (w *Watcher) forgetBelow(dir string) {
	for name := range w.watched {
		if name == dir || strings.HasPrefix(name, dir+"/") {
			w.forget(name)
		}
	}
}

func (w *Watcher) forget(dir string) {
	_ = w.notify.Remove(dir) // gone by itself when the directory was removed
	delete(w.watched, dir)
}

// watchAnew gives every directory a new watch: which of the old ones still stand
// where they should, nobody knows.
func (w *Watcher) watchAnew() {
	w.forgetBelow(w.root)
	if errors.Is(w.problem, ErrNoWatches) {
		w.problem, w.told = nil, false
	}
	w.watchBelow(w.root, func(string) {})
}

// watchBelow watches a directory and all below, and tells each one. A directory has
// its watch before it is read, so nothing comes between.
func (w *Watcher) watchBelow(top string, tell func(dir string)) {
	_ = filepath.WalkDir(top, func(name string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.IsDir() {
			return nil // what cannot be read, or is gone again, a scan will explain
		}
		if _, usable := w.path(name); !usable || w.nested(name) {
			return fs.SkipDir
		}
		if w.watch(name) {
			tell(name)
		}
		return nil
	})
}

// nested reports whether a directory is a folder of its own, which is somebody
// else's to watch; that it is one no more, a scan finds.
func (w *Watcher) nested(dir string) bool {
	_, err := os.Lstat(filepath.Join(dir, zsync.PrivateDir, "id"))
	return err == nil && dir != w.root
}

// watch gives a directory its watch, unless no more are to be had. WalkDir calls
// for a directory before it reads it.
func (w *Watcher) watch(name string) bool {
	err := w.add(name)
	switch {
	case err == nil:
		w.watched[name] = true
	case errors.Is(err, syscall.ENOSPC):
		if !errors.Is(w.problem, ErrNoWatches) {
			w.told = false
			w.problem = fmt.Errorf("%w: %d directories have one; raise the sysctl fs.inotify.max_user_watches: %w",
				ErrNoWatches, len(w.watched), err)
		}
	case !errors.Is(err, fs.ErrNotExist) && name == w.root:
		w.problem = err
	}
	return err == nil || errors.Is(err, syscall.ENOSPC)
}

// paths returns directories as paths below the root, ascending.
func (w *Watcher) paths(dirs map[string]bool) []zsync.Path {
	var paths []zsync.Path
	for _, dir := range slices.Sorted(maps.Keys(dirs)) {
		if path, usable := w.path(dir); usable {
			paths = append(paths, path)
		}
	}
	slices.Sort(paths)
	return paths
}

// path returns a directory's path below the root; usable is false for those that
// no folder holds, the private one of this folder and of any within it among them.
func (w *Watcher) path(dir string) (path zsync.Path, usable bool) {
	relative, inside := below(w.root, dir)
	if relative == "" {
		return "", inside
	}
	path, err := zsync.ParsePath(relative)
	private := strings.Contains(relative, zsync.PrivateDir) && // as it seldom does
		slices.Contains(strings.Split(relative, "/"), zsync.PrivateDir)
	return path, err == nil && !private
}

// below returns what leads from the root to a name, with slashes: "" is the root itself.
func below(root, name string) (relative string, inside bool) {
	rest, inside := strings.CutPrefix(name, root)
	if !inside || rest == "" {
		return "", inside
	}
	const separator = string(filepath.Separator)
	relative = strings.TrimPrefix(rest, separator)
	inside = relative != rest || strings.HasSuffix(root, separator)
	return filepath.ToSlash(relative), inside
}
