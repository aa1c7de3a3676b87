package replica

import (
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/internal/kv"
	"github.com/zsync/zsync/store"
	"github.com/zsync/zsync/store/crashfs"
)

// stick makes a disk one that holds no two names that differ only in case, and refuses
// some.
func stick(disk *crashfs.FS) {
	disk.FoldNames()
	disk.ForbidNames()
}

// withStick returns a box and another one on a stick, alike.
func withStick(t *testing.T, fill func(u user)) (a, s *box) {
	t.Helper()
	a, s = newBox(t, 'a'), newBoxOn(t, 's', stick)
	link(a, s)
	fill(a.user())
	a.scan()
	sync(a, s)
	wantSame(a, s)
	wantIdle(t, s)
	return a, s
}

func wantIdle(t *testing.T, s *box) {
	t.Helper()
	if problems := s.status().Problems; len(problems) > 0 {
		t.Fatalf("it says %+v", problems)
	}
}

// lies is the path under which a stick has what the log has at path.
func (b *box) lies(path zsync.Path) (disk string) {
	b.t.Helper()
	_ = b.db.View(func(tx kv.Tx) error {
		node, _, found := b.rep.tree.lookup(tx, path)
		if at, has := b.rep.disk.pathOf(tx, b.rep.disk.get(tx, mainKey(node))); found && has {
			disk = string(at)
		}
		return nil
	})
	return disk
}

// twoPhotos are two files of which the second has lost its name on the stick.
func twoPhotos(t *testing.T) (a, s *box, alias string) {
	t.Helper()
	a, s = withStick(t, func(u user) { u.write("photo.jpg", "one") })
	a.user().write("Photo.jpg", "two")
	a.scan()
	sync(a, s)
	wantSame(a, s)
	wantIdle(t, s)
	alias = s.lies("Photo.jpg")
	if !strings.HasPrefix(alias, "Photo~c") || len(alias) != len("Photo~c1234.jpg") {
		t.Fatalf("it lies at %q", alias)
	}
	s.wantFile("photo.jpg", "one")
	s.wantFile(alias, "two")
	s.wantOps(len(a.log))
	return a, s, alias
}

