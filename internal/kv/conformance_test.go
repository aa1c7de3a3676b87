package kv_test

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/zsync/zsync/internal/kv"
	"github.com/zsync/zsync/internal/kv/bolt"
)

// subject is one implementation of the contract.
type subject struct {
	name string
	// open returns an empty store, and what would be found after a crash now.
	open func(t tester) (store kv.Store, crashed func() kv.Store)
}

// tester is what *testing.T and *rapid.T have in common.
type tester interface {
	Helper()
	Fatalf(format string, args ...any)
	Cleanup(func())
}

var subjects = []subject{{"memory", openMemory}, {"bolt", openBolt}}

func openMemory(tester) (kv.Store, func() kv.Store) {
	store := kv.NewMemory()
	return store, func() kv.Store { return store.Image() }
}

// openBolt crashes by copying the file as it is, with the database open.
func openBolt(t tester) (kv.Store, func() kv.Store) {
	dir, err := os.MkdirTemp("", "kv")
	must(t, err)
	t.Cleanup(func() { must(t, os.RemoveAll(dir)) })
	path := filepath.Join(dir, "db")
	store := opened(t, path)
	images := 0
	return store, func() kv.Store {
		images++
		data, err := os.ReadFile(path)
		must(t, err)
		image := fmt.Sprintf("%s.%d", path, images)
		must(t, os.WriteFile(image, data, 0o600))
		return opened(t, image)
	}
}

func opened(t tester, path string) kv.Store {
	store, err := bolt.Open(path)
	must(t, err)
	t.Cleanup(func() { must(t, store.Close()) })
	return store
}

func must(t tester, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("%v", err)
	}
}

// each runs a test against every implementation.
func each(t *testing.T, test func(t *testing.T, store kv.Store, crashed func() kv.Store)) {
	t.Helper()
	for _, s := range subjects {
		t.Run(s.name, func(t *testing.T) {
			store, crashed := s.open(t)
			test(t, store, crashed)
		})
	}
}

// pairs returns a bucket's content, one "key=value" a pair.
func pairs(t tester, store kv.Store, bucket string) (all []string) {
	t.Helper()
	must(t, store.View(func(tx kv.Tx) error {
		tx.Scan(bucket, nil, func(key, value []byte) bool {
			all = append(all, fmt.Sprintf("%s=%s", key, value))
			return true
		})
		return nil
	}))
	return all
}

func expectPairs(t tester, store kv.Store, bucket string, want ...string) {
	t.Helper()
	if got := pairs(t, store, bucket); !slices.Equal(got, want) {
		t.Fatalf("%s holds %q, want %q", bucket, got, want)
	}
}

// put commits pairs of a key and a value.
func put(t tester, store kv.Store, bucket string, keysAndValues ...string) {
	t.Helper()
	must(t, store.Update(func(tx kv.Tx) error {
		for pair := range slices.Chunk(keysAndValues, 2) {
			tx.Put(bucket, []byte(pair[0]), []byte(pair[1]))
		}
		return nil
	}))
}

func TestNewStoreIsEmpty(t *testing.T) {
	each(t, func(t *testing.T, store kv.Store, _ func() kv.Store) {
		must(t, store.View(func(tx kv.Tx) error {
			if value := tx.Get("a", []byte("key")); value != nil {
				t.Errorf("got %q", value)
			}
			if key, value := tx.Last("a"); key != nil || value != nil {
				t.Errorf("last is %q, %q", key, value)
			}
			return nil
		}))
		expectPairs(t, store, "a")
	})
}

func TestEmptyValueIsAValue(t *testing.T) {
	each(t, func(t *testing.T, store kv.Store, _ func() kv.Store) {
		look := func(tx kv.Tx) error {
			for _, key := range []string{"empty", "nil"} {
				if value := tx.Get("a", []byte(key)); value == nil || len(value) != 0 {
					t.Errorf("%s: %#v", key, value)
				}
			}
			return nil
		}
		must(t, store.Update(func(tx kv.Tx) error {
			tx.Put("a", []byte("empty"), []byte{})
			tx.Put("a", []byte("nil"), nil)
			return look(tx)
		}))
		must(t, store.View(look))
	})
}

