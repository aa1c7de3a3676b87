package device

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/eventlog"
	"github.com/zsync/zsync/internal/kv"
	"github.com/zsync/zsync/replica"
)

// Ignore changes the patterns of what a folder leaves alone, for all devices or, with
// Here, for this one alone.
type Ignore struct {
	Label       Label
	Add, Remove []string
	Here        bool
}

// Ignored returns the patterns in force in a folder, in their order.
func (r *Running) Ignored(label Label) (rules []replica.IgnoreRule, err error) {
	err = r.inFolder(label, func(_ time.Time, m *FolderMachine) ([]Effect, error) {
		return nil, m.store.View(func(tx kv.Tx) error {
			rules = m.replica.IgnoreRules(tx)
			return nil
		})
	})
	return rules, err
}

// Ignore carries out such a change; the error says why it could not.
func (r *Running) Ignore(order Ignore) error {
	return r.inFolder(order.Label, func(now time.Time, m *FolderMachine) ([]Effect, error) { return m.Ignore(now, order) })
}

// inFolder has the machine of a folder do something between two turns, and carries
// out what comes of it.
func (r *Running) inFolder(label Label, do func(time.Time, *FolderMachine) ([]Effect, error)) (err error) {
	r.mutex.RLock()
	var found *runningFolder
	for _, f := range r.folders {
		if !f.reg.Scout && f.reg.Label == label {
			found = f
		}
	}
	r.mutex.RUnlock()
	if found == nil {
		return fmt.Errorf("this device keeps no folder %q, or it is halted", label)
	}
	ran := found.loop.call(func() {
		var effects []Effect
		if effects, err = do(found.loop.clock(), found.machine); err == nil {
			r.deliver(effects)
		}
	})
	if !ran {
		return fmt.Errorf("the folder %q was closed", label)
	}
	return err
}

// Ignore changes the patterns in a turn of its own. What is refused changes nothing,
// and leaves the machine as good as before.
func (f *FolderMachine) Ignore(now time.Time, order Ignore) ([]Effect, error) {
	if f.failed != nil {
		return nil, f.failed
	}
	f.now = now
	var refused error
	err := f.store.Update(func(tx kv.Tx) error {
		if refused = f.ignore(tx, now, order); refused != nil {
			return nil
		}
		f.replica.Advance(tx, now)
		return f.finish(tx, now)
	})
	if err != nil {
		f.failed = err
		return nil, err
	}
	return f.space.take(), refused
}

func (f *FolderMachine) ignore(tx kv.Tx, now time.Time, order Ignore) error {
	add, remove := slices.Clone(order.Add), slices.Clone(order.Remove)
	if order.Here {
		return f.replica.IgnoreHere(tx, add, remove)
	}
	body, err := f.replica.IgnoreBody(tx, add, remove)
	if err != nil || body == nil {
		return err
	}
	if !f.space.mayAppend(tx, now) {
		return fmt.Errorf("this device may not write to the folder %q yet; try again in a few seconds", f.cfg.Label)
	}
	return f.write(tx, now, zsync.KindSettings, body)
}

// linesOfSettings says what a settings event changed.
func linesOfSettings(ev eventlog.Event, base HistoryLine) (lines []HistoryLine) {
	settings, err := replica.DecodeSettings(ev.Body)
	if err != nil {
		return nil
	}
	for _, s := range settings {
		line := base
		pattern, isPattern := strings.CutPrefix(s.Key, replica.IgnoreKey)
		line.Op, line.Path = "setting", s.Key
		switch {
		case isPattern && len(s.Value) > 0:
			line.Op, line.Path = "ignore", pattern
		case isPattern:
			line.Op, line.Path = "unignore", pattern
		}
		lines = append(lines, line)
	}
	return lines
}
