package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/zsync/zsync/internal/control"
)

func newIgnore(p *program) *cobra.Command {
	var order control.IgnoreOrder
	var list bool
	cmd := &cobra.Command{
		Use:   "ignore LABEL",
		Short: "Show or change what a folder leaves alone",
		Long: "Patterns are those of .gitignore, and the same on all devices but for those of --local.\n" +
			"What becomes ignored stays where it is, on every device, and is not synced any more;\n" +
			"what is ignored no more is compared again. Nothing is deleted by either.",
		Args: takes("LABEL"),
		RunE: func(cmd *cobra.Command, args []string) error {
			order.Folder = args[0]
			changes := len(order.Add)+len(order.Remove) > 0
			if changes {
				if err := p.client().Ignore(cmd.Context(), order); err != nil {
					return ignoreRefused(order.Folder, err)
				}
			}
			if changes && !list {
				return nil
			}
			patterns, err := p.client().Ignored(cmd.Context(), order.Folder)
			if err != nil {
				return ignoreRefused(order.Folder, err)
			}
			return p.printPatterns(patterns)
		},
	}
	cmd.Flags().StringArrayVar(&order.Add, "add", nil, "ignore what `PATTERN` matches; repeatable")
	cmd.Flags().StringArrayVar(&order.Remove, "remove", nil, "take `PATTERN` away; repeatable")
	cmd.Flags().BoolVar(&order.Local, "local", false, "add or remove for this device alone")
	cmd.Flags().BoolVar(&list, "list", false, "show the patterns in force, also after a change")
	return p.jsonFlag(cmd)
}

func (p *program) printPatterns(patterns []control.Pattern) error {
	out := newTable(p.stdout)
	for _, line := range patterns {
		if p.json {
			if err := p.printJSON(line); err != nil {
				return err
			}
			continue
		}
		out.row(line.Pattern, line.From)
	}
	return out.flush()
}

func ignoreRefused(label string, err error) error {
	hint := fmt.Sprintf("zsync folders ignore %s --list", quoted(label))
	if err != nil && strings.Contains(err.Error(), "keeps no folder") {
		hint = "zsync folders"
	}
	return refused(err, hint)
}
