package main

import (
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
)

// ticksPerSecond is the unit of the times in /proc, the same on every Linux.
const ticksPerSecond = 100

// cpuSeconds returns what a process has computed, user and system; with its
// children, what those that have ended did too. 0 where the system does not tell.
func cpuSeconds(pid int, withChildren bool) float64 {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	own, children := timesOf(string(text))
	if withChildren {
		return own + children
	}
	return own
}

// timesOf reads a line of /proc/PID/stat. The second field, the name, may hold
// spaces and brackets; the times are 12 to 15 fields behind it.
func timesOf(stat string) (own, children float64) {
	fields := strings.Fields(stat[strings.LastIndexByte(stat, ')')+1:])
	if len(fields) < 15 {
		return 0, 0
	}
	ticks := func(i int) float64 {
		n, _ := strconv.ParseFloat(fields[i], 64) // the kernel writes numbers
		return n / ticksPerSecond
	}
	return ticks(11) + ticks(12), ticks(13) + ticks(14)
}

// The memory of a process, as /proc/PID/status names it.
const (
	resident     = "VmRSS:"
	residentPeak = "VmHWM:"
)

// memory returns a process's memory in MiB, 0 where the system does not tell.
func memory(pid int, which string) float64 {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	return memoryOf(string(text), which)
}

func memoryOf(status, which string) float64 {
	for line := range strings.Lines(status) {
		if rest, found := strings.CutPrefix(line, which); found {
			kib, _ := strconv.ParseFloat(strings.Fields(rest)[0], 64) // the kernel writes numbers
			return kib / 1024
		}
	}
	return 0
}

// versionOf asks a program what it is.
func versionOf(program string) (string, error) {
	out, err := exec.Command(program, "--version").Output()
	if err != nil {
		return "", fmt.Errorf("%s --version: %w", program, err)
	}
	return strings.TrimSpace(string(out)), nil
}
