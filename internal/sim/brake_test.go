package sim_test

import (
	"testing"
	"time"
)

// A mass deletion waits for the person at the device that it was made on, and
// reaches the others once that is confirmed.
func TestAMassDeletionReachesTheOthersOnceItIsConfirmed(t *testing.T) {
	for _, seed := range allSeeds(t, 3) {
		w, load := circle(t, seed, 3)
		load.Fill(w.Nodes[0], 120)
		settle(t, seed, w, load)
		load.Purge(w.Nodes[1], 100)
		if err := w.Run(time.Second); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		st, err := w.Nodes[1].Status()
		if err != nil || len(st.Held) != 1 {
			t.Fatalf("seed %d: held back: %+v, %v", seed, st.Held, err)
		}
		if n := len(w.Nodes[0].Disks["Photos"].User().Paths("")); n < 120 {
			t.Fatalf("seed %d: %d entries are left on another device before anybody confirmed", seed, n)
		}
		settle(t, seed, w, load)
		if w.Nodes[1].Confirmed == 0 {
			t.Errorf("seed %d: nobody was asked", seed)
		}
		st, err = w.Nodes[2].Status()
		if err != nil || st.Replica.Files != 20 {
			t.Errorf("seed %d: %d files, %v", seed, st.Replica.Files, err)
		}
	}
}
