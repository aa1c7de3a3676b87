package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/zsync/zsync/internal/control"
)

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
	a, err := p.assembleWhenFree(ctx, f, sameFolder)
	if errors.Is(err, errRunning) {
		order.Same = sameFolder != ""
		return p.handOver(ctx, f, order)
	}
	if err != nil {
		return asFailure(err)
	}
	return p.runDevice(ctx, a, order)
}

// assembleWhenFree assembles the device. Who holds the home's lock and does not
// answer is starting, ending, or a command that looks whether a device runs: it is
// waited for.
func (p *program) assembleWhenFree(ctx context.Context, f deviceFlags, sameFolder string) (*appliance, error) {
	for deadline := time.Now().Add(startingTime); ; time.Sleep(pollEvery) {
		a, err := p.assemble(f, sameFolder)
		if !errors.Is(err, errRunning) || time.Now().After(deadline) || ctx.Err() != nil {
			return a, err
		}
		if _, unreachable := p.client().Status(ctx); !errors.Is(unreachable, control.ErrUnreachable) {
			return a, err
		}
	}
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
		p.follow(ctx, labelOf(order), a.running.Moved)
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
	p.follow(ctx, labelOf(order), nil)
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
	switch {
	case err != nil && strings.Contains(err.Error(), "cannot be written down"):
		hint = "zsync status  tells when that is over; give the same command again then"
	case order.Watch != nil:
		hint = "zsync folders  shows them; choose another label with --label or, where the folder was moved, add --same-folder"
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
