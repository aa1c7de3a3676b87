package sim_test

import (
	"errors"
	"testing"
	"time"

	"github.com/zsync/zsync/internal/disk"
	"github.com/zsync/zsync/internal/sim"
)

func TestTheLedgerCountsTheOctetsOfAllThatIsLost(t *testing.T) {
	w := sim.NewWorld(1, disk.Carry)
	w.Add("one").Watch()
	load := sim.NewWorkload(w)
	load.Fill(w.Nodes[0], 3) // "content 0 of many\n" and so on
	if err := w.Run(time.Minute); err != nil {
		t.Fatal(err)
	}
	if err := load.Ledger.Check(); err != nil {
		t.Error(err)
	}
	for _, path := range []string{"many 1.txt", "many 2.txt"} {
		w.Nodes[0].Disks["Photos"].User().Remove(path) // and nobody says that it was a person
	}
	var lost *sim.LostError
	if err := load.Ledger.Check(); !errors.As(err, &lost) || lost.Octets != 36 {
		t.Errorf("got %v", err)
	}
}
