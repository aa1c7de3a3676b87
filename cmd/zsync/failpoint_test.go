//go:build failpoint && linux

package main

import (
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/zsync/zsync/internal/failpoint"
)

var (
	failRounds = flag.Int("rounds", 16, "how often a device is killed at a fail point")
	failPoint  = flag.String("point", "", "the one place to kill at; none: at each in turn")
	failSeed   = flag.Uint64("seed", 0, "what the people do, and where devices are killed; 0: any")
)

// reachMax is up to how often a point is passed before it kills: few seconds' worth
// of what these people make a device do.
var reachMax = []struct {
	point failpoint.Point
	times int
}{
	{failpoint.Hash, 120},
	{failpoint.BeforeCommit, 60},
	{failpoint.AfterCommit, 60},
	{failpoint.Staging, 60},
	{failpoint.Intent, 8},
	{failpoint.Exchange, 20},
	{failpoint.Rename, 60},
	{failpoint.DiskCommit, 8},
}

// TestNoFailPointLosesWhatLayQuietly has two people work in one folder while one or
// the other device is killed in the middle of what it does, at each place in turn.
// In the end both have the same tree, and each disk has every content that lay on
// it for a second, in the tree or in the versions area, but for what its own person
// took away.
func TestNoFailPointLosesWhatLayQuietly(t *testing.T) {
	seed := *failSeed
	if seed == 0 {
		seed = rand.Uint64()
	}
	t.Logf("-seed %d", seed)
	withFailPoints(t)
	var sum figures
	for number := uint64(0); sum.rounds() < *failRounds && !t.Failed(); number++ {
		t.Run(fmt.Sprint("session ", number), func(t *testing.T) {
			s := newSession(t, seed, number)
			defer s.close() // while the devices still answer
			s.play(min(sessionRounds, *failRounds-sum.rounds()), &sum)
			s.settle(&sum)
		})
	}
	sum.log(t)
}

// withFailPoints builds the program as it is released but for its fail points.
func withFailPoints(t *testing.T) {
	t.Helper()
	bin := t.TempDir()
	build := exec.Command("go", "build", "-tags", "failpoint", "-o", filepath.Join(bin, "zsync"), ".")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	t.Setenv("PATH", bin+string(os.PathListSeparator)+os.Getenv("PATH"))
}

// figures are what all sessions have come to.
type figures struct {
	reached  map[failpoint.Point]int
	void     int // rounds that do not count: a point not reached, or too little done
	slowest  float64
	done     map[string]int
	lived    time.Duration // of both sides
	versions int
	left     int
	lost     int
}

func (f *figures) rounds() (n int) {
	for _, count := range f.reached {
		n += count
	}
	return n
}

// next is the point that was reached least often, of those asked for.
func (f *figures) next() (point failpoint.Point, times int) {
	for _, each := range reachMax {
		asked := *failPoint == "" || *failPoint == string(each.point)
		if asked && (point == "" || f.reached[each.point] < f.reached[point]) {
			point, times = each.point, each.times
		}
	}
	return point, times
}

func (f *figures) count(point failpoint.Point, slowest float64) {
	if f.reached == nil {
		f.reached, f.slowest = make(map[failpoint.Point]int), slowest
	}
	f.reached[point]++
	f.slowest = min(f.slowest, slowest)
}

func (f *figures) log(t *testing.T) {
	t.Helper()
	for _, each := range reachMax {
		t.Logf("%-14s %d rounds", each.point, f.reached[each.point])
	}
	t.Logf("%d rounds that do not count", f.void)
	total := 0
	for _, what := range slices.Sorted(maps.Keys(f.done)) {
		t.Logf("%-18s %d", what, f.done[what])
		total += f.done[what]
	}
	t.Logf("%.0f operations a second on each side, %.0f in the slowest round", float64(total)/f.lived.Seconds(), f.slowest)
	t.Logf("%d quiet versions, %d of them not taken away again, %d lost", f.versions, f.left, f.lost)
}
