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
	"time"
)

// device is one zsync with a home of its own.
type device struct {
	name    string
	home    string
	listen  string
	program string
	log     *os.File
	process *exec.Cmd
	args    []string
}

// newDevice gives a device a home and a port that is free now.
func (s *story) newDevice(name string) (*device, error) {
	home := filepath.Join(s.dir, name)
	if err := os.MkdirAll(home, 0o700); err != nil {
		return nil, err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	d := &device{name: name, home: home, listen: listener.Addr().String(), program: s.program}
	if d.log, err = os.Create(filepath.Join(s.dir, name+".log")); err != nil {
		return nil, errors.Join(err, listener.Close())
	}
	s.devices = append(s.devices, d)
	return d, listener.Close()
}

// start runs the device in the background.
func (d *device) start(args ...string) error {
	d.args = args
	full := append(args, "--home", filepath.Join(d.home, "home"), "--listen", d.listen, "--name", d.name)
	d.process = exec.Command(d.program, full...)
	d.process.Stdout, d.process.Stderr = d.log, d.log
	if err := d.process.Start(); err != nil {
		return err
	}
	return d.awake()
}

// awake waits until the device answers its command line.
func (d *device) awake() error {
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		if st, err := d.status(); err == nil && st.Running {
			return nil
		}
	}
	return fmt.Errorf("%s does not answer", d.name)
}

// kill ends the device as a power cut does.
func (d *device) kill() error {
	err := d.process.Process.Kill()
	_ = d.process.Wait() // says that it was killed
	return err
}

// stop ends the device as Ctrl-C does.
func (d *device) stop() error {
	if err := d.process.Process.Signal(os.Interrupt); err != nil {
		return err
	}
	_ = d.process.Wait() // its exit code says that it was interrupted
	return nil
}

func (d *device) running() bool { return d.process != nil && d.process.ProcessState == nil }

// zsync runs one command of the device and returns what it printed.
func (d *device) zsync(ctx context.Context, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, d.program, append(args, "--home", filepath.Join(d.home, "home"))...)
	var out, talk bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &talk
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("%s: zsync %v: %w\n%s", d.name, args, err, talk.Bytes())
	}
	return out.Bytes(), nil
}

// status is the part of `zsync status --json` that the story needs.
type status struct {
	Running bool `json:"running"`
	Folders []struct {
		Label     string `json:"label"`
		State     string `json:"state"`
		Files     int64  `json:"files"`
		Bytes     int64  `json:"bytes"`
		NeedFiles int64  `json:"need_files"`
		Conflicts int64  `json:"conflicts"`
		Frontier  string `json:"frontier"`
		Resumed   int64  `json:"resumed_chunks"`
	} `json:"folders"`
}

func (d *device) status() (st status, err error) {
	out, err := d.zsync(context.Background(), "status", "--json")
	if err != nil {
		return st, err
	}
	err = json.Unmarshal(out, &st)
	return st, err
}

func (d *device) key(ctx context.Context) (string, error) {
	out, err := d.zsync(ctx, "id", "--json")
	if err != nil {
		return "", err
	}
	var id struct {
		Key string `json:"key"`
	}
	err = json.Unmarshal(out, &id)
	return id.Key, err
}

// pair makes two devices trust each other; only the first dials.
func (s *story) pair(a, b *device) error {
	keyA, err := a.key(s.ctx)
	if err != nil {
		return err
	}
	keyB, err := b.key(s.ctx)
	if err != nil {
		return err
	}
	if _, err := a.zsync(s.ctx, "pair", "--key", keyB, "--peer", b.listen); err != nil {
		return err
	}
	_, err = b.zsync(s.ctx, "pair", "--key", keyA)
	return err
}

// paired waits until the first device has taken the second into its circle.
func (s *story) paired(a, b *device) error {
	key, err := b.key(s.ctx)
	if err != nil {
		return err
	}
	_, err = a.zsync(s.ctx, "pair", "--key", key, "--wait")
	return err
}

// inSync waits until the device and all that it knows are in sync.
func (s *story) inSync(d *device, flags ...string) error {
	_, err := d.zsync(s.ctx, append([]string{"status", "--wait", "--timeout", "4m"}, flags...)...)
	return err
}
