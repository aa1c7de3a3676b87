//go:build unix

package control

import (
	"runtime"
	"syscall"
)

// used returns the processor time of the process in seconds, and the most memory that
// it had in octets.
func used() (user, system float64, peak int64) {
	var usage syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &usage) != nil {
		return 0, 0, 0
	}
	peak = int64(usage.Maxrss)
	if runtime.GOOS != "darwin" && runtime.GOOS != "ios" {
		peak <<= 10 // in KiB everywhere else
	}
	return seconds(usage.Utime), seconds(usage.Stime), peak
}

func seconds(t syscall.Timeval) float64 { return float64(t.Nano()) / 1e9 }
