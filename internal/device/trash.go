package device

import (
	"encoding/binary"
	"fmt"
	"time"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/internal/kv"
	"github.com/zsync/zsync/internal/wire"
	"github.com/zsync/zsync/store"
)

// bucketTrash tells where what is in the versions area was, and when it went there
// by this device's clock: name -> milliseconds since 1970 u64 | path.
const bucketTrash = "trash"

// discardsMax is how many versions one order to the disk removes.
const discardsMax = 1024

type (
	// Discard asks a folder to remove these names of its versions area for good. It is
	// answered by [FolderMachine.Discarding].
	Discard struct {
		Ticket uint64
		Names  []string
	}
	// DiscardVersions asks the disk for it; it is answered by Discarded.
	DiscardVersions struct{ Names []string }
	// Discarded names what is gone.
	Discarded struct {
		Gone []string
		Err  error
	}
)

// TrashLine is one file in a folder's versions area.
type TrashLine struct {
	Folder  string
	Name    string     // in the versions area
	Path    zsync.Path // that it had; only the last part of it where it was not noted
	When    time.Time  // it was replaced or deleted; zero where that was not noted
	Size    int64
	Content zsync.Digest
}

// Trash returns what is in the versions area of a folder, the newest first.
func (r *Running) Trash(label string) ([]TrashLine, error) {
	f, err := r.folderOf(label)
	if err != nil {
		return nil, err
	}
	return answer(f, f.machine.Trash)
}

// Discard has a folder remove files of its versions area for good; order has a ticket
// that no other has.
func (r *Running) Discard(label string, order Discard) error {
	f, err := r.folderOf(label)
	if err == nil {
		f.loop.post(order)
	}
	return err
}

// Discarding reports whether that is done, and why not all of it could be.
func (r *Running) Discarding(label string, ticket uint64) (done bool, err error) {
	f, err := r.folderOf(label)
	if err != nil {
		return false, err
	}
	return answer(f, func() (bool, error) { return f.machine.Discarding(ticket) })
}

// noteTrash writes down what a batch has moved to the versions area.
func (f *FolderMachine) noteTrash(tx kv.Tx, now time.Time, changes []store.Change, results []store.Result) {
	for i, result := range results {
		if result.Kept == "" || i >= len(changes) {
			continue
		}
		value := binary.BigEndian.AppendUint64(nil, uint64(max(0, now.UnixMilli())))
		tx.Put(bucketTrash, []byte(result.Kept), append(value, f.replica.LoggedPath(tx, changes[i].Path)...))
	}
}

// dropTrash forgets what is gone.
func dropTrash(tx kv.Tx, gone []string) {
	for _, name := range gone {
		tx.Delete(bucketTrash, []byte(name))
	}
}

// Trash returns what is in the versions area, the newest first. It is called between
// two turns.
func (f *FolderMachine) Trash() (lines []TrashLine, err error) {
	err = f.store.View(func(tx kv.Tx) error {
		var names []string
		f.replica.EachKept(tx, func(kept string) bool {
			names = append(names, kept)
			return true
		})
		for i := len(names) - 1; i >= 0; i-- {
			lines = append(lines, f.trashLine(tx, names[i]))
		}
		return nil
	})
	return lines, err
}

func (f *FolderMachine) trashLine(tx kv.Tx, name string) TrashLine {
	line := TrashLine{Folder: string(f.cfg.Label), Name: name, Path: zsync.Path(store.KeptBase(name))}
	var stat store.Stat
	line.Content, stat, _ = f.replica.KeptContent(tx, name)
	line.Size = stat.Size
	if note := tx.Get(bucketTrash, []byte(name)); len(note) > 8 {
		in := wire.NewReader(note)
		line.When = time.UnixMilli(int64(in.Uint64()))
		line.Path = zsync.Path(in.Rest())
	}
	return line
}

// discarding is what is left to be removed.
type discarding struct {
	ticket uint64
	orders int
	failed error
}

// discard orders names to be removed, a bounded number at a time.
func (f *FolderMachine) discard(in Discard) {
	f.discards.ticket, f.discards.failed = in.Ticket, nil
	for names := in.Names; len(names) > 0; {
		n := min(len(names), discardsMax)
		f.space.emit(Address{Part: Disk, Space: f.cfg.Space}, DiscardVersions{names[:n:n]})
		f.discards.orders++
		names = names[n:]
	}
}

func (f *FolderMachine) discarded(tx kv.Tx, in Discarded) {
	f.replica.Pruned(tx, in.Gone)
	dropTrash(tx, in.Gone)
	f.discards.orders = max(0, f.discards.orders-1)
	if in.Err != nil {
		f.discards.failed = fmt.Errorf("some versions could not be removed: %w", in.Err)
	}
}

// Discarding reports whether the Discard with that ticket is done, and why not all of
// it could be. It is called between two turns.
func (f *FolderMachine) Discarding(ticket uint64) (done bool, err error) {
	return f.discards.ticket == ticket && f.discards.orders == 0, f.discards.failed
}
