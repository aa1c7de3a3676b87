package bolt

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

func TestADatabaseThatWasNeverBegunIsNoneToWhoOnlyReads(t *testing.T) {
	path := filepath.Join(t.TempDir(), "db")
	for range 2 {
		if _, err := OpenReadOnly(path); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("it says %v", err)
		}
		if err := os.WriteFile(path, nil, 0o600); err != nil { // a crash at the first start
			t.Fatal(err)
		}
	}
	shut(t, open(t, path))
}

func TestADatabaseThatAFullDiskHadNoRoomForIsBegunWhenThereIsRoom(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=8192"); err != nil {
		t.Skipf("a disk of its own needs the right to mount: %v", err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(dir, syscall.MNT_DETACH) })
	path := filepath.Join(dir, "db")
	for range 2 {
		if _, err := Open(path); !errors.Is(err, syscall.ENOSPC) {
			t.Fatalf("it says %v", err)
		}
	}
	if err := syscall.Mount("", dir, "", syscall.MS_REMOUNT, "size=1048576"); err != nil {
		t.Fatal(err)
	}
	store := open(t, path)
	put(t, store, "k", "v")
	expect(t, store, "k", "v")
	shut(t, store)
}
