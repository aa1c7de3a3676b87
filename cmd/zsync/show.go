package main

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/spf13/cobra"

	"github.com/zsync/zsync/internal/control"
	"github.com/zsync/zsync/internal/device"
	"github.com/zsync/zsync/internal/kv"
	"github.com/zsync/zsync/internal/kv/bolt"
)

func newShow(p *program) *cobra.Command {
	return p.jsonFlag(&cobra.Command{
		Use:   "show EVENT",
		Short: "Show one event, verified",
		Long: "Show one event of a folder's log, or of the circle's, and check anew that its author\n" +
			"signed it. EVENT is its id as zsync log --json shows it, or the first digits of it.",
		Args: takes("EVENT"),
		RunE: func(cmd *cobra.Command, args []string) error {
			digits := strings.ToLower(args[0])
			if !eventDigits.MatchString(digits) {
				return misuse(cmd, "an event is 64 hexadecimal digits, or the first of them, at least 4: not %q", args[0])
			}
			found, err := p.shown(cmd.Context(), digits)
			if err != nil {
				return err
			}
			return p.printShown(found, digits)
		},
	})
}

var eventDigits = regexp.MustCompile(`^[0-9a-f]{4,64}$`)

// shown asks the running device, or reads what a stopped one has written down.
func (p *program) shown(ctx context.Context, digits string) (found []control.Shown, err error) {
	err = orWithout(ctx, func() (err error) {
		found, err = p.client().Show(ctx, digits)
		return err
	}, func() error {
		found = nil
		read := func(store kv.Store, reg device.Registration) error {
			some, err := device.StoppedShow(store, reg, digits)
			for _, one := range some {
				found = append(found, control.ShownOf(one))
			}
			return err
		}
		return errors.Join(p.eachStopped("", read), p.stoppedCircle(read))
	})
	return found, err
}

// stoppedCircle reads the log of the circle, which lies in the device's database.
func (p *program) stoppedCircle(read func(kv.Store, device.Registration) error) error {
	db, err := bolt.OpenReadOnly(p.home().database())
	if err != nil {
		return nil // eachStopped has said so, or there is none
	}
	_, circle, err := device.Known(db, p.home().trusted())
	if err == nil && !circle.IsZero() {
		err = read(db, device.Registration{Space: circle})
	}
	return errors.Join(err, db.Close())
}

func (p *program) printShown(found []control.Shown, digits string) error {
	switch {
	case len(found) == 0:
		return failedf(exitFailed, "zsync log --json", "no event here begins with %s", digits)
	case len(found) > 1:
		ids := make([]string, len(found))
		for i, one := range found {
			ids[i] = one.Event[:min(len(one.Event), len(digits)+8)]
		}
		return failedf(exitConfirm, "zsync show EVENT  with more digits", "several events begin with %s: %s", digits, strings.Join(ids, ", "))
	}
	one := found[0]
	err := p.printEvent(one)
	if err == nil && !one.Verified {
		err = failedf(exitDamage, "docs/troubleshooting.md", "event %s is damaged: %s", one.Event[:16], one.Why)
	}
	return err
}

func (p *program) printEvent(one control.Shown) error {
	if p.json {
		return p.printJSON(one)
	}
	out := newTable(p.stdout)
	out.row("event", one.Event)
	if !one.Verified {
		out.row("signature", "NOT VALID: "+one.Why)
		return out.flush()
	}
	where := one.Folder
	if where == "" {
		where = "the circle"
	}
	out.row("in", where)
	out.row("author", one.Name+", device "+one.Device[:16])
	out.row("writer", fmt.Sprintf("%s, event %d of it", one.Writer, one.Seq))
	out.row("lamport", fmt.Sprint(one.Lamport))
	out.row("written", localTime(one.Wall)+" by the author's clock")
	out.row("kind", one.Kind)
	out.row("prev", one.Prev)
	for _, dep := range one.Deps {
		out.row("rests on", fmt.Sprintf("%s, event %d of %s", dep.Event, dep.Seq, dep.Writer))
	}
	out.row("signature", "valid")
	if one.Void {
		out.row("void", "its author had no right to it, or signed two events in its place")
	}
	for _, line := range one.Operations {
		text := line.Path
		if line.From != "" {
			text += "  (was " + line.From + ")"
		}
		if line.Size > 0 {
			text += "  " + octets(line.Size)
		}
		out.row("  "+line.Op, text)
	}
	return out.flush()
}
