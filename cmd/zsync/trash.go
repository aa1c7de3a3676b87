package main

import (
	"context"
	"fmt"
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
			_, under, err := p.placed(cmd.Context(), args, &folder)
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
	folders, err := foldersNamed(folder, st)
	if err != nil {
		return nil, err
	}
	for _, f := range folders {
		trashed, err := p.client().Trash(ctx, f.Label)
		if err != nil {
			return nil, refused(err, pastHint)
		}
		all = append(all, trashed...)
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
	if !yes {
		agreed, err := p.confirm(fmt.Sprintf("Remove %d files (%s) for good?", len(trashed), octets(sum)), "--yes answers it")
		if err != nil {
			return err
		}
		if !agreed {
			return failedf(exitConfirm, "", "nothing was removed")
		}
	}
	for _, folder := range folders {
		if err := p.client().Discard(ctx, folder, names[folder]); err != nil {
			return refused(err, pastHint)
		}
	}
	_, err := fmt.Fprintf(p.stdout, "Removed for good: %d (%s).\n", len(trashed), octets(sum))
	return err
}
