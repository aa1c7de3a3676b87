package main

import (
	"io"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/zsync/zsync/internal/control"
)

func TestHelpFitsIntoATerminalOfEightyColumns(t *testing.T) {
	each(newRoot(io.Discard, io.Discard), func(cmd *cobra.Command) {
		for line := range strings.Lines(cmd.Long + "\n" + cmd.UsageString()) {
			if columnsIn(strings.TrimSuffix(line, "\n")) > helpColumns {
				t.Errorf("%s: %q", cmd.CommandPath(), line)
			}
		}
	})
}

func TestAStrangerWithoutAKeyOrAnAddressIsToldOfInASentence(t *testing.T) {
	for want, a := range map[string]control.Attempt{
		"something connected without a key and was refused (once, last never)":             {Count: 1},
		"something at 10.0.0.1 connected without a key and was refused (once, last never)": {Address: "10.0.0.1", Count: 1},
	} {
		if got := attemptLine(a); got != want {
			t.Errorf("%q, not %q", got, want)
		}
	}
}
