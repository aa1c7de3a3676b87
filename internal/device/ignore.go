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
func (r *Running) Ignored(label Label) ([]replica.IgnoreRule, error) {
	f, err := r.folderOf(string(label))
	if err != nil {
		return nil, err
	}
	return answer(f, f.machine.Ignored)
}

// Ignore carries out such a change; the error says why it could not.
func (r *Running) Ignore(order Ignore) error {
	f, err := r.folderOf(string(order.Label))
	if err != nil {
		return err
	}
	return f.ask(func() error {
		effects, err := f.machine.Ignore(f.loop.clock(), order)
		if err == nil {
			r.deliver(effects)
		}
		return err
	})
}

// Ignored returns the patterns in force, in their order.
func (f *FolderMachine) Ignored() (rules []replica.IgnoreRule, err error) {
	err = f.store.View(func(tx kv.Tx) error {
		rules = f.replica.IgnoreRules(tx)
		return nil
	})
	return rules, err
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
