package main

import (
	"io"
	"strings"
)

// table writes rows whose columns stand below each other. On a terminal, what is too
// long goes on in the next line, below its own beginning.
type table struct {
	out     io.Writer
	columns int // of the terminal; 0: it is none
	rows    [][]string
}

func newTable(out io.Writer) *table {
	t := &table{out: out}
	if isTerminal(out) {
		t.columns = columnsOf(out)
	}
	return t
}

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
			} else {
				cell = t.folded(cell, columnsIn(line.String()))
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

// foldLeast is how many columns there have to be for a text to be folded into them.
const foldLeast = 30

// folded returns the last cell of a row, which begins in a column, as it fits into the
// terminal. A row of its own that begins with "! " goes on behind that.
func (t *table) folded(cell string, column int) string {
	text := strings.TrimLeft(cell, " ")
	indent := column + len(cell) - len(text)
	if column == 0 && strings.HasPrefix(text, "! ") {
		indent += 2
	}
	if t.columns-indent < foldLeast || column+columnsIn(cell) < t.columns {
		return cell
	}
	return cell[:len(cell)-len(text)] + fold(text, t.columns-1-(column+len(cell)-len(text)), t.columns-1-indent, "\n"+strings.Repeat(" ", indent))
}

// fold breaks a text at spaces into lines of so many columns; next begins each but the
// first. A command is not broken: a person copies it.
func fold(text string, first, columns int, next string) string {
	var out strings.Builder
	left := first
	put := func(gap, word string) {
		switch n := columnsIn(word); {
		case out.Len() == 0:
			gap, left = "", left-n
		case n+len(gap) > left:
			gap, left = next, columns-n
		default:
			left -= n + len(gap)
		}
		out.WriteString(gap + word)
	}
	gap := " "
	for text != "" {
		prose, command, rest := cutCommand(text)
		for _, word := range strings.Fields(prose) {
			put(gap, word)
			gap = " "
		}
		if command != "" {
			put("  ", command)
		}
		if gap = "  "; strings.HasSuffix(command, ".") {
			gap = " "
		}
		text = rest
	}
	return out.String()
}

// cutCommand returns what of a text is before its first command, and after it. A command
// stands between two spaces on either side, or ends the sentence.
func cutCommand(text string) (prose, command, rest string) {
	prose, command, _ = strings.Cut(text, "  ")
	if i := strings.Index(command, "  "); i >= 0 {
		command, rest = command[:i], command[i+2:]
	}
	if i := strings.Index(command, ". "); i >= 0 {
		rest = text[len(prose)+2+i+2:]
		command = command[:i+1]
	}
	return prose, command, rest
}
