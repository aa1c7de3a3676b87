package bolt

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/zsync/zsync/internal/kv"
)

// filled makes a database of some hundred pages and returns its octets.
func filled(t *testing.T, path string) []byte {
	t.Helper()
	store, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	err = store.Update(func(tx kv.Tx) error {
		for i := range uint32(20000) {
			key := binary.BigEndian.AppendUint32(nil, i)
			tx.Put("one", key, key)
			tx.Put("two", key, make([]byte, 40))
		}
		tx.Put("large", []byte("key"), make([]byte, 1<<16))
		return nil
	})
	if err := errors.Join(err, store.Close()); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// exercise opens a database and reads and writes all of it.
func exercise(path string) error {
	store, err := Open(path)
	if err != nil {
		return err
	}
	err = store.Update(func(tx kv.Tx) error {
		for _, bucket := range []string{"one", "two", "large"} {
			var keys [][]byte
			tx.Scan(bucket, nil, func(key, _ []byte) bool {
				keys = append(keys, append([]byte(nil), key...))
				return true
			})
			for i := 0; i < len(keys); i += 7 {
				tx.Delete(bucket, keys[i])
			}
			tx.Put(bucket, []byte("new"), make([]byte, 5000))
		}
		return nil
	})
	return errors.Join(err, store.Close())
}

func TestADatabaseThatIsCutShortOrOverwrittenIsDamagedAndNoPanic(t *testing.T) {
	dir := t.TempDir()
	whole := filled(t, filepath.Join(dir, "whole.db"))
	page := os.Getpagesize()
	used := len(bytes.TrimRight(whole, "\x00")) / page * page
	zeros, noise := make([]byte, page), make([]byte, page)
	_, _ = rand.Read(noise)
	damaged := 0
	try := func(name string, data []byte) {
		path := filepath.Join(dir, name+".db")
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		err := exercise(path)
		if err != nil && !errors.Is(err, ErrDamaged) {
			t.Errorf("%s: %v", name, err)
		}
		if err != nil {
			damaged++
		}
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
	}
	step := used / page / 12 * page
	for at := 0; at+page <= used; at += step {
		over := func(with []byte) []byte {
			return append(append(append([]byte(nil), whole[:at]...), with...), whole[at+page:]...)
		}
		try("zeros", over(zeros))
		try("noise", over(noise))
		try("short", whole[:at])
	}
	if damaged < 24 {
		t.Errorf("only %d were found to be damaged", damaged)
	}
}

func TestAPanicOfTheCallerIsNoDamage(t *testing.T) {
	store, err := Open(filepath.Join(t.TempDir(), "db"))
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	defer func() {
		if recover() != "ours" {
			t.Error("the panic was swallowed")
		}
		if err := store.Update(func(tx kv.Tx) error { tx.Put("a", []byte("b"), nil); return nil }); err != nil {
			t.Errorf("afterwards: %v", err)
		}
	}()
	_ = store.Update(func(kv.Tx) error { panic("ours") })
}

func TestADatabaseThatIsDamagedWhileItIsOpenSaysSo(t *testing.T) {
	path := filepath.Join(t.TempDir(), "db")
	filled(t, path)
	store, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(path, int64(3*os.Getpagesize())); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		err = store.View(func(tx kv.Tx) error {
			tx.Scan("one", nil, func(_, _ []byte) bool { return true })
			return nil
		})
		if !errors.Is(err, ErrDamaged) {
			t.Errorf("it says %v", err)
		}
	}
	if err := store.Close(); err != nil {
		t.Error(err)
	}
}
