package kv

import "errors"

// KeyBytesMax is the longest key, in octets.
const KeyBytesMax = 32768

var (
	// ErrReadOnly is met by a write in a View.
	ErrReadOnly = errors.New("kv: write in a read-only transaction")
	// ErrKey is met by an empty or overlong key.
	ErrKey = errors.New("kv: key of 0 or more than 32,768 octets")
)

// Writable returns what a Put of key meets before anything else: [ErrReadOnly],
// [ErrKey], or nil.
func Writable(readOnly bool, key []byte) error {
	switch {
	case readOnly:
		return ErrReadOnly
	case len(key) == 0 || len(key) > KeyBytesMax:
		return ErrKey
	}
	return nil
}
