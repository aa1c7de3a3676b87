package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/zsync/zsync/internal/control"
	"github.com/zsync/zsync/internal/device"
)

func newRestore(p *program) *cobra.Command {
	var folder, at, to string
	cmd := &cobra.Command{
		Use:   "restore PATH",
		Short: "Bring a version of a file or directory back",
		Long: "Brings back what PATH was: just before it was last deleted or replaced, or --at a\n" +
			"moment. A directory comes back with everything that was in it. The bytes are taken\n" +
			"from this disk or, where it has them no more, from any device that is connected.\n" +
			"What is at PATH now goes to the trash first; see  zsync trash.",
		Args: takes("PATH"),
		RunE: func(cmd *cobra.Command, args []string) error {
			moment, err := parseWhen(at, time.Now())
			if err != nil {
				return err
			}
			past := control.Past{At: moment}
			if past.Folder, past.Path, err = p.pathIn(cmd.Context(), args[0], folder); err != nil {
				return err
			}
			past.To = past.Path
			if to != "" {
				var where string
				if where, past.To, err = p.pathIn(cmd.Context(), to, past.Folder); err != nil {
					return err
				}
				if where != past.Folder {
					return misuse(cmd, "--to %s lies in the folder %s, not in %s", to, where, past.Folder)
				}
			}
			brought, err := p.bring(cmd.Context(), past)
			if err != nil {
				return err
			}
			return p.printBrought(brought, false)
		},
	}
	cmd.Flags().StringVar(&folder, "folder", "", "in the folder with this `LABEL`")
	cmd.Flags().StringVar(&at, "at", "", "as it was `WHEN`: a time, how long ago (2h, 3d), or @ and a lamport number")
	cmd.Flags().StringVar(&to, "to", "", "put it at `PATH` instead, in the same folder")
	return p.jsonFlag(cmd)
}

// pathIn returns the folder that a typed path lies in, and where.
func (p *program) pathIn(ctx context.Context, typed, folder string) (label, path string, err error) {
	st, err := p.status(ctx)
	if err != nil {
		return "", "", err
	}
	path, err = placeOf(typed, &folder, st)
	if err != nil || folder != "" {
		return folder, path, err
	}
	label, err = onlyFolder(st)
	return label, path, err
}

// foldersNamed returns the folder with a label, or all ("").
func foldersNamed(label string, st control.Status) ([]control.Folder, error) {
	if label == "" {
		return st.Folders, nil
	}
	for _, f := range st.Folders {
		if f.Label == label {
			return []control.Folder{f}, nil
		}
	}
	return nil, noFolder(label)
}

// noFolder says that a label names nothing here.
func noFolder(label string) error {
	return failedf(exitFailed, "zsync folders", "this device keeps no folder %q", label)
}

func keepsNone() error {
	return failedf(exitFailed, "zsync watch DIR", "this device keeps no folder")
}

// onlyFolder is the folder that is meant where none is named.
func onlyFolder(st control.Status) (string, error) {
	switch len(st.Folders) {
	case 0:
		return "", keepsNone()
	case 1:
		return st.Folders[0].Label, nil
	}
	var labels []string
	for _, f := range st.Folders {
		labels = append(labels, f.Label)
	}
	return "", failedf(exitUsage, "name it with --folder LABEL, or the path with ./ in front", "this device keeps several folders: %s", strings.Join(labels, ", "))
}

// pastHint is for what cannot be brought back.
const pastHint = "zsync log  shows what happened"

func (p *program) bring(ctx context.Context, past control.Past) ([]control.Brought, error) {
	brought, err := p.client().Bring(ctx, past)
	return brought, refused(err, pastHint)
}

// dirMade is what became of a directory that is back.
const dirMade device.Outcome = "made"

// tally counts what became of things.
type tally struct {
	counts  map[device.Outcome]int
	octets  int64
	trouble int
}

func tallyOf(brought []control.Brought) tally {
	t := tally{counts: make(map[device.Outcome]int)}
	for _, b := range brought {
		outcome := device.Outcome(b.Outcome)
		switch outcome {
		case device.AsItWas:
			if b.Dir {
				continue // a directory that is there is nothing to tell of
			}
		case device.Restored:
			if b.Dir {
				outcome = dirMade
			}
			t.octets += b.Size
		case device.Replaced:
			t.octets += b.Size
		case device.Lost, device.Failed:
			t.trouble++
		}
		t.counts[outcome]++
	}
	return t
}

// printBrought says what was done, with counts, and names what was not. Where
// something failed, so does the command.
func (p *program) printBrought(brought []control.Brought, dry bool) error {
	for _, b := range brought {
		if p.json {
			if err := p.printJSON(b); err != nil {
				return err
			}
			continue
		}
		p.printOne(b, dry)
	}
	t := tallyOf(brought)
	if !p.json {
		p.printTally(t, dry)
	}
	if t.trouble > 0 {
		return failedf(exitFailed, "connect the device that has it, see  zsync status,  and run it again: what is done already is left as it is",
			"not brought back: %d", t.trouble)
	}
	return nil
}

func (p *program) printOne(b control.Brought, dry bool) {
	switch outcome := device.Outcome(b.Outcome); {
	case outcome == device.Passed || outcome == device.Lost || outcome == device.Failed:
		fmt.Fprintf(p.stderr, "zsync: %s: %s\n", printable(b.Path), b.Why)
	case !dry || outcome != device.Planned:
	case b.Do == "move":
		fmt.Fprintf(p.stdout, "would move    %s  (to %s)\n", printable(b.From), printable(b.Path))
	case b.Do == "remove":
		fmt.Fprintf(p.stdout, "would remove  %s\n", printable(b.Path))
	default:
		fmt.Fprintf(p.stdout, "would restore %s\n", printable(b.Path))
	}
}

func (p *program) printTally(t tally, dry bool) {
	var parts []string
	for _, each := range []struct {
		outcome device.Outcome
		words   string
	}{
		{device.Planned, "to do: %d"},
		{device.Restored, "brought back: %d"},
		{dirMade, "directories made: %d"},
		{device.Replaced, "put in the place of others, which are in the trash: %d"},
		{device.Moved, "moved back: %d"},
		{device.Removed, "removed, and in the trash: %d"},
		{device.AsItWas, "there already: %d"},
		{device.Passed, "left as they are: %d"},
		{device.Lost, "not found on any device that is connected: %d"},
		{device.Failed, "failed: %d"},
	} {
		if n := t.counts[each.outcome]; n > 0 && (dry || each.outcome != device.Planned) {
			parts = append(parts, fmt.Sprintf(each.words, n))
		}
	}
	if len(parts) == 0 {
		parts = append(parts, "nothing to do")
	}
	text := strings.Join(parts, "; ")
	if t.octets > 0 {
		text += " (" + octets(t.octets) + ")"
	}
	fmt.Fprintln(p.stdout, strings.ToUpper(text[:1])+text[1:]+".")
}
