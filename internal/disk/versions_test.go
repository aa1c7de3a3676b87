package disk

import (
	"testing"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/internal/device"
	"github.com/zsync/zsync/store"
	"github.com/zsync/zsync/store/crashfs"
)

// one carries out an order, and returns its one fact.
func one[Fact any](t *testing.T, root *store.Root, order any) (fact Fact) {
	t.Helper()
	Carry(root, zsync.SpaceID{}, order, func(_ device.Address, what any) { fact = what.(Fact) })
	return fact
}

// removed removes files and then changes what was kept of them, as who held them
// open may.
func removed(t *testing.T, disk *crashfs.FS, root *store.Root, paths ...zsync.Path) (files []device.LateFile) {
	t.Helper()
	for _, path := range paths {
		disk.User().Write(string(path), []byte("bytes"))
		old := disk.User().Stat(string(path))
		result := root.Apply([]store.Change{{Op: store.OpRemove, Path: path, Old: &old}}, false)[0]
		if result.Err != nil {
			t.Fatal(result.Err)
		}
		files = append(files, device.LateFile{Kept: store.Kept{Name: result.Kept, Stat: old}, Path: path, Removed: true})
		disk.User().Write(".zsync/versions/"+result.Kept, []byte("late in "+path))
	}
	return files
}

func TestWhatWasWrittenLateIsBroughtBackToWhereThereIsRoomForIt(t *testing.T) {
	disk := crashfs.New(1)
	root, err := store.Open(disk, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	files := removed(t, disk, root, "d/free", "d/taken.txt", "e/f/lost.txt", "d/replaced.txt", "inner/x", "d/same")
	disk.User().Write("d/taken.txt", []byte("new"))
	disk.User().Remove("e")
	disk.User().Write("inner/.zsync/id", []byte("0123456789abcdef0123456789abcdef\n"))
	files[3].Removed = false
	same, err := root.KeptStat(files[5].Name)
	if err != nil {
		t.Fatal(err)
	}
	files[5].Stat = same // nobody wrote to that one
	answer := one[device.LookedAgain](t, root, device.LookAgain{Files: files})
	want := []zsync.Path{"d/free", "d/taken~late-2.txt", "lost~late-3.txt", "d/replaced~late-4.txt", "x~late-5"}
	if len(answer.Late) != len(want) {
		t.Fatalf("brought back: %+v", answer.Late)
	}
	for i, late := range answer.Late {
		got := string(disk.User().Read(string(late.Path)))
		if late.Err != nil || late.Path != want[i] || late.Kept != files[i].Name || got != "late in "+string(files[i].Path) {
			t.Errorf("%+v with %q", late, got)
		}
	}
}

func TestVersionsArePrunedByNumberAndToATenthOfTheDisk(t *testing.T) {
	disk := crashfs.New(1)
	root, err := store.Open(disk, store.Options{Reserve: -1})
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	files := removed(t, disk, root, "a", "b", "c", "d")
	answer := one[device.Pruned](t, root, device.PruneVersions{Before: 2})
	if len(answer.Gone) != 1 || answer.Gone[0] != files[0].Name || answer.Next != 5 || answer.Err != nil {
		t.Errorf("%+v", answer)
	}
	disk.Resize(10 * 20) // of which versions may take two files' worth
	answer = one[device.Pruned](t, root, device.PruneVersions{})
	if len(answer.Gone) != 1 || answer.Gone[0] != files[1].Name {
		t.Errorf("%+v", answer)
	}
}
