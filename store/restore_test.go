package store_test

import (
	"slices"
	"testing"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/store"
)

func TestDiscardRemovesWhatItIsToldAndNothingElse(t *testing.T) {
	r := newRoot(t)
	var kept []string
	for _, name := range []string{"a", "b"} {
		r.user.Write(name, []byte(name))
		result := r.one(store.Change{Op: store.OpRemove, Path: zsync.Path(name), Old: r.old(name)})
		must(t, result.Err)
		kept = append(kept, result.Kept)
	}
	if gone, err := r.Discard([]string{kept[0], "../b"}); err == nil || gone != nil {
		t.Fatalf("a name that is none of the area: %v, %v", gone, err)
	}
	for range 2 { // the second time it is gone already
		gone, err := r.Discard(kept[:1])
		must(t, err)
		if !slices.Equal(gone, kept[:1]) {
			t.Fatalf("gone: %v", gone)
		}
	}
	if _, err := r.KeptStat(kept[0]); err == nil {
		t.Fatal("it is still there")
	}
	if text := string(r.kept(kept[1])); text != "b" {
		t.Fatalf("the other one holds %q", text)
	}
}
