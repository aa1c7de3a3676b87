// Package plot draws small plots as SVG: lines over two axes, and bars. They are
// read on a light page and on a dark one alike, since the colours are chosen by
// the reader's browser, and hold no script and no fonts.
//
// A plot of one's own is a value and a call:
//
//	plot.Lines{
//		Title: "Memory and files",
//		X:     plot.Axis{Label: "files"},
//		Y:     plot.Axis{Label: "peak memory, MiB"},
//		Series: []plot.Series{{Name: "zsync", Points: points}},
//	}.SVG()
package plot
