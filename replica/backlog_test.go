package replica

import (
	"fmt"
	"slices"
	"testing"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/store"
)

func (b *backlog) put(name string, size, mtime int64) {
	b.add(&task{job: store.HashJob{Path: zsync.Path(name), Old: store.Stat{Size: size, MtimeNS: mtime}}})
}

func TestTheSmallAreHashedBeforeTheLargeAndTheNewestFirst(t *testing.T) {
	var b backlog
	b.put("old", 1, 10)
	b.put("film", bulkBytes+1, 40)
	b.put("new", bulkBytes, 30)
	b.put("newest film", bulkBytes+1, 50)
	b.put("newer", 5, 20)
	b.put("as new", 7, 30)
	var order []string
	for _, job := range b.clear() {
		order = append(order, string(job.job.Path))
	}
	if want := []string{"new", "as new", "newer", "old", "newest film", "film"}; !slices.Equal(order, want) {
		t.Errorf("the order is %q", order)
	}
}

func TestEach16thFileToBeHashedIsTheOneThatHasWaitedLongest(t *testing.T) {
	var b backlog
	b.put("film", bulkBytes+1, 0)
	b.put("film 2", bulkBytes+1, 0)
	for turn := 1; turn <= 2*eldestTurn; turn++ {
		b.put(fmt.Sprint("photo ", turn), 1, int64(turn))
		want := fmt.Sprint("photo ", turn)
		switch turn {
		case eldestTurn:
			want = "film"
		case 2 * eldestTurn:
			want = "film 2"
		}
		if got := string(b.take().job.Path); got != want {
			t.Fatalf("turn %d is that of %q", turn, got)
		}
	}
	if rest := b.clear(); len(rest) != 2 || rest[0].job.Path != "photo 32" || rest[1].job.Path != "photo 16" {
		t.Errorf("%d are left", len(rest))
	}
	if b.count != 0 || len(b.first) != 0 || len(b.arrived) != 0 {
		t.Errorf("an empty backlog keeps %d, %d and %d", b.count, len(b.first), len(b.arrived))
	}
}
