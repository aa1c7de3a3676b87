package replica

import (
	"fmt"
	"slices"
	"testing"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/internal/kv"
)

func TestWhatWaitsForItsBytesIsNamedUpToALimitAndTheRestCounted(t *testing.T) {
	a, b := newBox(t, 'a'), newBox(t, 'b')
	for i := range 9 {
		a.user().write(fmt.Sprint(i), fmt.Sprint("text ", i))
	}
	a.scan()
	a.rest()
	b.scan()
	b.rest()
	b.learn(a, -1)
	b.workOff()
	lacking := func(most int, hold func(zsync.Digest) bool) (paths []zsync.Path, more int) {
		b.fact(func(tx kv.Tx) {
			var lacks []Lack
			lacks, more = b.rep.Lacking(tx, most, hold)
			for _, lack := range lacks {
				paths = append(paths, lack.Path)
			}
		})
		return paths, more
	}
	paths, more := lacking(5, func(zsync.Digest) bool { return true })
	if len(paths) != 5 || more != 4 {
		t.Errorf("%q are named, and %d more", paths, more)
	}
	if again, _ := lacking(5, func(zsync.Digest) bool { return true }); !slices.Equal(again, paths) {
		t.Errorf("it named %q, and then %q", paths, again)
	}
	if paths, more := lacking(5, func(zsync.Digest) bool { return false }); len(paths)+more != 0 {
		t.Errorf("%q are named that somebody has, and %d more", paths, more)
	}
	arrived := b.asked()[0].want
	b.fact(func(tx kv.Tx) { b.rep.Staged(tx, b.now, arrived, nil) })
	if _, more := lacking(5, func(zsync.Digest) bool { return true }); more != 3 {
		t.Errorf("what has come is still named: %d more", more)
	}
}
