package sim_test

import (
	"testing"
	"time"

	"github.com/zsync/zsync/internal/disk"
	"github.com/zsync/zsync/internal/sim"
)

func TestAFounderThatLostItsFoldersDatabaseHearsFromThoseItNoLongerKnows(t *testing.T) {
	for founder := range 2 {
		p := &sim.Play{World: sim.NewWorld(1, disk.Carry)}
		p.Ledger = sim.NewLedger(p.World)
		p.Add("one").Watch()
		p.Add("two").Watch()
		p.Pair(p.Nodes[0], p.Nodes[1])
		p.Write(one, "a.txt", "A")
		p.Wait(5 * time.Second)
		p.Settle()
		p.Nodes[founder].LoseDatabases()
		p.Write(1-founder, "b.txt", "B")
		p.Settle()
		if err := p.Err(); err != nil {
			t.Errorf("device %d: %v", founder, err)
		}
		if err := p.Ledger.Check(); err != nil {
			t.Errorf("device %d: %v", founder, err)
		}
	}
}
