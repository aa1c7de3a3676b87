package plot

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
)

// words returns the texts of a document, and fails the test when it is none.
func words(t *testing.T, document []byte) (all []string) {
	t.Helper()
	decoder := xml.NewDecoder(bytes.NewReader(document))
	for {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatalf("no document: %v\n%s", err, document)
		}
		if text, ok := token.(xml.CharData); ok {
			all = append(all, string(text))
		}
	}
}

func TestAPlotNamesItsSeriesAndItsUnits(t *testing.T) {
	lines := Lines{
		Title: "Files & seconds", X: Axis{"files"}, Y: Axis{"seconds <s>"},
		Series: []Series{{"zsync", []Point{{5000, 1}, {80000, 12}}}, {"rsync", []Point{{5000, 2}}}},
	}
	bars := Bars{Title: "Rows", X: Axis{"seconds"}, Series: []string{"zsync", "rsync"}, Groups: []Group{{"W1 photos", []float64{3.256, -1}}}}
	for _, c := range []struct {
		document []byte
		want     []string
	}{
		{lines.SVG(), []string{"Files & seconds", "files", "seconds <s>", "zsync", "rsync", "80,000", "12"}},
		{bars.SVG(), []string{"Rows", "seconds", "zsync", "rsync", "W1 photos", "3.26"}},
	} {
		got := words(t, c.document)
		for _, want := range c.want {
			if !slices.Contains(got, want) {
				t.Errorf("no %q in %q", want, got)
			}
		}
	}
}

func TestAValueThatWasNotMeasuredHasNoBar(t *testing.T) {
	bars := Bars{Series: []string{"a", "b"}, Groups: []Group{{"one", []float64{1, -1}}, {"two", []float64{2, 1}}}}
	if got := bytes.Count(bars.SVG(), []byte(`height="14"`)); got != 3 {
		t.Errorf("%d bars of 3", got)
	}
}

func TestPointsLieWhereTheAxesSay(t *testing.T) {
	lines := Lines{Series: []Series{{"one", []Point{{0, 0}, {10, 100}, {5, 50}}}}}
	if want := "72.0,304.0 616.0,64.0 344.0,184.0 "; !strings.Contains(string(lines.SVG()), want) {
		t.Errorf("no %q in\n%s", want, lines.SVG())
	}
}

func TestTicksAreRoundAndReachTheMost(t *testing.T) {
	for _, c := range []struct {
		most float64
		want []float64
	}{
		{0, []float64{0, 0.2, 0.4, 0.6, 0.8, 1}},
		{6, []float64{0, 1, 2, 3, 4, 5, 6}},
		{80000, []float64{0, 20000, 40000, 60000, 80000}},
		{0.13, []float64{0, 0.05, 0.1, 0.15}},
	} {
		got := ticks(c.most)
		near := func(a, b float64) bool { return a-b < 1e-9 && b-a < 1e-9 }
		if !slices.EqualFunc(got, c.want, near) {
			t.Errorf("%v: %v, want %v", c.most, got, c.want)
		}
	}
}

func TestNumbersAreWrittenForPeople(t *testing.T) {
	for value, want := range map[float64]string{0: "0", 999: "999", 1000: "1,000", 1234567: "1,234,567", 0.25: "0.25", 1.0000000001: "1"} {
		if got := number(value); got != want {
			t.Errorf("%v: %q, want %q", value, got, want)
		}
	}
	for value, want := range map[float64]string{0: "0", 0.016: "0.02", 3.256: "3.26", 12.34: "12.3", 1234.5: "1,235"} {
		if got := figure(value); got != want {
			t.Errorf("%v: %q, want %q", value, got, want)
		}
	}
}
