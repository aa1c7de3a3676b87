package main

import (
	"strings"
	"testing"
	"time"

	"github.com/zsync/zsync/internal/control"
)

func TestDoctorNamesADeviceWhoseClockIsMoreThanAMinuteOff(t *testing.T) {
	t.Parallel()
	ahead := func(name string, by time.Duration) control.Device {
		return control.Device{Device: name, Name: name, Linked: true, Clock: by.Milliseconds()}
	}
	gone := ahead("gone", time.Hour)
	gone.Linked = false
	c := &checkup{home: home{dir: t.TempDir()}, status: control.Status{
		Circle: []control.Device{ahead("box", -20*time.Second), ahead("unknown", 0), gone},
		Folders: []control.Folder{
			{Devices: []control.Device{ahead("box", -90*time.Second), ahead("phone", 2*time.Hour)}}, // the box sent this late
			{Devices: []control.Device{ahead("tablet", -3*time.Minute)}},
		},
	}}
	c.checkClock()
	var said []string
	for _, f := range c.found {
		if f.Area != "clock" {
			t.Errorf("%+v", f)
		}
		said = append(said, f.Level+" "+f.Says)
	}
	want := []string{
		"ok it is ", "ok that of box is within a minute of it",
		"warn the clock of phone is 2h0m0s ahead of this device's", "warn the clock of tablet is 3m0s behind this device's",
	}
	if len(said) != len(want) {
		t.Fatalf("it says %q", said)
	}
	for i := range want {
		if !strings.HasPrefix(said[i], want[i]) {
			t.Errorf("it says %q, want %q", said[i], want[i])
		}
	}
}