func TestTheYoungerOfTwoNamesThatADiskTakesForOneIsProjectedAndMapsBack(t *testing.T) {
	table := map[string]struct {
		do    func(a, s user, alias string)
		tree  string // of a, names and contents
		ops   []OpKind
		alone bool // the second has its name on the stick in the end
	}{
		"edit of the projected file": {
			do:   func(_, s user, alias string) { s.write(alias, "TWO") },
			tree: "Photo.jpg=TWO photo.jpg=one", ops: []OpKind{OpPut},
		},
		"edit of it elsewhere": {
			do: func(a, _ user, _ string) { a.write("Photo.jpg", "TWO") }, tree: "Photo.jpg=TWO photo.jpg=one",
		},
		"it is removed": {
			do: func(_, s user, alias string) { s.remove(alias) }, tree: "photo.jpg=one", ops: []OpKind{OpDel},
		},
		"it is removed elsewhere": {
			do: func(a, _ user, _ string) { a.remove("Photo.jpg") }, tree: "photo.jpg=one",
		},
		"it gets another name": {
			do: func(_, s user, alias string) { s.rename(alias, "other.jpg") }, tree: "other.jpg=two photo.jpg=one", ops: []OpKind{OpMove},
		},
		"it goes to another directory, and has its name there": {
			do: func(_, s user, alias string) { s.rename(alias, "d/"+alias) }, tree: "d d/Photo.jpg=two photo.jpg=one", ops: []OpKind{OpPut, OpMove},
		},
		"it is copied": {
			do: func(_, s user, alias string) { s.write("copy of "+alias, "two") }, tree: "Photo.jpg=two copy of ALIAS=two photo.jpg=one", ops: []OpKind{OpPut},
		},
		"the other is removed": {
			do: func(_, s user, _ string) { s.remove("photo.jpg") }, tree: "Photo.jpg=two", ops: []OpKind{OpDel}, alone: true,
		},
		"the other is removed elsewhere": {
			do: func(a, _ user, _ string) { a.remove("photo.jpg") }, tree: "Photo.jpg=two", alone: true,
		},
		"the other gets another name elsewhere": {
			do: func(a, _ user, _ string) { a.rename("photo.jpg", "old.jpg") }, tree: "Photo.jpg=two old.jpg=one", alone: true,
		},
		"the other is removed and it gets its name by hand": {
			do: func(_, s user, alias string) {
				s.remove("photo.jpg")
				s.rename(alias, "Photo.jpg")
			}, tree: "Photo.jpg=two", ops: []OpKind{OpDel}, alone: true,
		},
		"the two trade names elsewhere": {
			do: func(a, _ user, _ string) {
				a.rename("photo.jpg", "t")
				a.scan()
				a.rename("Photo.jpg", "photo.jpg")
				a.scan()
				a.rename("t", "Photo.jpg")
			}, tree: "Photo.jpg=one photo.jpg=two",
		},
		"a file elsewhere gets just the projected name": {
			do: func(a, _ user, alias string) { a.write(alias, "three") }, tree: "Photo.jpg=two ALIAS=three photo.jpg=one",
		},
		"a file elsewhere gets it in capital letters": {
			do: func(a, _ user, alias string) { a.write(strings.ToUpper(alias), "three") }, tree: "PHOTO=three Photo.jpg=two photo.jpg=one",
		},
		"a third one": {
			do: func(a, _ user, _ string) { a.write("PHOTO.jpg", "three") }, tree: "PHOTO.jpg=three Photo.jpg=two photo.jpg=one",
		},
		"a directory of that name": {
			do: func(a, _ user, _ string) { a.write("PHOTO.JPG/inside", "three") }, tree: "PHOTO.JPG PHOTO.JPG/inside=three Photo.jpg=two photo.jpg=one",
		},
		"a conflict of it": {
			do: func(a, s user, alias string) {
				a.write("Photo.jpg", "of a")
				s.write(alias, "of s")
			}, tree: "Photo.jpg=of s Photo~conflict.jpg=of a photo.jpg=one", ops: []OpKind{OpPut},
		},
	}
	for name, row := range table {
		t.Run(name, func(t *testing.T) {
			a, s, alias := twoPhotos(t)
			s.fact(func(kv.Tx) {})
			row.do(a.user(), s.user(), alias)
			a.scan()
			known := len(s.log)
			s.scan()
			ops := s.ops(known)
			sync(a, s)
			wantSame(a, s)
			wantIdle(t, s)
			if got := a.plainTree(alias); got != row.tree {
				t.Errorf("the folder is %q, want %q", got, row.tree)
			}
			var kinds []OpKind
			for _, op := range ops {
				kinds = append(kinds, op.Kind)
			}
			if !slices.Equal(kinds, row.ops) {
				t.Errorf("the stick logged %v, want %v", kinds, row.ops)
			}
			if row.alone && s.lies("Photo.jpg") != "Photo.jpg" {
				t.Errorf("it lies at %q still", s.lies("Photo.jpg"))
			}
		})
	}
}

// plainTree is names and contents alone.
func (b *box) plainTree(alias string) string {
	var words []string
	for _, path := range strings.Split(b.paths(), "\n") {
		text := b.disk.User().Read(path)
		if node := strings.Index(path, "~conflict-"); node >= 0 {
			path = path[:node] + "~conflict" + path[strings.LastIndexByte(path, '.'):]
		}
		path = strings.ReplaceAll(path, alias, "ALIAS")
		if path == strings.ToUpper(alias) {
			path = "PHOTO"
		}
		if text != nil {
			path += "=" + string(text)
		}
		words = append(words, path)
	}
	return strings.Join(words, " ")
}

func (b *box) paths() string { return strings.Join(b.disk.User().Paths("", ".zsync"), "\n") }

func TestWhichNameIsProjectedDoesNotDependOnTheOrderOfArrival(t *testing.T) {
	a := newBox(t, 'a')
	for _, name := range []string{"photo.jpg", "Photo.jpg", "PHOTO.jpg", "d/x", "D/y", "D/X"} {
		a.user().write(name, "in "+name)
		a.scan()
	}
	var want string
	for first := range len(a.log) + 1 {
		s := newBoxOn(t, 's', stick)
		link(a, s)
		s.learn(a, first)
		s.rest()
		sync(a, s)
		wantSame(a, s)
		if got := s.names(); want == "" {
			want = got
		} else if got != want {
			t.Fatalf("%q, and after %d events first %q", want, first, got)
		}
	}
}

