package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

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
			same := ""
			if sameFolder {
				same = order.Path
			}
			return p.runWith(cmd.Context(), f, same, control.Order{Watch: order})
		},
	}
	f.register(cmd)
	cmd.Flags().StringVar(&label, "label", "", "the folder's name among your devices (default: DIR's name)")
	cmd.Flags().StringVar(&role, "role", "sync", "what this device does with the folder; this version knows sync")
	cmd.Flags().BoolVar(&sameFolder, "same-folder", false, "DIR was moved or restored: it is the folder that it says it is")
	return cmd
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

// confirm asks a person; without a terminal, hint is what answers the question.
func (p *program) confirm(question, hint string) (yes bool, err error) {
	if !isTerminal(os.Stdin) || !isTerminal(p.stderr) {
		return false, failedf(exitConfirm, hint, "%s There is no terminal to ask on", question)
	}
	fmt.Fprintf(p.stderr, "%s [y/N] ", printable(question))
	line, err := answer(func() (string, error) { return bufio.NewReader(os.Stdin).ReadString('\n') })
	if err != nil && !errors.Is(err, io.EOF) {
		fmt.Fprintln(p.stderr)
		return false, asFailure(err)
	}
	answer := strings.ToLower(strings.TrimSpace(line))
	return answer == "y" || answer == "yes", nil
}

func newServe(p *program) *cobra.Command {
	var f deviceFlags
	cmd := &cobra.Command{
		Use:   "serve DIR",
		Short: "Take every folder offered, each under DIR/LABEL, forever",
		Args:  takes("DIR"),
		RunE: func(cmd *cobra.Command, args []string) error {
			path, err := filepath.Abs(args[0])
			if err == nil {
				err = os.MkdirAll(path, 0o755)
			}
			if err != nil {
				return failed(exitFailed, err, "")
			}
			return p.runWith(cmd.Context(), f, "", control.Order{Serve: path})
		},
	}
	f.register(cmd)
	return cmd
}

func newDaemon(p *program) *cobra.Command {
	var f deviceFlags
	cmd := &cobra.Command{
		Use:   "daemon",
		Short: "Run the device with the folders that it has",
		Args:  takes(""),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return p.runWith(cmd.Context(), f, "", control.Order{})
		},
	}
	f.register(cmd)
	return cmd
}

// runWith runs the device with one order; where a device runs already, it hands
// the order over and follows its progress instead.
func (p *program) runWith(ctx context.Context, f deviceFlags, sameFolder string, order control.Order) error {
	if err := f.check(); err != nil {
		return err
	}
	f.warn(p.stderr)
	a, err := p.assemble(f, sameFolder)
	if errors.Is(err, errRunning) {
		order.Same = sameFolder != ""
		return p.handOver(ctx, f, order)
	}
	if err != nil {
		return asFailure(err)
	}
	return p.runDevice(ctx, a, order)
}

// runDevice runs the device until it is told to end, by Ctrl-C or SIGTERM; that is
// how it ends, and no failure.
func (p *program) runDevice(ctx context.Context, a *appliance, order control.Order) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- a.run(ctx) }()
	if err := p.client().Do(ctx, order); err != nil && ctx.Err() == nil {
		stop()
		return errors.Join(orderFailure(err, order), <-ended)
	}
	fmt.Fprintf(p.stderr, "This device is %q (%s), listening on %s.\n", a.self.Name, shortKey(a.self.Key), a.self.Listen)
	if order.Watch != nil {
		fmt.Fprintf(p.stderr, "Watching %s. Add another device, in another terminal:  zsync pair --key KEY\n", printable(order.Watch.Path))
	}
	followed := make(chan struct{})
	go func() {
		defer close(followed)
		p.follow(ctx, labelOf(order))
	}()
	err := <-ended
	stop()
	<-followed
	return asFailure(err)
}

// handOver gives the order to the device that runs, and follows the folder until
// the person has seen enough; the device goes on.
func (p *program) handOver(ctx context.Context, f deviceFlags, order control.Order) error {
	if order.Watch == nil && order.Serve == "" {
		return failedf(exitFailed, "zsync status", "%v (%s)", errRunning, p.home().dir)
	}
	if _, err := p.remember(f); err != nil {
		return err
	}
	for _, peer := range staticPeers(f.peers) {
		dialed := control.Dialed{Address: peer.Address}
		if !peer.Key.IsZero() {
			dialed.Key = peer.Key.String()
		}
		if err := p.handedOver(ctx, control.Order{Peer: &dialed}); err != nil {
			return err
		}
	}
	if err := p.handedOver(ctx, order); err != nil {
		return err
	}
	fmt.Fprintf(p.stderr, "Handed over to the device that runs for this home; Ctrl-C ends only this display.\n")
	if f.listen != "" || f.transfer != "" || f.name != "" {
		fmt.Fprintf(p.stderr, "--listen, --listen-transfer and --name take effect when that device starts again.\n")
	}
	p.follow(ctx, labelOf(order))
	return nil
}

// handedOver gives one order to a device that holds the lock of this home and may
// still be starting.
func (p *program) handedOver(ctx context.Context, order control.Order) error {
	for deadline := time.Now().Add(startingTime); ; {
		err := p.client().Do(ctx, order)
		if !errors.Is(err, control.ErrUnreachable) {
			return orderFailure(err, order)
		}
		if time.Now().After(deadline) || ctx.Err() != nil {
			return failedf(exitUnreachable, "zsync status", "a device is running for this home (%s), but it does not answer", p.home().dir)
		}
		time.Sleep(pollEvery)
	}
}

// orderFailure says what to do about an order that a device refused.
func orderFailure(err error, order control.Order) error {
	hint := "zsync folders"
	if order.Watch != nil {
		hint = "zsync folders  shows them; choose another label with --label"
	}
	return failed(exitFailed, err, hint)
}

func labelOf(order control.Order) string {
	if order.Watch != nil {
		return order.Watch.Label
	}
	return ""
}

// warn tells of flags that this version takes and does not follow.
func (f *deviceFlags) warn(out io.Writer) {
	if f.ui != "" && f.ui != "off" {
		fmt.Fprintf(out, "warning: --ui %s has no effect: this version has no web page\n", printable(f.ui))
	}
	if f.iface != "" && f.iface != "none" {
		fmt.Fprintf(out, "warning: --interface %s has no effect: this version sends no beacons; use --peer\n", printable(f.iface))
	}
}

// check refuses flags that make no sense before anything is opened.
func (f *deviceFlags) check() error {
	for _, peer := range f.peers {
		if err := checkPeer(peer); err != nil {
			return err
		}
	}
	for _, address := range []string{f.listen, f.transfer} {
		if _, err := endpoint(address); err != nil {
			return err
		}
	}
	return nil
}

// asFailure gives an error that is none yet the plain exit code.
func asFailure(err error) error {
	var already *failure
	if err == nil || errors.As(err, &already) {
		return err
	}
	return failed(exitFailed, err, "")
}
