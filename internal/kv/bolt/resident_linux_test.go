package bolt

import (
	"bytes"
	"encoding/binary"
	"path/filepath"
	"testing"

	"github.com/zsync/zsync/internal/kv"
)

// storeOf returns a store of so many values of 4 KiB, value i of which is full of octet i.
func storeOf(t *testing.T, values int) *Store {
	t.Helper()
	s := open(t, filepath.Join(t.TempDir(), "db"))
	for from := 0; from < values; from += 4096 {
		err := s.Update(func(tx kv.Tx) error {
			for i := from; i < min(values, from+4096); i++ {
				tx.Put("a", binary.BigEndian.AppendUint64(nil, uint64(i)), bytes.Repeat([]byte{byte(i)}, 4<<10))
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() { shut(t, s) })
	return s
}

func TestADatabaseThatIsReadIsNotAllKeptInMemory(t *testing.T) {
	const values = 64 << 10 // 256 MiB, four times as much as may stay
	s := storeOf(t, values)
	most, seen := 0, 0
	err := s.View(func(tx kv.Tx) error {
		var lent []byte
		tx.Scan("a", nil, func(_, value []byte) bool {
			if seen == 0 {
				lent = value
			}
			if value[0] != byte(seen) || value[len(value)-1] != byte(seen) {
				t.Fatalf("value %d reads %x", seen, value[0])
			}
			seen++
			most = max(most, s.resident.gauge.octets())
			return true
		})
		if !bytes.Equal(lent, make([]byte, 4<<10)) {
			t.Error("what was lent before has changed")
		}
		return nil
	})
	if err != nil || seen != values {
		t.Fatalf("%d values, %v", seen, err)
	}
	if most > 80<<20 {
		t.Fatalf("%d MiB of files were in memory at one time, want about 64", most>>20)
	}
}

func TestWhatATransactionHasWrittenStaysWhenTheFileIsLetGo(t *testing.T) {
	s := storeOf(t, 4096)
	err := s.Update(func(tx kv.Tx) error {
		tx.Put("a", []byte("key"), []byte("written"))
		before := tx.Get("a", binary.BigEndian.AppendUint64(nil, 7))
		s.letGo()
		if got := tx.Get("a", []byte("key")); string(got) != "written" {
			t.Errorf("reads %q", got)
		}
		if !bytes.Equal(before, bytes.Repeat([]byte{7}, 4<<10)) {
			t.Error("what was lent before has changed")
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	s.letGo()
	expect(t, s, "key", "written")
}

func TestOnlyTheMappingOfTheDatabaseIsLetGo(t *testing.T) {
	s := storeOf(t, 16)
	at := s.db.Info().Data
	if size := mappedFrom(at); size < 16*4<<10 || size > 1<<30 {
		t.Errorf("a mapping of %d octets", size)
	}
	if size := mappedFrom(at + 4096); size != 0 {
		t.Errorf("%d octets from where no mapping begins", size)
	}
}
