package disk

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/internal/device"
	"github.com/zsync/zsync/internal/kv"
	"github.com/zsync/zsync/store"
	"github.com/zsync/zsync/store/crashfs"
)

func opened(t *testing.T, disk *crashfs.FS, db kv.Store, same bool) {
	t.Helper()
	root, err := openRoot(disk, db, same)
	if err != nil {
		t.Fatal(err)
	}
	if err := root.Close(); err != nil {
		t.Fatal(err)
	}
}

func forgets(db kv.Store) (set bool) {
	_ = db.View(func(tx kv.Tx) error {
		set = tx.Get(device.BucketRoot, device.KeyForget) != nil
		return nil
	})
	return set
}

func TestOnlyAnotherDirectoryThatAPersonVouchesForMakesTheDiskForgotten(t *testing.T) {
	db, disk := kv.NewMemory(), crashfs.New(1)
	opened(t, disk, db, true)
	opened(t, disk, db, true)
	if forgets(db) {
		t.Fatal("the same directory")
	}
	err := db.Update(func(tx kv.Tx) error { // as if it had been restored elsewhere
		var id store.Identity
		err := decodeIdentity(tx.Get(bucketRoot, keyIdentity), &id)
		id.Inode++
		tx.Put(bucketRoot, keyIdentity, encodeIdentity(id))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := openRoot(crashfs.New(2), db, false); !errors.Is(err, store.ErrRoot) || forgets(db) {
		t.Fatalf("without a person's word: %v", err)
	}
	opened(t, disk, db, true)
	if !forgets(db) {
		t.Fatal("D goes on with another directory")
	}
}

func TestAListingOfADirectoryWhoseRootIsGoneSaysOnlyThat(t *testing.T) {
	disk := crashfs.New(1)
	disk.User().Write("d/x", []byte("x"))
	root, err := store.Open(disk, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	for _, path := range []zsync.Path{"", "d"} {
		if l := list(root, path); l.Err != nil || len(l.Entries) != 1 {
			t.Fatalf("%+v", l)
		}
	}
	disk.User().Remove(".zsync/id") // as it goes when the folder is moved to another disk
	for _, path := range []zsync.Path{"", "d"} {
		if l := list(root, path); !errors.Is(l.Err, store.ErrRoot) || len(l.Entries) != 0 || l.Gone {
			t.Fatalf("%+v", l)
		}
	}
}

// hintsOf follows a directory with no patience, and returns where its hints come.
func hintsOf(t *testing.T, dir string) <-chan device.Hinted {
	t.Helper()
	f, hints := &Folder{}, make(chan device.Hinted, 1000)
	f.follow(func() (*Watcher, error) { return NewWatcher(dir, nothing) }, time.Millisecond, device.Address{Part: device.Folder}, func(_ device.Address, what any) {
		hints <- what.(device.Hinted)
	})
	t.Cleanup(func() { f.stop(); f.watch.Wait() })
	return hints
}

func TestAFolderThatCouldNotBeWatchedIsWatchedOnceThatIsPossible(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "later")
	hints := hintsOf(t, dir)
	if hint := <-hints; hint.Problem == "" {
		t.Fatalf("%+v", hint)
	}
	try(t, os.Mkdir(dir, 0o755))
	for hint := range hints {
		if hint.All && hint.Problem == "" {
			break
		}
	}
	try(t, write(dir, "file"))
	for hint := range hints {
		if len(hint.Dirs) > 0 {
			break
		}
	}
}

func TestThatWatchesAreMissingIsSaidUntilThereAreEnough(t *testing.T) {
	dir := t.TempDir()
	w, err := NewWatcher(dir, nothing)
	try(t, err)
	w.add = func(string) error { return syscall.ENOSPC }
	ctx, cancel := context.WithCancel(t.Context())
	hints, ended := make(chan device.Hinted, 1000), make(chan struct{})
	go func() {
		defer close(ended)
		heed(ctx, w, nil, time.Hour, func(h device.Hinted) { hints <- h })
	}()
	try(t, os.Mkdir(filepath.Join(dir, "a"), 0o755))
	first := <-hints
	try(t, write(dir, "file"))
	second := <-hints
	cancel()
	<-ended
	if first.Problem == "" || second.Problem != first.Problem {
		t.Errorf("at first: %q, then: %q", first.Problem, second.Problem)
	}
}
