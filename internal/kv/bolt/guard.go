package bolt

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
	"time"

	"go.etcd.io/bbolt"
)

// guarded runs what reads a database. bbolt trusts its file: what it finds wrong there
// is a panic, or a fault where the file ends too soon. That becomes [ErrDamaged]; any
// other panic goes on.
func guarded(path string, read func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		what := recover()
		if what == nil {
			return
		}
		if !blames(what) {
			panic(what)
		}
		err = fmt.Errorf("database %s: %w", path, ErrDamaged) // what bbolt says tells nobody more
	}()
	return read()
}

// blames reports whether a panic that was just recovered is about the file: a fault in
// memory, or raised in bbolt.
func blames(what any) bool {
	if fault, ok := what.(interface{ Addr() uintptr }); ok && fault != nil {
		return true
	}
	callers := make([]uintptr, 64)
	frames := runtime.CallersFrames(callers[:runtime.Callers(0, callers)])
	panicked := false
	for {
		frame, more := frames.Next()
		inRuntime := strings.HasPrefix(frame.Function, "runtime.")
		if panicked && !inRuntime {
			return strings.HasPrefix(frame.Function, "go.etcd.io/bbolt")
		}
		panicked = panicked || frame.Function == "runtime.gopanic"
		if !more {
			return false
		}
	}
}

// Check reads all of an existing database and returns [ErrDamaged] where a page is not
// one, or the tree does not hold together. It takes no note of what the values mean.
func Check(path string) error {
	store, err := opened(path, &bbolt.Options{Timeout: lockWait, ReadOnly: true})
	if err != nil {
		return err
	}
	return errors.Join(store.check(), store.Close())
}

// check visits every page. That is done before a database is opened to write, since
// bbolt looks for the free pages in a goroutine of its own, where a panic is the end.
func (s *Store) check() error {
	return s.guarded(func() error {
		return s.db.View(func(tx *bbolt.Tx) error {
			return tx.ForEach(func(_ []byte, b *bbolt.Bucket) error { return s.checkBucket(b) })
		})
	})
}

// errOrder is of a tree whose keys do not ascend: what is looked for in it is not found.
var errOrder = fmt.Errorf("%w: its keys are not in order", ErrDamaged)

func (s *Store) checkBucket(b *bbolt.Bucket) error {
	var last []byte
	c := b.Cursor()
	touched := byte(0)
	for key, value := c.First(); key != nil; key, value = c.Next() {
		if last != nil && string(last) >= string(key) {
			return errOrder
		}
		if n := len(value); n > 0 {
			touched ^= value[0] ^ value[n-1]
		}
		last = key
		s.touch()
	}
	runtime.KeepAlive(touched)
	return nil
}

func (s *Store) guarded(read func() error) error {
	err := guarded(s.db.Path(), read)
	if errors.Is(err, ErrDamaged) {
		s.damaged.Store(true)
	}
	return err
}

// closeWait is how long a damaged database may take to be closed: bbolt may have died
// with its lock.
const closeWait = time.Second

func (s *Store) closeDamaged() error {
	closed := make(chan error, 1)
	go func() { closed <- guarded(s.db.Path(), s.db.Close) }()
	select {
	case <-closed:
	case <-time.After(closeWait):
	}
	return nil
}

// exists reports whether there is something at path to be checked.
func exists(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Size() > 0
}
