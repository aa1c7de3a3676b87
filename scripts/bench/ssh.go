package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// sshServer is an sshd of our own, with keys made for this run.
type sshServer struct {
	dir, host, port string
	process         *exec.Cmd
}

func startSSH(dir string, where *place) (*sshServer, error) {
	address, err := where.free()
	if err != nil {
		return nil, err
	}
	s := &sshServer{dir: dir}
	if s.host, s.port, err = net.SplitHostPort(address); err != nil {
		return nil, err
	}
	if err := s.configure(); err != nil {
		return nil, err
	}
	s.process = where.command(context.Background(), "/usr/sbin/sshd", "-D", "-e", "-f", filepath.Join(dir, "config"))
	if err := s.process.Start(); err != nil {
		return nil, fmt.Errorf("sshd: %w", err)
	}
	return s, nil
}

func (s *sshServer) configure() error {
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return err
	}
	for _, name := range []string{"host", "user"} {
		if err := exec.Command("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", filepath.Join(s.dir, name)).Run(); err != nil {
			return fmt.Errorf("ssh-keygen: %w", err)
		}
	}
	config := fmt.Sprintf("Port %s\nListenAddress %s\nHostKey %s\nAuthorizedKeysFile %s\nStrictModes no\nUsePAM no\nPidFile none\nPermitRootLogin yes\n",
		s.port, s.host, filepath.Join(s.dir, "host"), filepath.Join(s.dir, "user.pub"))
	if os.Geteuid() == 0 {
		// Where it parts with its rights, which nobody else's has to.
		if err := os.MkdirAll("/run/sshd", 0o755); err != nil {
			return err
		}
	}
	return os.WriteFile(filepath.Join(s.dir, "config"), []byte(config), 0o600)
}

// shell is the remote shell of rsync.
func (s *sshServer) shell() string {
	return fmt.Sprintf("ssh -p %s -i %s -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR -o BatchMode=yes",
		s.port, filepath.Join(s.dir, "user"))
}

// awake waits until the server answers the other side.
func (s *sshServer) awake(ctx context.Context, from *place) error {
	return until(ctx, 20*time.Millisecond, func() bool {
		return from.command(ctx, "ssh-keyscan", "-T", "1", "-p", s.port, s.host).Run() == nil
	})
}

func (s *sshServer) stop() error {
	if err := s.process.Process.Kill(); err != nil {
		return err
	}
	_ = s.process.Wait() // says that it was killed
	return nil
}

// spent is what a run of rsync took; cpu is of all processes, on both sides.
type spent struct {
	time time.Duration
	cpu  float64
}

// rsync brings a tree to the box with rsync -a over ssh. Without the option --fsync
// its files are not durable at the end, as zsync's are.
func (r *run) rsync(source, into string, options ...string) (spent, error) {
	server := r.net.ssh
	if err := errors.Join(server.awake(r.ctx, &r.net.laptop), ready(source)); err != nil {
		return spent{}, err
	}
	args := append([]string{"-a", "-e", server.shell()}, options...)
	cmd := r.net.laptop.command(r.ctx, "rsync", append(args, source+"/", server.host+":"+into+"/")...)
	var talk bytes.Buffer
	cmd.Stderr = &talk
	before := cpuSeconds(server.process.Process.Pid, true)
	began := time.Now()
	if err := cmd.Run(); err != nil {
		return spent{}, fmt.Errorf("rsync: %w: %s", err, talk.String())
	}
	took := time.Since(began)
	time.Sleep(reaped)
	there := cpuSeconds(server.process.Process.Pid, true) - before
	return spent{took, there + (cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()).Seconds()}, nil
}

// reaped is until sshd has taken note that its child has ended: what that has
// computed is known only then.
const reaped = 300 * time.Millisecond
