package store

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestThePortableDiskMovesASaveInTheSameInstantOrLeavesIt(t *testing.T) {
	dir := t.TempDir()
	disk, err := openPortable(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer disk.Close()
	saveWhileItMoves(t, dir, func(kept string) error {
		return disk.(*portable).rename("photo.jpg", "private/"+kept, IntoPrivate)
	})
	if err := disk.(*portable).rename("photo.jpg", "other.jpg", NoReplace); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("between names that are not ours: %v", err)
	}
}

// saveWhileItMoves has a user save photo.jpg, by a rename, while it is moved into
// the private directory. What was saved must be at the one name or the other.
func saveWhileItMoves(t *testing.T, dir string, move func(kept string) error) {
	t.Helper()
	name, saved, private := filepath.Join(dir, "photo.jpg"), filepath.Join(dir, "saved"), filepath.Join(dir, "private")
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	check(os.Mkdir(private, 0o700))
	for i := range 500 {
		check(os.WriteFile(name, []byte("old"), 0o600))
		check(os.WriteFile(saved, []byte("new"), 0o600))
		done := make(chan error)
		go func() {
			time.Sleep(time.Duration(i%50) * time.Microsecond)
			done <- os.Rename(saved, name)
		}()
		kept := fmt.Sprintf("kept%d", i)
		check(move(kept))
		check(<-done)
		here, _ := os.ReadFile(name) // either may be missing
		there, _ := os.ReadFile(filepath.Join(private, kept))
		if string(here) != "new" && string(there) != "new" {
			t.Fatalf("round %d: the user's bytes are lost: %q, %q", i, here, there)
		}
	}
	check(os.WriteFile(name, nil, 0o600))
}
