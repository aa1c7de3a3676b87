package disk

import (
	"time"

	"github.com/zsync/zsync/internal/device"
	"github.com/zsync/zsync/internal/meter"
	"github.com/zsync/zsync/store"
)

// job is an order that is being carried out. Orders are batches: each is counted once,
// when it has its answer.
type job struct {
	order any
	began time.Time
}

// count counts the fact that answers the order, and the time until then.
func (j *job) count(stages *meter.Stages, what any) {
	took := time.Since(j.began)
	switch fact := what.(type) {
	case device.Listed:
		stages.List.Add(int64(len(fact.Listing.Entries)), 0, took)
	case device.Hashed:
		stages.Hash.Add(int64(len(fact.Results)), octetsRead(fact.Results), took)
	case device.Verified:
		stages.Verify.Add(int64(len(fact.Results)), octetsRead(fact.Results), took)
	case device.Staged:
		stages.Receive.Add(int64(len(fact.Pieces)), octetsReceived(j.order), took)
	case device.Assembled:
		if chunks := held(fact.Have); chunks > 0 {
			stages.Copy.Add(chunks, 0, took)
		}
	case device.Copied:
		stages.Copy.Add(1, octetsCopied(j.order), took)
	case device.Flushed:
		stages.Flush.Add(0, 0, took)
	case device.Applied:
		stages.Apply.Add(int64(len(fact.Results)), octetsPlaced(fact.Batch.Changes), took)
	case device.Supply:
		stages.Read.Add(int64(len(fact.Parts)), octetsSupplied(fact.Parts), took)
	case device.AppliedPast, device.Discarded, device.LookedAgain, device.Pruned:
		stages.Versions.Add(versionsIn(what), 0, took)
	}
}

func octetsRead(results []store.Hashed) (sum int64) {
	for i := range results {
		if results[i].Err == nil {
			sum += results[i].Stat.Size
		}
	}
	return sum
}

func octetsReceived(order any) (sum int64) {
	if stage, ok := order.(device.StagePieces); ok {
		for i := range stage.Pieces {
			sum += int64(len(stage.Pieces[i].Data))
		}
	}
	return sum
}

func octetsCopied(order any) int64 {
	if copied, ok := order.(device.CopyContent); ok {
		return copied.Size
	}
	return 0
}

func octetsPlaced(changes []store.Change) (sum int64) {
	for i := range changes {
		if changes[i].Op == store.OpPlace {
			sum += changes[i].Size
		}
	}
	return sum
}

func octetsSupplied(parts []device.SupplyPart) (sum int64) {
	for i := range parts {
		sum += int64(len(parts[i].Data))
	}
	return sum
}

func held(have []bool) (n int64) {
	for _, is := range have {
		if is {
			n++
		}
	}
	return n
}

// versionsIn is how many versions a fact is about.
func versionsIn(what any) int64 {
	switch fact := what.(type) {
	case device.AppliedPast:
		return int64(len(fact.Results))
	case device.Discarded:
		return int64(len(fact.Gone))
	case device.LookedAgain:
		return int64(len(fact.Late))
	case device.Pruned:
		return int64(len(fact.Gone))
	}
	return 0
}
