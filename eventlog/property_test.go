package eventlog

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/internal/kv"
)

// play lets rapid make up a history of devices that write, meet, part, restart
// and, when forks is set, come back from old copies of their database.
func play(r *rapid.T, forks bool) *network {
	names := []string{"ann", "bob", "cat", "dan", "eve"}[:rapid.IntRange(2, 5).Draw(r, "devices")]
	n := join(r, space(r, names...)...)
	lossy := rapid.IntRange(0, 4).Draw(r, "loss")
	n.drop = func() bool { return lossy > 0 && rapid.IntRange(0, 9).Draw(r, "drop") < lossy }
	n.double = func() bool { return rapid.IntRange(0, 9).Draw(r, "double") == 9 }
	n.delay = func() int { return rapid.IntRange(1, 400).Draw(r, "delay") }
	device := rapid.IntRange(0, len(names)-1)
	copies := make([]*kv.Memory, len(names))
	for range rapid.IntRange(1, 30).Draw(r, "steps") {
		i, j := device.Draw(r, "device"), device.Draw(r, "other")
		switch rapid.IntRange(0, 9).Draw(r, "what") {
		case 0, 1, 2:
			n.write(i, fmt.Sprint("by ", names[i], len(n.packets)))
		case 3, 4:
			n.link(i, j)
		case 5:
			n.unlink(i, j)
		case 6:
			n.restart(i, n.nodes[i].store)
		case 7:
			copies[i] = n.nodes[i].store.Image()
		case 8:
			if forks && copies[i] != nil {
				n.restart(i, copies[i].Image())
			}
		case 9:
			n.append(i, j)
		}
		n.run(time.Duration(rapid.IntRange(0, 3000).Draw(r, "wait")) * time.Millisecond)
	}
	return n
}

// append lets device i write a membership event about device j.
func (n *network) append(i, j int) {
	id := n.nodes[j].id.device()
	n.step(i, func(tx kv.Tx, x *Exchange) error {
		d := n.nodes[i]
		if d.log.OwnForked() {
			return nil
		}
		e, err := d.log.Append(tx, zsync.KindMember, id[:], 0, folk{})
		if err == nil {
			x.Appended(tx, n.now, []Event{e})
		}
		return err
	})
}

// settle links the devices in a line, or all of them, and lets them talk.
func (n *network) settle(r *rapid.T) {
	n.drop = func() bool { return false }
	if rapid.Bool().Draw(r, "line") {
		for i := range n.nodes[1:] {
			n.link(i, i+1)
		}
	} else {
		n.linkAll()
	}
	n.run(8 * time.Minute)
	n.agree()
}

func TestLogsConvergeWhateverIsLostDoubledOrLate(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		n := play(r, false)
		n.settle(r)
		n.nothingWaits()
		for _, d := range n.nodes {
			if len(d.meaning()) != len(d.events()) {
				r.Fatalf("void events at %s without a fork", d.id.name)
			}
		}
	})
}

func TestForksConvergeToTheSameMeaning(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		play(r, true).settle(r)
	})
}

// pile is a heap of envelopes of a history with forks, from which any order may
// be drawn.
func pile(r *rapid.T) (zsync.SpaceID, []Envelope) {
	all := space(r, "ann", "bob", "cat")
	for range rapid.IntRange(3, 25).Draw(r, "events") {
		i := rapid.IntRange(0, len(all)-1).Draw(r, "device")
		d := all[i]
		switch rapid.IntRange(0, 5).Draw(r, "what") {
		case 0:
			if len(all) < 6 {
				all = append(all, d.restored())
			}
		case 1, 2:
			j := rapid.IntRange(0, len(all)-1).Draw(r, "from")
			d.merge(all[j].all()...)
			d.prove()
		case 3:
			id := named("dan").device()
			if !d.log.OwnForked() {
				d.append(zsync.KindMember, id[:])
			}
		default:
			if !d.log.OwnForked() {
				d.write("text")
			}
		}
	}
	var envelopes []Envelope
	for _, d := range all {
		envelopes = append(envelopes, d.all()...)
	}
	return all[0].log.Space(), envelopes
}

func TestTheMeaningIsAFunctionOfTheSetOfEvents(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		id, envelopes := pile(r)
		first := open(r, "one", kv.NewMemory(), id)
		first.merge(envelopes...)
		first.merge(envelopes...)
		second := open(r, "two", kv.NewMemory(), id)
		folded := make(map[zsync.EventID]bool)
		for round := 0; round < 2 || second.log.Frontier() != first.log.Frontier(); round++ {
			if round > 20 {
				r.Fatal("other frontiers")
			}
			for rest := rapid.Permutation(envelopes).Draw(r, "order"); len(rest) > 0; {
				batch := rapid.IntRange(1, len(rest)).Draw(r, "batch")
				second.fold(folded, second.merge(rest[:batch]...))
				rest = rest[batch:]
			}
		}
		if !slices.Equal(first.meaning(), second.meaning()) {
			r.Fatal("another order, another meaning")
		}
		meaning := second.meaning()
		if len(folded) != len(meaning) {
			r.Fatalf("%d events folded one by one, %d count", len(folded), len(meaning))
		}
		for _, e := range meaning {
			if !folded[e] {
				r.Fatal("what Merge returned does not add up to what Each yields")
			}
		}
		before := second.dump()
		if m := second.merge(envelopes...); m.gained() || second.dump() != before {
			r.Fatal("merging again changed something")
		}
		if second.reopen(); second.dump() != before || second.log.Frontier() != first.log.Frontier() {
			r.Fatal("reopening changed something")
		}
	})
}

// fold keeps the set of events that count as a caller would.
func (r *replica) fold(folded map[zsync.EventID]bool, m Merged) {
	fresh := m.Fresh
	if m.Refold {
		clear(folded)
		fresh = r.events()
	}
	for _, e := range fresh {
		if !e.Void {
			folded[e.ID] = true
		}
	}
}
