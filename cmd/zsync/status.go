package main

import (
	"context"
	"errors"
	"time"

	"github.com/spf13/cobra"

	"github.com/zsync/zsync/internal/control"
)

func newStatus(p *program) *cobra.Command {
	var wait, connected, exitCode, stats bool
	var timeout time.Duration
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Show how far everything is, on one screen",
		Args:  takes(""),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if wait {
				return p.waitInSync(cmd.Context(), timeout, connected, stats)
			}
			if connected || timeout != 0 {
				return failedf(exitUsage, "zsync status --wait", "--connected and --timeout are about waiting: they go with --wait")
			}
			st, err := p.statusWith(cmd.Context(), stats)
			if err != nil {
				return err
			}
			if err := p.printStatus(st); err != nil || !exitCode {
				return err
			}
			return standing(st)
		},
	}
	cmd.Flags().BoolVar(&exitCode, "exit-code", false, "end with 3 where a folder is not in sync here, with 4 where one has conflict copies")
	cmd.Flags().BoolVar(&wait, "wait", false, "wait until every device of the circle has been seen and all folders are in sync with all of them")
	cmd.Flags().BoolVar(&connected, "connected", false, "with --wait: count only devices that are connected now")
	cmd.Flags().BoolVar(&stats, "stats", false, "add what the running device did since it started: how often, how much and for how long")
	cmd.Flags().DurationVar(&timeout, "timeout", 0, "how long --wait waits, a time such as `30s` (default: forever)")
	return p.jsonFlag(cmd)
}

// status asks the running device, or reads what a stopped one has written down.
func (p *program) status(ctx context.Context) (control.Status, error) {
	return p.statusWith(ctx, false)
}

// statusWith is status, with what the running device did where stats says so.
func (p *program) statusWith(ctx context.Context, stats bool) (st control.Status, err error) {
	ask := p.client().Status
	if stats {
		ask = p.client().Stats
	}
	err = orWithout(ctx, func() (err error) {
		st, err = ask(ctx)
		return err
	}, func() (err error) {
		st, err = p.stoppedStatus()
		return err
	})
	return st, err
}

// noticed is how long a device may take to notice what a person has changed just
// before asking whether all is in sync.
const noticed = 150 * time.Millisecond

// launched is how long a device that was started in the same breath may take until it
// shows that it is there.
const launched = 3 * time.Second

func (p *program) waitInSync(ctx context.Context, timeout time.Duration, connected, stats bool) error {
	if timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, timeout)
		defer cancel()
	}
	began := time.Now()
	why := "the device does not answer"
	line := newScreen(p.stderr)
	defer line.clear()
	var asked time.Time
	for {
		if time.Since(asked) > time.Second {
			err := p.client().Do(ctx, control.Order{Ask: true})
			if errors.Is(err, control.ErrUnreachable) && time.Since(began) > launched && !p.starting() {
				return notRunning()
			}
			asked = time.Now()
		}
		if st, err := p.client().Status(ctx); err == nil {
			if why = st.Missing(began, connected); why == "" && time.Since(began) >= noticed {
				line.clear()
				if stats {
					if st, err = p.client().Stats(ctx); err != nil {
						return asFailure(err)
					}
				}
				return p.printStatus(st)
			}
		}
		if line.live {
			line.show(progress{line: "Waiting: " + why})
		}
		select {
		case <-ctx.Done():
			return unlessInterrupted(ctx, exitTimeout, "zsync status", "not in sync after %s: %s", time.Since(began).Round(time.Second), why)
		case <-time.After(pollEvery):
		}
	}
}
