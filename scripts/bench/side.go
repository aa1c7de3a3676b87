package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"time"

	"github.com/zsync/zsync/internal/control"
	"github.com/zsync/zsync/internal/device"
)

const (
	label    = "Bench"
	patience = 10 * time.Minute
	// killedAfter is for a side that does not end when it is told to.
	killedAfter = 20 * time.Second
)

// side is one zsync device, somewhere.
type side struct {
	program, home, listen, key string
	place                      *place
	process                    *exec.Cmd
	log                        string
}

func (r *run) newSide(name string, where *place) (*side, error) {
	dir := filepath.Join(r.at, name)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	listen, err := where.free()
	if err != nil {
		return nil, err
	}
	s := &side{program: r.program, home: filepath.Join(dir, "home"), listen: listen, place: where, log: filepath.Join(dir, "log")}
	out, err := s.command(r.ctx, "id", "--json").Output()
	if err != nil {
		return nil, err
	}
	var id struct {
		Key string `json:"key"`
	}
	err = json.Unmarshal(out, &id)
	s.key = id.Key
	return s, err
}

func (s *side) command(ctx context.Context, args ...string) *exec.Cmd {
	return s.place.command(ctx, s.program, append(args, "--home", s.home)...)
}

func (s *side) order(ctx context.Context, args ...string) error {
	cmd := s.command(ctx, args...)
	var talk bytes.Buffer
	cmd.Stderr = &talk
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("zsync %v: %w: %s", args, err, talk.String())
	}
	return nil
}

func (s *side) start(ctx context.Context, args ...string) error {
	log, err := os.OpenFile(s.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	s.process = s.command(ctx, append(args, "--listen", s.listen)...)
	s.process.Stdout, s.process.Stderr = log, log
	s.process.Cancel = func() error { return s.process.Process.Signal(os.Interrupt) }
	s.process.WaitDelay = killedAfter
	return errors.Join(s.process.Start(), log.Close()) // the child has its own
}

// stop ends the device if it runs.
func (s *side) stop() error {
	if s.process == nil || s.process.Process == nil {
		return nil
	}
	ending := s.process
	s.process = nil
	if err := ending.Process.Signal(os.Interrupt); err != nil {
		return err
	}
	overdue := time.AfterFunc(killedAfter, func() { _ = ending.Process.Kill() })
	defer overdue.Stop()
	_ = ending.Wait() // its exit code says that it was interrupted
	return nil
}

func (s *side) cpu() float64                { return cpuSeconds(s.process.Process.Pid, false) }
func (s *side) memory(which string) float64 { return memory(s.process.Process.Pid, which) }

func (s *side) client() *control.Client { return control.Dial(filepath.Join(s.home, "control")) }

// holds waits until the folder is in sync with that many files, and asks so often.
// It returns how long each answer took, in milliseconds.
func (s *side) holds(ctx context.Context, files int64, every time.Duration) (answers []float64, err error) {
	client := s.client()
	var last control.Status
	err = until(ctx, every, func() bool {
		asked := time.Now()
		st, err := client.Status(ctx)
		if err != nil {
			return false // it does not listen yet
		}
		last, answers = st, append(answers, milliseconds(time.Since(asked)))
		return slices.ContainsFunc(st.Folders, func(f control.Folder) bool {
			return f.Files == files && f.State == device.StateInSync
		})
	})
	if err != nil {
		text, _ := os.ReadFile(s.log)
		return nil, fmt.Errorf("not in sync: %w: %+v\n%s", err, last.Folders, text)
	}
	return answers, nil
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// until asks again and again until something is so, for as long as patience lasts.
func until(ctx context.Context, every time.Duration, so func() bool) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for !so() {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(every):
		}
	}
	return nil
}