func TestADirectoryThatLosesItsNameLiesUnderAProjectedOneWithAllInIt(t *testing.T) {
	a, s := withStick(t, func(u user) {
		u.write("photos/a", "one")
		u.write("photos/b", "two")
	})
	a.user().write("Photos/A", "three")
	a.user().write("Photos/deep/er", "four")
	a.scan()
	sync(a, s)
	wantSame(a, s)
	wantIdle(t, s)
	at := s.lies("Photos")
	s.wantFile(at+"/A", "three")
	s.wantFile("photos/a", "one")

	s.user().write(at+"/deep/er", "FOUR")
	s.user().write(at+"/new", "five")
	s.user().remove(at + "/A")
	s.scan()
	sync(a, s)
	wantSame(a, s)
	a.wantFile("Photos/deep/er", "FOUR")
	a.wantFile("Photos/new", "five")
	a.wantNames("Photos Photos/deep Photos/deep/er Photos/new photos photos/a photos/b")

	events := len(s.log)
	a.user().rename("photos", "old")
	a.scan()
	sync(a, s)
	wantSame(a, s)
	s.wantNames("Photos Photos/deep Photos/deep/er Photos/new old old/a old/b")
	if n := len(s.log) - events; n != 1 {
		t.Errorf("%d events for one rename", n)
	}

	a.user().rename("old", "PHOTOS")
	a.scan()
	sync(a, s)
	wantSame(a, s)
	s.user().remove("Photos") // the older directory, which is now the elder
	s.scan()
	sync(a, s)
	wantSame(a, s)
	if a.tree() != s.tree() || strings.Contains(s.names(), "~c") {
		t.Errorf("it has %s", s.names())
	}
}

func TestARenameOfCaseAloneArrivesAsARename(t *testing.T) {
	a, s := withStick(t, func(u user) {
		u.write("photo.jpg", "one")
		u.write("d/x", "two")
		u.write("caf\u00e9", "three")
	})
	logged := len(s.log)
	a.user().rename("photo.jpg", "Photo.jpg")
	a.user().rename("d", "D")
	a.user().rename("caf\u00e9", "cafe\u0301")
	a.scan()
	sync(a, s)
	wantSame(a, s)
	wantIdle(t, s)
	s.wantNames("D D/x Photo.jpg cafe\u0301")
	if n := len(s.log) - logged; len(s.log) != len(a.log) || slices.ContainsFunc(s.ops(logged), func(op Op) bool { return op.Kind != OpMove }) {
		t.Errorf("%d events, which say %+v", n, s.ops(logged))
	}
	logged = len(s.log)
	s.user().rename("Photo.jpg", "PHOTO.jpg")
	s.scan()
	s.wantOps(logged, OpMove)
	sync(a, s)
	wantSame(a, s)
	a.wantFile("PHOTO.jpg", "one")
}

func TestAUsersFileOfAProjectedNameIsAFileLikeAnyOther(t *testing.T) {
	_, _, alias := twoPhotos(t)
	a, s := withStick(t, func(u user) { u.write("photo.jpg", "one") })
	s.user().write(alias, "mine")
	s.scan()
	a.user().write("Photo.jpg", "two")
	a.scan()
	sync(a, s)
	wantSame(a, s)
	a.wantFile(alias, "mine")
	s.wantFile(alias, "mine")
	if at := s.lies("Photo.jpg"); at == alias || at == "" {
		t.Errorf("the other lies at %q", at)
	}
	s.user().remove(alias)
	s.scan()
	sync(a, s)
	wantSame(a, s)
	a.wantNames("Photo.jpg photo.jpg")
}

