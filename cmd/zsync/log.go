package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/zsync/zsync/internal/control"
	"github.com/zsync/zsync/internal/device"
	"github.com/zsync/zsync/internal/kv"
)

func newLog(p *program) *cobra.Command {
	var folder string
	var follow bool
	cmd := &cobra.Command{
		Use:   "log [PATH]",
		Short: "Show who did what, and when",
		Long: "Show who did what, and when, the oldest first: in all folders of this device, or with\n" +
			"--folder in one; of everything, or of PATH and what is below it. In a folder, what\n" +
			"somebody did who knew of something else comes after it. Folders know nothing of each\n" +
			"other: among them, the times count that are shown.",
		Args: takes("[PATH]"),
		RunE: func(cmd *cobra.Command, args []string) error {
			st, under, err := p.placed(cmd.Context(), args, &folder)
			if err != nil {
				return err
			}
			columns := columnsOfLog(folder, st)
			shown := false
			show := func(line control.Line) error {
				if under != "" && !within(line.Path, under) && !within(line.From, under) {
					return nil
				}
				shown = true
				return p.printLine(line, columns)
			}
			if follow {
				return p.followHistory(cmd.Context(), folder, show)
			}
			err = p.history(cmd.Context(), folder, show)
			if err == nil && !shown && under != "" {
				fmt.Fprintf(p.stderr, "Nothing is known of %s.\n", printable(under))
			}
			return failed(exitFailed, err, "zsync folders")
		},
	}
	cmd.Flags().StringVar(&folder, "folder", "", "only the folder with this `LABEL`")
	cmd.Flags().BoolVar(&follow, "follow", false, "go on with what happens, until Ctrl-C or until the device ends")
	return p.jsonFlag(cmd)
}

// followHistory shows what has happened and what happens, until the person has
// seen enough or the device ends. That is how it ends, and no failure.
func (p *program) followHistory(ctx context.Context, label string, show func(control.Line) error) error {
	for deadline := time.Now().Add(startingTime); ; {
		err := p.client().Follow(ctx, label, show)
		switch {
		case ctx.Err() != nil:
			return nil
		case !errors.Is(err, control.ErrUnreachable):
			return failed(exitFailed, err, "zsync folders")
		case !p.starting() || time.Now().After(deadline):
			return failed(exitUnreachable, err, "start it with  zsync daemon  or leave --follow out")
		}
		time.Sleep(pollEvery)
	}
}

// placed returns how the device stands, and the place that was typed, "" for none.
func (p *program) placed(ctx context.Context, typed []string, folder *string) (st control.Status, place string, err error) {
	if st, err = p.status(ctx); err != nil {
		return st, "", err
	}
	place, err = placeOf(strings.Join(typed, ""), folder, st)
	return st, place, err
}

// placeOf returns a place in a folder's tree: what was typed, or, where that is a
// path of this computer (it begins with / or a dot), where in which folder that lies.
func placeOf(typed string, folder *string, st control.Status) (string, error) {
	first, _, _ := strings.Cut(typed, "/")
	if typed == "" || first != "" && first != "." && first != ".." {
		return strings.TrimSuffix(typed, "/"), nil
	}
	path := resolved(typed)
	for _, f := range st.Folders {
		dir := resolved(f.Path)
		if !liesIn(path, dir) || *folder != "" && *folder != f.Label {
			continue
		}
		*folder = f.Label
		return strings.TrimPrefix(strings.TrimPrefix(path, dir), "/"), nil
	}
	return "", failedf(exitFailed, "zsync folders", "%s lies in no folder of this device", path)
}

// within reports whether path is dir or below it.
func within(path, dir string) bool {
	return path == dir || strings.HasPrefix(path, dir+"/")
}

// history asks the running device, or reads what a stopped one has written down.
func (p *program) history(ctx context.Context, label string, yield func(control.Line) error) error {
	return orWithout(ctx, func() error {
		return p.client().Log(ctx, label, yield)
	}, func() error {
		var logs []device.HistoryPages
		err := p.eachStopped(label, func(store kv.Store, reg device.Registration) error {
			pages, err := device.StoppedHistory(store, reg)
			logs = append(logs, pages)
			return err
		})
		if err != nil {
			return err
		}
		return tellOnce(yield, func(tell func(control.Line) bool) error {
			return device.MergeHistories(logs, func(line device.HistoryLine) bool { return tell(control.LineOf(line)) })
		})
	})
}

// logColumns is how wide the columns of a log on a screen are.
type logColumns struct{ folder, device int }

// columnsOfLog leaves the folders out where all lines are about one.
func columnsOfLog(folder string, st control.Status) logColumns {
	columns := logColumns{device: columnsIn(printable(st.Device.Name))}
	for _, d := range st.Circle {
		columns.device = max(columns.device, columnsIn(printable(d.Name)))
	}
	for _, f := range st.Folders {
		if folder == "" && len(st.Folders) > 1 {
			columns.folder = max(columns.folder, columnsIn(printable(f.Label)))
		}
	}
	return columns
}

func (p *program) printLine(line control.Line, columns logColumns) error {
	if p.json {
		return p.printJSON(line)
	}
	text := localTime(line.Wall) + "  "
	if columns.folder > 0 {
		text += padded(printable(line.Folder), columns.folder) + "  "
	}
	what, of := opWord(line)
	text += fmt.Sprintf("%s  %-7s %s", padded(printable(line.Name), columns.device), what, printable(of))
	if line.From != "" {
		text += "  (was " + printable(line.From) + ")"
	}
	if line.Size > 0 {
		text += "  " + octets(line.Size)
	}
	_, err := fmt.Fprintln(p.stdout, text)
	return err
}

// opWord is what a person calls an operation, and what it is on; --json has its name.
func opWord(line control.Line) (what, of string) {
	switch {
	case line.Op != "member":
		return line.Op, line.Path
	case line.Path == line.Name: // who begins a folder is in it
		return "begins", line.Folder
	}
	return "lets in", line.Path
}

// localTime shows a time written by package control as this person's clock does.
func localTime(text string) string {
	at, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		return text
	}
	return at.Local().Format(time.DateTime)
}
