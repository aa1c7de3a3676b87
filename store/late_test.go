package store_test

import (
	"errors"
	"io/fs"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/zsync/zsync"
	"github.com/zsync/zsync/store"
	"github.com/zsync/zsync/store/crashfs"
)

// replaced is a folder with a file that was replaced, and what was kept of it.
func replaced(t *testing.T, disk *crashfs.FS) (testRoot, store.Kept) {
	t.Helper()
	r := openRoot(t, disk)
	r.user.Write("d/file.txt", []byte("old"))
	r.stage([]byte("new"))
	old := r.old("d/file.txt")
	result := r.one(place("d/file.txt", []byte("new"), old))
	must(t, result.Err)
	r.user.Settle()
	return r, store.Kept{Name: result.Kept, Stat: *old}
}

func TestWhatIsWrittenAfterTheBatchToAFileHeldOpenIsSeenAndBroughtBack(t *testing.T) {
	for kind, forbid := range renames {
		t.Run(kind, func(t *testing.T) {
			disk := crashfs.New(1)
			forbid(disk)
			r, kept := replaced(t, disk)
			changed, err := r.Recheck([]store.Kept{kept})
			must(t, err)
			if len(changed) != 0 {
				t.Fatalf("nobody wrote, but %v", changed)
			}
			r.user.Write(".zsync/versions/"+kept.Name, []byte("written late"))
			changed, err = r.Recheck([]store.Kept{kept, {Name: "000009/000009000~gone"}})
			must(t, err)
			if len(changed) != 1 || changed[0].Name != kept.Name || changed[0].Stat.Size != int64(len("written late")) {
				t.Fatalf("changed: %+v", changed)
			}
			path := store.LateName("d/file.txt", kept.Name)
			stat, err := r.BringBack(kept.Name, path)
			must(t, err)
			if stat != r.user.Stat(string(path)) || string(r.user.Read(string(path))) != "written late" || string(r.user.Read("d/file.txt")) != "new" {
				t.Errorf("there is %v", r.user.Paths("d"))
			}
			listing := r.List("d")
			if len(listing.Entries) != 2 || r.kept(kept.Name) != nil {
				t.Errorf("listed: %v", listing.Entries)
			}
			r = openRoot(t, disk.Crash())
			if string(r.user.Read(string(path))) != "written late" {
				t.Error("a crash takes it back")
			}
		})
	}
}

func TestWhatCannotBeBroughtBackStaysKept(t *testing.T) {
	r, kept := replaced(t, crashfs.New(1))
	for path, want := range map[zsync.Path]error{"d/file.txt": fs.ErrExist, "gone/file.txt": fs.ErrNotExist, ".zsync/x": zsync.ErrName} {
		_, err := r.BringBack(kept.Name, path)
		if !errors.Is(err, want) || string(r.kept(kept.Name)) != "old" {
			t.Errorf("to %s: %v", path, err)
		}
	}
	if _, err := r.BringBack("../id", "x"); err == nil {
		t.Error("something else was brought back")
	}
}

func TestACrashWhileAFileIsBroughtBackLeavesItInOneOfTheTwoPlaces(t *testing.T) {
	for kind, forbid := range renames {
		for at := 1; ; at++ {
			disk := crashfs.New(uint64(at))
			forbid(disk)
			r, kept := replaced(t, disk)
			begin := disk.Steps()
			disk.CrashAt(begin + at)
			_, err := r.BringBack(kept.Name, "d/late")
			crashed := disk.Steps() >= begin+at
			r = openRoot(t, disk.Crash())
			back, here := string(r.user.Read("d/late")), string(r.kept(kept.Name))
			if back != "old" && here != "old" || err == nil && back != "old" {
				t.Fatalf("%s, crash at %d: in the tree %q, kept %q; %v", kind, at, back, here, err)
			}
			if !crashed {
				break
			}
		}
	}
}

func TestTheNameOfWhatIsBroughtBackKeepsItsKindAndFits(t *testing.T) {
	long := strings.Repeat("ä", 127)
	got := map[zsync.Path]zsync.Path{}
	for _, path := range []zsync.Path{"a.jpg", "d/e/.profile", "none", zsync.Path("d/" + long)} {
		got[path] = store.LateName(path, "000012/000012345~x")
		if _, err := zsync.ParsePath(string(got[path])); err != nil {
			t.Error(err)
		}
	}
	want := map[zsync.Path]zsync.Path{
		"a.jpg": "a~late-12345.jpg", "d/e/.profile": "d/e/.profile~late-12345", "none": "none~late-12345",
		zsync.Path("d/" + long): zsync.Path("d/" + strings.Repeat("ä", 122) + "~late-12345"),
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
