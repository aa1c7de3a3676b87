package main

import (
	"io"
	"strings"
)

// table writes rows whose columns stand below each other.
type table struct {
	out  io.Writer
	rows [][]string
}

func newTable(out io.Writer) *table { return &table{out: out} }

func (t *table) row(cells ...string) {
	for i := range cells {
		cells[i] = printable(cells[i])
	}
	t.rows = append(t.rows, cells)
}

// flush writes the rows and forgets them.
func (t *table) flush() error {
	var wide []int
	for _, row := range t.rows {
		for i, cell := range row[:max(0, len(row)-1)] { // the last one is as long as it likes
			if i == len(wide) {
				wide = append(wide, 0)
			}
			wide[i] = max(wide[i], columnsIn(cell))
		}
	}
	var text strings.Builder
	for _, row := range t.rows {
		var line strings.Builder
		for i, cell := range row {
			if i < len(row)-1 {
				cell = padded(cell, wide[i]+2)
			}
			line.WriteString(cell)
		}
		text.WriteString(strings.TrimRight(line.String(), " "))
		text.WriteByte('\n')
	}
	t.rows = nil
	_, err := io.WriteString(t.out, text.String())
	return err
}
