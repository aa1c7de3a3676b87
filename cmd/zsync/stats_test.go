package main

import (
	"bytes"
	"strings"
	"testing"

	"github.com/zsync/zsync/internal/control"
)

func TestTheFiguresOfABusyDeviceFitInto80Columns(t *testing.T) {
	stats := &control.Stats{
		Seconds: 9e6,
		Stages: []control.Stage{
			{Stage: "transfer-out", Times: 123_456_789, Items: 987_654_321, Of: "frames", Bytes: 999e12, Busy: 8e9, Longest: 99_999},
			{Stage: "flush", Times: 7, Busy: 0.25, Longest: 99.5},
			{Stage: "verify", Of: "files"},
		},
		Process: control.Process{
			User: 99_999, System: 99_999, PeakRSS: 999e9, Goroutines: 10_000, Heap: 999e9, HeapPeak: 999e9,
			Allocated: 999e12, Collected: 1_000_000, Paused: 99_999,
		},
	}
	var out bytes.Buffer
	if err := (&program{stdout: &out}).printStats(stats); err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(out.String()) {
		if n := columnsIn(strings.TrimSuffix(line, "\n")); n > 80 {
			t.Errorf("%d columns: %s", n, line)
		}
	}
	for _, want := range []string{"123.5M", "987.7M frames, 999 TB", "250 µs       99.5 ms\n", "2500h0m0s ago", "2222h13m20s"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, out.String())
		}
	}
	if strings.Contains(out.String(), "verify") {
		t.Errorf("a stage that never ran is shown:\n%s", out.String())
	}
}

func TestWithoutFiguresNothingIsShown(t *testing.T) {
	var out bytes.Buffer
	if err := (&program{stdout: &out}).printStats(nil); err != nil || out.Len() > 0 {
		t.Errorf("%v, %q", err, out.String())
	}
}
