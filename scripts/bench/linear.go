package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
)

// W9: whether a file costs the same among many as among few.

// smallFileCounts are the numbers of files that W9 measures.
var smallFileCounts = []int{5000, 20000, 80000}

const (
	beyondLine = "80,000 beyond the line of the others"
	perFile    = "of 80,000, for each 1,000"
)

func ofFiles(files int) string { return fmt.Sprintf("%d,000 files", files/1000) }

func linearFigures(counts []int) []figure {
	figures := []figure{{Name: beyondLine, Unit: percent, Goal: 15}, {Name: perFile, Unit: seconds}}
	for _, files := range counts {
		figures = append(figures, figure{Name: ofFiles(files), Unit: seconds})
	}
	return append(figures, figure{Name: peak, Unit: mib})
}

// eachTree measures the row's trees one after the other, in a directory each. The
// time of each is a figure of its own, named after its files.
func eachTree(measure func(*run) (sample, error)) func(*run) (sample, error) {
	return func(r *run) (sample, error) {
		all := sample{}
		for i, tree := range r.trees {
			one := *r
			one.at, one.trees = filepath.Join(r.at, strconv.Itoa(i)), []source{tree}
			if err := os.Mkdir(one.at, 0o700); err != nil {
				return nil, err
			}
			got, err := measure(&one)
			if err != nil {
				return nil, err
			}
			all[ofFiles(smallFileCounts[i])] = got[took]
			all[peak] = got[peak] // of the last, the largest
		}
		return all, nil
	}
}

// linearity holds the time of 80,000 files against the line through those of 5,000
// and 20,000: what does not grow with the files, such as starting, is in none of it.
func linearity(figures []figure) {
	few, more, many := figureOf(figures, ofFiles(5000)), figureOf(figures, ofFiles(20000)), figureOf(figures, ofFiles(80000))
	figureOf(figures, beyondLine).Zsync = []float64{beyond(median(few.Zsync), median(more.Zsync), median(many.Zsync))}
	each := figureOf(figures, perFile)
	each.Zsync, each.Rsync = []float64{median(many.Zsync) / 80}, []float64{median(many.Rsync) / 80}
}

// beyond is by how much per cent the third of three times, of 5, 20 and 80 parts,
// is more than the line through the others says.
func beyond(at5, at20, at80 float64) float64 {
	line := at20 + (at20-at5)*4
	if line <= 0 {
		return 0
	}
	return 100 * (at80/line - 1)
}
