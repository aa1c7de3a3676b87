package bolt

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/zsync/zsync/internal/kv"
)

// The contract itself is tested beside package kv. Here is what only a file has.

func open(t *testing.T, path string) *Store {
	t.Helper()
	store, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	return store
}

func put(t *testing.T, store *Store, key, value string) {
	t.Helper()
	err := store.Update(func(tx kv.Tx) error {
		tx.Put("a", []byte(key), []byte(value))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func expect(t *testing.T, store *Store, key, want string) {
	t.Helper()
	err := store.View(func(tx kv.Tx) error {
		if got := tx.Get("a", []byte(key)); string(got) != want {
			t.Errorf("%s is %q, want %q", key, got, want)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func shut(t *testing.T, store *Store) {
	t.Helper()
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestDatabaseIsReadableByItsOwnerAlone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "db")
	shut(t, open(t, path))
	if stat, err := os.Stat(path); err != nil || stat.Mode().Perm() != 0o600 {
		t.Fatalf("mode %v, %v", stat.Mode(), err)
	}
}

func TestWhatWasCommittedIsThereAfterReopening(t *testing.T) {
	path := filepath.Join(t.TempDir(), "db")
	for i := range 5 {
		store := open(t, path)
		put(t, store, fmt.Sprint(i), "here")
		for j := range i + 1 {
			expect(t, store, fmt.Sprint(j), "here")
		}
		shut(t, store)
	}
}

func TestWhatChangesNothingIsNotWritten(t *testing.T) {
	path := filepath.Join(t.TempDir(), "db")
	store := open(t, path)
	defer shut(t, store)
	put(t, store, "a", "1")
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	err = store.Update(func(tx kv.Tx) error {
		tx.Get("a", []byte("a"))
		tx.Get("new", []byte("a"))
		tx.Delete("a", []byte("b"))
		tx.Drop("new")
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if after, err := os.ReadFile(path); err != nil || !bytes.Equal(before, after) {
		t.Fatalf("the file changed, %v", err)
	}
	put(t, store, "a", "2")
	if after, err := os.ReadFile(path); err != nil || bytes.Equal(before, after) {
		t.Fatalf("the file did not change, %v", err)
	}
}

func TestDatabaseHasOneHolder(t *testing.T) {
	path := filepath.Join(t.TempDir(), "db")
	store := open(t, path)
	defer shut(t, store)
	for what, second := range map[string]func(string) (*Store, error){"writing": Open, "reading": OpenReadOnly} {
		if _, err := second(path); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("a second holder for %s: %v", what, err)
		}
	}
}

func TestReadOnlyStoreIsReadAndNotWritten(t *testing.T) {
	path := filepath.Join(t.TempDir(), "db")
	store := open(t, path)
	put(t, store, "a", "1")
	shut(t, store)

	reader, err := OpenReadOnly(path)
	if err != nil {
		t.Fatal(err)
	}
	another, err := OpenReadOnly(path)
	if err != nil {
		t.Fatal(err)
	}
	expect(t, reader, "a", "1")
	expect(t, another, "a", "1")
	if err := reader.Update(func(kv.Tx) error { return nil }); err == nil {
		t.Error("it was written")
	}
	shut(t, another)
	shut(t, reader)
}

func TestReadOnlyStoreIsNotCreated(t *testing.T) {
	path := filepath.Join(t.TempDir(), "db")
	if store, err := OpenReadOnly(path); err == nil {
		shut(t, store)
		t.Fatal("opened what is not there")
	}
	if _, err := os.Stat(path); !os.IsNotExist(err) {
		t.Fatalf("created: %v", err)
	}
}

func TestFileThatIsNoDatabaseIsRefusedAndLeftAlone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "db")
	text := strings.Repeat("this is no database\n", 1000)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if store, err := Open(path); err == nil {
		shut(t, store)
		t.Fatal("opened")
	}
	if now, err := os.ReadFile(path); err != nil || string(now) != text {
		t.Fatalf("changed: %v", err)
	}
}