func TestAFileThatAUserPutWhereAProjectedOneIsToGoStays(t *testing.T) {
	_, _, alias := twoPhotos(t)
	for _, back := range []bool{false, true} {
		a, s := withStick(t, func(u user) { u.write("photo.jpg", "one") })
		a.user().write("Photo.jpg", "two")
		a.scan()
		in := alias
		if back { // the collision is over, and its name is taken
			sync(a, s)
			a.user().remove("photo.jpg")
			a.scan()
			in = "PHOTO.JPG"
		}
		s.onApply = func(store.Change) error {
			if s.onApply != nil {
				s.onApply = nil
				s.user().rename("photo.jpg", "kept.jpg")
				s.user().write(in, "mine")
			}
			return nil
		}
		sync(a, s)
		wantSame(a, s)
		s.scan()
		sync(a, s)
		wantSame(a, s)
		if !strings.Contains(a.tree(), `"mine"`) || !strings.Contains(a.tree(), `"two"`) {
			t.Errorf("back %v: it has\n%s", back, a.tree())
		}
	}
}

func TestNamesThatADiskRefusesLieUnderOthers(t *testing.T) {
	long := strings.Repeat("x", 250) + ".jpg"
	a, s := withStick(t, func(u user) {
		u.write("at 12:30?.jpg", "one")
		u.write("at 12?30:.jpg", "two")
		u.write("at 12_30_.jpg", "three")
		u.write("con.txt", "four")
		u.write("end./inner.", "five")
		u.write(long, "six")
		u.write("\u202e<>", "seven")
		u.write("d/.ZSYNC/x", "eight")
	})
	wantIdle(t, s)
	s.wantFile("at 12_30_.jpg", "three")
	s.wantFile(long, "six")
	for path, text := range map[zsync.Path]string{"at 12:30?.jpg": "one", "con.txt": "four", "end./inner.": "five", "d/.ZSYNC/x": "eight"} {
		at := s.lies(path)
		s.wantFile(at, text)
		if !strings.Contains(at, "~c") {
			t.Errorf("%s lies at %s", path, at)
		}
	}
	s.user().write(s.lies("end./inner."), "FIVE")
	s.user().rename(s.lies("con.txt"), "console.txt")
	s.user().remove(s.lies("at 12?30:.jpg"))
	s.scan()
	sync(a, s)
	wantSame(a, s)
	a.wantFile("end./inner.", "FIVE")
	a.wantFile("console.txt", "four")
	if strings.Contains(a.names(), "~c") || strings.Contains(a.names(), "12?30:") {
		t.Errorf("the other has %s", a.names())
	}
}

func TestADiskWithShortNamesHoldsLongOnes(t *testing.T) {
	a, s := withStick(t, func(u user) { u.write("x", "one") })
	s.fact(func(tx kv.Tx) { s.rep.SetNature(tx, store.Nature{Long: 143}) })
	name := strings.Repeat("long", 50) + ".jpg"
	a.user().write(name, "two")
	a.user().write("d"+name+"/inside", "three")
	a.scan()
	sync(a, s)
	at := s.lies(zsync.Path(name))
	if s.wantFile(at, "two"); len(at) > 143 || !strings.HasSuffix(at, ".jpg") {
		t.Errorf("it lies at %q, of %d octets", at, len(at))
	}
	s.wantFile(s.lies(zsync.Path("d"+name+"/inside")), "three")
}

func TestAnotherNatureGivesNamesBack(t *testing.T) {
	_, s, alias := twoPhotos(t)
	s.fact(func(tx kv.Tx) {
		s.rep.SetNature(tx, store.Nature{})
		s.rep.Advance(tx, s.now)
	})
	for range 20 {
		for s.run() {
		}
		s.pass(s.now)
	}
	s.wantFile(alias, "two") // the disk is as it was, and does not take it
	s.fact(func(tx kv.Tx) {
		s.rep.SetNature(tx, store.Nature{Cases: true, Forms: true, Strict: true})
		s.rep.Advance(tx, s.now)
	})
	s.rest()
	if at := s.lies("Photo.jpg"); at != alias || !s.status().Idle {
		t.Errorf("it lies at %q: %+v", at, s.status())
	}
}

