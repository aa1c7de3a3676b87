package disk

import (
	"errors"
	"testing"

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
