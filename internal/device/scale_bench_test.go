//go:build unix

package device

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/zsync/zsync/internal/kv/bolt"
)

// scales are the numbers of files whose cost is told: it is to be the same for each.
var scales = []int{20_000, 100_000, 1_000_000}

// scaled is a folder's machine with so many files on a disk that is made up, and a
// database on one that is not.
type scaled struct {
	*benchCopy
	path  string
	files int
	idle  uint64 // octets of the heap without the machine
}

func newScaled(b *testing.B, files int) *scaled {
	b.Helper()
	s := &scaled{benchCopy: newBenchCopy(b, "one"), path: filepath.Join(b.TempDir(), "db"), files: files}
	s.fill(files)
	s.cfg.Space = s.found()
	s.idle = heapOctets()
	return s
}

func heapOctets() uint64 {
	var stats runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&stats)
	return stats.HeapAlloc
}

// run opens the machine, lets it come to rest, and tells what that cost.
func (s *scaled) run(b *testing.B) {
	b.Helper()
	s.cost, s.longest = 0, 0
	var db *bolt.Store
	s.timed(func() {
		var err error
		db, err = bolt.Open(s.path)
		must(b, err)
	})
	s.longest = 0 // that is no turn
	s.openOn(db, s.cfg.Space)
	settle(s.benchCopy)
	if n := s.benchCopy.files(); n != int64(s.files) {
		b.Fatalf("%d files", n)
	}
	perFile := func(octets uint64) float64 { return float64(octets) / float64(s.files) }
	b.ReportMetric(float64(s.cost)/float64(time.Microsecond)/float64(s.files), "cpu-us/file")
	b.ReportMetric(float64(s.longest)/float64(time.Millisecond), "longest-turn-ms")
	b.ReportMetric(perFile(heapOctets()-s.idle), "heap-octets/file")
	info, err := os.Stat(s.path)
	must(b, err)
	b.ReportMetric(perFile(uint64(info.Size())), "database-octets/file")
	runtime.KeepAlive(s.machine)
	s.machine = nil
	must(b, db.Close())
}

// BenchmarkFirstIndex: a first scan finds the files; they become events and D.
func BenchmarkFirstIndex(b *testing.B) {
	for _, files := range scales {
		b.Run(fmt.Sprint(files), func(b *testing.B) {
			for range b.N {
				b.StopTimer()
				newScaled(b, files).run(b)
			}
		})
	}
}

// BenchmarkRestart: the device starts again, and nothing has changed.
func BenchmarkRestart(b *testing.B) {
	for _, files := range scales {
		b.Run(fmt.Sprint(files), func(b *testing.B) {
			for range b.N {
				b.StopTimer()
				s := newScaled(b, files)
				s.run(b)
				s.run(b)
			}
		})
	}
}
