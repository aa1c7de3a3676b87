package main

import (
	"io"
	"path/filepath"
	"sync"
	"testing"

	"github.com/zsync/zsync"
)

func TestFirstCommandsThatRunAtOnceMakeOneDevice(t *testing.T) {
	for range 30 {
		makeOneDevice(t)
	}
}

func makeOneDevice(t *testing.T) {
	t.Helper()
	p := &program{stdout: io.Discard, stderr: io.Discard, homeDir: filepath.Join(t.TempDir(), "home")}
	const commands = 16
	devices := make([]zsync.DeviceID, commands)
	var group sync.WaitGroup
	for i := range commands {
		group.Go(func() {
			keys, err := p.loadOrMakeKeys(false)
			if err != nil {
				t.Error(err)
				return
			}
			devices[i] = keys.Device()
		})
	}
	group.Wait()
	for _, device := range devices {
		if device != devices[0] {
			t.Fatalf("two devices in one home: %s and %s", device, devices[0])
		}
	}
}
