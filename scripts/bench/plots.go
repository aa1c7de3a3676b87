package main

import (
	"os"
	"path/filepath"
	"slices"

	"github.com/zsync/zsync/scripts/bench/plot"
)

// drawing is one of the plots that results are drawn as; a file is nil when the
// results have nothing for it.
type drawing struct {
	file string
	of   func([]result) []byte
}

var drawings = []drawing{
	{"seconds.svg", secondsPlot},
	{"small-files.svg", smallFilesPlot},
	{"new-file.svg", newFilePlot},
	{"lossy-link.svg", lossyPlot},
}

// draw writes the plots of all rows that there are into a directory.
func draw(dir string, all []result) error {
	for _, d := range drawings {
		if document := d.of(all); document != nil {
			if err := os.WriteFile(filepath.Join(dir, d.file), document, 0o644); err != nil {
				return err
			}
		}
	}
	return nil
}

func rowOf(all []result, name string) *result {
	i := slices.IndexFunc(all, func(r result) bool { return r.Row == name })
	if i < 0 {
		return nil
	}
	return &all[i]
}

// secondsPlot has the rows that rsync does too, in seconds.
func secondsPlot(all []result) []byte {
	b := plot.Bars{Title: "Seconds until the other side has it: less is better", X: plot.Axis{Label: "seconds, medians"}, Series: []string{"zsync", "rsync over ssh", "rsync --fsync"}}
	for _, name := range []string{"W1", "W2", "W3", "W4", "W5", "W8"} {
		if r := rowOf(all, name); r != nil {
			b.Groups = append(b.Groups, group(*r, took))
		}
	}
	return unlessEmpty(b)
}

// lossyPlot has what each makes of a link that loses packets.
func lossyPlot(all []result) []byte {
	r := rowOf(all, "W10")
	if r == nil {
		return nil
	}
	g := group(*r, "share of the link")
	g.Label, g.Values = "one file of 64 MiB", g.Values[:2]
	return plot.Bars{
		Title: "Use of 100 Mbit/s at 20 ms and 0.5 % loss: more is better", X: plot.Axis{Label: "% of the link"},
		Series: []string{"zsync", "rsync over ssh"}, Groups: []plot.Group{g},
	}.SVG()
}

func group(r result, name string) plot.Group {
	f := figureOf(r.Figures, name)
	g := plot.Group{Label: r.Row + " " + r.About}
	for _, values := range [][]float64{f.Zsync, f.Rsync, f.Fsync} {
		if len(values) == 0 {
			g.Values = append(g.Values, -1)
			continue
		}
		g.Values = append(g.Values, median(values))
	}
	return g
}

func unlessEmpty(b plot.Bars) []byte {
	if len(b.Groups) == 0 {
		return nil
	}
	return b.SVG()
}

// smallFilesPlot has W9: seconds over files.
func smallFilesPlot(all []result) []byte {
	r := rowOf(all, "W9")
	if r == nil {
		return nil
	}
	zsync, rsync := plot.Series{Name: "zsync"}, plot.Series{Name: "rsync over ssh"}
	for _, files := range smallFileCounts {
		f := figureOf(r.Figures, ofFiles(files))
		zsync.Points = append(zsync.Points, plot.Point{X: float64(files), Y: median(f.Zsync)})
		rsync.Points = append(rsync.Points, plot.Point{X: float64(files), Y: median(f.Rsync)})
	}
	return plot.Lines{
		Title: "Seconds until the other side has them, by their number",
		X:     plot.Axis{Label: "files of 1 to 8 KiB"}, Y: plot.Axis{Label: "seconds, medians"},
		Series: []plot.Series{zsync, rsync},
	}.SVG()
}

// newFilePlot has W6: which part of the files was there after how long.
func newFilePlot(all []result) []byte {
	r := rowOf(all, "W6")
	if r == nil {
		return nil
	}
	values := slices.Sorted(slices.Values(figureOf(r.Figures, took).Zsync))
	s := plot.Series{Name: "zsync", Points: []plot.Point{{}}}
	for i, ms := range values {
		before, after := 100*float64(i)/float64(len(values)), 100*float64(i+1)/float64(len(values))
		s.Points = append(s.Points, plot.Point{X: ms, Y: before}, plot.Point{X: ms, Y: after})
	}
	return plot.Lines{
		Title: "A new file of 100 KiB, both sides idle",
		X:     plot.Axis{Label: "milliseconds until the other side has it"}, Y: plot.Axis{Label: "% of the files"},
		Series: []plot.Series{s},
	}.SVG()
}
