package main

import (
	"cmp"
	"os"
	"runtime/debug"
	"slices"
	"time"

	"github.com/zsync/zsync/internal/control"
)

const (
	clockBegins = 2024        // no clock that is right is before that year
	clockApart  = time.Minute // what two clocks may differ in, and what a file may be ahead
)

// checkClock looks for a clock that is surely wrong. Nothing is decided by clocks; what
// is shown and  --at  and  --since  go by them.
func (c *checkup) checkClock() {
	const do = "timedatectl set-ntp true"
	now := time.Now()
	h := c.home
	ahead := slices.ContainsFunc([]string{h.generation(), h.config(), h.keyFile(), h.database(), h.path("spaces")}, func(path string) bool {
		info, err := os.Stat(path)
		return err == nil && info.ModTime().After(now.Add(clockApart))
	})
	switch {
	case now.Year() < clockBegins || ahead || now.Before(builtFrom().Add(-clockApart)):
		c.say(levelWarn, "clock", do, "the clock is wrong (%s), or was when this device ran last: times in  zsync log  mislead; nothing else is decided by it", now.Format(time.DateTime))
	default:
		c.say(levelOK, "clock", "", "it is %s", now.Format(time.DateTime))
	}
	for _, d := range c.clocks() {
		apart, way := time.Duration(d.Clock)*time.Millisecond, "ahead of"
		if apart < 0 {
			apart, way = -apart, "behind"
		}
		if apart > clockApart {
			c.say(levelWarn, "clock", do+"  on the device whose clock is wrong",
				"the clock of %s is %s %s this device's, by the change that it sent last: times in  zsync log  mislead; nothing else is decided by it", d.Name, apart.Round(time.Second), way)
			continue
		}
		c.say(levelOK, "clock", "", "that of %s is within a minute of it", d.Name)
	}
}

// clocks are the connected devices whose clocks are known, each once: what it sent in
// another folder may have been longer under way, so that its clock seemed further behind.
func (c *checkup) clocks() (known []control.Device) {
	all := slices.Clone(c.status.Circle)
	for _, f := range c.status.Folders {
		all = append(all, f.Devices...)
	}
	all = slices.DeleteFunc(all, func(d control.Device) bool { return d.Clock == 0 || !d.Linked })
	slices.SortFunc(all, func(a, b control.Device) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Device, b.Device), cmp.Compare(b.Clock, a.Clock))
	})
	return slices.CompactFunc(all, func(a, b control.Device) bool { return a.Device == b.Device })
}

// builtFrom is when the last change was made to what this program was built from; zero
// where that is not known.
func builtFrom() time.Time {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return time.Time{}
	}
	for _, setting := range info.Settings {
		if setting.Key == "vcs.time" {
			at, _ := time.Parse(time.RFC3339, setting.Value) // zero where it is no time
			return at
		}
	}
	return time.Time{}
}
