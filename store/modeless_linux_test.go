package store

import (
	"errors"
	"strings"
	"testing"

	"github.com/zsync/zsync"
)

// stick is a disk that keeps no modes and whose times are of two seconds.
type stick struct{ FS }

func (s stick) Dir(path string) (Dir, error) {
	dir, err := s.FS.Dir(path)
	if err != nil {
		return nil, err
	}
	return stickDir{dir}, nil
}

type stickDir struct{ Dir }

func (d stickDir) Stat(name string) (Stat, error) {
	stat, err := d.Dir.Stat(name)
	stat.Mode = 0o777
	return stat, err
}

func (d stickDir) Chmod(string, uint32) error { return nil }

func (d stickDir) SetMtime(name string, ns int64) error {
	return d.Dir.SetMtime(name, ns-ns%2e9)
}

func (d stickDir) Rename(name string, to Dir, toName string, how RenameMode) error {
	return d.Dir.Rename(name, to.(stickDir).Dir, toName, how)
}

func TestADiskWithoutModesShowsTheSameAfterAPlaceAsInAListing(t *testing.T) {
	disk, err := OpenOS(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	root, err := Open(stick{disk}, Options{Reserve: -1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = root.Close() })
	const odd = 1_577_836_801_123_456_789
	results := root.Apply([]Change{
		{Op: OpMkdir, Path: "d", Mode: 0o700},
		{Op: OpSymlink, Path: "l", Target: "d", MtimeNS: odd},
	}, false)
	listed := root.List("").Entries
	if len(listed) != 2 {
		t.Fatalf("%+v", results)
	}
	for i, e := range listed {
		if results[i].Err != nil || e.Stat.Mode != results[i].Stat.Mode || e.Stat.MtimeNS != results[i].Stat.MtimeNS {
			t.Errorf("made as %+v, listed as %+v", results[i], e.Stat)
		}
	}
	dir, err := root.fs.Dir("")
	if err != nil {
		t.Fatal(err)
	}
	defer dir.Close()
	if err := dir.Write("f", nil); err != nil {
		t.Fatal(err)
	}
	a := &applier{root: root}
	stat, err := a.dressed(source{dir: dir, name: "f", stat: Stat{Type: zsync.TypeFile, Mode: plainFileMode}}, Change{Op: OpPlace, Mode: 0o600, MtimeNS: odd})
	if now, _ := dir.Stat("f"); err != nil || stat != now || now.Mode != plainFileMode {
		t.Errorf("placed as %+v, listed as %+v, %v", stat, now, err)
	}
}

func TestANameThatTheDiskCannotHoldIsToldApart(t *testing.T) {
	disk, err := OpenOS(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = disk.Close() })
	top, err := disk.Dir("")
	if err != nil {
		t.Fatal(err)
	}
	defer top.Close()
	if err := top.Mkdir("d", 0o755); err != nil {
		t.Fatal(err)
	}
	long := strings.Repeat("x", 300)
	for what, err := range map[string]error{
		"mkdir": top.Mkdir(long, 0o755), "symlink": top.Symlink(long, "x"), "rename": top.Rename("d", top, long, NoReplace),
	} {
		if !errors.Is(err, ErrUnfit) {
			t.Errorf("%s: %v", what, err)
		}
	}
}
