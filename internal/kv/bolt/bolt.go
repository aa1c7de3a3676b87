// Package bolt is the kv.Store on a disk: one bbolt file, synced at each
// commit. It alone imports bbolt.
//
// The free list is kept in memory and rebuilt at opening, since writing it
// whole at each commit costs more than one scan a start.
package bolt

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync/atomic"
	"time"

	"go.etcd.io/bbolt"
	bbolterrors "go.etcd.io/bbolt/errors"

	"github.com/zsync/zsync/internal/failpoint"
	"github.com/zsync/zsync/internal/kv"
	"github.com/zsync/zsync/internal/meter"
)

// mapped is how much address space a database has at first, in octets. Each time
// that it does not suffice, all that a transaction has in its hands is copied.
const mapped = 256 << 20

// How long another process is waited for to let go of the file. Who only reads is a
// command, which can ask that process instead: it has opened the file to keep it.
const (
	lockWait = time.Second
	readWait = 100 * time.Millisecond
)

// Store is one open database file.
type Store struct {
	// Commits counts what is made durable; nil: nobody does. It is set before the
	// store is used.
	Commits *meter.Stage

	db       *bbolt.DB
	damaged  atomic.Bool
	resident resident
}

var _ kv.Store = (*Store)(nil)

// Open opens or creates the database at path, readable by its owner alone. It
// fails with [ErrLocked] when another process holds it, and with [ErrDamaged] when
// it is none any more.
func Open(path string) (*Store, error) {
	fresh := !exists(path)
	if !fresh {
		if err := Check(path); err != nil {
			return nil, err
		}
	}
	s, err := opened(path, &bbolt.Options{
		Timeout:         lockWait,
		NoFreelistSync:  true,
		FreelistType:    bbolt.FreelistMapType,
		InitialMmapSize: mapped,
	})
	if err != nil && fresh && !errors.Is(err, ErrLocked) { // half a beginning, on a full disk, would pass for damage
		err = errors.Join(err, clearFile(path))
	}
	return s, err
}

func opened(path string, options *bbolt.Options) (*Store, error) {
	s := new(Store)
	err := guarded(path, func() (err error) {
		s.db, err = bbolt.Open(path, 0o600, options)
		return err
	})
	if err != nil {
		return nil, openError(path, err)
	}
	s.resident.gauge = openGauge()
	s.letGo() // bbolt has looked at every page
	return s, nil
}

