package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/zsync/zsync/internal/control"
	"github.com/zsync/zsync/internal/device"
)

const (
	label     = "Bench"
	pollEvery = 25 * time.Millisecond
	patience  = 10 * time.Minute
	// aged is what a tree rests before a run: files changed in the last 2 s, by
	// their ctime too, are read again later, and these are not meant to be new.
	aged = 3 * time.Second
)

// side is one zsync device.
type side struct {
	program, home, listen, key string
	process                    *exec.Cmd
	log                        *os.File
}

// zsync times two fresh devices that are paired and not yet running, from the
// start of both to the moment at which the second has everything in place.
func (b *bench) zsync(source, at string, files int64) (seconds, peak float64, err error) {
	laptop, err := b.newSide(filepath.Join(at, "laptop"))
	if err != nil {
		return 0, 0, err
	}
	box, err := b.newSide(filepath.Join(at, "box"))
	if err != nil {
		return 0, 0, err
	}
	err = errors.Join(laptop.run("pair", "--key", box.key, "--peer", box.listen), box.run("pair", "--key", laptop.key))
	if err != nil {
		return 0, 0, err
	}
	tree := filepath.Join(at, label)
	if err := cloneTree(source, tree); err != nil {
		return 0, 0, err
	}
	time.Sleep(aged)
	if err := ready(tree); err != nil {
		return 0, 0, err
	}
	began := time.Now()
	// The box first, as sshd was: it listens when the laptop dials it.
	err = errors.Join(box.start("serve", filepath.Join(at, "box", "data")), laptop.start("watch", tree))
	if err == nil {
		err = box.holds(b.ctx, files)
	}
	seconds = time.Since(began).Seconds()
	peak = max(laptop.peak(), box.peak())
	return seconds, peak, errors.Join(err, laptop.stop(), box.stop())
}

// cloneTree gives each run a source tree of its own, by hard links: the bytes stay
// in the page cache, and no run meets what another has indexed.
func cloneTree(from, to string) error {
	return exec.Command("cp", "-al", from, to).Run()
}

func (b *bench) newSide(home string) (*side, error) {
	if err := os.MkdirAll(home, 0o700); err != nil {
		return nil, err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s := &side{program: b.program, home: filepath.Join(home, "home"), listen: listener.Addr().String()}
	if err := listener.Close(); err != nil {
		return nil, err
	}
	if s.log, err = os.Create(filepath.Join(home, "log")); err != nil {
		return nil, err
	}
	out, err := s.command("id", "--json").Output()
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

func (s *side) command(args ...string) *exec.Cmd {
	return exec.Command(s.program, append(args, "--home", s.home)...)
}

func (s *side) run(args ...string) error {
	cmd := s.command(args...)
	var talk bytes.Buffer
	cmd.Stderr = &talk
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("zsync %v: %w: %s", args, err, talk.String())
	}
	return nil
}

func (s *side) start(args ...string) error {
	s.process = s.command(append(args, "--listen", s.listen)...)
	s.process.Stdout, s.process.Stderr = s.log, s.log
	return s.process.Start()
}

// holds waits until the folder is in sync with that many files.
func (s *side) holds(ctx context.Context, files int64) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	client := control.Dial(filepath.Join(s.home, "control"))
	for {
		st, err := client.Status(ctx)
		for _, f := range st.Folders {
			if err == nil && f.Files == files && f.State == device.StateInSync {
				return nil
			}
		}
		select {
		case <-ctx.Done():
			text, _ := os.ReadFile(s.log.Name())
			return fmt.Errorf("not in sync: %+v\n%s", st.Folders, text)
		case <-time.After(pollEvery):
		}
	}
}

// peak returns the peak resident memory in MiB, 0 where the system does not tell.
func (s *side) peak() float64 {
	if s.process == nil || s.process.Process == nil {
		return 0
	}
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.process.Process.Pid))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(text)) {
		if rest, found := strings.CutPrefix(line, "VmHWM:"); found {
			kib, _ := strconv.ParseFloat(strings.Fields(rest)[0], 64)
			return kib / 1024
		}
	}
	return 0
}

func (s *side) stop() error {
	if s.process == nil || s.process.Process == nil {
		return nil
	}
	if err := s.process.Process.Signal(os.Interrupt); err != nil {
		return err
	}
	_ = s.process.Wait() // its exit code says that it was interrupted
	return s.log.Close()
}
