package plot

// Point is a place in a plot, in the units of its axes.
type Point struct{ X, Y float64 }

// Series is a line through points, in their order, with a name in the legend.
type Series struct {
	Name   string
	Points []Point
}

// Axis says what is counted along one side of a plot, and in which unit.
type Axis struct{ Label string }

// Lines is a plot of one line for each series. Both axes are linear and begin at
// zero, or a curve would look steeper than it is.
type Lines struct {
	Title  string
	X, Y   Axis
	Series []Series
}

const (
	width, height = 640, 360
	marginLeft    = 72
	marginRight   = 24
	marginTop     = 64 // the title and the legend
	marginBottom  = 56 // the numbers and the label
	dotRadius     = 3
	dotsMax       = 24 // a line with more points is a line
)

// SVG returns the plot as a document.
func (l Lines) SVG() []byte {
	var right, top float64
	for _, s := range l.Series {
		for _, p := range s.Points {
			right, top = max(right, p.X), max(top, p.Y)
		}
	}
	d := newDrawing(width, height, l.Title)
	x := scale{ticks(right), marginLeft, width - marginRight}
	y := scale{ticks(top), height - marginBottom, marginTop}
	d.legend(names(l.Series))
	d.gridBelow(x, y.from, l.X.Label)
	d.gridLeft(y, x, l.Y.Label)
	for i, s := range l.Series {
		d.line(i, s, x, y)
	}
	return d.close()
}

func names(all []Series) (names []string) {
	for _, s := range all {
		names = append(names, s.Name)
	}
	return names
}

func (d *drawing) line(i int, s Series, x, y scale) {
	d.printf(`<polyline class="line stroke%d" points="`, i)
	for _, p := range s.Points {
		d.printf("%.1f,%.1f ", x.at(p.X), y.at(p.Y))
	}
	d.printf("\"/>\n")
	if len(s.Points) > dotsMax {
		return
	}
	for _, p := range s.Points {
		d.printf("<circle class=\"fill%d\" cx=\"%.1f\" cy=\"%.1f\" r=\"%d\"/>\n", i, x.at(p.X), y.at(p.Y), dotRadius)
	}
}

// gridBelow draws the numbers of the axis at the bottom, and what they are.
func (d *drawing) gridBelow(x scale, bottom float64, label string) {
	for _, tick := range x.ticks {
		d.text("number", x.at(tick), bottom+18, "middle", number(tick))
	}
	d.text("label", (x.from+x.to)/2, bottom+42, "middle", label)
}

// gridLeft draws the numbers of the axis at the left with a line each, and what
// they are.
func (d *drawing) gridLeft(y, x scale, label string) {
	for _, tick := range y.ticks {
		d.printf("<line class=\"grid\" x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\"/>\n", x.from, y.at(tick), x.to, y.at(tick))
		d.text("number", x.from-8, y.at(tick)+4, "end", number(tick))
	}
	d.printf("<text class=\"label\" text-anchor=\"middle\" transform=\"translate(18 %.1f) rotate(-90)\">%s</text>\n",
		(y.from+y.to)/2, escape(label))
}
