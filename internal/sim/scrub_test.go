package sim_test

import (
	"testing"
	"time"

	"github.com/zsync/zsync/internal/disk"
	"github.com/zsync/zsync/internal/sim"
)

// A power cut at any step of the disk while damage is put right costs nothing but one
// more scrub.
func TestDamageIsPutRightWhateverStepThePowerGoesAt(t *testing.T) {
	for step := range 14 {
		p := &sim.Play{World: sim.NewWorld(1, disk.Carry)}
		p.Ledger = sim.NewLedger(p.World)
		p.Add("one").Watch()
		p.Add("two").Watch()
		p.Pair(p.Nodes[0], p.Nodes[1])
		p.Write(0, "a.txt", "good")
		p.Wait(5 * time.Second)
		p.Settle()
		p.Wait(10 * time.Second) // until it is old enough to be trusted
		p.Rot(1, "a.txt", "evil")
		p.Nodes[1].CrashAtStep(step) // 0: not at all
		for range 3 {
			p.Scrub(1)
			p.Wait(15 * time.Second)
		}
		p.Settle()
		if err := p.Err(); err != nil {
			t.Errorf("step %d: %v", step, err)
		}
		if err := p.Ledger.Check(); err != nil {
			t.Errorf("step %d: %v", step, err)
		}
		for _, n := range p.Nodes {
			if got := n.Content("a.txt"); got != "good" {
				t.Errorf("step %d: %s has %q", step, n.Name, got)
			}
		}
	}
}
