package archtest

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
)

// failPoints is the package by which a test kills a device in the middle of its
// work, and reachThem are those that may say where: the ones that write to a disk.
const failPoints = "internal/failpoint"

var reachThem = []string{"store", "internal/disk", "internal/kv/bolt"}

func TestFailPointsAreWhereADiskIsWrittenAlone(t *testing.T) {
	for _, p := range packages(t) {
		reaches := slices.Contains(p.Imports, module+"/"+failPoints)
		if wanted := slices.Contains(reachThem, p.name()); reaches != wanted {
			t.Errorf("%s imports %s: %t; machines decide, and can be stopped between any two facts", p.name(), failPoints, reaches)
		}
		if p.name() == failPoints && len(p.Imports) > 0 {
			t.Errorf("%s imports %v in a release: there it can do nothing", p.name(), p.Imports)
		}
	}
}

func TestAReleaseKnowsNothingOfFailPoints(t *testing.T) {
	if testing.Short() {
		t.Skip("links the program")
	}
	program := filepath.Join(t.TempDir(), "zsync")
	build := exec.Command("go", "build", "-trimpath", "-o", program, "./cmd/zsync")
	build.Dir = root
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	octets, err := os.ReadFile(program)
	if err != nil {
		t.Fatal(err)
	}
	for _, word := range []string{"failpoint", "FAILPOINT"} { // symbols and paths of sources; the environment
		if bytes.Contains(octets, []byte(word)) {
			t.Errorf("the program has %q in it: a place that can kill it was not compiled out", word)
		}
	}
}
