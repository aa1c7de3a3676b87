package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/zsync/zsync/internal/control"
	"github.com/zsync/zsync/internal/device"
	"github.com/zsync/zsync/internal/kv"
)

func newConflicts(p *program) *cobra.Command {
	var folder string
	list := func(cmd *cobra.Command, _ []string) error {
		all, err := p.conflicts(cmd.Context(), folder)
		if err != nil {
			return err
		}
		return p.printConflicts(all)
	}
	parent := &cobra.Command{Use: "conflicts", Short: "Show what clashed, and choose", Args: takes(""), RunE: list}
	ls := &cobra.Command{Use: "ls", Short: "List what clashed", Args: takes(""), RunE: list}
	parent.PersistentFlags().StringVar(&folder, "folder", "", "only the folder with this `LABEL`")
	parent.AddCommand(p.jsonFlag(ls), newKeep(p, &folder))
	return p.jsonFlag(parent)
}

func newKeep(p *program, folder *string) *cobra.Command {
	return p.jsonFlag(&cobra.Command{
		Use:   "keep [mine|theirs|both] PATH...",
		Short: "Choose which version stays",
		Long: "Choose which version of a file stays, on every device. The others leave the folder\n" +
			"and are kept in the versions area of each device that had them.\n\n" +
			"  keep PATH...         the version at PATH: of the file, or of a conflict copy,\n" +
			"                       which then has the file's name\n" +
			"  keep mine PATH...    the version that this device wrote\n" +
			"  keep theirs PATH...  the version that another device wrote\n" +
			"  keep both PATH...    all versions, as files of their own, under their names\n\n" +
			"With a word, PATH may also be a directory: all conflicts in it. A file that is called\n" +
			"mine, theirs or both is ./mine, ./theirs or ./both, seen from its directory.",
		Args: func(cmd *cobra.Command, args []string) error {
			if _, paths := choice(args); len(paths) == 0 {
				return misuse(cmd, "%s needs a PATH", strings.TrimSpace(nameOf(cmd)+" "+strings.Join(args, "")))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			return p.keep(cmd.Context(), *folder, args)
		},
	})
}

// choice parts what was typed into the word, if there is one, and the paths.
func choice(args []string) (which string, paths []string) {
	if len(args) > 0 && slices.Contains([]string{device.KeepMine, device.KeepTheirs, device.KeepBoth}, args[0]) {
		return args[0], args[1:]
	}
	return "", args
}

func (p *program) keep(ctx context.Context, folder string, args []string) error {
	order := control.Keep{Folder: folder}
	which, typed := choice(args)
	order.Which = which
	st, err := p.status(ctx)
	if err != nil {
		return err
	}
	if !st.Running {
		return notRunning()
	}
	for _, text := range typed {
		path, err := placeOf(text, &order.Folder, st)
		if err != nil {
			return err
		}
		order.Paths = append(order.Paths, path)
	}
	if order.Folder, err = p.clashing(ctx, order, st); err != nil {
		return err
	}
	kept, err := p.client().Keep(ctx, order)
	switch {
	case err != nil:
		return failed(exitFailed, err, "zsync conflicts ls")
	case kept.Refused != "" && kept.Choice:
		return failedf(exitConfirm, "zsync conflicts ls  shows them; then  zsync conflicts keep PATH", "%s", kept.Refused)
	case kept.Refused != "":
		return failedf(exitFailed, "zsync conflicts ls", "%s", kept.Refused)
	case p.json:
		return p.printJSON(kept)
	}
	_, err = fmt.Fprintf(p.stdout, "%s settled\n", count(kept.Settled, "conflict"))
	return err
}

// clashing returns the folder that the paths to settle lie in.
func (p *program) clashing(ctx context.Context, order control.Keep, st control.Status) (string, error) {
	if order.Folder != "" || len(st.Folders) == 1 {
		if order.Folder == "" {
			return st.Folders[0].Label, nil
		}
		return order.Folder, nil
	}
	all, err := p.conflicts(ctx, "")
	if err != nil {
		return "", err
	}
	var labels []string
	for _, c := range all {
		if !slices.Contains(labels, c.Folder) && slices.ContainsFunc(order.Paths, c.has) {
			labels = append(labels, c.Folder)
		}
	}
	switch len(labels) {
	case 1:
		return labels[0], nil
	case 0:
		return "", failedf(exitFailed, "zsync conflicts ls", "%s has no conflict copies here", strings.Join(order.Paths, ", "))
	}
	return "", failedf(exitConfirm, "zsync conflicts keep --folder LABEL …", "%s clashed in several folders: %s", strings.Join(order.Paths, ", "), strings.Join(labels, ", "))
}

// clash is a conflict as the command line knows it.
type clash struct{ control.Conflict }

// has reports whether a path is one of its versions, or a directory above.
func (c clash) has(path string) bool {
	return path == "" || within(c.Path, path) || slices.ContainsFunc(c.Copies, func(v control.ConflictVersion) bool { return v.Path == path })
}

// conflicts asks the running device, or reads what a stopped one has written down.
func (p *program) conflicts(ctx context.Context, label string) (all []clash, err error) {
	err = orWithout(ctx, func() error {
		some, err := p.client().Conflicts(ctx, label)
		all = nil
		for _, c := range some {
			all = append(all, clash{c})
		}
		return err
	}, func() error {
		all = nil
		return p.eachStopped(label, func(store kv.Store, reg device.Registration) error {
			some, err := device.StoppedConflicts(store, reg)
			for _, c := range some {
				all = append(all, clash{control.ConflictOf(c)})
			}
			return err
		})
	})
	return all, err
}

func (p *program) printConflicts(all []clash) error {
	out := newTable(p.stdout)
	for _, c := range all {
		if p.json {
			if err := p.printJSON(c.Conflict); err != nil {
				return err
			}
			continue
		}
		for _, v := range append([]control.ConflictVersion{c.ConflictVersion}, c.Copies...) {
			mark := "  "
			if v.Path == c.Path {
				mark = ""
			}
			out.row(c.Folder, mark+v.Path, v.Name, localTime(v.Wall), octets(v.Size))
		}
	}
	if err := out.flush(); err != nil || p.json {
		return err
	}
	if len(all) == 0 {
		fmt.Fprintln(p.stderr, "Nothing clashed.")
		return nil
	}
	fmt.Fprintln(p.stderr, "To keep one version:  zsync conflicts keep PATH    to keep all as they are:  zsync conflicts keep both PATH")
	return nil
}
