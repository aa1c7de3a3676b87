package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/zsync/zsync/internal/control"
	"github.com/zsync/zsync/internal/device"
	"github.com/zsync/zsync/internal/kv/bolt"
)

func newLog(p *program) *cobra.Command {
	var folder string
	cmd := &cobra.Command{
		Use:   "log [PATH]",
		Short: "Show who did what, and when",
		Args:  cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			under := strings.TrimSuffix(strings.Join(args, ""), "/")
			err := p.history(cmd.Context(), folder, func(line control.Line) error {
				if under != "" && !within(line.Path, under) && !within(line.From, under) {
					return nil
				}
				return p.printLine(line)
			})
			return failed(exitFailed, err, "zsync folders")
		},
	}
	cmd.Flags().StringVar(&folder, "folder", "", "only the folder with this `LABEL`")
	return p.jsonFlag(cmd)
}

// within reports whether path is dir or below it.
func within(path, dir string) bool {
	return path == dir || strings.HasPrefix(path, dir+"/")
}

// history asks the running device, or reads what a stopped one has written down.
func (p *program) history(ctx context.Context, label string, yield func(control.Line) error) error {
	return orWithout(ctx, func() error {
		return p.client().Log(ctx, label, yield)
	}, func() error {
		w, err := p.written()
		if err != nil {
			return err
		}
		found := label == ""
		for _, reg := range w.folders {
			if label != "" && reg.Label != label {
				continue
			}
			found = true
			if err := p.stoppedHistory(reg, yield); err != nil {
				return err
			}
		}
		if !found {
			return fmt.Errorf("this device keeps no folder %q", label)
		}
		return nil
	})
}

func (p *program) stoppedHistory(reg device.Registration, yield func(control.Line) error) error {
	db, err := bolt.OpenReadOnly(p.home().space(reg.Space.String()))
	if err != nil {
		return err
	}
	lines, err := device.StoppedHistory(db, reg)
	if err = errors.Join(err, db.Close()); err != nil {
		return err
	}
	for _, line := range lines {
		if err := yield(control.LineOf(line)); err != nil {
			return err
		}
	}
	return nil
}

func (p *program) printLine(line control.Line) error {
	if p.json {
		return json.NewEncoder(p.stdout).Encode(line)
	}
	text := fmt.Sprintf("%s  %-12s %-7s %s", line.Wall, printable(line.Name), line.Op, printable(line.Path))
	if line.From != "" {
		text += "  (was " + printable(line.From) + ")"
	}
	if line.Size > 0 {
		text += "  " + octets(line.Size)
	}
	_, err := fmt.Fprintln(p.stdout, text)
	return err
}
