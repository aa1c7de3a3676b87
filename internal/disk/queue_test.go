package disk

import (
	"testing"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/internal/device"
	"github.com/zsync/zsync/replica"
	"github.com/zsync/zsync/store"
)

// next takes an order that has a path from a queue, and returns that.
func (q *queue) nextPath(t *testing.T) zsync.Path {
	t.Helper()
	order, ok := q.take()
	if !ok {
		return ""
	}
	switch o := order.(type) {
	case device.ListDir:
		return o.Path
	case device.HashFiles:
		return o.Jobs[0].Path
	case device.ApplyBatch:
		return o.Changes[0].Path
	}
	t.Fatalf("%T is taken", order)
	return ""
}

func hashing(path zsync.Path, urgent bool) device.HashFiles {
	return device.HashFiles{Jobs: []store.HashJob{{Path: path}}, Urgent: urgent}
}

func applying(path zsync.Path, urgent bool) device.ApplyBatch {
	return device.ApplyBatch{Batch: replica.Batch{Changes: []store.Change{{Path: path}}, Urgent: urgent}}
}

func TestWhatIsUrgentIsDoneBeforeWhatWasOrderedEarlier(t *testing.T) {
	var q queue
	q.push(hashing("film", false))
	q.push(device.ListDir{Path: "old"})
	q.push(device.ListDir{Path: "camera", Urgent: true})
	q.push(hashing("photo", true))
	for _, want := range []zsync.Path{"camera", "photo", "old", "film", ""} {
		if got := q.nextPath(t); got != want {
			t.Fatalf("%q is done where %q is next", got, want)
		}
	}
}

func TestOneWorkerIsKeptFromFilesOfAnySize(t *testing.T) {
	var q queue
	for range workersPerFolder + 1 {
		q.push(hashing("film", false))
	}
	for range workersPerFolder - 1 {
		if got := q.nextPath(t); got != "film" {
			t.Fatalf("%q is done", got)
		}
	}
	if got := q.nextPath(t); got != "" {
		t.Fatalf("the last worker is at %q", got)
	}
	q.push(hashing("photo", true))
	if got := q.nextPath(t); got != "photo" {
		t.Fatalf("%q is done where a photo is next", got)
	}
	q.done(hashing("photo", true))
	q.done(hashing("film", false))
	if got := q.nextPath(t); got != "film" {
		t.Errorf("%q is done once a worker is free", got)
	}
}

func TestNoOrderWaitsForEver(t *testing.T) {
	var q queue
	q.push(hashing("film", false))
	q.push(device.ListDir{Path: "old"})
	var turns [2]int
	for turn := 1; turn <= 2*lowestTurn; turn++ {
		q.push(hashing("photo", true))
		switch q.nextPath(t) {
		case "film":
			turns[0] = turn
		case "old":
			turns[1] = turn
		}
	}
	if turns != [2]int{lowestTurn, 2 * lowestTurn} {
		t.Errorf("the film has turn %d, the directory turn %d", turns[0], turns[1])
	}
}

func TestNoWorkerWaitsWithABatchWhileAnotherIsCarriedOut(t *testing.T) {
	var q queue
	q.push(applying("1", false))
	q.push(applying("2", false))
	q.push(device.ListDir{Path: "dir"})
	q.push(applying("photo", true))
	first := q.nextPath(t)
	if got := q.nextPath(t); first != "photo" || got != "dir" {
		t.Fatalf("%q is carried out and %q beside it", first, got)
	}
	if got := q.nextPath(t); got != "" {
		t.Fatalf("%q is begun beside %q", got, first)
	}
	for _, want := range []zsync.Path{"1", "2", ""} {
		q.done(applying(first, false))
		if got := q.nextPath(t); got != want {
			t.Fatalf("%q is done where %q is next", got, want)
		}
	}
}
