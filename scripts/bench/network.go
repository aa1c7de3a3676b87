package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
)

// wire makes the network of the row of that name.
type wire func(name string) (*network, error)

// network is what lies between the two sides: the loopback of this machine, or a
// cable between two network namespaces.
type network struct {
	laptop, box place
	ssh         *sshServer // on the box
	counter     func() (int64, error)
	note        string // what a reader of the figures should know
	ends        []func() error
}

// place is where a side is; namespace "": where this program is.
type place struct {
	namespace, address string
	ports              int // handed out in the namespace
}

// command is a program there.
func (p *place) command(ctx context.Context, program string, args ...string) *exec.Cmd {
	if p.namespace == "" {
		return exec.CommandContext(ctx, program, args...)
	}
	// nsenter becomes the program: its process is the program's.
	return exec.CommandContext(ctx, "nsenter", append([]string{"--net=/run/netns/" + p.namespace, program}, args...)...)
}

const firstPort = 7001

// free returns an address on which nobody listens.
func (p *place) free() (string, error) {
	if p.namespace != "" {
		p.ports++
		return net.JoinHostPort(p.address, strconv.Itoa(firstPort+p.ports)), nil
	}
	listener, err := net.Listen("tcp", net.JoinHostPort(p.address, "0"))
	if err != nil {
		return "", err
	}
	return listener.Addr().String(), listener.Close()
}

// loopback has both sides on this machine's own.
func loopback(string) (*network, error) {
	return &network{laptop: place{address: "127.0.0.1"}, box: place{address: "127.0.0.1"}}, nil
}

// sent is how many octets went over the wire so far, in both directions and with
// their headers; 0 where nobody counts.
func (n *network) sent() (int64, error) {
	if n.counter == nil {
		return 0, nil
	}
	return n.counter()
}

// since gives a figure of the octets that were sent since then, none where nobody
// counts.
func (n *network) since(before int64, unit float64) []float64 {
	now, err := n.sent()
	if n.counter == nil || err != nil {
		return nil
	}
	return []float64{float64(now-before) / unit}
}

func (n *network) listen(dir string) (err error) {
	if n.ssh, err = startSSH(dir, &n.box); err == nil {
		n.ends = append(n.ends, n.ssh.stop)
	}
	return err
}

// close ends all of it, the last thing first.
func (n *network) close() (err error) {
	for len(n.ends) > 0 {
		last := len(n.ends) - 1
		if e := n.ends[last](); err == nil {
			err = e
		}
		n.ends = n.ends[:last]
	}
	return err
}

// namespaces makes two of them, of this process, with nothing in them.
func namespaces(row string) (*network, error) {
	if os.Geteuid() != 0 {
		return nil, fmt.Errorf("%w: it needs root, for network namespaces", errSkipped)
	}
	n := &network{laptop: place{address: "10.87.0.1"}, box: place{address: "10.87.0.2"}}
	for _, p := range []*place{&n.laptop, &n.box} {
		p.namespace = fmt.Sprintf("zsync-bench-%d-%s-%s", os.Getpid(), row, p.address[len("10.87.0."):])
		if err := ip("netns", "add", p.namespace); err != nil {
			_ = n.close() // what was wrong first is told
			return nil, fmt.Errorf("%w: it needs network namespaces: %w", errSkipped, err)
		}
		n.ends = append(n.ends, func() error { return ip("netns", "del", p.namespace) })
		if err := ip("-n", p.namespace, "link", "set", "lo", "up"); err != nil {
			_ = n.close()
			return nil, err
		}
	}
	return n, nil
}

func ip(args ...string) error {
	out, err := exec.Command("ip", args...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("ip %s: %w: %s", strings.Join(args, " "), err, out)
	}
	return nil
}