func TestSeekFindsTheFirstPairFromAKeyOn(t *testing.T) {
	each(t, func(t *testing.T, store kv.Store, _ func() kv.Store) {
		must(t, store.Update(func(tx kv.Tx) error {
			if key, value := tx.Seek("a", []byte("x")); key != nil || value != nil {
				t.Errorf("of no bucket: %q, %q", key, value)
			}
			for _, key := range []string{"ab1", "ab2", "c"} {
				tx.Put("a", []byte(key), []byte("of "+key))
			}
			tx.Delete("a", []byte("ab1"))
			for from, want := range map[string]string{"": "ab2", "ab": "ab2", "ab2": "ab2", "ab3": "c", "d": ""} {
				if key, value := tx.Seek("a", []byte(from)); string(key) != want || want != "" && string(value) != "of "+want {
					t.Errorf("from %q: %q, %q", from, key, value)
				}
			}
			for prefix, want := range map[string]bool{"": true, "ab": true, "ab1": false, "abc": false, "c": true, "d": false} {
				if got := kv.HasPrefix(tx, "a", []byte(prefix)); got != want {
					t.Errorf("a key that begins with %q: %v", prefix, got)
				}
			}
			return nil
		}))
	})
}

// What is put may be changed by its owner at once, and is read back as it was, in the
// same transaction and afterwards.
func TestValuesOfAllSizesAreKeptAsTheyWere(t *testing.T) {
	each(t, func(t *testing.T, store kv.Store, _ func() kv.Store) {
		sizes := []int{0, 1, 100, 5000, 4096, 4097, 16384, 20000, 3, 0, 4000, 4000, 4000, 4000, 4000, 7}
		look := func(tx kv.Tx) error {
			for i, size := range sizes {
				if got := tx.Get("a", []byte{1, byte(i)}); !bytes.Equal(got, bytes.Repeat([]byte{byte(i)}, size)) || got == nil {
					t.Errorf("%d: %d octets, not %d, or others", i, len(got), size)
				}
			}
			return nil
		}
		must(t, store.Update(func(tx kv.Tx) error {
			room := make([]byte, 20000)
			for i, size := range sizes {
				value := append(room[:0], bytes.Repeat([]byte{byte(i)}, size)...)
				tx.Put("a", []byte{1, byte(i)}, value)
			}
			clear(room)
			return look(tx)
		}))
		must(t, store.View(look))
	})
}

func TestScanIsInKeyOrderFromTheGivenKey(t *testing.T) {
	each(t, func(t *testing.T, store kv.Store, _ func() kv.Store) {
		put(t, store, "a", "b", "2", "a", "1", "c", "3", "\x00", "0", "\xff", "9")
		expectPairs(t, store, "a", "\x00=0", "a=1", "b=2", "c=3", "\xff=9")
		for from, want := range map[string]int{"": 5, "\x00": 5, "\x00\x00": 4, "a": 4, "aa": 3, "c": 2, "d": 1, "\xff": 1, "\xff\x00": 0} {
			seen := 0
			must(t, store.View(func(tx kv.Tx) error {
				tx.Scan("a", []byte(from), func(key, _ []byte) bool {
					if string(key) < from {
						t.Errorf("scan from %q met %q", from, key)
					}
					seen++
					return true
				})
				return nil
			}))
			if seen != want {
				t.Errorf("scan from %q met %d, want %d", from, seen, want)
			}
		}
	})
}

func TestScanStopsWhenTold(t *testing.T) {
	each(t, func(t *testing.T, store kv.Store, _ func() kv.Store) {
		put(t, store, "a", "a", "", "b", "", "c", "")
		seen := 0
		must(t, store.View(func(tx kv.Tx) error {
			tx.Scan("a", nil, func(_, _ []byte) bool {
				seen++
				return seen < 2
			})
			return nil
		}))
		if seen != 2 {
			t.Errorf("met %d", seen)
		}
	})
}

func TestScanPrefixMeetsThePrefixAlone(t *testing.T) {
	each(t, func(t *testing.T, store kv.Store, _ func() kv.Store) {
		put(t, store, "a", "a", "", "ab", "", "ab\xff", "", "ac", "", "\xff", "", "\xff\xff", "")
		for prefix, want := range map[string]int{"": 6, "a": 4, "ab": 2, "ab\xff": 1, "b": 0, "\xff": 2, "\xff\xff": 1} {
			seen := 0
			must(t, store.View(func(tx kv.Tx) error {
				kv.ScanPrefix(tx, "a", []byte(prefix), func(key, _ []byte) bool {
					if !bytes.HasPrefix(key, []byte(prefix)) {
						t.Errorf("prefix %q met %q", prefix, key)
					}
					seen++
					return true
				})
				return nil
			}))
			if seen != want {
				t.Errorf("prefix %q met %d, want %d", prefix, seen, want)
			}
		}
	})
}

