package sim_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/zsync/zsync/internal/disk"
	"github.com/zsync/zsync/internal/sim"
)

var pairingOrders = [][3]int{{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}}

// grown makes three devices that each watched a folder of one label, which people
// filled before any two of them met.
func grown(t *testing.T, seed uint64) (*sim.World, *sim.Workload) {
	t.Helper()
	w := sim.NewWorld(seed, disk.Carry)
	for i := range 3 {
		w.Add(fmt.Sprintf("device%d", i)).Watch()
	}
	load := sim.NewWorkload(w)
	use(t, seed, w, load, 60, nothing)
	return w, load
}

// pairWhileUsed pairs the first two, and then the third with one of them, while
// people go on; with time between, since circles founded apart cannot be joined.
func pairWhileUsed(t *testing.T, seed uint64, w *sim.World, load *sim.Workload, order [3]int, between func()) {
	t.Helper()
	x, y, z := w.Nodes[order[0]], w.Nodes[order[1]], w.Nodes[order[2]]
	for _, two := range [][2]*sim.Node{{x, y}, {z, []*sim.Node{x, y}[seed%2]}} {
		for range 3 { // a person whose device went off while it was told tells it again
			w.Pair(two[0], two[1])
			use(t, seed, w, load, 15, between)
			w.Mend()
			if err := w.Run(8 * time.Second); err != nil {
				t.Fatalf("seed %d: %v", seed, err)
			}
		}
	}
}

func TestFullFoldersBecomeOneInEveryOrderOfPairingWhileTheyAreUsed(t *testing.T) {
	for _, seed := range allSeeds(t, 12) {
		w, load := grown(t, 800+seed)
		pairWhileUsed(t, seed, w, load, pairingOrders[seed%6], nothing)
		settle(t, seed, w, load)
	}
}

func TestFullFoldersBecomeOneInEveryOrderOfPairingWhateverGoesWrong(t *testing.T) {
	for _, seed := range allSeeds(t, 12) {
		w, load := grown(t, 900+seed)
		pairWhileUsed(t, seed, w, load, pairingOrders[seed%6], w.Misfortune)
		settle(t, seed, w, load)
	}
}
