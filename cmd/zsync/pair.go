package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/internal/control"
	"github.com/zsync/zsync/internal/device"
	"github.com/zsync/zsync/internal/kv/bolt"
)

func newPair(p *program) *cobra.Command {
	var keyText, peer string
	var wait bool
	var timeout time.Duration
	cmd := &cobra.Command{
		Use:   "pair --key KEY",
		Short: "Pair with another device by its key; run it on both",
		Args:  byKey,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if keyText == "" {
				return byKey(cmd, []string{""})
			}
			key, err := p.otherKey(keyText)
			if err != nil {
				return err
			}
			if peer != "" {
				if err := checkPeer(peer); err != nil {
					return err
				}
			}
			if err := p.pair(cmd.Context(), key, peer); err != nil {
				return err
			}
			if wait {
				return p.waitPaired(cmd.Context(), key, timeout)
			}
			return p.printPaired(key)
		},
	}
	cmd.Flags().StringVar(&keyText, "key", "", "the other device's `KEY` (zs1…; zsync id shows it)")
	cmd.Flags().StringVar(&peer, "peer", "", "where the other device listens, `HOST:PORT`")
	cmd.Flags().BoolVar(&wait, "wait", false, "wait until the two are paired")
	cmd.Flags().DurationVar(&timeout, "timeout", time.Minute, "how long --wait waits, a time such as `30s`")
	return cmd
}

// byKey refuses a code: this version knows none.
func byKey(_ *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	return failedf(exitUsage, "zsync pair --key KEY, with the key that  zsync id  shows on the other device", "this version pairs by key, not by a code: --key is missing")
}

// printPaired says what is left to do, with this device's key in full.
func (p *program) printPaired(key zsync.Key) error {
	keys, err := p.loadKeys()
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(p.stderr, "Recorded %s. On that device run, if you have not yet:  zsync pair --key %s\n", key.Short(), keys.Key())
	return err
}

// otherKey reads a typed key; this device's own is no other.
func (p *program) otherKey(text string) (zsync.Key, error) {
	key, err := zsync.ParseKey(text)
	if err != nil {
		return key, failed(exitUsage, err, "copy the key again; zsync id on the other device shows it")
	}
	keys, err := p.loadOrMakeKeys(false)
	if err != nil {
		return key, err
	}
	if keys.Key() == key {
		return key, failedf(exitUsage, "zsync id (on the other device)", "this is this device's own key")
	}
	return key, nil
}

// pair tells the running device, or writes the key down where none runs.
func (p *program) pair(ctx context.Context, key zsync.Key, peer string) error {
	return orWithout(ctx, func() error {
		return p.client().Do(ctx, control.Order{Pair: &control.Dialed{Key: key.String(), Address: peer}})
	}, func() error {
		db, err := bolt.Open(p.home().database())
		if err != nil {
			return failed(exitFailed, err, "")
		}
		err = device.PairOffline(time.Now(), db, p.home().trusted(), key, peer)
		return failed(exitFailed, errors.Join(err, db.Close()), "")
	})
}

func (p *program) waitPaired(ctx context.Context, key zsync.Key, timeout time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	for {
		st, err := p.client().Status(ctx)
		switch {
		case errors.Is(err, control.ErrUnreachable) && !p.starting():
			return failed(exitUnreachable, err, "zsync watch DIR, or zsync daemon, and pairing goes on by itself")
		case err == nil && st.Paired(key.String()):
			fmt.Fprintf(p.stderr, "Paired.\n")
			return nil
		}
		select {
		case <-ctx.Done():
			return p.notPaired(ctx, key, timeout)
		case <-time.After(pollEvery):
		}
	}
}

// notPaired says what the other device has to do, with this device's key in full.
func (p *program) notPaired(ctx context.Context, key zsync.Key, timeout time.Duration) error {
	keys, err := p.loadKeys()
	if err != nil {
		return err
	}
	return unlessInterrupted(ctx, exitTimeout, "on the other device:  zsync pair --key "+keys.Key().String()+"  (one of the two also needs --peer HOST:PORT)",
		"not paired with %s within %s", key.Short(), timeout)
}

// checkPeer refuses what is no HOST:PORT[,KEY].
func checkPeer(text string) error {
	address, keyText, hasKey := strings.Cut(text, ",")
	if _, port, err := net.SplitHostPort(address); err != nil || port == "" {
		return failedf(exitUsage, "for example --peer 192.168.1.20:7101", "%q is not HOST:PORT", address)
	}
	if !hasKey {
		return nil
	}
	_, err := zsync.ParseKey(keyText)
	return failed(exitUsage, err, "copy the key again; zsync id on the other device shows it")
}
