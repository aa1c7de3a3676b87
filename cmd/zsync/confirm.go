package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/zsync/zsync/internal/control"
)

func newConfirm(p *program) *cobra.Command {
	return &cobra.Command{
		Use:   "confirm ID",
		Short: "Let a held-back mass change through",
		Long: "A device that deletes or replaces more than 50 files and more than a fifth of a folder\n" +
			"within a day is asked whether that was meant:  zsync status  shows what is held back\n" +
			"and under which ID. One confirmation lets it through on all devices.",
		Args: takes("ID"),
		RunE: func(cmd *cobra.Command, args []string) error {
			err := p.client().Do(cmd.Context(), control.Order{Confirm: args[0]})
			if err != nil {
				return refused(err, "zsync status  shows what is held back")
			}
			fmt.Fprintf(p.stderr, "Confirmed %s.\n", args[0])
			return nil
		},
	}
}
