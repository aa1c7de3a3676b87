package crashfs_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"testing"

	"github.com/zsync/zsync/store"
	"github.com/zsync/zsync/store/crashfs"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func top(t *testing.T, disk *crashfs.FS) store.Dir {
	t.Helper()
	dir, err := disk.Dir("")
	must(t, err)
	return dir
}

// outcomes runs what is done on many disks, cuts the power, and counts what is
// found at path.
func outcomes(t *testing.T, path string, do func(disk *crashfs.FS)) map[string]int {
	t.Helper()
	found := map[string]int{}
	for seed := range uint64(200) {
		disk := crashfs.New(seed)
		do(disk)
		user := disk.Crash().User()
		what := "nothing"
		if user.Stat(path) != (store.Stat{}) {
			what = fmt.Sprintf("%q", user.Read(path))
		}
		found[what]++
	}
	return found
}

func TestWhatWasSyncedIsFoundAfterEveryCrash(t *testing.T) {
	for name, sync := range map[string]func(disk *crashfs.FS){
		"everything": func(disk *crashfs.FS) { must(t, disk.Sync()) },
		"file and directory": func(disk *crashfs.FS) {
			file, err := top(t, disk).Create("a")
			must(t, err)
			must(t, file.Sync())
			must(t, top(t, disk).Sync())
		},
	} {
		found := outcomes(t, "a", func(disk *crashfs.FS) {
			must(t, top(t, disk).Write("a", []byte("bytes")))
			sync(disk)
		})
		if len(found) != 1 || found[`"bytes"`] == 0 {
			t.Errorf("%s: %v", name, found)
		}
	}
}

func TestWhatWasNotSyncedMayBeFoundLostOrTorn(t *testing.T) {
	found := outcomes(t, "a", func(disk *crashfs.FS) { must(t, top(t, disk).Write("a", []byte("bytes"))) })
	for _, want := range []string{"nothing", `""`, `"bytes"`, `"\x00\x00\x00\x00\x00"`} {
		if found[want] == 0 {
			t.Errorf("never %s: %v", want, found)
		}
	}
	found = outcomes(t, "a", func(disk *crashfs.FS) {
		must(t, top(t, disk).Write("a", []byte("bytes")))
		must(t, top(t, disk).Sync()) // the name lasts, the bytes need not
	})
	if found["nothing"] > 0 || found[`""`] == 0 || found[`"bytes"`] == 0 {
		t.Errorf("with its name synced: %v", found)
	}
	torn := outcomes(t, "a", func(disk *crashfs.FS) {
		disk.User().Write("a", bytes.Repeat([]byte("1"), 8192))
		disk.User().Settle()
		disk.User().Write("a", bytes.Repeat([]byte("2"), 8192))
	})
	if len(torn) != 4 {
		t.Errorf("two pages were found in %d states", len(torn))
	}
}

func TestARenameIsThereWhollyOrNotAtAll(t *testing.T) {
	both := map[string]int{}
	for seed := range uint64(100) {
		disk := crashfs.New(seed)
		must(t, top(t, disk).Write("a", []byte("A")))
		must(t, top(t, disk).Mkdir("d", 0o755))
		must(t, disk.Sync())
		into, err := disk.Dir("d")
		must(t, err)
		must(t, top(t, disk).Rename("a", into, "b", store.NoReplace))
		user := disk.Crash().User()
		both[fmt.Sprintf("%s %s", user.Read("a"), user.Read("d/b"))]++
	}
	if len(both) != 2 || both["A "] == 0 || both[" A"] == 0 {
		t.Errorf("found %v", both)
	}
}

func TestChangesOfOneNameKeepTheirOrder(t *testing.T) {
	found := outcomes(t, "a", func(disk *crashfs.FS) {
		dir := top(t, disk)
		must(t, dir.Write("b", []byte("B")))
		must(t, dir.Write("c", []byte("C")))
		must(t, dir.Write("a", []byte("A")))
		must(t, disk.Sync())
		must(t, dir.Rename("a", dir, "old", store.NoReplace))
		must(t, dir.Rename("b", dir, "a", store.NoReplace))
		must(t, dir.Rename("a", dir, "c", store.Exchange))
	})
	for _, want := range []string{`"A"`, "nothing", `"B"`, `"C"`} {
		if found[want] == 0 {
			t.Errorf("never %s: %v", want, found)
		}
	}
	synced := outcomes(t, "d/a", func(disk *crashfs.FS) {
		dir := top(t, disk)
		must(t, dir.Write("a", []byte("A")))
		must(t, dir.Mkdir("d", 0o755))
		must(t, disk.Sync())
		into, err := disk.Dir("d")
		must(t, err)
		must(t, dir.Rename("a", dir, "b", store.NoReplace))
		must(t, dir.Rename("b", into, "a", store.NoReplace))
		must(t, into.Sync()) // takes with it what happened to b before
	})
	if len(synced) != 1 || synced[`"A"`] == 0 {
		t.Errorf("found %v", synced)
	}
}

