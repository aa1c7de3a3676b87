package store

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestWhatIsHashedAndSentKeepsItsAccessTime(t *testing.T) {
	dir := t.TempDir()
	disk, err := OpenOS(dir)
	if err != nil {
		t.Fatal(err)
	}
	root, err := Open(disk, Options{Reserve: -1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = root.Close() })
	name := filepath.Join(dir, "photo")
	if err := os.WriteFile(name, []byte("bytes"), 0o600); err != nil {
		t.Fatal(err)
	}
	accessed, modified := time.Unix(1_000_000_000, 0), time.Unix(1_100_000_000, 0) // so the next read would be noted
	if err := os.Chtimes(name, accessed, modified); err != nil {
		t.Fatal(err)
	}
	stat := root.List("").Entries[0].Stat
	if hashed := root.Hash(HashJob{Path: "photo", Old: stat}); hashed.Err != nil {
		t.Fatal(hashed.Err)
	}
	if err := root.Read(Span{Path: "photo", Stat: stat}, 0, make([]byte, stat.Size)); err != nil {
		t.Fatal(err)
	}
	var now unix.Stat_t
	if err := unix.Stat(name, &now); err != nil {
		t.Fatal(err)
	}
	if got := time.Unix(now.Atim.Unix()); !got.Equal(accessed) {
		t.Errorf("accessed at %v, not %v", got, accessed)
	}
}

func TestAFileOfAnotherUserIsReadAllTheSame(t *testing.T) {
	fd, err := unnoticed(func(flags uint64) (int, error) {
		if flags&unix.O_NOATIME != 0 {
			return -1, unix.EPERM // only the owner may ask for that
		}
		return 7, nil
	})
	if fd != 7 || err != nil {
		t.Errorf("%d, %v", fd, err)
	}
}
