package sim_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/zsync/zsync/internal/disk"
	"github.com/zsync/zsync/internal/sim"
)

const (
	one = 0
	two = 1
)

// everyPoint plays a script once without a crash to count, then with a crash at
// every disk step and every commit of both devices, each with some seeds for what
// the power cut leaves. Of more than pointsMax steps or commits it takes every
// second, third … one, others at each further round.
func everyPoint(t *testing.T, s sim.Script) {
	t.Helper()
	steps, commits, err := s.Play(1, 0, disk.Carry, sim.Point{})
	if err != nil {
		t.Fatalf("without a crash: %v", err)
	}
	t.Logf("%v disk steps, %v commits", steps, commits)
	rounds := seeds(2)
	for tear := range rounds {
		for node := range 2 {
			for n := range some(steps[node], tear) {
				play(t, s, tear, sim.Point{Node: node, Step: n})
			}
			for n := range some(commits[node], tear) {
				play(t, s, tear, sim.Point{Node: node, Commit: n})
				play(t, s, tear, sim.Point{Node: node, Commit: n, After: true})
				if tear == 0 {
					play(t, s, tear, sim.Point{Node: node, Commit: n, Refuse: true})
				}
			}
		}
	}
}

const pointsMax = 40

// some yields 1 to n, or every few of them.
func some(n int, round uint64) func(yield func(int) bool) {
	stride := (n + pointsMax - 1) / pointsMax
	return func(yield func(int) bool) {
		for i := 1; i <= n; i++ {
			if i%stride == int(round)%stride && !yield(i) {
				return
			}
		}
	}
}

func play(t *testing.T, s sim.Script, tear uint64, at sim.Point) {
	t.Helper()
	if _, _, err := s.Play(1, tear, disk.Carry, at); err != nil {
		t.Errorf("tear %d, %+v: %v", tear, at, err)
	}
}

func TestCreateSurvivesEveryCrash(t *testing.T) {
	everyPoint(t, sim.Script{
		Do: func(p *sim.Play) {
			p.Write(one, "a.txt", "created")
			p.Write(one, "d/b.txt", "created too")
		},
		Want: map[string]string{"a.txt": "created", "d/b.txt": "created too"},
	})
}

func TestReplaceSurvivesEveryCrash(t *testing.T) {
	everyPoint(t, sim.Script{
		Before: func(p *sim.Play) {
			p.Write(one, "a.txt", "old")
			p.Write(one, "b.txt", "old too")
		},
		Do: func(p *sim.Play) {
			p.Write(one, "a.txt", "new in place")
			p.Replace(one, "b.txt", "new beside it")
		},
		Want: map[string]string{"a.txt": "new in place", "b.txt": "new beside it"},
	})
}

func TestDeleteSurvivesEveryCrash(t *testing.T) {
	everyPoint(t, sim.Script{
		Before: func(p *sim.Play) {
			p.Write(one, "a.txt", "to be deleted")
			p.Write(one, "b.txt", "stays")
		},
		Do:      func(p *sim.Play) { p.Remove(one, "a.txt") },
		Want:    map[string]string{"b.txt": "stays"},
		Deletes: []string{"a.txt"},
	})
}

func TestRenameOfAFileSurvivesEveryCrash(t *testing.T) {
	everyPoint(t, sim.Script{
		Before: func(p *sim.Play) {
			p.Write(one, "a.txt", "moved")
			p.Write(one, "d/c.txt", "stays")
		},
		Do:   func(p *sim.Play) { p.Rename(one, "a.txt", "d/b.txt") },
		Want: map[string]string{"d/b.txt": "moved", "d/c.txt": "stays"},
	})
}

func TestRenameOfADirectorySurvivesEveryCrash(t *testing.T) {
	everyPoint(t, sim.Script{
		Before: func(p *sim.Play) {
			p.Write(one, "d/a.txt", "A")
			p.Write(one, "d/e/b.txt", "B")
			p.Write(one, "f/c.txt", "C")
		},
		Do:   func(p *sim.Play) { p.Rename(one, "d", "f/g") },
		Want: map[string]string{"f/g/a.txt": "A", "f/g/e/b.txt": "B", "f/c.txt": "C"},
	})
}

