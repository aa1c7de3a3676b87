package store_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/store"
	"github.com/zsync/zsync/store/crashfs"
)

func TestTheNatureOfADiskIsFoundOutWhenItIsOpenedAndNothingIsLeftBehind(t *testing.T) {
	for want, prepare := range map[store.Nature]func(*crashfs.FS){
		{}:                         func(*crashfs.FS) {},
		{Cases: true, Forms: true}: (*crashfs.FS).FoldNames,
		{Strict: true}:             (*crashfs.FS).ForbidNames,
		{Cases: true, Forms: true, Strict: true}: func(disk *crashfs.FS) {
			disk.FoldNames()
			disk.ForbidNames()
		},
	} {
		disk := crashfs.New(1)
		prepare(disk)
		r := openRoot(t, disk)
		if got, known := r.Nature(); got != want || !known {
			t.Errorf("it is %+v (%v), want %+v", got, known, want)
		}
		if tmp := strings.Join(r.user.Paths(".zsync/tmp"), " "); strings.Contains(tmp, "probe") {
			t.Errorf("%+v: left behind: %s", want, tmp)
		}
	}
}

func TestANatureThatCannotBeFoundOutIsNotGuessed(t *testing.T) {
	disk := crashfs.New(1)
	openRoot(t, disk).Close()
	creates := 0 // the first is that of the lock
	disk.Trouble(func(call string, _ bool) error {
		if call != "create" {
			return nil
		}
		if creates++; creates > 1 {
			return store.ErrNoSpace
		}
		return nil
	})
	r, err := store.Open(disk, store.Options{})
	must(t, err)
	defer r.Close()
	if _, known := r.Nature(); known {
		t.Error("it is said to be known on a disk that takes nothing")
	}
}

func TestNamesThatOneDiskTakesForOneHaveOneKey(t *testing.T) {
	folds := store.Nature{Cases: true, Forms: true}
	for _, names := range [][]zsync.Name{
		{"Photo.JPG", "photo.jpg"}, {"\u00c9t\u00e9", "e\u0301TE\u0301"}, {"STRASSE", "stra\u00dfe"}, {"\u03a3", "\u03c2"},
	} {
		if folds.Key(names[0]) != folds.Key(names[1]) {
			t.Errorf("%q and %q have the keys %q and %q", names[0], names[1], folds.Key(names[0]), folds.Key(names[1]))
		}
	}
	if forms := (store.Nature{Forms: true}); forms.Key("\u00e9") != forms.Key("e\u0301") || forms.Key("a") == forms.Key("A") {
		t.Error("a disk that folds forms alone folds case, or no forms")
	}
	if plain := (store.Nature{}); plain.Key("A") != "A" || plain.Key("e\u0301") != "e\u0301" {
		t.Error("a disk that folds nothing does")
	}
}

func TestWhatADiskCannotHoldIsMadeToFit(t *testing.T) {
	strict := store.Nature{Strict: true}
	for name, fit := range map[zsync.Name]zsync.Name{
		"a:b?.jpg": "a_b_.jpg", "end.": "end", "end ": "end", "CON": "CON", "lpt1.txt": "lpt1.txt", "nul .x": "nul .x", "tab\t": "tab_",
	} {
		if strict.Holds(name) || strict.Fit(name) != fit {
			t.Errorf("%q: holds %v, made to fit %q", name, strict.Holds(name), strict.Fit(name))
		}
	}
	for _, name := range []zsync.Name{"a.b", ".hidden", "console", "com10", "lpt"} {
		if !strict.Holds(name) {
			t.Errorf("%q is refused", name)
		}
	}
	short := store.Nature{Long: 143}
	if short.Holds(zsync.Name(strings.Repeat("x", 144))) || !short.Holds(zsync.Name(strings.Repeat("x", 143))) {
		t.Error("the length of names is not as the disk says")
	}
	if (store.Nature{Cases: true}).Holds(".ZSYNC") {
		t.Error("the private directory's name is given away in capital letters")
	}
}

// A disk that is full when it is opened after a crash takes no name, and may still be
// one that takes two names for one.
func TestABatchIsRedoneByExactNamesWhereTheNatureCouldNotBeFoundOut(t *testing.T) {
	for name, s := range scenarios() {
		if !s.folds {
			continue
		}
		t.Run(name, func(t *testing.T) {
			for at := 1; ; at++ {
				disk := crashfs.New(uint64(at))
				disk.FoldNames()
				r := openRoot(t, disk)
				s.prepare(r)
				changes := s.changes(r)
				begin := disk.Steps()
				disk.CrashAt(begin + at)
				r.Apply(changes, false)
				crashed := disk.Steps() >= begin+at
				disk = disk.Crash()
				creates := 0
				disk.Trouble(func(call string, _ bool) error {
					if call == "create" {
						creates++
					}
					if creates > 1 && call == "create" { // the first is that of the lock
						return store.ErrNoSpace
					}
					return nil
				})
				r = openRoot(t, disk)
				if _, known := r.Nature(); known {
					t.Fatal("the nature was found out")
				}
				disk.Trouble(nil)
				for i, result := range r.Apply(changes, true) {
					if result.Err != nil && !lostNew(changes, []store.Result{result}) {
						t.Fatalf("crash at %d: redo of change %d: %v\n%v", at, i, result.Err, r.user.Paths(""))
					}
				}
				s.wantDoneTree(t, fmt.Sprintf("crash at %d", at), r)
				if !crashed {
					return
				}
			}
		})
	}
}
