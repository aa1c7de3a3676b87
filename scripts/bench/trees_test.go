package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

func TestAScaledTreeHasFewerFilesAndALoneFileIsSmaller(t *testing.T) {
	made, err := sources(t.TempDir(), []tree{small(200), oneFile(4 << 20)}, 4)
	if err != nil {
		t.Fatal(err)
	}
	if made[0].files != 50 || made[1].files != 1 {
		t.Errorf("%+v", made)
	}
	info, err := os.Stat(filepath.Join(made[1].dir, theFile))
	if err != nil || info.Size() != 1<<20 {
		t.Errorf("%v, %v", info, err)
	}
}

func TestAnInsertionKeepsWhatIsAroundIt(t *testing.T) {
	dir := t.TempDir()
	from, to := filepath.Join(dir, "from"), filepath.Join(dir, "to")
	old := bytes.Repeat([]byte("abcdefgh"), 1000)
	if err := os.WriteFile(from, old, 0o600); err != nil {
		t.Fatal(err)
	}
	size, err := insert(from, to)
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(to)
	if err != nil || int64(len(got)) != size || len(got) != len(old)+insertedOctets {
		t.Fatalf("%d octets, said to be %d, %v", len(got), size, err)
	}
	if !bytes.HasPrefix(got, old[:4000]) || !bytes.HasSuffix(got, old[4000:]) {
		t.Error("what is around it has changed")
	}
}

func TestARunGivesItsBytesBackAndNotThoseOfTheSource(t *testing.T) {
	dir := t.TempDir()
	mine, shared, source := filepath.Join(dir, "run", "mine"), filepath.Join(dir, "run", "shared"), filepath.Join(dir, "source")
	if err := os.Mkdir(filepath.Join(dir, "run"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{mine, source} {
		if err := os.WriteFile(path, []byte("octets"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Link(source, shared); err != nil {
		t.Fatal(err)
	}
	sizes := func() (sizes [2]int64) {
		for i, path := range []string{mine, source} {
			info, err := os.Stat(path)
			if err != nil {
				t.Fatal(err)
			}
			sizes[i] = info.Size()
		}
		return sizes
	}
	b := &bench{keep: true}
	if err := b.emptied(filepath.Join(dir, "run"), whatIsNotShared); err != nil || sizes() != [2]int64{6, 6} {
		t.Errorf("kept: %v, %v", sizes(), err)
	}
	b.keep = false
	if err := b.emptied(filepath.Join(dir, "run"), whatIsNotShared); err != nil || sizes() != [2]int64{0, 6} {
		t.Errorf("given back: %v, %v", sizes(), err)
	}
	if err := b.emptied(filepath.Join(dir, "none"), everything); err != nil {
		t.Errorf("of what is not there: %v", err)
	}
}
