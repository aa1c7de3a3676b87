package store_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/store"
)

func TestARootKnowsAFileAsItMadeItAndNotAsSomebodyChangedItSince(t *testing.T) {
	dir := t.TempDir()
	tree, err := store.OpenOS(dir)
	must(t, err)
	r, err := store.Open(tree, store.Options{})
	must(t, err)
	t.Cleanup(func() { must(t, r.Close()) })
	made := func(name zsync.Path) bool {
		info, err := os.Lstat(filepath.Join(dir, string(name)))
		must(t, err)
		return r.Made(name, info)
	}
	data := []byte("hello")
	for _, err := range r.Stage(pieces(data)) {
		must(t, err)
	}
	must(t, r.Apply([]store.Change{place("ours", data, nil)}, false)[0].Err)
	must(t, os.WriteFile(filepath.Join(dir, "theirs"), data, 0o640))
	if !made("ours") || made("theirs") {
		t.Error("what was placed is not told from what was written")
	}
	must(t, os.WriteFile(filepath.Join(dir, "ours"), []byte("Hello"), 0o640))
	if made("ours") {
		t.Error("what was written over is taken for what was placed")
	}
}
