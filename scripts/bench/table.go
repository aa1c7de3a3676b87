package main

import (
	"fmt"
	"io"
	"strings"
)

const line = "%-38s %-4s %8s %24s %24s %6s %6s %9s  %s\n"

// table prints results for people: medians, with the least and the most of the runs.
func table(out io.Writer, all []result) {
	fmt.Fprintf(out, line, "", "", "goal", "zsync", "rsync over ssh", "ratio", "goal", "--fsync", "")
	for _, r := range all {
		fmt.Fprintf(out, "%s: %s\n", r.Row, r.About)
		if r.Note != "" {
			fmt.Fprintf(out, "  (%s)\n", r.Note)
		}
		if r.Skipped != "" {
			why, _, _ := strings.Cut(r.Skipped, "\n")
			fmt.Fprintf(out, "  %s\n", why)
		}
		for _, f := range r.Figures {
			if len(f.Zsync)+len(f.Rsync) == 0 {
				continue
			}
			fmt.Fprintf(out, line, "  "+f.Name, f.Unit, goal(f), spread(f.Zsync), spread(f.Rsync),
				known(f.ofRsync()), known(f.GoalOfRsync), known(median(f.Fsync)), r.verdict(f))
		}
	}
}

func goal(f figure) string {
	switch {
	case f.Goal == 0:
		return ""
	case f.AtLeast:
		return ">= " + short(f.Goal)
	}
	return "<= " + short(f.Goal)
}

// spread writes a median, and behind it what lies around it.
func spread(values []float64) string {
	switch len(values) {
	case 0:
		return ""
	case 1:
		return short(values[0])
	}
	return fmt.Sprintf("%s (%s-%s)", short(median(values)), short(quantile(values, 0)), short(quantile(values, 1)))
}

// known writes a value, nothing for one that is not known.
func known(value float64) string {
	if value == 0 {
		return ""
	}
	return short(value)
}
