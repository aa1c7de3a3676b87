package sim_test

import (
	"crypto/sha256"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/zsync/zsync/internal/disk"
	"github.com/zsync/zsync/internal/sim"
)

// seeds returns how many seeds a test runs: its own number, times ZSYNC_SEEDS.
func seeds(n uint64) uint64 {
	times, err := strconv.ParseUint(os.Getenv("ZSYNC_SEEDS"), 10, 32)
	if err != nil {
		return n
	}
	return n * times
}

// allSeeds yields the seeds of a test: n from 0 on, times ZSYNC_SEEDS, and those
// that testdata/seeds.txt remembers.
func allSeeds(t *testing.T, n uint64) (all []uint64) {
	t.Helper()
	for seed := range seeds(n) {
		all = append(all, seed)
	}
	return append(all, remembered(t)...)
}

// remembered returns the seeds that testdata/seeds.txt has for a test.
func remembered(t *testing.T) (all []uint64) {
	t.Helper()
	text, err := os.ReadFile("testdata/seeds.txt")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		fields := strings.Fields(line)
		if len(fields) < 2 || fields[0] != t.Name() {
			continue
		}
		seed, err := strconv.ParseUint(fields[1], 10, 64)
		if err != nil {
			t.Fatalf("testdata/seeds.txt: %v", err)
		}
		all = append(all, seed)
	}
	return all
}

// circle makes some devices that watch one folder and are paired in a chain, so
// that the ends only meet through those between.
func circle(t *testing.T, seed uint64, devices int) (*sim.World, *sim.Workload) {
	t.Helper()
	w := sim.NewWorld(seed, disk.Carry)
	return w, chain(t, seed, w, devices)
}

func chain(t *testing.T, seed uint64, w *sim.World, devices int) *sim.Workload {
	t.Helper()
	for i := range devices {
		w.Add(fmt.Sprintf("device%d", i)).Watch()
	}
	// One after the other: two circles that were founded apart cannot be joined.
	for i := range devices - 1 {
		w.Pair(w.Nodes[i], w.Nodes[i+1])
		if err := w.Run(15 * time.Second); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
	}
	return sim.NewWorkload(w)
}

func settle(t *testing.T, seed uint64, w *sim.World, load *sim.Workload) {
	t.Helper()
	if err := w.RunUntil(5*time.Minute, w.Converged); err != nil {
		t.Fatalf("seed %d: %v", seed, err)
	}
	if err := load.Ledger.Check(); err != nil {
		t.Fatalf("seed %d: %v", seed, err)
	}
	if err := w.Idle(1); err != nil {
		t.Fatalf("seed %d: %v", seed, err)
	}
}

// use lets people work for a while, with something between any two things they do.
func use(t *testing.T, seed uint64, w *sim.World, load *sim.Workload, steps int, between func()) {
	t.Helper()
	for i := range steps {
		load.Step()
		between()
		if err := w.Run(150 * time.Millisecond); err != nil {
			t.Fatalf("seed %d, step %d: %v", seed, i, err)
		}
	}
}

func nothing() {}

func TestTwoDevicesThatNeverFailConverge(t *testing.T) {
	for _, seed := range allSeeds(t, 5) {
		w, load := circle(t, seed, 2)
		settle(t, seed, w, load)
		use(t, seed, w, load, 60, nothing)
		settle(t, seed, w, load)
	}
}

func TestDevicesThatMeetThroughOthersConverge(t *testing.T) {
	for _, seed := range allSeeds(t, 4) {
		w, load := circle(t, 100+seed, 3+int(seed)%3)
		settle(t, seed, w, load)
		use(t, seed, w, load, 80, nothing)
		settle(t, seed, w, load)
	}
}

func TestFoldersOfOneLabelBecomeOneInAnyOrderOfPairing(t *testing.T) {
	for _, seed := range allSeeds(t, 6) {
		w := sim.NewWorld(200+seed, disk.Carry)
		for i := range 3 {
			w.Add(fmt.Sprintf("device%d", i)).Watch()
		}
		load := sim.NewWorkload(w)
		use(t, seed, w, load, 40, nothing)
		w.Pair(w.Nodes[seed%3], w.Nodes[(seed+1)%3])
		if err := w.Run(20 * time.Second); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		w.Pair(w.Nodes[(seed+2)%3], w.Nodes[seed%3])
		settle(t, seed, w, load)
	}
}

func TestNothingIsLostWhateverGoesWrong(t *testing.T) {
	for _, seed := range allSeeds(t, 8) {
		w, load := circle(t, 300+seed, 2+int(seed)%3)
		settle(t, seed, w, load)
		use(t, seed, w, load, 120, w.Misfortune)
		w.Mend()
		settle(t, seed, w, load)
	}
}

func TestADiskThatTakesNamesForOneLosesNothingWhateverGoesWrong(t *testing.T) {
	for _, seed := range allSeeds(t, 3) {
		w := sim.NewWorld(350+seed, disk.Carry)
		w.Sticks = 1
		load := chain(t, seed, w, 5)
		settle(t, seed, w, load)
		use(t, seed, w, load, 120, w.Misfortune)
		w.Mend()
		settle(t, seed, w, load)
	}
}

func TestMessagesThatAreLostOrComeTwiceChangeNothing(t *testing.T) {
	for _, seed := range allSeeds(t, 5) {
		w, load := circle(t, 400+seed, 2+int(seed)%3)
		settle(t, seed, w, load)
		w.Lossy, w.Echo = 30, 30
		use(t, seed, w, load, 100, nothing)
		w.Mend()
		settle(t, seed, w, load)
	}
}

func TestMessagesAreLostForEverAndTheDevicesConvergeAllTheSame(t *testing.T) {
	for _, seed := range allSeeds(t, 3) {
		w, load := circle(t, 500+seed, 2)
		w.Lossy, w.Echo = 10, 10
		use(t, seed, w, load, 60, nothing)
		if err := w.RunUntil(10*time.Minute, w.Converged); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
	}
}

const year = 365 * 24 * time.Hour

func TestClocksThatAreYearsApartChangeNothing(t *testing.T) {
	for _, seed := range allSeeds(t, 5) {
		w := sim.NewWorld(600+seed, disk.Carry)
		w.Skew = 10 * year
		load := chain(t, seed, w, 2+int(seed)%3)
		settle(t, seed, w, load)
		use(t, seed, w, load, 100, w.Misfortune)
		w.Mend()
		settle(t, seed, w, load)
	}
}

func TestHoursInWhichNobodyDoesAnythingChangeNothing(t *testing.T) {
	w, load := circle(t, 650, 3)
	settle(t, 650, w, load)
	use(t, 650, w, load, 60, nothing)
	settle(t, 650, w, load)
	if err := w.Idle(200); err != nil { // each device looks through its folder three times
		t.Fatal(err)
	}
}

func TestOneSeedIsOneHistory(t *testing.T) {
	var sums [2][32]byte
	for i := range sums {
		w := sim.NewWorld(700, disk.Carry)
		sum := sha256.New()
		w.Trace, w.Skew, w.Lossy, w.Echo = sum, 10*year, 5, 5
		load := chain(t, 700, w, 3)
		use(t, 700, w, load, 100, w.Misfortune)
		w.Mend()
		settle(t, 700, w, load)
		sum.Sum(sums[i][:0])
	}
	if sums[0] != sums[1] {
		t.Fatal("the same seed gave two histories")
	}
}
