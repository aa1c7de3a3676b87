package kv

import (
	"errors"
	"maps"
	"strings"

	"github.com/tidwall/btree"
)

// Memory is a Store in memory. Each committed state is kept whole until the
// next, so [Memory.Image] can bring back what a disk would have: the last
// commit, and nothing of a transaction under way.
type Memory struct {
	committed map[string]*bucket // nothing of it is ever changed
	lending   [][]byte           // memory to lend slices from, for the next transaction
	// Commit, where set, is called before each commit; an error makes the
	// transaction fail as a full or broken disk would.
	Commit func() error
}

type bucket = btree.Map[string, string]

// bucketDegree makes the nodes small: each transaction copies those that it changes.
const bucketDegree = 8

var _ Store = (*Memory)(nil)

// NewMemory returns an empty Store.
func NewMemory() *Memory { return &Memory{} }

// Update implements [Store].
func (m *Memory) Update(f func(Tx) error) error {
	tx := &memoryTx{committed: m.committed}
	if err := m.run(tx, f); err != nil {
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
	next := make(map[string]*bucket, len(m.committed)+len(tx.changed))
	maps.Copy(next, m.committed)
	maps.Copy(next, tx.changed)
	m.committed = next
	return nil
}

// View implements [Store].
func (m *Memory) View(f func(Tx) error) error {
	return m.run(&memoryTx{committed: m.committed, readOnly: true}, f)
}

// Close implements [Store].
func (m *Memory) Close() error { return nil }

// Image returns an independent Store with what is committed now: what another
// machine, or this one after a crash, would open.
func (m *Memory) Image() *Memory { return &Memory{committed: m.committed} }

// run calls f and then spoils what f was lent, as the pages of a database file
// are used again: whoever keeps a slice beyond its transaction finds rubbish in
// it, or what a later one was lent, in each test and not on a bad day.
func (m *Memory) run(tx *memoryTx, f func(Tx) error) error {
	tx.lending, m.lending = m.lending, nil
	defer func() {
		for _, octets := range tx.lending {
			spoil(octets)
		}
		m.lending = tx.lending[:min(len(tx.lending), 1)]
		for i := range m.lending {
			m.lending[i] = m.lending[i][:0]
		}
	}()
	return errors.Join(f(tx), tx.err)
}

func spoil(octets []byte) {
	for at := 0; at < len(octets); {
		at += copy(octets[at:], rubbish)
	}
}

var rubbish = strings.Repeat("\xdb", 4096)

// memoryTx is a transaction on what is committed, with what it has changed itself.
type memoryTx struct {
	committed map[string]*bucket
	changed   map[string]*bucket
	readOnly  bool
	writes    int
	err       error
	lending   [][]byte // every slice returned is a part of one of these
}

// lendingBytes is how much memory is taken at a time to lend slices from.
const lendingBytes = 32 << 10

func (tx *memoryTx) lend(s string) []byte {
	last := len(tx.lending) - 1
	if last < 0 || cap(tx.lending[last])-len(tx.lending[last]) < len(s) {
		tx.lending = append(tx.lending, make([]byte, 0, max(lendingBytes, len(s))))
		last++
	}
	from := len(tx.lending[last])
	octets := append(tx.lending[last], s...)
	tx.lending[last] = octets
	return octets[from:len(octets):len(octets)]
}

// seen returns a bucket as the transaction sees it; nil where it is empty.
func (tx *memoryTx) seen(name string) *bucket {
	if b := tx.changed[name]; b != nil {
		return b
	}
	return tx.committed[name]
}

// own returns a bucket that the transaction may change.
func (tx *memoryTx) own(name string) *bucket {
	b := tx.changed[name]
	if b == nil {
		if b = tx.committed[name]; b != nil {
			b = b.Copy()
		} else {
			b = btree.NewMap[string, string](bucketDegree)
		}
		tx.set(name, b)
	}
	return b
}

func (tx *memoryTx) set(name string, b *bucket) {
	if tx.changed == nil {
		tx.changed = make(map[string]*bucket)
	}
	tx.changed[name] = b
}

func (tx *memoryTx) Get(bucket string, key []byte) []byte {
	b := tx.seen(bucket)
	if b == nil {
		return nil
	}
	value, found := b.Get(string(key))
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
	tx.own(bucket).Set(string(key), string(value))
}

func (tx *memoryTx) Delete(bucket string, key []byte) {
	if tx.readOnly {
		tx.Fail(ErrReadOnly)
		return
	}
	b := tx.seen(bucket)
	if b == nil {
		return
	}
	if _, there := b.Get(string(key)); there {
		tx.writes++
		tx.own(bucket).Delete(string(key))
	}
}

// Scan looks again from where it was whenever yield has written: a tree must not
// change under an iteration.
func (tx *memoryTx) Scan(bucket string, from []byte, yield func(key, value []byte) bool) {
	next := string(from)
	for again := true; again; {
		b := tx.seen(bucket)
		if b == nil {
			return
		}
		again = false
		writes := tx.writes
		b.Ascend(next, func(key, value string) bool {
			if !yield(tx.lend(key), tx.lend(value)) {
				return false
			}
			if again = tx.writes != writes; again {
				next = key + "\x00"
			}
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
	b := tx.seen(bucket)
	if b == nil {
		return nil, nil
	}
	k, v, found := b.Max()
	if !found {
		return nil, nil
	}
	return tx.lend(k), tx.lend(v)
}

func (tx *memoryTx) Drop(bucket string) {
	if tx.readOnly {
		tx.Fail(ErrReadOnly)
		return
	}
	if b := tx.seen(bucket); b != nil && b.Len() > 0 {
		tx.writes += b.Len()
		tx.set(bucket, btree.NewMap[string, string](bucketDegree))
	}
}

func (tx *memoryTx) Fail(err error) {
	if tx.err == nil {
		tx.err = err
	}
}

func (tx *memoryTx) Err() error { return tx.err }