func TestBucketsAreApartThoughTheirNamesBeginAlike(t *testing.T) {
	each(t, func(t *testing.T, store kv.Store, _ func() kv.Store) {
		put(t, store, "a", "x", "in a", "b", "in a")
		put(t, store, "ab", "x", "in ab")
		put(t, store, "b", "x", "in b")
		expectPairs(t, store, "a", "b=in a", "x=in a")
		expectPairs(t, store, "ab", "x=in ab")
		must(t, store.Update(func(tx kv.Tx) error {
			if key, value := tx.Last("a"); string(key) != "x" || string(value) != "in a" {
				t.Errorf("last of a is %q, %q", key, value)
			}
			tx.Drop("ab")
			if key, _ := tx.Last("ab"); key != nil {
				t.Errorf("last of a dropped bucket is %q", key)
			}
			return nil
		}))
		expectPairs(t, store, "ab")
		expectPairs(t, store, "b", "x=in b")
		expectPairs(t, store, "a", "b=in a", "x=in a")
	})
}

func TestDroppedBucketCanBeFilledAgainInTheSameTransaction(t *testing.T) {
	each(t, func(t *testing.T, store kv.Store, _ func() kv.Store) {
		put(t, store, "a", "old", "1")
		must(t, store.Update(func(tx kv.Tx) error {
			tx.Drop("a")
			tx.Put("a", []byte("new"), []byte("2"))
			tx.Drop("never there")
			return nil
		}))
		expectPairs(t, store, "a", "new=2")
	})
}

func TestWhatIsGivenIsNotKept(t *testing.T) {
	each(t, func(t *testing.T, store kv.Store, _ func() kv.Store) {
		must(t, store.Update(func(tx kv.Tx) error {
			key, value := []byte("key"), []byte("value")
			tx.Put("a", key, value)
			copy(key, "yek")
			copy(value, "eulav")
			if got := tx.Get("a", []byte("key")); string(got) != "value" {
				t.Errorf("got %q", got)
			}
			return nil
		}))
		expectPairs(t, store, "a", "key=value")
	})
}

func TestWhatIsReturnedLastsUntilTheTransactionEnds(t *testing.T) {
	each(t, func(t *testing.T, store kv.Store, _ func() kv.Store) {
		put(t, store, "a", "key", "before", "last", "z")
		must(t, store.Update(func(tx kv.Tx) error {
			got := tx.Get("a", []byte("key"))
			key, _ := tx.Last("a")
			tx.Put("a", []byte("key"), []byte("after!"))
			for i := range 500 {
				tx.Put("a", fmt.Appendf(nil, "fill %d", i), bytes.Repeat([]byte("x"), 100))
			}
			tx.Delete("a", []byte("last"))
			tx.Drop("a")
			if string(got) != "before" || string(key) != "last" {
				t.Errorf("became %q, %q", got, key)
			}
			return nil
		}))
	})
}

func TestTransactionSeesItsOwnWrites(t *testing.T) {
	each(t, func(t *testing.T, store kv.Store, _ func() kv.Store) {
		put(t, store, "a", "a", "1")
		must(t, store.Update(func(tx kv.Tx) error {
			tx.Put("a", []byte("b"), []byte("2"))
			tx.Delete("a", []byte("a"))
			tx.Delete("a", []byte("never there"))
			if tx.Get("a", []byte("a")) != nil || string(tx.Get("a", []byte("b"))) != "2" {
				t.Error("it does not")
			}
			return nil
		}))
		expectPairs(t, store, "a", "b=2")
	})
}

var errRefused = errors.New("refused")

func TestFailedTransactionDidNothing(t *testing.T) {
	each(t, func(t *testing.T, store kv.Store, _ func() kv.Store) {
		put(t, store, "a", "a", "1")
		for what, fail := range map[string]func(tx kv.Tx) error{
			"an error returned": func(kv.Tx) error { return errRefused },
			"an error met":      func(tx kv.Tx) error { tx.Fail(errRefused); return nil },
			"both":              func(tx kv.Tx) error { tx.Fail(errRefused); return errors.New("another") },
			"a second error":    func(tx kv.Tx) error { tx.Fail(errRefused); tx.Fail(errors.New("another")); return nil },
		} {
			err := store.Update(func(tx kv.Tx) error {
				tx.Put("a", []byte("a"), []byte("2"))
				tx.Put("new", []byte("b"), []byte("2"))
				return fail(tx)
			})
			if !errors.Is(err, errRefused) {
				t.Errorf("%s: %v", what, err)
			}
			expectPairs(t, store, "a", "a=1")
			expectPairs(t, store, "new")
		}
	})
}

