package main

import (
	"errors"

	"github.com/zsync/zsync/eventlog"
	"github.com/zsync/zsync/internal/kv/bolt"
	"github.com/zsync/zsync/internal/wire"
)

// damageHint is what to do when this device's own files cannot be read.
const damageHint = "stop the device and run  zsync repair,  or put the home back from a backup; the folders' files are untouched"

// isDamage reports whether an error says that one of this device's own files is
// not what it wrote: commands decode nothing else.
func isDamage(err error) bool {
	for _, damage := range []error{bolt.ErrDamaged, eventlog.ErrCorrupt, wire.ErrNotCanonical, wire.ErrShort, wire.ErrTrailing} {
		if errors.Is(err, damage) {
			return true
		}
	}
	return false
}
