package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/dustin/go-humanize"
	"golang.org/x/term"

	"github.com/zsync/zsync/internal/control"
	"github.com/zsync/zsync/internal/device"
)

// drawEvery is how often the live line of a terminal is drawn.
const drawEvery = 500 * time.Millisecond

// follow shows the progress of a folder ("" for all): a live line on a terminal,
// elsewhere a line each time that it has come into sync.
func (p *program) follow(ctx context.Context, label string) {
	screen := &screen{out: p.stderr, live: isTerminal(p.stderr) && os.Getenv("TERM") != "dumb"}
	defer screen.leave()
	var rates rate
	for {
		if st, err := p.client().Status(ctx); err == nil {
			state, line := summary(st, label, &rates)
			screen.show(state, printable(line))
		} else if errors.Is(err, control.ErrUnreachable) {
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(drawEvery):
		}
	}
}

// screen draws a line in place on a terminal, and only what is new elsewhere.
type screen struct {
	out   io.Writer
	live  bool
	drawn bool // the cursor stands behind a live line
	was   string
}

func (s *screen) show(state, line string) {
	switch {
	case s.live:
		fmt.Fprintf(s.out, "\r\x1b[K%s", clip(line, widthOf(s.out)-1))
		s.drawn = true
	case state == device.StateInSync && state != s.was:
		fmt.Fprintln(s.out, line)
	}
	s.was = state
}

// leave ends the live line, so that what follows begins a line of its own.
func (s *screen) leave() {
	if s.drawn {
		fmt.Fprintln(s.out)
	}
}

// overLine writes over the live line of a terminal, which is drawn again below.
type overLine struct{ terminal io.Writer }

func (o overLine) Write(text []byte) (int, error) {
	if _, err := io.WriteString(o.terminal, "\r\x1b[K"); err != nil {
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

// widthOf is how many columns a terminal has.
func widthOf(out io.Writer) int {
	const usual = 80
	file, ok := out.(*os.File)
	if !ok {
		return usual
	}
	width, _, err := term.GetSize(int(file.Fd()))
	if err != nil || width < 20 {
		return usual
	}
	return width
}

func clip(text string, width int) string {
	runes := []rune(text)
	if len(runes) > width {
		return string(runes[:width-1]) + "…"
	}
	return text
}

func isTerminal(stream any) bool {
	file, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(file.Fd()))
}

// summary tells the state of a folder, or of the least advanced of all, in a word
// and in a line.
func summary(st control.Status, label string, rates *rate) (state, line string) {
	var total control.Folder
	if len(st.Folders) > 0 {
		total.State = device.StateInSync
	}
	for _, f := range st.Folders {
		if label != "" && f.Label != label {
			continue
		}
		if f.State != device.StateInSync {
			total.State, total.Current = f.State, f.Current
		}
		total.Label = f.Label
		total.Files += f.Files
		total.Bytes += f.Bytes
		total.NeedFiles += f.NeedFiles
		total.NeedBytes += f.NeedBytes
	}
	if label == "" && len(st.Folders) > 1 {
		total.Label = fmt.Sprintf("%d folders", len(st.Folders))
	}
	switch {
	case total.Label == "" && label != "":
		return "", label + ": opening"
	case total.Label == "":
		return "", "waiting for folders"
	}
	line = fmt.Sprintf("%s: %s, %s, %s", total.Label, stateWords(total.State), count(total.Files, "file"), octets(total.Bytes))
	if total.NeedFiles == 0 {
		return total.State, line
	}
	line += fmt.Sprintf("; %s (%s) to go", count(total.NeedFiles, "file"), octets(total.NeedBytes))
	if eta, perSecond := rates.eta(time.Now(), total.NeedFiles, total.NeedBytes); eta > 0 {
		line += fmt.Sprintf(", %s/s, %s left", humanize.Bytes(uint64(perSecond)), eta.Round(time.Second))
	}
	if total.Current != "" {
		line += "  " + total.Current
	}
	return total.State, line
}

// rate works out how fast what is to go goes, by octets and by files; what takes
// longer decides.
type rate struct {
	began        time.Time
	files, bytes int64
}

func (r *rate) eta(now time.Time, files, bytes int64) (left time.Duration, perSecond float64) {
	if r.began.IsZero() || files > r.files || bytes > r.bytes {
		r.began, r.files, r.bytes = now, files, bytes
		return 0, 0
	}
	seconds := now.Sub(r.began).Seconds()
	if seconds < 1 || files == r.files {
		return 0, 0
	}
	perSecond = float64(r.bytes-bytes) / seconds
	left = time.Duration(float64(files) / (float64(r.files-files) / seconds) * float64(time.Second))
	if perSecond > 0 {
		left = max(left, time.Duration(float64(bytes)/perSecond*float64(time.Second)))
	}
	return left, perSecond
}