func TestTransactionRemembersTheFirstError(t *testing.T) {
	each(t, func(t *testing.T, store kv.Store, _ func() kv.Store) {
		err := store.Update(func(tx kv.Tx) error {
			if tx.Err() != nil {
				t.Errorf("it begins with %v", tx.Err())
			}
			tx.Put("a", nil, []byte("no key"))
			if !errors.Is(tx.Err(), kv.ErrKey) {
				t.Errorf("met %v", tx.Err())
			}
			tx.Fail(errRefused)
			tx.Put("a", []byte("fine"), nil)
			tx.Get("a", []byte("fine"))
			if !errors.Is(tx.Err(), kv.ErrKey) || errors.Is(tx.Err(), errRefused) {
				t.Errorf("remembers %v", tx.Err())
			}
			return nil
		})
		if !errors.Is(err, kv.ErrKey) {
			t.Errorf("got %v", err)
		}
		expectPairs(t, store, "a")
		put(t, store, "a", "next", "1")
		expectPairs(t, store, "a", "next=1")
	})
}

func TestKeysHaveOneToKeyBytesMaxOctets(t *testing.T) {
	each(t, func(t *testing.T, store kv.Store, _ func() kv.Store) {
		longest := bytes.Repeat([]byte("k"), kv.KeyBytesMax)
		must(t, store.Update(func(tx kv.Tx) error {
			tx.Put("a", longest, []byte("1"))
			tx.Delete("a", nil)
			tx.Get("a", nil)
			return nil
		}))
		for _, key := range [][]byte{nil, {}, append(longest, 'k')} {
			err := store.Update(func(tx kv.Tx) error {
				tx.Put("a", key, nil)
				return nil
			})
			if !errors.Is(err, kv.ErrKey) {
				t.Errorf("%d octets: %v", len(key), err)
			}
		}
		expectPairs(t, store, "a", string(longest)+"=1")
	})
}

func TestViewDoesNotWrite(t *testing.T) {
	each(t, func(t *testing.T, store kv.Store, _ func() kv.Store) {
		put(t, store, "a", "a", "1")
		for what, write := range map[string]func(tx kv.Tx){
			"put":               func(tx kv.Tx) { tx.Put("a", []byte("b"), nil) },
			"put in a new one":  func(tx kv.Tx) { tx.Put("new", []byte("b"), nil) },
			"delete":            func(tx kv.Tx) { tx.Delete("a", []byte("a")) },
			"delete of nothing": func(tx kv.Tx) { tx.Delete("new", []byte("a")) },
			"drop":              func(tx kv.Tx) { tx.Drop("a") },
			"drop of nothing":   func(tx kv.Tx) { tx.Drop("new") },
		} {
			err := store.View(func(tx kv.Tx) error {
				write(tx)
				return nil
			})
			if !errors.Is(err, kv.ErrReadOnly) {
				t.Errorf("%s: %v", what, err)
			}
		}
		if err := store.View(func(kv.Tx) error { return errRefused }); !errors.Is(err, errRefused) {
			t.Errorf("got %v", err)
		}
		expectPairs(t, store, "a", "a=1")
		expectPairs(t, store, "new")
	})
}

func TestCrashKeepsTheLastCommitAndNothingOfTheNext(t *testing.T) {
	each(t, func(t *testing.T, store kv.Store, crashed func() kv.Store) {
		put(t, store, "a", "a", "1", "b", "1")
		var during kv.Store
		must(t, store.Update(func(tx kv.Tx) error {
			tx.Put("a", []byte("a"), []byte("2"))
			tx.Delete("a", []byte("b"))
			for i := range 1000 {
				tx.Put("a", fmt.Appendf(nil, "fill %d", i), bytes.Repeat([]byte("x"), 100))
			}
			tx.Drop("a")
			tx.Put("a", []byte("c"), []byte("2"))
			during = crashed()
			return nil
		}))
		after := crashed()
		expectPairs(t, during, "a", "a=1", "b=1")
		expectPairs(t, after, "a", "c=2")
		put(t, during, "a", "a", "3")
		expectPairs(t, during, "a", "a=3", "b=1")
		expectPairs(t, store, "a", "c=2")
	})
}

func TestPanicInATransactionDoesNotHoldTheStore(t *testing.T) {
	each(t, func(t *testing.T, store kv.Store, _ func() kv.Store) {
		func() {
			defer func() {
				if recover() == nil {
					t.Error("the panic was swallowed")
				}
			}()
			_ = store.Update(func(tx kv.Tx) error {
				tx.Put("a", []byte("a"), nil)
				panic("bug")
			})
		}()
		expectPairs(t, store, "a")
		put(t, store, "a", "b", "1")
		expectPairs(t, store, "a", "b=1")
	})
}

