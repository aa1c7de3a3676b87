package plot

import (
	"bytes"
	"encoding/xml"
	"fmt"
)

// drawing is a document that is being written.
type drawing struct{ out bytes.Buffer }

// style gives each series a colour that is told from the others also by those who
// see fewer of them (Okabe and Ito), and follows the reader's page.
const style = `<style>
text { font: 12px system-ui, sans-serif; fill: #1f2328 }
.title { font-size: 15px; font-weight: 600 }
.number { font-size: 11px; fill: #59636e }
.grid { stroke: #d1d9e0; stroke-width: 1 }
.line { fill: none; stroke-width: 2; stroke-linejoin: round }
.fill0 { fill: #0072b2 } .stroke0 { stroke: #0072b2 }
.fill1 { fill: #d55e00 } .stroke1 { stroke: #d55e00 }
.fill2 { fill: #8c959f } .stroke2 { stroke: #8c959f }
.fill3 { fill: #009e73 } .stroke3 { stroke: #009e73 }
@media (prefers-color-scheme: dark) {
text { fill: #e6edf3 }
.number { fill: #9198a1 }
.grid { stroke: #3d444d }
.fill0 { fill: #56b4e9 } .stroke0 { stroke: #56b4e9 }
.fill1 { fill: #e69f00 } .stroke1 { stroke: #e69f00 }
}
</style>
`

func newDrawing(width, height float64, title string) *drawing {
	d := &drawing{}
	d.printf("<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %g %g\" width=\"%g\" height=\"%g\" role=\"img\">\n", width, height, width, height)
	d.printf("<title>%s</title>\n%s", escape(title), style)
	d.text("title", 16, 26, "start", title)
	return d
}

func (d *drawing) printf(format string, values ...any) { fmt.Fprintf(&d.out, format, values...) }

func (d *drawing) text(class string, x, y float64, anchor, words string) {
	d.printf("<text class=\"%s\" x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\">%s</text>\n", class, x, y, anchor, escape(words))
}

// legend names the series in the line below the title.
func (d *drawing) legend(names []string) {
	x := 16.0
	for i, name := range names {
		d.printf("<rect class=\"fill%d\" x=\"%.1f\" y=\"38\" width=\"10\" height=\"10\" rx=\"2\"/>\n", i, x)
		d.text("name", x+15, 47, "start", name)
		x += 36 + 6.6*float64(len(name))
	}
}

func (d *drawing) close() []byte {
	d.printf("</svg>\n")
	return d.out.Bytes()
}

func escape(words string) string {
	var out bytes.Buffer
	_ = xml.EscapeText(&out, []byte(words)) // a buffer takes everything
	return out.String()
}
