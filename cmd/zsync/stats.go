package main

import (
	"fmt"
	"time"

	"github.com/zsync/zsync/internal/control"
)

// printStats shows what the device did since it started: the stages that it went
// through, and what it took of the machine. A row fits into 80 columns. There is
// nothing to show where nobody asked, or no device runs.
func (p *program) printStats(s *control.Stats) error {
	if s == nil {
		return nil
	}
	out := newTable(p.stdout)
	out.row()
	out.row("since the start, " + spent(1000*s.Seconds) + " ago")
	out.row("  stage", "times", "busy", "longest", "how much")
	for _, stage := range s.Stages {
		if stage.Times > 0 {
			out.row("  "+stage.Stage, figure(stage.Times), spent(stage.Busy), spent(stage.Longest), amountOf(stage))
		}
	}
	addProcess(out, s.Process)
	return out.flush()
}

func addProcess(out *table, p control.Process) {
	out.row()
	out.row(fmt.Sprintf("  CPU %s user, %s system, memory %s at most, %s", spent(1000*p.User), spent(1000*p.System),
		octets(p.PeakRSS), count(p.Goroutines, "goroutine")))
	out.row(fmt.Sprintf("  heap %s of %s, %s allocated, %s collections paused %s", octets(p.Heap), octets(p.HeapPeak),
		octets(p.Allocated), figure(int64(p.Collected)), spent(p.Paused)))
}

// amountOf tells over how much a stage went.
func amountOf(stage control.Stage) string {
	switch {
	case stage.Of == "":
		return ""
	case stage.Bytes == 0:
		return figure(stage.Items) + " " + stage.Of
	}
	return fmt.Sprintf("%s %s, %s", figure(stage.Items), stage.Of, octets(stage.Bytes))
}

// figure returns a number of which only the first digits matter.
func figure(n int64) string {
	if n < 1e6 {
		return fmt.Sprint(n)
	}
	return fmt.Sprintf("%.4gM", float64(n)/1e6)
}

// spent returns a time of so many milliseconds with three digits.
func spent(ms float64) string {
	switch {
	case ms < 1:
		return fmt.Sprintf("%.0f µs", 1000*ms)
	case ms < 1000:
		return fmt.Sprintf("%.3g ms", ms)
	case ms < 100_000:
		return fmt.Sprintf("%.3g s", ms/1000)
	}
	return (time.Duration(ms/1000) * time.Second).String()
}