// model is the contract at its plainest.
type model map[string]map[string]string

func (m model) clone() model {
	c := make(model)
	for bucket, content := range m {
		c[bucket] = maps.Clone(content)
	}
	return c
}

func (m model) from(bucket, first string) (keys []string) {
	for _, key := range slices.Sorted(maps.Keys(m[bucket])) {
		if key >= first {
			keys = append(keys, key)
		}
	}
	return keys
}

var (
	someBucket = rapid.SampledFrom([]string{"a", "ab", "b"})
	someKey    = rapid.StringOfN(rapid.RuneFrom([]rune("\x00ab\u00ff")), 1, 4, -1)
	someValue  = rapid.Custom(func(t *rapid.T) string {
		// The long ones make several pages of a few pairs.
		length := rapid.SampledFrom([]int{0, 1, 20, 1500, 9000}).Draw(t, "length")
		return string(bytes.Repeat([]byte{rapid.Byte().Draw(t, "octet")}, length))
	})
)

// step does one operation on both and compares what they say.
func (m model) step(t *rapid.T, tx kv.Tx) {
	bucket, key := someBucket.Draw(t, "bucket"), someKey.Draw(t, "key")
	switch rapid.SampledFrom([]string{"put", "put", "put", "delete", "delete", "get", "scan", "last", "drop"}).Draw(t, "operation") {
	case "put":
		value := someValue.Draw(t, "value")
		tx.Put(bucket, []byte(key), []byte(value))
		if m[bucket] == nil {
			m[bucket] = make(map[string]string)
		}
		m[bucket][key] = value
	case "delete":
		tx.Delete(bucket, []byte(key))
		delete(m[bucket], key)
	case "get":
		got := tx.Get(bucket, []byte(key))
		want, found := m[bucket][key]
		if (got != nil) != found || string(got) != want {
			t.Fatalf("%s of %s is %d octets, want %d", key, bucket, len(got), len(want))
		}
	case "scan":
		m.compare(t, tx, bucket, key)
	case "last":
		got, value := tx.Last(bucket)
		keys := m.from(bucket, "")
		if len(keys) == 0 {
			if got != nil {
				t.Fatalf("last of %s is %q", bucket, got)
			}
		} else if want := keys[len(keys)-1]; string(got) != want || string(value) != m[bucket][want] {
			t.Fatalf("last of %s is %q, want %q", bucket, got, want)
		}
	case "drop":
		tx.Drop(bucket)
		delete(m, bucket)
	}
}

func (m model) compare(t *rapid.T, tx kv.Tx, bucket, from string) {
	var keys []string
	tx.Scan(bucket, []byte(from), func(key, value []byte) bool {
		keys = append(keys, string(key))
		if string(value) != m[bucket][string(key)] {
			t.Fatalf("%q of %s is %d octets, want %d", key, bucket, len(value), len(m[bucket][string(key)]))
		}
		return true
	})
	if want := m.from(bucket, from); !slices.Equal(keys, want) {
		t.Fatalf("%s from %q holds %q, want %q", bucket, from, keys, want)
	}
}

func (m model) compareAll(t *rapid.T, store kv.Store) {
	must(t, store.View(func(tx kv.Tx) error {
		for _, bucket := range []string{"a", "ab", "b"} {
			m.compare(t, tx, bucket, "")
		}
		return nil
	}))
}

func TestRandomOperationsAgreeWithAModel(t *testing.T) {
	for _, s := range subjects {
		t.Run(s.name, func(t *testing.T) { rapid.Check(t, s.agrees) })
	}
}

func (s subject) agrees(t *rapid.T) {
	store, crashed := s.open(t)
	committed := make(model)
	for range rapid.IntRange(1, 8).Draw(t, "transactions") {
		next := committed.clone()
		fails := rapid.IntRange(0, 4).Draw(t, "fails") == 0
		err := store.Update(func(tx kv.Tx) error {
			for range rapid.IntRange(1, 30).Draw(t, "operations") {
				next.step(t, tx)
			}
			if fails {
				return errRefused
			}
			return nil
		})
		if fails != errors.Is(err, errRefused) {
			t.Fatalf("got %v", err)
		}
		if !fails {
			committed = next
		}
		if rapid.IntRange(0, 5).Draw(t, "crashes") == 0 {
			store = crashed()
			committed.compareAll(t, store)
			return
		}
		committed.compareAll(t, store)
	}
}
