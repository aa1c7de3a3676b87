package control

import (
	"context"
	"net/http"
	"runtime"
	"time"

	"github.com/zsync/zsync/internal/meter"
)

// queryStats asks a status to hold what the device did since it started.
const queryStats = "stats"

// Stats is what a running device did since it started, over all its folders.
type Stats struct {
	Since   string  `json:"since"`
	Seconds float64 `json:"seconds"`
	Stages  []Stage `json:"stages"` // in the order of the data path, all of them
	Process Process `json:"process"`
}

// Stage is what one stage of the data path did: see [meter.Stages].
type Stage struct {
	Stage   string  `json:"stage"`
	Times   int64   `json:"times"` // orders, batches or turns
	Items   int64   `json:"items"`
	Of      string  `json:"of"`      // what the items are; "": there are none
	Bytes   int64   `json:"bytes"`   // 0 where the stage has none
	Busy    float64 `json:"busy_ms"` // the sum over all that run it side by side
	Longest float64 `json:"longest_ms"`
}

// Process is what the device took of the machine since it started.
type Process struct {
	User       float64 `json:"cpu_user_seconds"` // those of all its threads, ZeroMQ's too; 0 where the system does not tell
	System     float64 `json:"cpu_system_seconds"`
	PeakRSS    int64   `json:"peak_rss_bytes"` // the most memory that it had; 0 where the system does not tell
	Goroutines int     `json:"goroutines"`
	Heap       uint64  `json:"heap_bytes"` // in use now
	HeapPeak   uint64  `json:"heap_reserved_bytes"`
	Collected  uint32  `json:"gc_times"`
	Paused     float64 `json:"gc_pause_ms"` // the sum
	Allocated  uint64  `json:"allocated_bytes"`
}

// Stats asks for the status with what the device did since it started. A device of an
// older version leaves that out.
func (c *Client) Stats(ctx context.Context) (st Status, err error) {
	err = c.ask(ctx, http.MethodGet, pathStatus+"?"+queryStats, nil, &st)
	return st, err
}

// statsOf reads the counters of a device that started at began.
func statsOf(began time.Time, stages *meter.Stages) *Stats {
	s := &Stats{
		Since: stamp(began), Seconds: float64(time.Since(began).Milliseconds()) / 1000,
		Stages: []Stage{}, Process: process(),
	}
	if stages == nil {
		return s
	}
	stages.Each(func(name, items string, stage *meter.Stage) {
		r := stage.Read()
		s.Stages = append(s.Stages, Stage{
			Stage: name, Times: r.Times, Items: r.Items, Of: items, Bytes: r.Octets, Busy: milliseconds(r.Busy), Longest: milliseconds(r.Longest),
		})
	})
	return s
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// process asks the system and the runtime. It stops all goroutines for some
// microseconds, so it is done only for a person who asks.
func process() (p Process) {
	var memory runtime.MemStats
	runtime.ReadMemStats(&memory)
	p.User, p.System, p.PeakRSS = used()
	p.Goroutines = runtime.NumGoroutine()
	p.Heap, p.HeapPeak, p.Allocated = memory.HeapAlloc, memory.HeapSys, memory.TotalAlloc
	p.Collected, p.Paused = memory.NumGC, milliseconds(time.Duration(memory.PauseTotalNs))
	return p
}
