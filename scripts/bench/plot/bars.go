package plot

// Group is what lies side by side in a plot of bars: a bar for each of its values.
// A value below zero is one that was not measured and has no bar.
type Group struct {
	Label  string
	Values []float64
}

// Bars is a plot of groups of bars, one below the other. Series names the values
// of each group, in their order.
type Bars struct {
	Title  string
	X      Axis
	Series []string
	Groups []Group
}

const (
	barsLeft   = 250 // the labels of the groups
	barsRight  = 64  // the number behind the longest bar
	barHeight  = 14
	barGap     = 2
	groupGap   = 14
	labelDrop  = 11 // from the top of a bar to the base of its text
	characters = 38 // of a group's label that have room
)

// SVG returns the plot as a document, as high as its groups need.
func (b Bars) SVG() []byte {
	var most float64
	for _, g := range b.Groups {
		for _, v := range g.Values {
			most = max(most, v)
		}
	}
	each := float64(len(b.Series)*(barHeight+barGap) + groupGap)
	bottom := marginTop + each*float64(len(b.Groups))
	d := newDrawing(width, bottom+marginBottom, b.Title)
	x := scale{ticks(most), barsLeft, width - barsRight}
	d.legend(b.Series)
	for _, tick := range x.ticks {
		d.printf("<line class=\"grid\" x1=\"%.1f\" y1=\"%d\" x2=\"%.1f\" y2=\"%.1f\"/>\n", x.at(tick), marginTop, x.at(tick), bottom)
	}
	d.gridBelow(x, bottom, b.X.Label)
	for i, g := range b.Groups {
		d.group(g, x, marginTop+each*float64(i)+groupGap/2)
	}
	return d.close()
}

func (d *drawing) group(g Group, x scale, top float64) {
	middle := top + float64(len(g.Values)*(barHeight+barGap))/2
	d.text("name", x.from-8, middle+4, "end", shortened(g.Label))
	for i, v := range g.Values {
		if v < 0 {
			continue
		}
		at := top + float64(i*(barHeight+barGap))
		d.printf("<rect class=\"fill%d\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%d\" rx=\"2\"/>\n",
			i, x.from, at, max(1, x.at(v)-x.from), barHeight)
		d.text("number", x.at(v)+5, at+labelDrop, "start", figure(v))
	}
}

func shortened(label string) string {
	if runes := []rune(label); len(runes) > characters {
		return string(runes[:characters-1]) + "…"
	}
	return label
}
