package main

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/zsync/zsync/internal/control"
	"github.com/zsync/zsync/internal/device"
	"github.com/zsync/zsync/replica"
)

func newWhy(p *program) *cobra.Command {
	var folder string
	cmd := &cobra.Command{
		Use:   "why PATH",
		Short: "Tell why something is, or is not, here, and which devices have it",
		Long: "Tell how a path stands on this device, with one word for each reason. What the words\n" +
			"mean, and what to do, is in docs/troubleshooting.md.",
		Args: takes("PATH"),
		RunE: func(cmd *cobra.Command, args []string) error {
			st, err := p.status(cmd.Context())
			if err != nil {
				return err
			}
			if !st.Running {
				return notRunning()
			}
			path, err := placeOf(args[0], &folder, st)
			if err != nil {
				return err
			}
			return p.why(cmd.Context(), folder, path, st)
		},
	}
	cmd.Flags().StringVar(&folder, "folder", "", "only the folder with this `LABEL`")
	return p.jsonFlag(cmd)
}

// why asks the folder, or, where it was not said which, all of them: those that
// know the path answer, or else the first.
func (p *program) why(ctx context.Context, folder, path string, st control.Status) error {
	folders, err := foldersNamed(folder, st)
	if err != nil {
		return err
	}
	var answers []control.Why
	for _, f := range folders {
		why, err := p.client().Why(ctx, f.Label, path)
		if err != nil {
			return failed(exitFailed, err, "zsync folders")
		}
		answers = append(answers, onDisk(why, f.Path))
	}
	if len(answers) == 0 {
		return keepsNone()
	}
	known := false
	for _, why := range answers {
		known = known || why.Code != replica.CodeUnknown
	}
	for i, why := range answers {
		if why.Code == replica.CodeUnknown && (known || i > 0) {
			continue
		}
		if err := p.printWhy(why); err != nil {
			return err
		}
	}
	return nil
}

// onDisk tells of what no folder knows, but the disk has.
func onDisk(why control.Why, dir string) control.Why {
	if why.Code != replica.CodeUnknown {
		return why
	}
	info, err := os.Lstat(filepath.Join(dir, why.Path))
	switch {
	case err != nil:
	case info.Mode().Type()&^(fs.ModeDir|fs.ModeSymlink) != 0:
		why.Code, why.Why = "type", "zsync keeps files, directories and symbolic links, and this is none of them"
	default:
		why.Code, why.Why = replica.CodeRecording, "it is on this disk and was not looked at yet"
	}
	return why
}

func (p *program) printWhy(why control.Why) error {
	if p.json {
		return p.printJSON(why)
	}
	path := why.Path
	if path == "" {
		path = why.Folder
	}
	text := fmt.Sprintf("%s: %s: %s.", printable(path), why.Code, printable(strings.TrimSuffix(why.Why, ".")))
	out := newTable(p.stdout)
	out.row(text)
	for _, h := range why.Devices {
		out.row("  "+h.Name, hasWords(h))
	}
	return out.flush()
}

// hasWords says whether another device has what this one has.
func hasWords(h control.Holder) string {
	text := map[string]string{device.HasIt: "has it", device.HasItNot: "lacks it"}[h.Has]
	if text == "" {
		text = "not known"
	}
	if h.Why != "" {
		text += ": " + h.Why
	}
	switch {
	case h.Connected:
		return text
	case h.Seen == "":
		return text + "; not connected"
	}
	return text + "; not connected, seen " + ago(h.Seen)
}
