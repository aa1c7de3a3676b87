package main

import (
	"slices"
	"strings"
	"testing"
)

func TestAQuantileIsAValueThatWasMeasured(t *testing.T) {
	values := []float64{5, 1, 4, 2, 3}
	for part, want := range map[float64]float64{0: 1, 0.5: 3, 0.95: 5, 1: 5} {
		if got := quantile(values, part); got != want {
			t.Errorf("%v: %v, want %v", part, got, want)
		}
	}
	if got := median([]float64{2, 1}); got != 1 {
		t.Errorf("median of two %v", got)
	}
	if got := median(nil); got != 0 {
		t.Errorf("median of none %v", got)
	}
}

func TestAGoalIsMetByTheMedianAndByTheRatio(t *testing.T) {
	for _, c := range []struct {
		name   string
		scale  int
		figure figure
		want   string
	}{
		{"under", 1, figure{Goal: 2, Zsync: []float64{1, 1, 9}}, "met"},
		{"over", 1, figure{Goal: 2, Zsync: []float64{3}}, "missed"},
		{"at least", 1, figure{Goal: 75, AtLeast: true, Zsync: []float64{80}}, "met"},
		{"less than that", 1, figure{Goal: 75, AtLeast: true, Zsync: []float64{70}}, "missed"},
		{"under, and too near to rsync", 1, figure{Goal: 2, GoalOfRsync: 0.5, Zsync: []float64{1}, Rsync: []float64{1.5}}, "missed"},
		{"under both", 1, figure{Goal: 2, GoalOfRsync: 0.5, Zsync: []float64{1}, Rsync: []float64{3}}, "met"},
		{"no goal", 1, figure{Zsync: []float64{1}}, ""},
		{"no value", 1, figure{Goal: 2}, ""},
		{"a smaller one", 20, figure{Goal: 2, Zsync: []float64{1}}, ""},
	} {
		if got := (result{Scale: c.scale}).verdict(c.figure); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

func TestTheTableHasMediansAndWhatLiesAroundThem(t *testing.T) {
	var out strings.Builder
	table(&out, []result{
		{Row: "W1", About: "photos", Scale: 1, Figures: []figure{{
			Name: took, Unit: seconds, Goal: 3.3, GoalOfRsync: 0.6,
			Zsync: []float64{3, 2, 4}, Rsync: []float64{6}, Fsync: []float64{7},
		}}},
		{Row: "W10", About: "a link", Skipped: "skipped: it needs root", Figures: []figure{{Name: took}}},
	})
	rows := strings.Split(out.String(), "\n")
	want := "time s <= 3.30 3.00 (2.00-4.00) 6.00 0.50 0.60 7.00 met"
	if got := strings.Join(strings.Fields(rows[2]), " "); got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if !slices.Contains(rows, "  skipped: it needs root") || len(rows) != 6 {
		t.Errorf("a skipped row says why and no more:\n%s", out.String())
	}
}

func TestARowMeasuredAgainTakesThePlaceOfTheOldOne(t *testing.T) {
	old := []result{{Row: "W1", About: "old"}, {Row: "W2", About: "old"}, {Row: "W10", About: "old"}}
	fresh := []result{{Row: "W9", About: "new"}, {Row: "W2", About: "new"}, {Row: "W1", Skipped: "no room"}}
	var got []string
	for _, r := range merged(old, fresh) {
		got = append(got, r.Row+" "+r.About)
	}
	if want := []string{"W1 old", "W2 new", "W9 new", "W10 old"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}
