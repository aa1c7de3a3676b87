package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// endTime is how long a device may take to end.
const endTime = 2 * time.Second

// TestADeviceEndsInTimeWhateverItIsDoing stops both ends of a transfer in the
// middle of it. That is how a device ends, so its exit code is 0.
func TestADeviceEndsInTimeWhateverItIsDoing(t *testing.T) {
	dir, err := os.MkdirTemp("", "z")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	laptop, box := newSide(t, dir, "laptop"), newSide(t, dir, "box")
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
		if took := time.Since(began); took > endTime {
			t.Errorf("%s took %s to end", s.name, took)
		}
	}
}

// TestAWaitThatIsInterruptedExitsWith130 stops a command that waits for what does
// not come.
func TestAWaitThatIsInterruptedExitsWith130(t *testing.T) {
	dir, err := os.MkdirTemp("", "z")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	laptop, box := newSide(t, dir, "laptop"), newSide(t, dir, "box")
	laptop.zsync("pair", "--key", box.key)
	laptop.start()
	laptop.up()
	for _, args := range [][]string{{"status", "--wait"}, {"pair", "--key", box.key, "--wait"}} {
		wait := exec.Command("zsync", append(args, "--home", laptop.home)...)
		if err := wait.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(500 * time.Millisecond)
		if err := wait.Process.Signal(os.Interrupt); err != nil {
			t.Fatal(err)
		}
		if err := wait.Wait(); err == nil || wait.ProcessState.ExitCode() != exitInterrupted {
			t.Errorf("zsync %v: %v", args, err)
		}
	}
}
