package security

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/zsync/zsync/internal/kv"
)

var update = flag.Bool("update", false, "write the golden files anew")

// epoch is when every test begins.
var epoch = time.Date(2026, 5, 4, 3, 2, 1, 0, time.UTC)

// stream is endless randomness that is the same in each run.
type stream struct {
	seed  string
	count uint64
}

func (s *stream) Read(into []byte) (int, error) {
	for n := 0; n < len(into); n += sha256.Size {
		sum := sha256.Sum256(binary.BigEndian.AppendUint64([]byte(s.seed), s.count))
		s.count++
		copy(into[n:], sum[:])
	}
	return len(into), nil
}

type fataler interface {
	Helper()
	Fatal(args ...any)
}

func keysOf(t fataler, seed string) *Keys {
	t.Helper()
	keys, err := GenerateKeys(&stream{seed: seed})
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

// certOf returns the certificate of the device of that name.
func certOf(t fataler, name string) Certificate {
	t.Helper()
	return keysOf(t, name).Certify(name, 1)
}

// golden compares got with testdata/name.hex, which -update writes.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name+".hex")
	if *update {
		var lines strings.Builder
		for rest := hex.EncodeToString(got); rest != ""; rest = rest[min(64, len(rest)):] {
			lines.WriteString(rest[:min(64, len(rest))] + "\n")
		}
		if err := os.WriteFile(path, []byte(lines.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if want := strings.ReplaceAll(string(text), "\n", ""); hex.EncodeToString(got) != want {
		t.Fatalf("%s differs from its golden form\n got %x\nwant %s", name, got, want)
	}
}

// dump returns all that a bucket holds, in order.
func dump(t fataler, store *kv.Memory, bucket string) (pairs []string) {
	t.Helper()
	err := store.View(func(tx kv.Tx) error {
		tx.Scan(bucket, nil, func(key, value []byte) bool {
			pairs = append(pairs, hex.EncodeToString(key)+"="+hex.EncodeToString(value))
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return pairs
}
