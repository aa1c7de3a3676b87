package store_test

import (
	"errors"
	"testing"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/store"
)

// TestAChangeThatOneCallFailedInIsDoneAtTheNextTry lets each call of the disk fail
// once while one change is applied, and applies it again.
func TestAChangeThatOneCallFailedInIsDoneAtTheNextTry(t *testing.T) {
	broken := errors.New("input/output error")
	link := store.Change{Op: store.OpSymlink, Path: "a", Target: "target", MtimeNS: placedNS}
	for name, change := range map[string]store.Change{"symlink": link, "empty file": place("a", nil, nil)} {
		for _, over := range []bool{false, true} {
			for failing, failed := 1, true; failed; failing++ {
				r := newRoot(t)
				if over {
					r.user.Symlink("a", "old")
					change.Old = r.old("a")
				}
				calls := 0
				r.disk.Trouble(func(string, bool) error {
					if calls++; calls == failing {
						return broken
					}
					return nil
				})
				first := r.one(change).Err
				r.disk.Trouble(nil)
				failed = calls >= failing
				if first == nil || r.placed(change) {
					continue
				}
				if over {
					change.Old = r.old("a") // as the scan finds it that follows a failure
				}
				if err := r.one(change).Err; err != nil {
					t.Errorf("%s, over another %v: call %d failed, %v, and then: %v", name, over, failing, first, err)
				}
			}
		}
	}
}

// placed reports whether what a change makes is there.
func (r testRoot) placed(c store.Change) bool {
	if c.Op == store.OpSymlink {
		return string(r.user.Read("a")) == c.Target
	}
	return r.user.Stat("a").Type == zsync.TypeFile
}
