package replica

import (
	"reflect"
	"testing"

	"pgregory.net/rapid"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/internal/kv"
	"github.com/zsync/zsync/store"
)

func TestIntentsOfSeveralBatchesAreReadAsTheyWereWrittenButForThoseOfTheOneThatIsDone(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		batches := rapid.SliceOfN(rapid.SliceOfN(rapid.Custom(drawStep), 1, 2*intentsMax+2), 1, 3).Draw(t, "batches")
		done := rapid.IntRange(0, len(batches)).Draw(t, "done") // the last: none is
		db := kv.NewMemory()
		var want []step
		err := db.Update(func(tx kv.Tx) error {
			place := uint32(0)
			for i, steps := range batches {
				putIntents(tx, place, steps)
				if i == done {
					dropSomeIntents(tx, place, len(steps))
				} else {
					want = append(want, steps...)
				}
				place += uint32(len(steps))
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		var got []step
		if err := db.View(func(tx kv.Tx) error { got = intents(tx); return nil }); err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(got, want) {
			t.Fatalf("%+v\nbecame %+v", want, got)
		}
	})
}

func TestIntentCutShortFailsTheTransaction(t *testing.T) {
	s := step{change: store.Change{Op: store.OpMkdir, Path: "a"}, after: &onDisk{key: mainKey(7), kind: zsync.TypeDir}}
	whole := s.append(nil)
	for n := 1; n < len(whole); n++ {
		err := kv.NewMemory().Update(func(tx kv.Tx) error {
			tx.Put(bucketIntents, []byte{0, 0, 0, 0}, whole[:n])
			intents(tx)
			return nil
		})
		if err == nil {
			t.Fatalf("%d of %d octets were taken for an intent", n, len(whole))
		}
	}
}

func drawStep(t *rapid.T) step {
	text := rapid.StringMatching(`[a-z/]{0,20}`)
	stat := rapid.Custom(func(t *rapid.T) store.Stat {
		return store.Stat{Type: zsync.TypeFile, Size: rapid.Int64().Draw(t, "size"), Inode: rapid.Uint64().Draw(t, "inode"), Mode: 0o644}
	})
	key := mainKey(rapid.Uint64().Draw(t, "node"))
	if rapid.Bool().Draw(t, "copy") {
		key.copy = zsync.Dot{Event: zsync.EventID{1}, Index: 2}
	}
	s := step{key: key, made: rapid.Bool().Draw(t, "made"), change: store.Change{
		Op: store.Op(rapid.Uint8().Draw(t, "op")), Path: zsync.Path(text.Draw(t, "path")), From: zsync.Path(text.Draw(t, "from")),
		Content: zsync.Digest{9}, Size: rapid.Int64().Draw(t, "size"), Mode: rapid.Uint32().Draw(t, "mode"),
		MtimeNS: rapid.Int64().Draw(t, "mtime"), Target: text.Draw(t, "target"),
	}}
	if rapid.Bool().Draw(t, "old") {
		old := stat.Draw(t, "before")
		s.change.Old = &old
	}
	if rapid.Bool().Draw(t, "after") {
		s.after = &onDisk{key: key, place: place{2, "n"}, kind: zsync.TypeFile, dots: []zsync.Dot{{Index: 1}}, stat: stat.Draw(t, "now")}
	}
	return s
}
