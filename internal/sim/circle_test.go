package sim_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/zsync/zsync/internal/disk"
	"github.com/zsync/zsync/internal/sim"
)

// orders returns every order of the numbers below n.
func orders(n int) (all [][]int) {
	if n == 0 {
		return [][]int{nil}
	}
	for _, order := range orders(n - 1) {
		for at := range n {
			longer := append(append(append([]int(nil), order[:at]...), n-1), order[at:]...)
			all = append(all, longer)
		}
	}
	return all
}

// startApart has devices that were paired while all were off, each with every other,
// start in an order, and wants them in one circle and with the same files.
func startApart(t *testing.T, seed uint64, order []int, gap time.Duration) {
	t.Helper()
	w := sim.NewWorld(seed, disk.Carry)
	for i := range order {
		w.Add(fmt.Sprintf("device%d", i)).Watch()
	}
	load := sim.NewWorkload(w)
	use(t, seed, w, load, 10, nothing)
	if err := w.PairApart(); err != nil {
		t.Fatalf("seed %d: %v", seed, err)
	}
	for _, i := range order {
		w.Nodes[i].Start()
		if err := w.Run(gap); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
	}
	err := w.RunUntil(time.Minute, w.OneCircle)
	if err == nil {
		err = w.RunUntil(2*time.Minute, w.Converged)
	}
	if err == nil {
		err = load.Ledger.Check()
	}
	if err != nil {
		t.Errorf("seed %d, order %v, %v apart: %v", seed, order, gap, err)
	}
}

// gaps are so short that the devices found their circles at one time, and so long
// that each meets the others in one.
var gaps = []time.Duration{0, 3 * time.Millisecond, 10 * time.Millisecond, 150 * time.Millisecond, 20 * time.Second}

func TestDevicesThatWerePairedWhileAllWereOffEndInOneCircleInEveryOrder(t *testing.T) {
	for _, devices := range []int{3, 4} {
		for n, order := range orders(devices) {
			for _, seed := range allSeeds(t, 1) {
				startApart(t, 1000+seed*100+uint64(n), order, gaps[n%len(gaps)])
			}
		}
	}
}
