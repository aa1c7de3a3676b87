package main

import (
	"fmt"
	"time"

	"github.com/zsync/zsync/internal/control"
)

// pace says how fast it goes and how long it takes, as far as that is known.
func pace(p control.Progress) (text string) {
	if p.Rate > 0 {
		text += ", " + octets(p.Rate) + "/s"
	}
	if p.ETA > 0 {
		text += ", " + about(time.Duration(p.ETA)*time.Second)
	}
	return text
}

// about returns a time that is foretold, no more exactly than it can be: so it does not
// change with every look.
func about(left time.Duration) string {
	const day = 24 * time.Hour
	switch {
	case left < 10*time.Second:
		return "a few seconds"
	case left < 55*time.Second:
		return fmt.Sprintf("about %d s", rounded(left, 5*time.Second)/time.Second)
	case left < 20*time.Minute:
		return fmt.Sprintf("about %d min", rounded(left, time.Minute)/time.Minute)
	case left < 2*time.Hour:
		return fmt.Sprintf("about %d min", rounded(left, 5*time.Minute)/time.Minute)
	case left < 2*day:
		return fmt.Sprintf("about %d h", rounded(left, time.Hour)/time.Hour)
	}
	return fmt.Sprintf("about %d days", rounded(left, day)/day)
}

func rounded(d, to time.Duration) time.Duration { return max(to, d.Round(to)) }
