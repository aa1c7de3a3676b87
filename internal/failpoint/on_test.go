//go:build failpoint

package failpoint

import (
	"os"
	"os/exec"
	"testing"
)

func TestTheProcessIsKilledAtThePointAndTheCountNamed(t *testing.T) {
	for order, dies := range map[string]bool{
		"rename:3": true,
		"rename:4": false,
		"hash:1":   true,
		"hash:2":   false,
		"":         false,
	} {
		child := exec.Command(os.Args[0], "-test.run", "^TestComesByAllPoints$")
		child.Env = append(os.Environ(), variable+"="+order, "COME_BY=yes")
		out, err := child.CombinedOutput()
		if killed := !child.ProcessState.Exited(); killed != dies {
			t.Errorf("%q: killed %t, not %t: %v\n%s", order, killed, dies, err, out)
		}
	}
}

// TestComesByAllPoints is what the processes above do.
func TestComesByAllPoints(t *testing.T) {
	if os.Getenv("COME_BY") == "" {
		t.Skip("for a process of its own")
	}
	for _, point := range []Point{Rename, Hash, Rename, Rename} {
		Reach(point)
	}
}
