package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/gofrs/flock"
	"github.com/spf13/cobra"

	"github.com/zsync/zsync/internal/control"
	"github.com/zsync/zsync/internal/device"
	"github.com/zsync/zsync/internal/kv/bolt"
)

// limitFlags say which limits a command is about.
type limitFlags struct{ lan, wan, up, down bool }

func newLimit(p *program) *cobra.Command {
	var f limitFlags
	cmd := &cobra.Command{
		Use:   "limit [RATE]",
		Short: "Show or set how fast this device sends and receives",
		Long: "RATE is in octets (bytes) a second, not in bits: 500K is 500 KiB/s and 2M is 2 MiB/s\n" +
			"(1,024 each), 10MB/s is 10,000,000; off takes a limit away. The least is 16K.\n\n" +
			"A limit is for all devices of a kind together, and each way by itself: LAN are those on\n" +
			"a network that this machine is on, WAN all others, and those behind a tunnel. With\n" +
			"neither flag both kinds get one, each its own. It holds from the next moment on, and\n" +
			"is remembered; what is on its way still comes. Only the contents of files wait:\n" +
			"devices hear of every change at once.",
		Args: takes("[RATE]"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				if f != (limitFlags{}) {
					return misuse(cmd, "limit needs a RATE, to set what its flags are about")
				}
				return p.showLimits(cmd.Context())
			}
			rate, err := parseRate(args[0])
			if err != nil {
				return failed(exitUsage, err, "for example  zsync limit 2M  or  zsync limit off")
			}
			return p.setLimits(cmd.Context(), f, rate)
		},
	}
	cmd.Flags().BoolVar(&f.lan, "lan", false, "only for devices on a network that this machine is on")
	cmd.Flags().BoolVar(&f.wan, "wan", false, "only for all other devices")
	cmd.Flags().BoolVar(&f.up, "up", false, "only what is sent")
	cmd.Flags().BoolVar(&f.down, "down", false, "only what is received")
	return p.jsonFlag(cmd)
}

// change sets the limits that the flags are about: all of them where none is given.
func (f limitFlags) change(l control.Limits, rate device.Rate) control.Limits {
	lan, wan, up, down := f.lan || !f.wan, f.wan || !f.lan, f.up || !f.down, f.down || !f.up
	for _, one := range []struct {
		set  bool
		what *int64
	}{{lan && up, &l.LAN.Up}, {lan && down, &l.LAN.Down}, {wan && up, &l.WAN.Up}, {wan && down, &l.WAN.Down}} {
		if one.set {
			*one.what = int64(rate)
		}
	}
	return l
}

func (p *program) showLimits(ctx context.Context) error {
	st, err := p.status(ctx)
	if err != nil {
		return err
	}
	return p.printLimits(st.Limits)
}

// setLimits tells the running device, and remembers it for the next start.
func (p *program) setLimits(ctx context.Context, f limitFlags, rate device.Rate) error {
	var limits control.Limits
	err := orWithout(ctx, func() error {
		st, err := p.client().Status(ctx)
		if err != nil {
			return err
		}
		limits = f.change(st.Limits, rate)
		if err := p.client().Do(ctx, control.Order{Limits: &limits}); err != nil {
			return err
		}
		return p.noteLimits(func(control.Limits) control.Limits { return limits })
	}, func() error {
		return p.alone(func() error {
			return p.noteLimits(func(before control.Limits) control.Limits {
				limits = f.change(before, rate)
				return limits
			})
		})
	})
	if err != nil {
		return err
	}
	return p.printLimits(limits)
}

// alone does something that no device that starts meanwhile undoes.
func (p *program) alone(do func() error) error {
	if err := p.makeHome(); err != nil {
		return err
	}
	lock := flock.New(p.home().lock())
	held, err := lock.TryLock()
	if err == nil && !held {
		err = bolt.ErrLocked
	}
	if err != nil {
		return err
	}
	return errors.Join(do(), lock.Unlock())
}

// noteLimits changes the limits in the settings.
func (p *program) noteLimits(change func(control.Limits) control.Limits) error {
	s, err := p.readSettings()
	if err != nil {
		return err
	}
	before, err := p.limitsOf(s)
	if err != nil {
		return err
	}
	after := change(control.LimitsOf(before))
	for text, octets := range map[*string]int64{
		&s.LimitLANUp: after.LAN.Up, &s.LimitLANDown: after.LAN.Down, &s.LimitWANUp: after.WAN.Up, &s.LimitWANDown: after.WAN.Down,
	} {
		if *text = ""; octets > 0 {
			*text = rateTyped(device.Rate(octets))
		}
	}
	return p.writeSettings(s)
}

// limitsOf reads the limits in the settings, which a person may have edited.
func (p *program) limitsOf(s settings) (limits device.Limits, err error) {
	for _, one := range []struct {
		name, text string
		rate       *device.Rate
	}{
		{"limit_lan_up", s.LimitLANUp, &limits.LAN.Up},
		{"limit_lan_down", s.LimitLANDown, &limits.LAN.Down},
		{"limit_wan_up", s.LimitWANUp, &limits.WAN.Up},
		{"limit_wan_down", s.LimitWANDown, &limits.WAN.Down},
	} {
		if one.text == "" {
			continue
		}
		if *one.rate, err = parseRate(one.text); err != nil {
			return limits, failed(exitFailed, fmt.Errorf("%s: %s: %w", p.home().config(), one.name, err),
				"mend that line of the file, for example to  "+one.name+" = '2M',  or take it out")
		}
	}
	return limits, nil
}

// limitsPrinted is what `zsync limit --json` prints.
type limitsPrinted struct {
	Version int `json:"v"`
	control.Limits
}

func (p *program) printLimits(l control.Limits) error {
	if p.json {
		return p.printJSON(limitsPrinted{1, l})
	}
	out := newTable(p.stdout)
	out.row("", "sends at most", "receives at most")
	out.row("LAN", rateShown(l.LAN.Up), rateShown(l.LAN.Down))
	out.row("WAN", rateShown(l.WAN.Up), rateShown(l.WAN.Down))
	return out.flush()
}

// limitedTo says that a limit makes slow what goes to a device.
func limitedTo(st control.Status, d control.Device) string {
	for _, peer := range st.Peers {
		if peer.Device == d.Device && d.Linked && d.State == device.StateSyncing && d.NeedFiles > 0 && peer.Limit.Up > 0 {
			return ", limited to " + rateShown(peer.Limit.Up)
		}
	}
	return ""
}

// limitedHere says that a limit makes slow what comes for a folder: the highest of
// those of the devices that are connected.
func limitedHere(st control.Status, f control.Folder) string {
	var most int64
	for _, peer := range st.Peers {
		switch {
		case peer.State == control.PeerConnecting || peer.Device == "":
		case peer.Limit.Down == 0:
			return ""
		default:
			most = max(most, peer.Limit.Down)
		}
	}
	if f.NeedFiles == 0 || most == 0 {
		return ""
	}
	return ", limited to " + rateShown(most)
}