func TestDeleteOfATreeSurvivesEveryCrash(t *testing.T) {
	everyPoint(t, sim.Script{
		Before: func(p *sim.Play) {
			p.Write(one, "d/a.txt", "A")
			p.Write(one, "d/e/b.txt", "B")
			p.Write(one, "c.txt", "C")
		},
		Do:      func(p *sim.Play) { p.Remove(one, "d") },
		Want:    map[string]string{"c.txt": "C"},
		Deletes: []string{"d", "d/a.txt", "d/e", "d/e/b.txt"},
	})
}

func TestConflictSurvivesEveryCrash(t *testing.T) {
	everyPoint(t, sim.Script{
		Before: func(p *sim.Play) { p.Write(one, "a.txt", "base") },
		Do: func(p *sim.Play) {
			p.Cut(p.Nodes[one], p.Nodes[two], true)
			p.Write(one, "a.txt", "by one")
			p.Write(two, "a.txt", "by two")
			p.Wait(2 * time.Second)
			p.Cut(p.Nodes[one], p.Nodes[two], false)
		},
		Contents: []string{"by one", "by two"},
	})
}

func TestMovingAConflictCopyOverItsRivalSurvivesEveryCrash(t *testing.T) {
	everyPoint(t, sim.Script{
		Before: func(p *sim.Play) {
			p.Write(one, "a.txt", "base")
			p.Settle()
			p.Cut(p.Nodes[one], p.Nodes[two], true)
			p.Write(one, "a.txt", "by one")
			p.Write(two, "a.txt", "by two")
			p.Wait(2 * time.Second)
			p.Cut(p.Nodes[one], p.Nodes[two], false)
		},
		Do: func(p *sim.Play) {
			for _, path := range p.Paths(one) {
				if path != "a.txt" {
					p.Rename(one, path, "a.txt")
				}
			}
		},
		Files: 1, Deletes: []string{"a.txt"},
	})
}

func TestPairingSurvivesEveryCrash(t *testing.T) {
	everyPoint(t, sim.Script{
		Strangers: true,
		Before: func(p *sim.Play) {
			p.Write(one, "a.txt", "had by one")
			p.Write(two, "b.txt", "had by two")
			p.Write(one, "c.txt", "had by both")
			p.Write(two, "c.txt", "had by both")
		},
		Do: func(p *sim.Play) {
			for range 4 { // a person whose device went off while it was told tells it again
				p.Pair(p.Nodes[one], p.Nodes[two])
				p.Wait(5 * time.Second)
			}
		},
		Want: map[string]string{"a.txt": "had by one", "b.txt": "had by two", "c.txt": "had by both"},
	})
}

// big is enough for several chunks, none like another.
func big(serial byte) string {
	data := make([]byte, 2<<20+12345)
	state := uint32(serial) + 1
	for i := range data {
		state = state*1664525 + 1013904223
		data[i] = byte(state >> 24)
	}
	return string(data)
}

func TestReceivingABigFileSurvivesEveryCrash(t *testing.T) {
	content := big(1)
	everyPoint(t, sim.Script{
		Do:   func(p *sim.Play) { p.Write(one, "big.mov", content) },
		Want: map[string]string{"big.mov": content},
	})
}

func many(n int) map[string]string {
	files := make(map[string]string, n)
	for i := range n {
		files[fmt.Sprintf("d%d/%d.jpg", i/50, i)] = fmt.Sprintf("picture %d %s", i, strings.Repeat("x", i%70))
	}
	return files
}

func writeAll(p *sim.Play, node int, files map[string]string) {
	for _, path := range sortedPaths(files) {
		p.Write(node, path, files[path])
	}
}

func sortedPaths(files map[string]string) []string {
	var paths []string
	for path := range files {
		paths = append(paths, path)
	}
	slices.Sort(paths)
	return paths
}

func TestReceivingABundleSurvivesEveryCrash(t *testing.T) {
	files := many(300)
	everyPoint(t, sim.Script{
		Do:   func(p *sim.Play) { writeAll(p, one, files) },
		Want: files,
	})
}

func TestRestartInMidScanSurvivesEveryCrash(t *testing.T) {
	files := many(40)
	everyPoint(t, sim.Script{
		Do: func(p *sim.Play) {
			p.Nodes[one].Kill()
			writeAll(p, one, files)
			p.Wait(1005 * time.Millisecond)
			if p.Nodes[one].Alive() {
				p.Nodes[one].Kill() // it has begun to look at them
			}
		},
		Want: files,
	})
}
