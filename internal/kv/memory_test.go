package kv_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/zsync/zsync/internal/kv"
)

func TestCommitThatTheDiskRefusesDidNothing(t *testing.T) {
	store := kv.NewMemory()
	put(t, store, "a", "a", "1")
	full := true
	store.Commit = func() error {
		if full {
			return errRefused
		}
		return nil
	}
	write := func(tx kv.Tx) error {
		tx.Put("a", []byte("a"), []byte("2"))
		return nil
	}
	if err := store.Update(write); !errors.Is(err, errRefused) {
		t.Fatalf("got %v", err)
	}
	expectPairs(t, store, "a", "a=1")
	full = false
	must(t, store.Update(write))
	expectPairs(t, store, "a", "a=2")
}

func TestDiskIsNotAskedForWhatIsNotCommitted(t *testing.T) {
	store := kv.NewMemory()
	asked := 0
	store.Commit = func() error { asked++; return nil }
	_ = store.Update(func(kv.Tx) error { return errRefused })
	must(t, store.Update(func(tx kv.Tx) error {
		tx.Get("a", []byte("a"))
		tx.Delete("a", []byte("a"))
		tx.Drop("a")
		return nil
	}))
	must(t, store.View(func(kv.Tx) error { return nil }))
	if asked != 0 {
		t.Fatalf("asked %d times", asked)
	}
}

func TestImageIsIndependent(t *testing.T) {
	store := kv.NewMemory()
	put(t, store, "a", "a", "1")
	image := store.Image()
	put(t, store, "a", "a", "2")
	put(t, image, "a", "b", "3")
	expectPairs(t, store, "a", "a=2")
	expectPairs(t, image, "a", "a=1", "b=3")
}

func TestWhatATransactionLentIsRubbishAfterIt(t *testing.T) {
	store := kv.NewMemory()
	big := strings.Repeat("big", 100_000)
	put(t, store, "a", "key", "value", "more", big)
	for range 3 {
		var kept [][]byte
		must(t, store.View(func(tx kv.Tx) error {
			kept = append(kept, tx.Get("a", []byte("key")), tx.Get("a", []byte("more")))
			tx.Scan("a", nil, func(key, value []byte) bool {
				kept = append(kept, key, value)
				return true
			})
			if last := append(kept[0], "longer"...); string(kept[1]) != big || string(last) != "valuelonger" {
				t.Errorf("%q and %.9q became one another", last, kept[1])
			}
			return nil
		}))
		for i, octets := range kept {
			if text := string(octets); text == "key" || text == "more" || text == "value" || text == big {
				t.Errorf("slice %d still holds %.9q", i, text)
			}
		}
	}
}
