package main

import (
	"strconv"
	"strings"
	"time"

	"github.com/zsync/zsync/internal/control"
)

// whenHint says what a WHEN looks like.
const whenHint = "a WHEN is a time (2026-08-01, \"2026-08-01 18:30\", RFC 3339), how long ago (90m, 2h, 3d), or @ and a lamport number of  zsync log --json"

// whenLayouts are the times that a person types, by this computer's clock.
var whenLayouts = []string{time.RFC3339Nano, time.DateTime, "2006-01-02T15:04:05", "2006-01-02 15:04", "2006-01-02T15:04", time.DateOnly}

// parseWhen reads a moment as a person types it; "" is none.
func parseWhen(text string, now time.Time) (control.Moment, error) {
	if text == "" {
		return control.Moment{}, nil
	}
	if number, is := strings.CutPrefix(text, "@"); is {
		lamport, err := strconv.ParseUint(number, 10, 64)
		if err != nil || lamport == 0 {
			return control.Moment{}, failedf(exitUsage, whenHint, "%q is no lamport number", text)
		}
		return control.Moment{Lamport: lamport}, nil
	}
	for _, layout := range whenLayouts {
		if at, err := time.ParseInLocation(layout, text, time.Local); err == nil {
			return control.Moment{Wall: at}, nil
		}
	}
	ago, err := parseAgo(text)
	if err != nil {
		return control.Moment{}, err
	}
	return control.Moment{Wall: now.Add(-ago)}, nil
}

// parseAgo reads a duration, which may be in days or weeks too.
func parseAgo(text string) (time.Duration, error) {
	for unit, hours := range map[string]time.Duration{"d": 24, "w": 7 * 24} {
		number, is := strings.CutSuffix(text, unit)
		if n, err := strconv.ParseUint(number, 10, 16); is && err == nil {
			return time.Duration(n) * hours * time.Hour, nil
		}
	}
	ago, err := time.ParseDuration(text)
	if err != nil || ago < 0 {
		return 0, failedf(exitUsage, whenHint, "%q is no time and no duration", text)
	}
	return ago, nil
}
