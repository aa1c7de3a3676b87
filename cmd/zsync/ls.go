package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"runtime/debug"
	"time"

	"github.com/spf13/cobra"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/internal/control"
	"github.com/zsync/zsync/internal/device"
	"github.com/zsync/zsync/internal/kv"
)

func newLs(p *program) *cobra.Command {
	var folder, at string
	cmd := &cobra.Command{
		Use:   "ls [PATH]",
		Short: "Show the folder as it is, or as it was",
		Long: "Show what the log says is in a folder, or at PATH and below it: what is on this disk\n" +
			"once it is in sync. Works with no device running, too.\n\n" +
			"With --at, as it was: WHEN is a time (2026-05-01T12:00:00Z, 2026-05-01, or with a time\n" +
			"of day after a space), how long ago (2h, 3d), or @ and a Lamport time as zsync log\n" +
			"--json shows it. Times are those of the devices that wrote. It reads the whole log and\n" +
			"needs memory for it: about 100 MB for a folder of 100,000 files.",
		Args: takes("[PATH]"),
		RunE: func(cmd *cobra.Command, args []string) error {
			st, path, err := p.placed(cmd.Context(), args, &folder)
			if err != nil {
				return err
			}
			if !cmd.Flags().Changed("at") {
				return failed(exitFailed, p.tree(cmd.Context(), folder, path, p.printTreeLine), "zsync ls")
			}
			moment, err := parseWhen(at, time.Now())
			if err != nil {
				return err
			}
			return failed(exitFailed, p.treeAt(cmd.Context(), st, folder, path, device.When(moment)), "zsync ls")
		},
	}
	cmd.Flags().StringVar(&folder, "folder", "", "only the folder with this `LABEL`")
	cmd.Flags().StringVar(&at, "at", "", "as it was at `WHEN`: a time, how long ago (3d), or @ and a Lamport time")
	return p.jsonFlag(cmd)
}

// tree asks the running device, or reads what a stopped one has written down.
func (p *program) tree(ctx context.Context, label, path string, yield func(control.TreeLine) error) error {
	return orWithout(ctx, func() error {
		return p.client().Tree(ctx, label, path, yield)
	}, func() error {
		at, err := zsync.ParsePath(path)
		if err != nil {
			return err
		}
		var missed error
		found := false
		err = p.eachStopped(label, func(store kv.Store, reg device.Registration) error {
			err := tellOnce(yield, func(tell func(control.TreeLine) bool) error {
				return device.StoppedTree(store, reg, at, func(line device.TreeLine) bool { return tell(control.TreeLineOf(line)) })
			})
			if errors.Is(err, device.ErrNoPath) {
				missed, err = err, nil
			} else {
				found = true
			}
			return err
		})
		if err == nil && !found {
			err = missed
		}
		return err
	})
}

// treeAt folds the logs up to a cut, here and not in the device: it takes memory.
func (p *program) treeAt(ctx context.Context, st control.Status, label, path string, cut device.When) error {
	debug.SetMemoryLimit(math.MaxInt64)
	at, err := zsync.ParsePath(path)
	if err != nil {
		return err
	}
	folders, err := foldersNamed(label, st)
	if err != nil {
		return err
	}
	var missed error
	found := len(folders) == 0
	for _, f := range folders {
		space, err := zsync.ParseSpaceID(f.Space)
		if err != nil {
			return err
		}
		past, err := p.past(ctx, f.Label, space, cut)
		if err != nil {
			return err
		}
		err = past.Tree(f.Label, at, func(line device.TreeLine) bool { return p.printTreeLine(control.TreeLineOf(line)) == nil })
		if err != nil && !errors.Is(err, device.ErrNoPath) {
			return err
		}
		found, missed = found || err == nil, err
	}
	if found {
		return nil
	}
	return missed
}

// past folds the log of one folder up to a cut.
func (p *program) past(ctx context.Context, label string, space zsync.SpaceID, cut device.When) (past *device.Past, err error) {
	err = orWithout(ctx, func() error {
		past = device.NewPast(space, cut)
		return p.client().Events(ctx, label, past.Add)
	}, func() error {
		past = device.NewPast(space, cut)
		return p.eachStopped(label, func(store kv.Store, reg device.Registration) error {
			var failed error
			err := device.StoppedEvents(store, reg, func(ev device.LogEvent) bool {
				failed = past.Add(ev)
				return failed == nil
			})
			return errors.Join(err, failed)
		})
	})
	return past, err
}

func (p *program) printTreeLine(line control.TreeLine) error {
	if p.json {
		return p.printJSON(line)
	}
	path := printable(line.Path)
	switch line.Type {
	case "dir":
		path += "/"
	case "symlink":
		path += " -> " + printable(line.Target)
	}
	_, err := fmt.Fprintf(p.stdout, "%s  %8s  %19s  %s%s\n", line.Mode, sizeOf(line), localTime(line.Mtime), path, notesOn(line))
	return err
}

func sizeOf(line control.TreeLine) string {
	if line.Type != "file" {
		return "-"
	}
	return octets(line.Size)
}

func notesOn(line control.TreeLine) string {
	notes := ""
	if line.Conflict {
		notes = "  (conflict copy by " + printable(line.Name) + ")"
	}
	if line.As != "" {
		notes += "  (on this disk: " + printable(line.As) + ")"
	}
	return notes
}
