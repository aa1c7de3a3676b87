package main

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"
)

// sshServer is an sshd of our own on loopback, with keys made for this run.
type sshServer struct {
	dir     string
	port    int
	process *exec.Cmd
}

func startSSH(dir string) (*sshServer, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	s := &sshServer{dir: dir}
	for _, name := range []string{"host", "user"} {
		if err := exec.Command("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", filepath.Join(dir, name)).Run(); err != nil {
			return nil, fmt.Errorf("ssh-keygen: %w", err)
		}
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s.port = listener.Addr().(*net.TCPAddr).Port
	config := fmt.Sprintf("Port %d\nListenAddress 127.0.0.1\nHostKey %s\nAuthorizedKeysFile %s\nStrictModes no\nUsePAM no\nPidFile none\nPermitRootLogin yes\n",
		s.port, filepath.Join(dir, "host"), filepath.Join(dir, "user.pub"))
	err = errors.Join(listener.Close(), os.WriteFile(filepath.Join(dir, "config"), []byte(config), 0o600), os.MkdirAll("/run/sshd", 0o755))
	if err != nil {
		return nil, err
	}
	s.process = exec.Command("/usr/sbin/sshd", "-D", "-e", "-f", filepath.Join(dir, "config"))
	if err := s.process.Start(); err != nil {
		return nil, fmt.Errorf("sshd: %w", err)
	}
	return s, s.awake()
}

func (s *sshServer) awake() error {
	for range 100 {
		conn, err := net.Dial("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(s.port)))
		if err == nil {
			return conn.Close()
		}
		time.Sleep(20 * time.Millisecond)
	}
	return errors.New("sshd does not answer")
}

func (s *sshServer) stop() {
	if s.process != nil {
		_ = s.process.Process.Kill()
		_ = s.process.Wait() // says that it was killed
	}
}

// rsync times rsync -a over ssh into a fresh directory. Without the option --fsync
// its files are not durable at the end, as zsync's are.
func (b *bench) rsync(source, into string, options ...string) (float64, error) {
	if err := ready(source); err != nil {
		return 0, err
	}
	shell := fmt.Sprintf("ssh -p %d -i %s -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR",
		b.ssh.port, filepath.Join(b.ssh.dir, "user"))
	began := time.Now()
	args := append([]string{"-a", "-e", shell}, options...)
	cmd := exec.CommandContext(b.ctx, "rsync", append(args, source+"/", "127.0.0.1:"+into+"/")...)
	var talk bytes.Buffer
	cmd.Stderr = &talk
	if err := cmd.Run(); err != nil {
		return 0, fmt.Errorf("rsync: %w: %s", err, talk.String())
	}
	return time.Since(began).Seconds(), nil
}
