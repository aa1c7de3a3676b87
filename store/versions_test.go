package store_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/zsync/zsync"
	"github.com/zsync/zsync/store"
	"github.com/zsync/zsync/store/crashfs"
)

func TestWhatIsWrittenToAFileAfterItWasReplacedIsSeen(t *testing.T) {
	r := newRoot(t)
	r.user.Write("file", []byte("old"))
	r.stage([]byte("new"))
	old := r.old("file")
	result := r.one(place("file", []byte("new"), old))
	must(t, result.Err)
	r.user.Write(".zsync/versions/"+result.Kept, []byte("written through an open file"))
	stat, err := r.KeptStat(result.Kept)
	must(t, err)
	if stat.SameFile(*old) {
		t.Error("the change is not seen")
	}
	wantErr(t, r.Read(store.Span{Area: store.InVersions, Kept: result.Kept, Stat: *old}, 0, make([]byte, 3)), store.ErrChanged)
}

func TestKeptNamesAreUniqueAcrossRestartsAndFitTheDisk(t *testing.T) {
	disk := crashfs.New(1)
	long := zsync.Path(strings.Repeat("ä", 125) + ".jpeg")
	seen := map[string]bool{}
	last := uint64(0)
	for range 3 {
		r := openRoot(t, disk)
		for i := range 700 {
			r.user.Write(string(long), []byte{byte(i)})
			result := r.one(store.Change{Op: store.OpRemove, Path: long, Old: r.old(string(long))})
			must(t, result.Err)
			seq, err := store.KeptSeq(result.Kept)
			must(t, err)
			if seen[result.Kept] || seq <= last || !strings.HasSuffix(result.Kept, "ä.jpeg") || len(filepath.Base(result.Kept)) > 255 {
				t.Fatalf("kept as %q after %d", result.Kept, last)
			}
			seen[result.Kept], last = true, seq
		}
		must(t, r.Close())
	}
}

func TestVersionsArePrunedOldestFirst(t *testing.T) {
	disk := crashfs.New(1)
	r := openRoot(t, disk)
	var kept []string
	remove := func(n int) {
		for range n {
			r.user.Write("file", make([]byte, 10))
			kept = append(kept, r.one(store.Change{Op: store.OpRemove, Path: "file", Old: r.old("file")}).Kept)
		}
	}
	remove(1500)
	seq, err := store.KeptSeq(kept[100])
	must(t, err)
	gone, err := r.PruneVersions(seq, 1<<40)
	must(t, err)
	if diff := cmp.Diff(kept[:100], gone); diff != "" {
		t.Errorf("too old (-want +got):\n%s", diff)
	}
	gone, err = r.PruneVersions(0, 3000)
	must(t, err)
	if diff := cmp.Diff(kept[100:1200], gone); diff != "" {
		t.Errorf("too many (-want +got):\n%s", diff)
	}
	gone, err = r.PruneVersions(1<<60, 0)
	must(t, err)
	if len(gone) != 300 {
		t.Errorf("%d of 300 are gone", len(gone))
	}
	must(t, r.Close())
	r = openRoot(t, disk)
	last := kept[len(kept)-1]
	remove(1)
	if kept[len(kept)-1] <= last {
		t.Errorf("a number came again: %s after %s", kept[len(kept)-1], last)
	}
	for _, name := range []string{"", "000000/000000000~x", "000000/1~x", "000001/000000001~x", "000000/000000001~a/b", "../000000001~x"} {
		if _, err := store.KeptSeq(name); err == nil {
			t.Errorf("%q names a kept file", name)
		}
	}
}

// TestPruningReadsNoMoreThanItHasTo: once the area was measured, only what is
// removed is looked at.
func TestPruningReadsNoMoreThanItHasTo(t *testing.T) {
	disk := &lookingFS{FS: crashfs.New(1)}
	root, err := store.Open(disk, store.Options{})
	must(t, err)
	defer root.Close()
	user := disk.FS.(*crashfs.FS).User()
	remove := func(octets int) {
		user.Write("file", make([]byte, octets))
		old := user.Stat("file")
		must(t, root.Apply([]store.Change{{Op: store.OpRemove, Path: "file", Old: &old}}, false)[0].Err)
	}
	for range 3500 {
		remove(10)
	}
	prune := func(before uint64, octetsMax int64, want, looksMax int) {
		t.Helper()
		disk.looks = 0
		gone, err := root.PruneVersions(before, octetsMax)
		must(t, err)
		if len(gone) != want || disk.looks > looksMax {
			t.Errorf("%d are gone, not %d; %d directories were read, not %d", len(gone), want, disk.looks, looksMax)
		}
	}
	prune(0, 1<<40, 0, 1+4) // the first time it measures
	prune(0, 1<<40, 0, 1)
	remove(10)
	prune(0, 35_000, 1, 1+1)
	prune(501, 1<<40, 499, 1+1)
	remove(20_000)
	prune(0, 35_000, 1501, 1+3)
	if next := root.VersionsNext(); next != 3503 {
		t.Errorf("the next is %d", next)
	}
}

func TestPruningRemovesNoMoreThanAFewThousandAtATime(t *testing.T) {
	r := newRoot(t)
	for i := range store.PrunedMax + 100 {
		r.user.Write(fmt.Sprintf(".zsync/versions/%06d/%09d~x", (i+1)/1000, i+1), []byte("x"))
	}
	for _, want := range []int{store.PrunedMax, 100, 0} {
		gone, err := r.PruneVersions(1<<60, 0)
		must(t, err)
		if len(gone) != want {
			t.Errorf("%d are gone, not %d", len(gone), want)
		}
	}
}

// lookingFS counts how often the names in the versions area are read.
type lookingFS struct {
	store.FS
	looks int
}

func (l *lookingFS) Dir(path string) (store.Dir, error) {
	dir, err := l.FS.Dir(path)
	if err != nil {
		return nil, err
	}
	return &lookingDir{dir, l, strings.HasPrefix(path, ".zsync/versions")}, nil
}

type lookingDir struct {
	store.Dir
	fs     *lookingFS
	counts bool
}

func (l *lookingDir) Names() ([]string, error) {
	if l.counts {
		l.fs.looks++
	}
	return l.Dir.Names()
}

func (l *lookingDir) Rename(name string, to store.Dir, toName string, how store.RenameMode) error {
	return l.Dir.Rename(name, to.(*lookingDir).Dir, toName, how)
}
