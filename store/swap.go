package store

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/zsync/zsync"
)

// A slot is a name in .zsync/tmp/swap: of new bytes before they trade places with a
// user's file, and of the user's afterwards. It is made of the content and the path
// of a change, so that redo finds it again, and anyone can tell which of the two
// lies there.
const (
	linkSlot     = "link"
	slotTagBytes = 16
)

func slotName(c Change) string {
	tag := sha256.Sum256([]byte(c.Path))
	of := c.Content.String()
	if c.Op == OpSymlink {
		of = linkSlot
	}
	return of + "-" + hex.EncodeToString(tag[:slotTagBytes])
}

// duplicate gives every place but the last of a content that a batch places more
// than once a copy of its own, durable before any of them gets its name.
func (a *applier) duplicate() error {
	left := map[zsync.Digest]int{}
	for _, c := range a.changes {
		if c.Op == OpPlace {
			left[c.Content]++
		}
	}
	a.slots = map[string]bool{}
	var need toSync
	for i, c := range a.changes {
		if c.Op != OpPlace || c.Content == zsync.EmptyContent {
			continue
		}
		if left[c.Content]--; left[c.Content] == 0 {
			continue
		}
		if err := a.duplicateFor(c, &need); err != nil {
			a.fail(i, err)
		}
	}
	return need.sync(a.root.fs)
}

// duplicateFor makes the copy for one change.
func (a *applier) duplicateFor(c Change, need *toSync) error {
	swap, slot := a.root.staging.swap, slotName(c)
	if err := a.clearSlot(c); err != nil { // of what a crash left there
		return err
	}
	staged, err := a.stagedSource(c)
	if err != nil {
		if a.redo {
			return nil // it may have been placed before
		}
		return err
	}
	if err := a.room.take(c.Size); err != nil {
		return err
	}
	from, _, err := staged.dir.Open(staged.name)
	if err != nil {
		return err
	}
	defer from.Close()
	into, err := swap.Create(slot)
	if err != nil {
		return err
	}
	defer into.Close()
	if err := a.copyBytes(from, into, c); err != nil {
		return errors.Join(err, swap.Remove(slot))
	}
	a.slots[slot] = true
	need.file(swap, slot)
	return nil
}

// dropCopies removes the copies that no change has taken: the disk was not as these
// changes expected.
func (a *applier) dropCopies() {
	if len(a.slots) == 0 {
		return
	}
	for _, c := range a.changes {
		if slot := slotName(c); c.Op == OpPlace && a.slots[slot] {
			delete(a.slots, slot)
			if err := a.root.staging.swap.Remove(slot); err != nil && !errors.Is(err, fs.ErrNotExist) {
				a.root.swapped = false
			}
		}
	}
}

func (a *applier) copyBytes(from, into File, c Change) error {
	err := into.Clone(from)
	if !errors.Is(err, errors.ErrUnsupported) {
		return err
	}
	buffer, release := a.root.buffer()
	defer release()
	return duplicate(c.Content, from, into, c.Size, buffer)
}

// lookAfterSwap empties swap of what a crash or a failure left there: new bytes go
// back to staging, anything else is a user's and is kept.
func (a *applier) lookAfterSwap() error {
	names, err := a.root.staging.swap.Names()
	if err != nil {
		return err
	}
	var need toSync
	for _, name := range names {
		if name == clockName {
			continue
		}
		if err := a.lookAfter(name, &need); err != nil {
			return fmt.Errorf("what a crash left behind: %w", err)
		}
	}
	a.root.swapped = true
	return need.sync(a.root.fs)
}

func (a *applier) lookAfter(slot string, need *toSync) error {
	swap := a.root.staging.swap
	stat, err := swap.Stat(slot)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	of, _, _ := strings.Cut(slot, "-")
	content, notContent := zsync.ParseDigest(of)
	if notContent == nil {
		isNew, err := a.has(swap, slot, stat, Change{Op: OpPlace, Content: content, Size: stat.Size})
		if err != nil {
			return err
		}
		if isNew {
			return a.root.staging.adopt(slot, content, stat.Size)
		}
	}
	_, err = a.root.kept.keep(swap, slot, "found after a crash", stat, need)
	return err
}

// adopt moves verified bytes from a slot to a shelf, where they are staged; a
// second copy and an empty one are removed.
func (s *staging) adopt(slot string, content zsync.Digest, size int64) error {
	shelf, found := s.shelfOf(content, 0)
	if found || content == zsync.EmptyContent {
		if !found {
			s.forget(content)
		}
		return s.swap.Remove(slot)
	}
	if err := s.swap.Rename(slot, s.shelves[shelf], content.String(), IntoPrivate); err != nil {
		s.forget(content)
		return err
	}
	s.wrote(content, 0, size)
	return nil
}
