package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// TestADeviceEndsInTimeWhateverItIsDoing stops both ends of a transfer in the
// middle of it. That is how a device ends, so its exit code is 0.
func TestADeviceEndsInTimeWhateverItIsDoing(t *testing.T) {
	t.Parallel()
	sides := newSides(t, "laptop", "box")
	laptop, box := sides[0], sides[1]
	laptop.zsync("pair", "--key", box.key, "--peer", box.listen)
	box.zsync("pair", "--key", laptop.key)
	if err := writeNoise(filepath.Join(laptop.folder, "film.raw"), 300<<20); err != nil {
		t.Fatal(err)
	}
	laptop.start()
	box.start()
	staging := filepath.Join(box.folder, ".zsync", "tmp")
	for deadline := time.Now().Add(patience); octetsUnder(staging) < 20<<20; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("nothing arrives\n%s", box.said())
		}
	}
	for s, signal := range map[*side]os.Signal{laptop: os.Interrupt, box: syscall.SIGTERM} {
		began := time.Now()
		if err := s.process.Process.Signal(signal); err != nil {
			t.Fatal(err)
		}
		if err := s.process.Wait(); err != nil {
			t.Errorf("%s: %v\n%s", s.name, err, s.said())
		}
		t.Logf("%s took %s to end", s.name, time.Since(began)) // two seconds at most, on a machine with nothing else to do
	}
}

// TestAWaitThatIsInterruptedExitsWith130 stops a command that waits for what does
// not come.
func TestAWaitThatIsInterruptedExitsWith130(t *testing.T) {
	t.Parallel()
	sides := newSides(t, "laptop", "box")
	laptop, box := sides[0], sides[1]
	laptop.zsync("pair", "--key", box.key)
	laptop.start()
	laptop.up()
	for _, args := range [][]string{{"status", "--wait"}, {"pair", "--key", box.key, "--wait"}} {
		state := interrupted(t, append(args, "--home", laptop.home))
		if state.ExitCode() != exitInterrupted {
			t.Errorf("zsync %v: %v", args, state)
		}
	}
}

// interrupted runs a command that waits, and interrupts it. One that had not yet come
// so far that it heeds signals is given longer, since a machine may be slow.
func interrupted(t *testing.T, args []string) *os.ProcessState {
	t.Helper()
	for after := 200 * time.Millisecond; ; after *= 2 {
		wait := exec.Command("zsync", args...)
		must(t, wait.Start())
		time.Sleep(after)
		must(t, wait.Process.Signal(os.Interrupt))
		_ = wait.Wait() // the state tells how it ended
		status, is := wait.ProcessState.Sys().(syscall.WaitStatus)
		if !is || !status.Signaled() || after > patience {
			return wait.ProcessState
		}
	}
}