func TestNothingWorksOnceThePowerIsOff(t *testing.T) {
	disk := crashfs.New(1)
	dir := top(t, disk)
	must(t, dir.Write("a", nil))
	disk.CrashAt(disk.Steps() + 1)
	for _, err := range []error{dir.Mkdir("d", 0o755), dir.Remove("a"), disk.Sync(), dir.Sync()} {
		if !errors.Is(err, crashfs.ErrCrashed) {
			t.Errorf("got %v", err)
		}
	}
	if _, err := dir.Stat("a"); !errors.Is(err, crashfs.ErrCrashed) {
		t.Errorf("stat: %v", err)
	}
	if _, _, err := disk.Open("a"); !errors.Is(err, crashfs.ErrCrashed) {
		t.Errorf("open: %v", err)
	}
}

func TestASyncThatFailsIsForgottenByTheKernel(t *testing.T) {
	broken := errors.New("broken")
	found := outcomes(t, "a", func(disk *crashfs.FS) {
		dir := top(t, disk)
		must(t, dir.Write("a", []byte("old")))
		must(t, disk.Sync())
		disk.User().Write("a", []byte("new"))
		disk.FailAt(disk.Steps()+1, broken)
		if err := disk.Sync(); !errors.Is(err, broken) {
			t.Errorf("got %v", err)
		}
		must(t, disk.Sync())
	})
	if len(found) != 1 || found[`"old"`] == 0 {
		t.Errorf("found %v", found)
	}
}

func TestAFullDiskTakesNoMore(t *testing.T) {
	disk := crashfs.New(1)
	disk.Resize(10)
	dir := top(t, disk)
	must(t, dir.Write("a", make([]byte, 8)))
	if err := dir.Write("b", make([]byte, 3)); !errors.Is(err, store.ErrNoSpace) {
		t.Errorf("got %v", err)
	}
	if _, err := dir.Stat("b"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a torn file is left: %v", err)
	}
	must(t, dir.Remove("a"))
	must(t, dir.Write("b", make([]byte, 10)))
	if free, total, err := disk.Free(); free != 0 || total != 10 || err != nil {
		t.Errorf("free %d of %d, %v", free, total, err)
	}
}

func TestOneSeedIsOneOutcome(t *testing.T) {
	run := func() string {
		disk := crashfs.New(7)
		for i := range 50 {
			must(t, top(t, disk).Write(fmt.Sprintf("f%d", i), bytes.Repeat([]byte{byte(i)}, 5000)))
		}
		user := disk.Crash().User()
		var all bytes.Buffer
		for _, path := range user.Paths("") {
			fmt.Fprintf(&all, "%s %x %+v\n", path, user.Read(path), user.Stat(path))
		}
		return all.String()
	}
	if first, second := run(), run(); first != second {
		t.Error("the same seed left two different disks")
	}
}

func TestAUserActsBetweenTwoSteps(t *testing.T) {
	disk := crashfs.New(1)
	user := disk.User()
	var calls []string
	disk.OnStep(func(_ int, call string) {
		calls = append(calls, call)
		user.Write("user/file", []byte("mine"))
		user.Symlink("link", "user")
		user.Rename("user", "moved")
	})
	must(t, top(t, disk).Mkdir("d", 0o755))
	if len(calls) != 1 || calls[0] != "mkdir d" {
		t.Errorf("steps: %q", calls)
	}
	if got := user.Paths(""); len(got) != 4 || string(user.Read("moved/file")) != "mine" || string(user.Read("link")) != "user" {
		t.Errorf("paths: %q", got)
	}
}

func TestACallThatIsInTroubleChangesNothing(t *testing.T) {
	disk := crashfs.New(1)
	disk.User().Write("a", []byte("A"))
	opened, _, err := disk.Open("a")
	must(t, err)
	broken := errors.New("broken")
	asked := map[bool]int{}
	disk.Trouble(func(_ string, changes bool) error {
		asked[changes]++
		return broken
	})
	if _, err := opened.ReadAt(make([]byte, 1), 0); !errors.Is(err, broken) {
		t.Errorf("read: %v", err)
	}
	if _, err := opened.WriteAt([]byte("B"), 0); !errors.Is(err, broken) {
		t.Errorf("write: %v", err)
	}
	if asked[false] != 1 || asked[true] != 1 || string(disk.User().Read("a")) != "A" {
		t.Errorf("asked %v, found %q", asked, disk.User().Read("a"))
	}
	if _, err := disk.Crash().Dir(""); !errors.Is(err, broken) {
		t.Errorf("after a power cut: %v", err)
	}
}

func TestAnImageIsAnotherDiskWithTheSameOnIt(t *testing.T) {
	disk := crashfs.New(1)
	disk.User().Write("d/a", []byte("A"))
	image := disk.Image()
	disk.User().Write("d/a", []byte("B"))
	if had := disk.User().Stat("d/a").Inode; image.User().Stat("d/a").Inode != had {
		t.Error("it has another inode")
	}
	if found := string(image.Crash().User().Read("d/a")); found != "A" {
		t.Errorf("it holds %q", found)
	}
	in := func(string) bool { return true }
	if sum := sha256.Sum256([]byte("B")); !disk.User().HasSum(sum, in) || image.User().HasSum(sum, in) {
		t.Error("the sums are not those of the bytes")
	}
}
