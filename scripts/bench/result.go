package main

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
)

// sample is what one run gave, by the names of the row's figures. A figure that
// could not be had has no values.
type sample map[string][]float64

// figure is one thing that a row measures, over all runs.
type figure struct {
	Name string `json:"name"`
	Unit string `json:"unit"`
	// Goal is what zsync's median is to be: that or less, with AtLeast that or more.
	// 0: none is set.
	Goal    float64 `json:"goal,omitempty"`
	AtLeast bool    `json:"at_least,omitempty"`
	// GoalOfRsync is what zsync's median may be of rsync's; 0: none is set.
	GoalOfRsync float64   `json:"goal_of_rsync,omitempty"`
	Zsync       []float64 `json:"zsync,omitempty"`
	Rsync       []float64 `json:"rsync,omitempty"`
	Fsync       []float64 `json:"rsync_fsync,omitempty"`
}

// ofRsync is zsync's median in rsync's, 0 where one of them is not known.
func (f figure) ofRsync() float64 {
	if len(f.Zsync) == 0 || len(f.Rsync) == 0 || median(f.Rsync) == 0 {
		return 0
	}
	return median(f.Zsync) / median(f.Rsync)
}

// verdict says whether a figure's goals are met; "" where there is none, or no value,
// or where they are those of another size.
func (r result) verdict(f figure) string {
	if r.Scale != 1 || len(f.Zsync) == 0 || f.Goal == 0 && f.GoalOfRsync == 0 {
		return ""
	}
	value := median(f.Zsync)
	met := f.Goal == 0 || value <= f.Goal
	if f.AtLeast {
		met = value >= f.Goal
	}
	if f.GoalOfRsync > 0 && f.ofRsync() > f.GoalOfRsync {
		met = false
	}
	if met {
		return "met"
	}
	return "missed"
}

// result is what a row gave.
type result struct {
	Row     string   `json:"row"`
	About   string   `json:"about"`
	Version string   `json:"version"`
	When    string   `json:"when"`
	Scale   int      `json:"scale"`
	Note    string   `json:"note,omitempty"`
	Skipped string   `json:"skipped,omitempty"` // why the row has no figures, or not all
	Figures []figure `json:"figures"`
}

func newResult(b *bench, w row) result {
	return result{
		Row: w.name, About: w.about, Version: b.version, Scale: b.scale,
		When: time.Now().UTC().Format(time.RFC3339), Figures: slices.Clone(w.figures),
	}
}

func (r *result) add(values func(*figure) *[]float64, got sample) {
	for i := range r.Figures {
		into := values(&r.Figures[i])
		*into = append(*into, got[r.Figures[i].Name]...)
	}
}

// says tells of one run, in the order of the figures.
func (r *result) says(got sample) string {
	var parts []string
	for _, f := range r.Figures {
		if values := got[f.Name]; len(values) > 0 {
			parts = append(parts, fmt.Sprintf("%s %s %s", f.Name, short(median(values)), f.Unit))
		}
	}
	return strings.Join(parts, ", ")
}

// figureOf returns the figure of that name.
func figureOf(all []figure, name string) *figure {
	i := slices.IndexFunc(all, func(f figure) bool { return f.Name == name })
	if i < 0 {
		panic("bench: no figure " + name)
	}
	return &all[i]
}

func median(values []float64) float64 { return quantile(values, 0.5) }

// quantile returns the value below which that part of the values lies, by the
// nearest rank; 0 of none.
func quantile(values []float64, part float64) float64 {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	rank := int(math.Ceil(part * float64(len(sorted))))
	return sorted[min(max(rank, 1), len(sorted))-1]
}

// short writes a value with three digits.
func short(value float64) string {
	switch size := math.Abs(value); {
	case size >= 100:
		return fmt.Sprintf("%.0f", value)
	case size >= 10:
		return fmt.Sprintf("%.1f", value)
	default:
		return fmt.Sprintf("%.2f", value)
	}
}

// byRow puts results in the order of the table.
func byRow(a, b result) int {
	at := func(name string) int { return slices.IndexFunc(rows, func(r row) bool { return r.name == name }) }
	return cmp.Compare(at(a.Row), at(b.Row))
}
