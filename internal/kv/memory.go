package kv

import (
	"errors"
	"strings"

	"github.com/tidwall/btree"
)

// Memory is a Store in memory. Each committed state is kept whole until the
// next, so [Memory.Image] can bring back what a disk would have: the last
// commit, and nothing of a transaction under way.
type Memory struct {
	committed *btree.Map[string, string]
	// Commit, where set, is called before each commit; an error makes the
	// transaction fail as a full or broken disk would.
	Commit func() error
}

var _ Store = (*Memory)(nil)

// NewMemory returns an empty Store.
func NewMemory() *Memory { return &Memory{committed: new(btree.Map[string, string])} }

// Update implements [Store].
func (m *Memory) Update(f func(Tx) error) error {
	tx := &memoryTx{pairs: m.committed.Copy()}
	if err := tx.run(f); err != nil {
		return err
	}
	if tx.writes == 0 {
		return nil
	}
	if m.Commit != nil {
		if err := m.Commit(); err != nil {
			return err
		}
	}
	m.committed = tx.pairs
	return nil
}

// View implements [Store].
func (m *Memory) View(f func(Tx) error) error {
	tx := &memoryTx{pairs: m.committed.Copy(), readOnly: true}
	return tx.run(f)
}

// Close implements [Store].
func (m *Memory) Close() error { return nil }

// Image returns an independent Store with what is committed now: what another
// machine, or this one after a crash, would open.
func (m *Memory) Image() *Memory { return &Memory{committed: m.committed.Copy()} }

// memoryTx keeps bucket and key in one string, the bucket ended by a NUL.
type memoryTx struct {
	pairs    *btree.Map[string, string]
	readOnly bool
	writes   int
	err      error
	lent     [][]byte // every slice returned
}

// run calls f and then spoils what f was lent, as the pages of a database file
// are used again: whoever keeps a slice beyond its transaction finds rubbish in
// it, in each test and not on a bad day.
func (tx *memoryTx) run(f func(Tx) error) error {
	defer func() {
		for _, slice := range tx.lent {
			for i := range slice {
				slice[i] ^= 0xdb
			}
		}
	}()
	return errors.Join(f(tx), tx.err)
}

func (tx *memoryTx) lend(s string) []byte {
	slice := []byte(s)
	tx.lent = append(tx.lent, slice)
	return slice
}

func joined(bucket string, key []byte) string { return bucket + "\x00" + string(key) }

func (tx *memoryTx) Get(bucket string, key []byte) []byte {
	value, found := tx.pairs.Get(joined(bucket, key))
	if !found {
		return nil
	}
	return tx.lend(value)
}

func (tx *memoryTx) Put(bucket string, key, value []byte) {
	if err := Writable(tx.readOnly, key); err != nil {
		tx.Fail(err)
		return
	}
	tx.writes++
	tx.pairs.Set(joined(bucket, key), string(value))
}

func (tx *memoryTx) Delete(bucket string, key []byte) {
	if tx.readOnly {
		tx.Fail(ErrReadOnly)
		return
	}
	if _, there := tx.pairs.Delete(joined(bucket, key)); there {
		tx.writes++
	}
}

// Scan looks again from where it was whenever yield has written: all buckets
// share one tree, and a tree must not change under an iteration.
func (tx *memoryTx) Scan(bucket string, from []byte, yield func(key, value []byte) bool) {
	prefix, next := bucket+"\x00", joined(bucket, from)
	for again := true; again; {
		again = false
		writes := tx.writes
		tx.pairs.Ascend(next, func(key, value string) bool {
			if !strings.HasPrefix(key, prefix) || !yield(tx.lend(key[len(prefix):]), tx.lend(value)) {
				return false
			}
			next, again = key+"\x00", tx.writes != writes
			return !again
		})
	}
}

func (tx *memoryTx) Seek(bucket string, from []byte) (key, value []byte) {
	tx.Scan(bucket, from, func(k, v []byte) bool {
		key, value = k, v
		return false
	})
	return key, value
}

func (tx *memoryTx) Last(bucket string) (key, value []byte) {
	prefix := bucket + "\x00"
	tx.pairs.Descend(bucket+"\x01", func(k, v string) bool {
		if k == bucket+"\x01" {
			return true
		}
		if len(k) >= len(prefix) && k[:len(prefix)] == prefix {
			key, value = tx.lend(k[len(prefix):]), tx.lend(v)
		}
		return false
	})
	return key, value
}

func (tx *memoryTx) Drop(bucket string) {
	if tx.readOnly {
		tx.Fail(ErrReadOnly)
		return
	}
	var keys [][]byte
	tx.Scan(bucket, nil, func(key, _ []byte) bool {
		keys = append(keys, key)
		return true
	})
	for _, key := range keys {
		tx.Delete(bucket, key)
	}
}

func (tx *memoryTx) Fail(err error) {
	if tx.err == nil {
		tx.err = err
	}
}

func (tx *memoryTx) Err() error { return tx.err }
