package store_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/store"
)

// A chmod before the look at what was renamed is in the ctime that is remembered, not
// in the mode.
func TestAChmodThatARenameCarriesIsNews(t *testing.T) {
	dir := t.TempDir()
	tree, err := store.OpenOS(dir)
	must(t, err)
	r, err := store.Open(tree, store.Options{})
	must(t, err)
	t.Cleanup(func() { must(t, r.Close()) })
	must(t, os.WriteFile(filepath.Join(dir, "a"), nil, 0o644))
	old := r.List("").Entries[0].Stat
	must(t, os.Chmod(filepath.Join(dir, "a"), 0o600))
	result := r.Apply([]store.Change{{Op: store.OpRename, From: "a", Path: "b", Old: &old}}, true)[0]
	must(t, result.Err)
	info, err := os.Lstat(filepath.Join(dir, "b"))
	must(t, err)
	if r.Made("b", info) {
		t.Error("the watch is told that this is no news")
	}
}

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
	must(t, os.Chmod(filepath.Join(dir, "ours"), 0o600))
	if made("ours") {
		t.Error("what has another mode now is taken for what was placed")
	}
	must(t, os.WriteFile(filepath.Join(dir, "ours"), []byte("Hello"), 0o640))
	if made("ours") {
		t.Error("what was written over is taken for what was placed")
	}
}
