package main

import (
	"context"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/zsync/zsync/internal/control"
)

// eventDigitsMin is how many digits of an event must be typed.
const eventDigitsMin = 6

func newUndo(p *program) *cobra.Command {
	var folder, device, since string
	var dry bool
	cmd := &cobra.Command{
		Use:   "undo [EVENT]",
		Short: "Take back what one event, or one device, did",
		Long: "Takes back what one event did, by its first digits in  zsync log --json,  or what a\n" +
			"--device did --since WHEN. What was replaced or deleted comes back, what was created\n" +
			"goes to the trash, what was moved moves back. What somebody has changed since is\n" +
			"left as it is, and named. It is a change like any other: undo it to have it back.",
		Args: takes("[EVENT]"),
		RunE: func(cmd *cobra.Command, args []string) error {
			event := strings.Join(args, "")
			if (event == "") == (device == "") || (device == "") != (since == "") {
				return misuse(cmd, "undo needs an EVENT, or --device DEVICE and --since WHEN")
			}
			moment, err := parseWhen(since, time.Now())
			if err != nil {
				return err
			}
			past, err := p.undone(cmd, event, device, folder)
			if err != nil {
				return err
			}
			var all []control.Brought
			for _, each := range past {
				each.Since, each.DryRun = moment, dry
				brought, err := p.bring(cmd.Context(), each)
				if err != nil {
					return err
				}
				all = append(all, brought...)
			}
			return p.printBrought(all, dry)
		},
	}
	cmd.Flags().StringVar(&folder, "folder", "", "only in the folder with this `LABEL`")
	cmd.Flags().StringVar(&device, "device", "", "what this `DEVICE` did, by its name or the first digits of its id")
	cmd.Flags().StringVar(&since, "since", "", "with --device: since `WHEN`: a time, how long ago (2h, 3d), or @ and a lamport number")
	cmd.Flags().BoolVar(&dry, "dry-run", false, "say what would be done, and do nothing")
	return p.jsonFlag(cmd)
}

// undone returns what is to be asked of which folders.
func (p *program) undone(cmd *cobra.Command, event, device, folder string) ([]control.Past, error) {
	if event != "" {
		past, err := p.eventOf(cmd.Context(), event, folder)
		return []control.Past{past}, err
	}
	st, err := p.status(cmd.Context())
	if err != nil {
		return nil, err
	}
	id, err := deviceOf(st, device)
	if err != nil {
		return nil, err
	}
	folders, err := foldersNamed(folder, st)
	if err != nil {
		return nil, err
	}
	var all []control.Past
	for _, f := range folders {
		all = append(all, control.Past{Folder: f.Label, Device: id})
	}
	if len(all) == 0 {
		return nil, keepsNone()
	}
	return all, nil
}

// eventOf finds an event by its first digits.
func (p *program) eventOf(ctx context.Context, digits, folder string) (past control.Past, err error) {
	const hint = "zsync log --json  shows the events"
	digits = strings.ToLower(digits)
	if len(digits) < eventDigitsMin || strings.Trim(digits, "0123456789abcdef") != "" {
		return past, failedf(exitUsage, hint, "%q does not name an event: type %d of its hexadecimal digits at least", digits, eventDigitsMin)
	}
	err = p.client().Log(ctx, folder, func(line control.Line) error {
		switch {
		case !strings.HasPrefix(line.Event, digits) || line.Event == past.Event:
		case past.Event != "":
			return failedf(exitUsage, hint, "%q begins several events: type more of its digits", digits)
		default:
			past.Folder, past.Event = line.Folder, line.Event
		}
		return nil
	})
	if err == nil && past.Event == "" {
		err = failedf(exitFailed, hint, "there is no event %q", digits)
	}
	if _, is := err.(*failure); is {
		return past, err
	}
	return past, refused(err, pastHint)
}

// deviceOf finds a device of the circle by its name or the first digits of its id.
func deviceOf(st control.Status, typed string) (id string, err error) {
	ids := map[string]string{st.Device.Device: st.Device.Name}
	for _, d := range st.Circle {
		ids[d.Device] = d.Name
	}
	var found []string
	for id, name := range ids {
		if name == typed || len(typed) >= eventDigitsMin && strings.HasPrefix(id, strings.ToLower(typed)) {
			found = append(found, id)
		}
	}
	switch len(found) {
	case 0:
		return "", failedf(exitFailed, "zsync devices", "there is no device %q in the circle", typed)
	case 1:
		return found[0], nil
	}
	return "", failedf(exitUsage, "zsync devices --json  shows their ids", "several devices are called %q: type the first digits of its id", typed)
}