func clearFile(path string) error {
	if err := os.Truncate(path, 0); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// OpenReadOnly opens an existing database for View alone; several may. It fails
// with [ErrLocked] when another process has it open to write, and with fs.ErrNotExist
// where none was ever begun.
func OpenReadOnly(path string) (*Store, error) {
	if !exists(path) {
		return nil, openError(path, fs.ErrNotExist)
	}
	return opened(path, &bbolt.Options{Timeout: readWait, ReadOnly: true})
}

// ErrLocked is returned when another process holds the file.
var ErrLocked = errors.New("another process uses it")

// ErrDamaged is returned for a file that is no database of this kind any more.
var ErrDamaged = errors.New("it is damaged, or no database")

func openError(path string, err error) error {
	switch {
	case errors.Is(err, ErrDamaged):
		return err // it says where
	case errors.Is(err, bbolterrors.ErrTimeout):
		err = ErrLocked
	case errors.Is(err, bbolterrors.ErrInvalid), errors.Is(err, bbolterrors.ErrChecksum), errors.Is(err, bbolterrors.ErrVersionMismatch):
		err = fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	return fmt.Errorf("open database %s: %w", path, err)
}

// errUnchanged rolls back a transaction that wrote nothing: a commit would cost
// two syncs of the disk for it.
var errUnchanged = errors.New("nothing changed")

// Update implements [kv.Store].
func (s *Store) Update(f func(kv.Tx) error) error {
	var t *tx
	var began time.Time // of the commit
	err := s.guarded(func() error {
		return s.db.Update(func(btx *bbolt.Tx) error {
			t = &tx{store: s, bolt: btx}
			if err := errors.Join(f(t), t.err); err != nil {
				return err
			}
			if !t.changed {
				return errUnchanged
			}
			failpoint.Reach(failpoint.BeforeCommit)
			began = time.Now()
			return nil
		})
	})
	if errors.Is(err, errUnchanged) {
		return nil
	}
	failpoint.Reach(failpoint.AfterCommit)
	if err == nil {
		s.Commits.Add(t.keys, t.octets, time.Since(began))
	}
	return err
}

// View implements [kv.Store].
func (s *Store) View(f func(kv.Tx) error) error {
	return s.guarded(func() error {
		return s.db.View(func(btx *bbolt.Tx) error {
			t := &tx{store: s, bolt: btx}
			return errors.Join(f(t), t.err)
		})
	})
}

// Close implements [kv.Store].
func (s *Store) Close() error {
	defer s.resident.gauge.close()
	if s.damaged.Load() {
		return s.closeDamaged()
	}
	return s.db.Close()
}

// tx remembers the buckets it has looked for: finding one costs a tree walk.
type tx struct {
	store   *Store
	bolt    *bbolt.Tx
	err     error
	changed bool
	keys    int64              // written or deleted
	octets  int64              // of these, and of their values
	opened  map[string]*bucket // nil: there is none
	room    []byte             // for the values put
}

// roomBytes is how much room is made for values at one time: they are many and short.
const roomBytes = 16 << 10

// copied returns a copy of value that stays until the transaction ends, as bbolt
// wants it; callers may reuse theirs.
func (t *tx) copied(value []byte) []byte {
	if t.room == nil || len(value) > cap(t.room)-len(t.room) {
		if len(value) > roomBytes/4 {
			return append([]byte{}, value...)
		}
		t.room = make([]byte, 0, roomBytes)
	}
	at := len(t.room)
	t.room = append(t.room, value...)
	return t.room[at:len(t.room):len(t.room)]
}

// bucket is an open one with its cursors: making one costs more than a search.
type bucket struct {
	*bbolt.Bucket
	finder  *bbolt.Cursor // for one call at a time
	scanner *bbolt.Cursor // nil while a scan has it
}

// bucket returns a bucket that is there, or nil.
func (t *tx) bucket(name string) *bucket {
	kept, known := t.opened[name]
	if !known {
		kept = t.keep(name, t.bolt.Bucket([]byte(name)))
	}
	return kept
}

// fill is how full pages become that are written: mostly, keys come in order.
const fill = 0.9

// keep remembers b, or that there is none.
func (t *tx) keep(name string, b *bbolt.Bucket) (kept *bucket) {
	if t.opened == nil {
		t.opened = make(map[string]*bucket)
	}
	if b != nil {
		b.FillPercent = fill
		kept = &bucket{Bucket: b, finder: b.Cursor(), scanner: b.Cursor()}
	}
	t.opened[name] = kept
	return kept
}

// find moves the finder to a key and returns its value, or nil.
func (b *bucket) find(key []byte) []byte {
	if found, value := b.finder.Seek(key); bytes.Equal(found, key) {
		return value
	}
	return nil
}

func (t *tx) Get(bucket string, key []byte) []byte {
	t.store.touch()
	if b := t.bucket(bucket); b != nil {
		return b.find(key)
	}
	return nil
}

func (t *tx) Put(bucket string, key, value []byte) {
	if err := kv.Writable(!t.bolt.Writable(), key); err != nil {
		t.Fail(err)
		return
	}
	t.store.touch()
	b := t.bucket(bucket)
	if b == nil {
		created, err := t.bolt.CreateBucket([]byte(bucket))
		if err != nil {
			t.Fail(err)
			return
		}
		b = t.keep(bucket, created)
	}
	t.wrote(len(key) + len(value))
	if err := b.Put(key, t.copied(value)); err != nil {
		t.Fail(err)
	}
}

// wrote notes that a key was written or deleted.
func (t *tx) wrote(octets int) {
	t.changed = true
	t.keys++
	t.octets += int64(octets)
}

func (t *tx) Delete(bucket string, key []byte) {
	if !t.bolt.Writable() {
		t.Fail(kv.ErrReadOnly)
		return
	}
	t.store.touch()
	b := t.bucket(bucket)
	if b == nil || b.find(key) == nil {
		return
	}
	t.wrote(len(key))
	if err := b.finder.Delete(); err != nil {
		t.Fail(err)
	}
}

func (t *tx) Scan(bucket string, from []byte, yield func(key, value []byte) bool) {
	b := t.bucket(bucket)
	if b == nil {
		return
	}
	c := b.scanner
	if b.scanner = nil; c == nil {
		c = b.Cursor()
	}
	defer func() { b.scanner = c }()
	for key, value := c.Seek(from); key != nil; key, value = c.Next() {
		t.store.touch()
		if !yield(key, value) {
			return
		}
	}
}

func (t *tx) Seek(bucket string, from []byte) (key, value []byte) {
	t.store.touch()
	if b := t.bucket(bucket); b != nil {
		return b.finder.Seek(from)
	}
	return nil, nil
}

func (t *tx) Last(bucket string) (key, value []byte) {
	if b := t.bucket(bucket); b != nil {
		return b.finder.Last()
	}
	return nil, nil
}

func (t *tx) Drop(bucket string) {
	if !t.bolt.Writable() {
		t.Fail(kv.ErrReadOnly)
		return
	}
	if t.bucket(bucket) == nil {
		return
	}
	delete(t.opened, bucket)
	t.changed = true
	if err := t.bolt.DeleteBucket([]byte(bucket)); err != nil {
		t.Fail(err)
	}
}

func (t *tx) Fail(err error) {
	if t.err == nil {
		t.err = err
	}
}

func (t *tx) Err() error { return t.err }