func TestADiskWhoseRecordsAreLostKeepsItsProjectedNamesToItself(t *testing.T) {
	a, s := withStick(t, func(u user) {
		u.write("photo.jpg", "one")
		u.write("photos/x", "three")
	})
	a.user().write("Photo.jpg", "two")
	a.user().write("Photos/x", "four")
	a.scan()
	sync(a, s)
	wantSame(a, s)
	logged, names := len(s.log), s.names()
	s.fact(func(tx kv.Tx) { s.rep.ForgetDisk(tx) })
	s.reopen()
	sync(a, s)
	wantSame(a, s)
	if s.names() != names || len(s.log) != logged {
		t.Errorf("it has %q, was %q, and logged %+v", s.names(), names, s.ops(logged))
	}
}

func TestWhyAndTheListSayUnderWhichNameAThingLies(t *testing.T) {
	_, s, alias := twoPhotos(t)
	if r := s.why("Photo.jpg"); r.Code != CodeInSync || !strings.Contains(r.Why, alias) {
		t.Errorf("of the path it says %+v", r)
	}
	if r := s.why(zsync.Path(alias)); r.Code != CodeInSync || !strings.Contains(r.Why, `"Photo.jpg"`) {
		t.Errorf("of the name on the disk it says %+v", r)
	}
	if r := s.why("photo.jpg"); r.Code != CodeInSync || r.Why != "" {
		t.Errorf("of the other it says %+v", r)
	}
	_ = s.db.View(func(tx kv.Tx) error {
		items, _ := s.rep.Items(tx, "")
		for _, item := range items {
			if want := map[zsync.Path]zsync.Name{"Photo.jpg": zsync.Name(alias)}[item.Path]; item.As != want || !item.Here {
				t.Errorf("%s is here as %q (%v)", item.Path, item.As, item.Here)
			}
		}
		return nil
	})
}

func TestPowerFailsAtAnyStepOfAProjectionAndOfItsEnd(t *testing.T) {
	ends := map[string]func(u user){
		"begin": func(user) {},
		"end":   func(u user) { u.remove("photo.jpg"); u.rename("d", "e") },
		"swap": func(u user) {
			u.rename("photo.jpg", "t")
			u.rename("Photo.jpg", "photo.jpg")
			u.rename("t", "PHOTO.jpg")
		},
		"spell": func(u user) { u.rename("alone", "Alone"); u.rename("sub", "Sub") },
	}
	for name, end := range ends {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for n := range 200 {
				a, s := withStick(t, func(u user) {
					u.write("photo.jpg", "one")
					u.write("d/x", "two")
					u.write("alone", "three")
					u.write("sub/x", "four")
				})
				a.user().write("Photo.jpg", "TWO")
				a.user().write("D/x", "three")
				a.scan()
				if name != "begin" {
					sync(a, s)
				}
				end(a.user())
				a.scan()
				s.learn(a, -1)
				if !crashAt(t, s, n) {
					sync(a, s)
					wantSame(a, s)
					return
				}
				sync(a, s)
				wantSame(a, s)
			}
		})
	}
}

// crashAt cuts the power of a box at one of its next steps, and starts it again: it
// logs nothing of its own. It is false when there were no more steps.
func crashAt(t *testing.T, b *box, step int) bool {
	t.Helper()
	b.disk.User().Settle()
	before := b.contents()
	b.disk.CrashAt(b.disk.Steps() + 1 + step)
	b.applying = true
	for range 60 {
		if !b.run() && b.root.Check() == nil {
			b.pass(b.rep.Deadline())
		}
	}
	through := b.root.Check() == nil
	b.applying = false
	b.disk = b.disk.Crash()
	b.deaths++
	events := len(b.log)
	b.start()
	b.rest()
	b.wantContents(before)
	b.wantOps(events)
	return !through
}

// Any history of users ends with equal folders on disks of all natures.
func TestDisksOfAllNaturesAgreeAfterAnyHistory(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		boxes := rapid.IntRange(2, 4).Draw(t, "boxes")
		sticks := rapid.IntRange(1, boxes-1).Draw(t, "sticks")
		w := newHouseholdOn(t, boxes, true, func(box int, disk *crashfs.FS) {
			if box < sticks {
				stick(disk)
			}
		})
		w.names, w.dirs = "aAbB?", "dDeE"
		for range rapid.IntRange(1, 40).Draw(t, "steps") {
			w.step()
		}
		w.end()
	})
}
