package main

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

// row is one line of what is promised, and how it is measured.
type row struct {
	name, about string
	// asked rows are measured when they are asked for by name: they take minutes.
	asked   bool
	gib     float64 // of disk, at the most; divided by the scale
	trees   []tree  // made once for the row, and the same for all of its runs
	wire    wire    // nil: the loopback
	figures []figure
	zsync   func(*run) (sample, error)
	rsync   func(r *run, options ...string) (sample, error) // nil: it does no such thing
	fsync   bool                                            // rsync runs again, with --fsync: durable, as zsync is
	once    bool                                            // one run has samples enough
	derive  func([]figure)                                  // figures that follow from others
}

func (w row) network() (*network, error) {
	if w.wire == nil {
		return loopback(w.name)
	}
	return w.wire(w.name)
}

// Names of figures, and their units.
const (
	took   = "time"
	cpu    = "CPU of all processes"
	peak   = "peak memory of a side"
	octets = "octets on the wire"

	seconds = "s"
	percent = "%"
	mib     = "MiB"
)

var rows = []row{
	{
		name: "W1", about: "400 photos of 3 MiB", gib: 3,
		trees:   []tree{photos("")},
		figures: []figure{{Name: took, Unit: seconds, Goal: 3.3, GoalOfRsync: 0.6}, {Name: cpu, Unit: seconds}, {Name: peak, Unit: mib}},
		zsync:   firstSync, rsync: firstCopy, fsync: true,
	},
	{
		name: "W2", about: "20,000 files of 1 to 8 KiB", gib: 1,
		trees:   []tree{small(20000)},
		figures: []figure{{Name: took, Unit: seconds, Goal: 1.5, GoalOfRsync: 0.75}, {Name: cpu, Unit: seconds}, {Name: peak, Unit: mib}},
		zsync:   firstSync, rsync: firstCopy, fsync: true,
	},
	{
		name: "W3", about: "one file of 2 GiB", gib: 5,
		trees:   []tree{oneFile(2 << 30)},
		figures: []figure{{Name: took, Unit: seconds, Goal: 5.4, GoalOfRsync: 0.5}, {Name: cpu, Unit: seconds}, {Name: peak, Unit: mib}},
		zsync:   firstSync, rsync: firstCopy, fsync: true,
	},
	{
		name: "W4", about: "1 MiB inserted into a file of 2 GiB", gib: 9,
		trees: []tree{oneFile(2 << 30)}, wire: counted,
		figures: []figure{{Name: took, Unit: seconds, Goal: 3}, {Name: octets, Unit: "MB", Goal: 2}, {Name: cpu, Unit: seconds}},
		zsync:   insertion, rsync: insertionByRsync, fsync: true,
	},
	{
		name: "W5", about: "a folder of 1.2 GiB renamed", gib: 3,
		trees: []tree{photos("photos")}, wire: counted,
		figures: []figure{{Name: took, Unit: seconds, Goal: 0.5}, {Name: octets, Unit: "KiB", Goal: 64}},
		zsync:   renaming, rsync: renamingByRsync, fsync: true,
	},
	{
		name: "W6", about: "a new file of 100 KiB, both idle", gib: 1,
		trees:   []tree{small(1000)},
		figures: []figure{{Name: took, Unit: "ms", Goal: 120}, {Name: ninetyFifth, Unit: "ms", Goal: 300}},
		zsync:   newFiles, once: true, derive: tail,
	},
	{
		name: "W7", about: "idle with 20,000 files", gib: 1,
		trees: []tree{small(20000)},
		figures: []figure{
			{Name: "CPU of the laptop", Unit: percent, Goal: 0.1},
			{Name: "CPU of the box", Unit: percent, Goal: 0.1},
			{Name: "memory of the laptop", Unit: mib, Goal: 40},
			{Name: "memory of the box", Unit: mib, Goal: 40},
		},
		zsync: idling, once: true,
	},
	{
		name: "W8", about: "one of 20,000 files added, both off", gib: 1,
		trees:   []tree{small(20000)},
		figures: []figure{{Name: took, Unit: seconds, Goal: 0.5}, {Name: cpu, Unit: seconds}},
		zsync:   addedWhileOff, rsync: addedByRsync,
	},
	{
		name: "W9", about: "5,000, 20,000 and 80,000 small files", gib: 2,
		trees:   smallTrees(smallFileCounts),
		figures: linearFigures(smallFileCounts),
		zsync:   eachTree(firstSync), rsync: func(r *run, options ...string) (sample, error) {
			return eachTree(func(r *run) (sample, error) { return firstCopy(r, options...) })(r)
		},
		derive: linearity,
	},
	{
		name: "W10", about: "64 MiB over 100 Mbit/s, 20 ms, 0.5 % lost", gib: 1,
		trees: []tree{small(100)}, wire: lossy,
		figures: []figure{{Name: "share of the link", Unit: percent, Goal: 75, AtLeast: true}, {Name: took, Unit: seconds}},
		zsync:   overTheLink, rsync: overTheLinkByRsync,
	},
	{
		name: "1M", about: "1,000,000 files in a folder", gib: 6, asked: true,
		trees: []tree{{files: 1_000_000, perDirectory: 1000, size: between(64, 1024)}},
		figures: []figure{
			{Name: "first index", Unit: seconds, Goal: 90},
			{Name: "start with all unchanged", Unit: seconds, Goal: 8},
			{Name: "peak memory, first index", Unit: mib, Goal: 250},
			{Name: "peak memory, after a start", Unit: mib, Goal: 250},
			{Name: "status", Unit: "ms", Goal: 100},
			{Name: "status while it indexes", Unit: "ms", Goal: 100},
		},
		zsync: million, once: true,
	},
}

func photos(top string) tree {
	return tree{top: top, files: 400, perDirectory: 100, size: between(3<<20, 3<<20)}
}

func small(files int) tree {
	return tree{files: files, perDirectory: 100, size: between(1<<10, 8<<10)}
}

func smallTrees(counts []int) (trees []tree) {
	for _, files := range counts {
		trees = append(trees, small(files))
	}
	return trees
}

func oneFile(size int64) tree {
	return tree{files: 1, perDirectory: 1, size: between(size, size)}
}

// between returns sizes in octets that are spread evenly from low to high.
func between(low, high int64) func(*rand.Rand) int64 {
	return func(r *rand.Rand) int64 { return low + r.Int64N(high-low+1) }
}

// choose returns the rows of that name, or all that need not be asked for.
func choose(only string) (chosen []row, err error) {
	wanted := map[string]bool{}
	for name := range strings.SplitSeq(only, ",") {
		wanted[name] = only != ""
	}
	for _, r := range rows {
		if wanted[r.name] || only == "" && !r.asked {
			chosen = append(chosen, r)
		}
		delete(wanted, r.name)
	}
	for name, is := range wanted {
		if is {
			err = fmt.Errorf("there is no row %q", name)
		}
	}
	return chosen, err
}
