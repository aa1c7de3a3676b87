package main

import (
	"bytes"
	"encoding/xml"
	"math"
	"slices"
	"testing"
)

func TestEachFigureOfARowHasANameOfItsOwnAndAUnit(t *testing.T) {
	for _, w := range rows {
		var names []string
		for _, f := range w.figures {
			if f.Unit == "" || slices.Contains(names, f.Name) {
				t.Errorf("%s: %q in %q", w.name, f.Name, f.Unit)
			}
			names = append(names, f.Name)
		}
		if w.zsync == nil || w.gib <= 0 || len(w.trees) == 0 || w.fsync && w.rsync == nil {
			t.Errorf("%s is not whole", w.name)
		}
	}
}

func TestRowsThatTakeMinutesAreMeasuredWhenAskedFor(t *testing.T) {
	names := func(only string) (names []string) {
		chosen, err := choose(only)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range chosen {
			names = append(names, r.name)
		}
		return names
	}
	if got := names(""); slices.Contains(got, "1M") || len(got) != len(rows)-1 {
		t.Errorf("all: %q", got)
	}
	if got := names("1M,W2"); !slices.Equal(got, []string{"W2", "1M"}) {
		t.Errorf("two: %q", got)
	}
	if _, err := choose("W1,W99"); err == nil {
		t.Error("a row that there is not was taken")
	}
}

// TestEveryPlotHasItsFiguresInTheRows draws all of them from rows with values.
func TestEveryPlotHasItsFiguresInTheRows(t *testing.T) {
	var all []result
	for _, w := range rows {
		r := newResult(&bench{scale: 1}, w)
		for i := range r.Figures {
			r.Figures[i].Zsync, r.Figures[i].Rsync = []float64{1, 2, 3}, []float64{4}
		}
		if w.derive != nil {
			w.derive(r.Figures)
		}
		all = append(all, r)
	}
	for _, d := range drawings {
		if xml.Unmarshal(d.of(all), new(struct{ XMLName xml.Name })) != nil {
			t.Errorf("%s is no document", d.file)
		}
		if document := d.of(nil); document != nil {
			t.Errorf("%s is drawn of nothing: %s", d.file, document)
		}
		if bytes.Contains(d.of(all), []byte("NaN")) {
			t.Errorf("%s has places that are none", d.file)
		}
	}
}

func TestWhatEachFileCostsAmongManyIsHeldAgainstFew(t *testing.T) {
	for _, c := range []struct{ at5, at20, at80, want float64 }{
		{1.5, 3, 9, 0}, // a second, and a tenth for each thousand
		{1.5, 3, 18, 100},
		{0, 0, 0, 0},
	} {
		if got := beyond(c.at5, c.at20, c.at80); math.Abs(got-c.want) > 1e-9 {
			t.Errorf("%+v: %v", c, got)
		}
	}
}
