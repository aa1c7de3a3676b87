package sim_test

import (
	"slices"
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

// A device whose home went back in time says something else at a place in its history
// that it had filled already, and from there on nothing of that counts: so what had been
// replaced there is a version again. Its bytes were on one disk only, and are gone.
func TestNobodyWaitsForWhatWasReplacedInAHistoryThatCountsNoMore(t *testing.T) {
	p := &sim.Play{World: sim.NewWorld(1, disk.Carry)}
	p.Ledger = sim.NewLedger(p.World)
	p.Add("one").Watch()
	p.Add("two").Watch()
	p.Pair(p.Nodes[0], p.Nodes[1])
	p.Write(one, "a.txt", "before")
	p.Wait(5 * time.Second)
	p.Settle()
	apart := func(cut bool) { p.Cut(p.Nodes[0], p.Nodes[1], cut) }
	apart(true)
	p.Write(one, "a.txt", "replaced")
	p.Write(one, "b.txt", "deleted")
	p.Wait(5 * time.Second)
	putBack := p.Nodes[0].KeepHome()
	p.Write(one, "a.txt", "after")
	p.Remove(one, "b.txt")
	p.Wait(5 * time.Second)
	apart(false)
	p.Settle()
	apart(true)
	putBack()
	p.Wait(30 * time.Second)
	apart(false)
	p.Settle()
	if err := p.Err(); err != nil {
		t.Error(err)
	}
	if err := p.Ledger.Check(); err != nil {
		t.Error(err)
	}
	for node := range p.Nodes {
		if paths := p.Paths(node); !slices.Contains(paths, "a.txt") || slices.Contains(paths, "b.txt") {
			t.Errorf("device %d has %q", node, paths)
		}
	}
}
