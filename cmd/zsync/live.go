package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"unicode"

	"golang.org/x/term"
	"golang.org/x/text/width"
)

// screen draws a line in place on a terminal, and only what is new elsewhere.
//
// The cursor rests at the line's beginning. A terminal that is made narrower folds
// the line over several rows and keeps the cursor where it was in the text, so what
// is drawn next begins at the same place, and clearing what is behind it leaves no
// remains. Nothing is cleared before it is drawn over, so nothing flickers.
type screen struct {
	out   io.Writer
	live  bool
	drawn string // the line that stands there, or ""
	was   string
}

func newScreen(out io.Writer) *screen {
	return &screen{out: out, live: isTerminal(out) && os.Getenv("TERM") != "dumb"}
}

// clearBehind clears from the cursor to the end of the screen.
const clearBehind = "\x1b[J"

func (s *screen) show(now progress) {
	switch {
	case s.live:
		s.drawn = fit(printable(now.line), printable(now.current), columnsOf(s.out)-1)
		fmt.Fprintf(s.out, "\r%s"+clearBehind+"\r", s.drawn)
	case now.rests() && now.state != s.was:
		fmt.Fprintln(s.out, printable(now.line))
	}
	s.was = now.state
}

// clear takes the live line away.
func (s *screen) clear() {
	if s.drawn != "" {
		fmt.Fprint(s.out, "\r"+clearBehind)
		s.drawn = ""
	}
}

// leave ends the live line, so that what follows begins a line of its own. A
// terminal has written ^C over the line's beginning.
func (s *screen) leave() {
	if s.drawn != "" {
		fmt.Fprintf(s.out, "\r%s"+clearBehind+"\n", s.drawn)
	}
}

// overLine writes over the live line of a terminal, which is drawn again below.
type overLine struct{ terminal io.Writer }

func (o overLine) Write(text []byte) (int, error) {
	if _, err := io.WriteString(o.terminal, "\r"+clearBehind); err != nil {
		return 0, err
	}
	return o.terminal.Write(text)
}

// logTo is where a device logs to that shows its progress on out.
func logTo(out io.Writer) io.Writer {
	if isTerminal(out) {
		return overLine{out}
	}
	return out
}

func isTerminal(stream any) bool {
	file, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(file.Fd()))
}

// columnsOf is how many columns a terminal has.
func columnsOf(out io.Writer) int {
	const usual = 80
	file, ok := out.(*os.File)
	if !ok {
		return usual
	}
	columns, _, err := term.GetSize(int(file.Fd()))
	if err != nil || columns <= 0 {
		return usual
	}
	return columns
}

// fit puts a line and, where there is space, a name behind it into so many columns.
// Of a name that is too long the end is kept, which tells more.
func fit(line, name string, columns int) string {
	const gap, least = "  ", 8
	space := columns - columnsIn(line) - len(gap)
	switch {
	case space < 0:
		return clip(line, columns)
	case name == "" || space < min(least, columnsIn(name)):
		return line
	}
	return line + gap + clipFront(name, space)
}

// clip cuts a text that is too wide at its end.
func clip(text string, columns int) string {
	if columnsIn(text) <= columns {
		return text
	}
	var out strings.Builder
	for _, r := range text {
		if columns -= runeColumns(r); columns < 1 { // one is for the ellipsis
			break
		}
		out.WriteRune(r)
	}
	return out.String() + "…"
}

// clipFront cuts a text that is too wide at its beginning.
func clipFront(text string, columns int) string {
	left := columnsIn(text)
	if left <= columns {
		return text
	}
	for i, r := range text {
		if left < columns {
			return "…" + text[i:]
		}
		left -= runeColumns(r)
	}
	return "…"
}

// columnsIn is how many columns of a terminal a printable text takes.
func columnsIn(text string) (n int) {
	for _, r := range text {
		n += runeColumns(r)
	}
	return n
}

// padded fills a text up with spaces to so many columns.
func padded(text string, columns int) string {
	return text + strings.Repeat(" ", max(0, columns-columnsIn(text)))
}

func runeColumns(r rune) int {
	if unicode.In(r, unicode.Mn, unicode.Me) {
		return 0
	}
	switch width.LookupRune(r).Kind() {
	case width.EastAsianWide, width.EastAsianFullwidth:
		return 2
	default:
		return 1
	}
}
