// Package kv is the small piece of a key-value database that the machines
// need: named buckets of ordered keys, read and changed in transactions that
// happen wholly or not at all.
//
// Two implementations keep one contract, checked by the same tests in
// this package: kv/bolt, which is bbolt on a disk, and [Memory], which can also
// forget what was not committed, as a crash does.
//
// A transaction remembers the first error that it met and refuses to commit
// with it. So callers read and write without a check on every line, and no
// error is lost.
package kv

import "bytes"

// Store is one database. Update and View may be called by one goroutine at a
// time; the goroutine that owns a Store owns all that is in it.
type Store interface {
	// Update runs f in a transaction and commits it durably when f returns nil
	// and the transaction met no error; otherwise nothing happened. One that
	// changed nothing costs no commit.
	Update(f func(Tx) error) error
	// View runs f on the state last committed. f must not write.
	View(f func(Tx) error) error
	// Close releases the database; it commits nothing.
	Close() error
}

// Tx is one transaction. Slices it returns are valid until the transaction
// ends and must not be changed; slices given to it are not kept.
type Tx interface {
	// Get returns the value, or nil when there is none (a stored empty value is
	// returned as an empty, non-nil slice).
	Get(bucket string, key []byte) []byte
	// Put stores value under key. Keys are 1 to [KeyBytesMax] octets.
	Put(bucket string, key, value []byte)
	// Delete removes key; removing what is not there is no error.
	Delete(bucket string, key []byte)
	// Scan calls yield for each pair with key >= from, in key order, until yield
	// returns false. The bucket must not be changed meanwhile.
	Scan(bucket string, from []byte, yield func(key, value []byte) bool)
	// Seek returns the first pair with key >= from; nil when there is none.
	Seek(bucket string, from []byte) (key, value []byte)
	// Last returns the bucket's greatest key and its value; nil when empty.
	Last(bucket string) (key, value []byte)
	// Drop empties the bucket.
	Drop(bucket string)
	// Fail makes the transaction refuse to commit with err.
	Fail(err error)
	// Err returns the first error met, nil when there was none.
	Err() error
}

// ScanPrefix calls yield for each pair of the bucket whose key begins with
// prefix, in key order, until yield returns false.
func ScanPrefix(tx Tx, bucket string, prefix []byte, yield func(key, value []byte) bool) {
	tx.Scan(bucket, prefix, func(key, value []byte) bool {
		if len(key) < len(prefix) || string(key[:len(prefix)]) != string(prefix) {
			return false
		}
		return yield(key, value)
	})
}

// HasPrefix reports whether the bucket has a key that begins with prefix.
func HasPrefix(tx Tx, bucket string, prefix []byte) bool {
	key, _ := tx.Seek(bucket, prefix)
	return bytes.HasPrefix(key, prefix) && key != nil
}
