package archtest

import (
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// needC lists the packages that lead to the ZeroMQ binding, which is C. Without
// them, everything that decides can be built and tested anywhere.
var needC = []string{"internal/zeromq", "zre/node", "cmd/zsync", "examples/...", "scripts/..."}

func TestCoreBuildsWithoutC(t *testing.T) {
	if testing.Short() {
		t.Skip("compiles most of the module a second time")
	}
	arguments := []string{"build"}
	for _, p := range packages(t) {
		if !slices.ContainsFunc(needC, func(name string) bool { return covers(name, p.name()) }) {
			arguments = append(arguments, p.ImportPath)
		}
	}
	build := exec.Command("go", arguments...)
	build.Dir = root
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("CGO_ENABLED=0 go %s: %v\n%s", strings.Join(arguments, " "), err, out)
	}
}

func TestNoPackageHasCOfItsOwnButTheBinding(t *testing.T) {
	for _, p := range packages(t) {
		if len(p.CgoFiles) > 0 && p.name() != "internal/zeromq" {
			t.Errorf("%s has C in %s", p.name(), strings.Join(p.CgoFiles, ", "))
		}
	}
}
