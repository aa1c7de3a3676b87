package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/gofrs/flock"
	"github.com/spf13/cobra"
	"golang.org/x/text/unicode/norm"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/internal/control"
	"github.com/zsync/zsync/internal/device"
)

func newWatch(p *program) *cobra.Command {
	var f deviceFlags
	var label, role string
	var sameFolder bool
	cmd := &cobra.Command{
		Use:   "watch DIR",
		Short: "Keep a folder in sync, forever",
		Long: "Adds DIR to the folders of this device and runs the device until Ctrl-C or SIGTERM,\n" +
			"which end it with exit code 0. Where the device runs already, it takes the folder\n" +
			"over, and this command only shows how far it is.",
		Args: takes("DIR"),
		RunE: func(cmd *cobra.Command, args []string) error {
			order, err := watchOrder(args[0], label, role)
			if err != nil {
				return err
			}
			if err := f.check(); err != nil {
				return err
			}
			if err := p.ensureDir(cmd.Context(), order); err != nil {
				return err
			}
			if err := p.lookAround(cmd.Context(), order); err != nil {
				return err
			}
			same, moved := "", false
			if sameFolder {
				same = order.Path
				if moved, err = p.moved(cmd.Context(), order); err != nil {
					return err
				}
			}
			return p.runWith(cmd.Context(), f, same, control.Order{Watch: order, Same: moved})
		},
	}
	f.register(cmd)
	cmd.Flags().StringVar(&label, "label", "", "the folder's name among your devices, `LABEL` (default: DIR's name)")
	cmd.Flags().StringVar(&role, "role", "sync", "what this device does with the folder, `ROLE`; this version knows sync")
	cmd.Flags().BoolVar(&sameFolder, "same-folder", false, "DIR was moved or restored: it is the folder that it says it is")
	return cmd
}

// moved reports whether this device keeps the folder in another directory than the one
// that a person vouches for.
func (p *program) moved(ctx context.Context, f *control.Folder) (bool, error) {
	folders, err := p.keptFolders(ctx)
	return slices.ContainsFunc(folders, func(kept control.Folder) bool {
		return kept.Label == f.Label && kept.Path != f.Path
	}), err
}

// watchOrder checks what was typed. The label is what other devices see.
func watchOrder(dir, label, role string) (*control.Folder, error) {
	if role != "sync" {
		return nil, failedf(exitUsage, "leave --role out", "role %q: this version knows only the role sync", role)
	}
	path, err := filepath.Abs(dir)
	if err != nil {
		return nil, failed(exitFailed, err, "")
	}
	if label == "" {
		label = filepath.Base(path)
	}
	label = norm.NFC.String(label) // which some systems' names are not in
	if _, err := device.ParseLabel(label); err != nil {
		return nil, failed(exitUsage, err, "choose one with --label")
	}
	if info, err := os.Stat(path); err == nil && !info.IsDir() {
		return nil, failedf(exitUsage, "watch the directory that it is in", "%s is not a directory", path)
	}
	return &control.Folder{Label: label, Path: path, Role: role}, nil
}

// ensureDir makes a directory that does not exist yet where the circle has a
// folder of that label; else whoever typed it may have meant another, and is asked.
func (p *program) ensureDir(ctx context.Context, f *control.Folder) error {
	_, err := os.Stat(f.Path)
	if !errors.Is(err, os.ErrNotExist) {
		return failed(exitFailed, err, "watch a directory that you can read")
	}
	if _, err := os.Stat(p.home().keyFile()); err == nil {
		st, err := p.status(ctx)
		if err != nil {
			return err
		}
		if slices.Contains(st.Offered, f.Label) {
			return failed(exitFailed, os.MkdirAll(f.Path, 0o755), "")
		}
	}
	yes, err := p.confirm(f.Path+" does not exist. Make it?", "mkdir "+quoted(f.Path))
	if err != nil {
		return err
	}
	if !yes {
		return failedf(exitFailed, "zsync watch DIR, with another DIR", "%s does not exist", f.Path)
	}
	return failed(exitFailed, os.MkdirAll(f.Path, 0o755), "")
}

// lookAround refuses a directory that this device keeps under another label or that
// another device has, and says what becomes of folders that lie in each other.
func (p *program) lookAround(ctx context.Context, f *control.Folder) error {
	folders, err := p.keptFolders(ctx)
	if err != nil {
		return err
	}
	dir := resolved(f.Path)
	var nested []string
	for _, other := range folders {
		switch at := resolved(other.Path); {
		case other.Label == f.Label:
			return nil // it is ours; whether the directory is the same one, the device says
		case at == dir:
			return failedf(exitFailed, "zsync folders", "this device keeps %s already, under the label %q", f.Path, other.Label)
		case liesIn(dir, at):
			nested = append(nested, leftOut(f, &other))
		case liesIn(at, dir):
			nested = append(nested, leftOut(&other, f))
		}
	}
	if err := checkFree(dir); err != nil {
		return err
	}
	for _, sentence := range nested {
		fmt.Fprintln(p.stderr, printable(sentence))
	}
	return nil
}

func leftOut(inner, outer *control.Folder) string {
	return fmt.Sprintf("%s lies in %s: it is left out of %s, and kept in sync as %s alone.", inner.Path, outer.Path, outer.Label, inner.Label)
}

// checkFree refuses a directory that another process has open as a folder.
func checkFree(dir string) error {
	lock := flock.New(filepath.Join(dir, zsync.PrivateDir, "lock"), flock.SetFlag(os.O_RDWR)) // made by nobody here
	free, err := lock.TryLock()
	switch {
	case errors.Is(err, os.ErrNotExist):
		return nil
	case err == nil && !free:
		return failedf(exitFailed, "zsync status, with the --home of that device", "%s is kept in sync by another device on this computer (%s is locked)", dir, lock.Path())
	case err == nil:
		err = lock.Unlock()
	}
	return failed(exitFailed, err, "")
}

// keptFolders returns the folders of this device, whether it runs or not.
func (p *program) keptFolders(ctx context.Context) (folders []control.Folder, err error) {
	err = orWithout(ctx, func() error {
		st, err := p.client().Status(ctx)
		folders = st.Folders
		return err
	}, func() error {
		w, err := p.written()
		for _, reg := range w.folders {
			folders = append(folders, control.Stopped(reg))
		}
		return err
	})
	return folders, err
}
