package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/zsync/zsync/internal/control"
)

func newTrash(p *program) *cobra.Command {
	var folder string
	list := func(cmd *cobra.Command, _ []string) error {
		trashed, err := p.trashed(cmd.Context(), folder)
		if err != nil {
			return err
		}
		return p.printTrash(trashed)
	}
	parent := &cobra.Command{Use: "trash", Short: "Show what was replaced or deleted here", Args: takes(""), RunE: list}
	ls := p.jsonFlag(&cobra.Command{Use: "ls", Short: "List what was replaced or deleted here, the newest first", Args: takes(""), RunE: list})
	for _, cmd := range []*cobra.Command{parent, ls} {
		cmd.Flags().StringVar(&folder, "folder", "", "only of the folder with this `LABEL`")
	}
	parent.AddCommand(ls, newTrashEmpty(p))
	return p.jsonFlag(parent)
}

func newTrashEmpty(p *program) *cobra.Command {
	var folder, older string
	var yes bool
	cmd := &cobra.Command{
		Use:   "empty [PATH]",
		Short: "Remove what was replaced or deleted here, for good",
		Long: "Removes what was replaced or deleted on this device, for good: all of it, or what was\n" +
			"at or below PATH. Other devices keep theirs.",
		Args: takes("[PATH]"),
		RunE: func(cmd *cobra.Command, args []string) error {
			before := time.Time{}
			if older != "" {
				age, err := parseAgo(older)
				if err != nil {
					return err
				}
				before = time.Now().Add(-age)
			}
			st, err := p.status(cmd.Context())
			if err != nil {
				return err
			}
			under, err := placeOf(strings.Join(args, ""), &folder, st)
			if err != nil {
				return err
			}
			trashed, err := p.trashed(cmd.Context(), folder)
			if err != nil {
				return err
			}
			trashed = slices.DeleteFunc(trashed, func(t control.Trashed) bool {
				at, err := time.Parse(time.RFC3339, t.When)
				return under != "" && !within(t.Path, under) || older != "" && (err != nil || at.After(before))
			})
			return p.empty(cmd.Context(), trashed, yes)
		},
	}
	cmd.Flags().StringVar(&folder, "folder", "", "only of the folder with this `LABEL`")
	cmd.Flags().StringVar(&older, "older", "", "only what went there longer ago than `D`, for example 12h or 30d")
	cmd.Flags().BoolVar(&yes, "yes", false, "do it without asking")
	return cmd
}

// trashed returns what is in the versions area of a folder, or of every one (""),
// each the newest first.
func (p *program) trashed(ctx context.Context, folder string) (all []control.Trashed, err error) {
	st, err := p.status(ctx)
	if err != nil {
		return nil, err
	}
	known := folder == ""
	for _, f := range st.Folders {
		if folder != "" && folder != f.Label {
			continue
		}
		known = true
		trashed, err := p.client().Trash(ctx, f.Label)
		if err != nil {
			return nil, running(err)
		}
		all = append(all, trashed...)
	}
	if !known {
		return nil, failedf(exitFailed, "zsync folders", "this device keeps no folder %q", folder)
	}
	slices.SortStableFunc(all, func(a, b control.Trashed) int { return strings.Compare(b.When, a.When) })
	return all, nil
}

func (p *program) printTrash(trashed []control.Trashed) error {
	out := newTable(p.stdout)
	sum := int64(0)
	for _, t := range trashed {
		if p.json {
			if err := p.printJSON(t); err != nil {
				return err
			}
			continue
		}
		sum += t.Size
		when := "at some time"
		if t.When != "" {
			when = localTime(t.When)
		}
		out.row(when, t.Folder, octets(t.Size), t.Path)
	}
	if err := out.flush(); err != nil || p.json {
		return err
	}
	if len(trashed) == 0 {
		fmt.Fprintln(p.stderr, "The trash is empty.")
		return nil
	}
	fmt.Fprintf(p.stderr, "Files: %d (%s). To have one back:  zsync restore PATH\n", len(trashed), octets(sum))
	return nil
}

// empty removes files for good, once a person has agreed.
func (p *program) empty(ctx context.Context, trashed []control.Trashed, yes bool) error {
	var sum int64
	names := make(map[string][]string)
	var folders []string
	for _, t := range trashed {
		if names[t.Folder] == nil {
			folders = append(folders, t.Folder)
		}
		names[t.Folder] = append(names[t.Folder], t.Name)
		sum += t.Size
	}
	if len(trashed) == 0 {
		_, err := fmt.Fprintln(p.stdout, "Nothing of that is in the trash.")
		return err
	}
	if err := p.confirmed(yes, fmt.Sprintf("Remove %d files (%s) for good?", len(trashed), octets(sum))); err != nil {
		return err
	}
	for _, folder := range folders {
		if err := p.client().Discard(ctx, folder, names[folder]); err != nil {
			return running(err)
		}
	}
	_, err := fmt.Fprintf(p.stdout, "Removed for good: %d (%s).\n", len(trashed), octets(sum))
	return err
}

// confirmed asks a person, where there is one, unless the answer was given.
func (p *program) confirmed(yes bool, question string) error {
	if yes {
		return nil
	}
	if !isTerminal(os.Stdin) {
		return failedf(exitConfirm, "--yes answers it", "%s There is no terminal to ask on", question)
	}
	fmt.Fprintf(p.stderr, "%s [y/N] ", question)
	typed, err := answer(func() (string, error) { return bufio.NewReader(os.Stdin).ReadString('\n') })
	if err != nil {
		return failed(exitConfirm, err, "--yes answers it")
	}
	if said := strings.ToLower(strings.TrimSpace(typed)); said != "y" && said != "yes" {
		return failedf(exitConfirm, "", "nothing was removed")
	}
	return nil
}
