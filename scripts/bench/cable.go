package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// counted is a cable between two namespaces that is as fast as the machine and
// counts what goes over it. Without root it is the loopback, and nobody counts.
func counted(row string) (*network, error) {
	n, err := namespaces(row)
	if errors.Is(err, errSkipped) {
		n, err = loopback(row)
		n.note = "octets on the wire are counted as root only"
		return n, err
	}
	if err != nil {
		return nil, err
	}
	const end = "eth0"
	err = ip("-n", n.laptop.namespace, "link", "add", end, "type", "veth", "peer", "name", end, "netns", n.box.namespace)
	for _, p := range []*place{&n.laptop, &n.box} {
		err = errors.Join(err,
			ip("-n", p.namespace, "address", "add", p.address+"/24", "dev", end),
			ip("-n", p.namespace, "link", "set", end, "up"))
	}
	if err != nil {
		return nil, errors.Join(err, n.close())
	}
	n.counter = func() (int64, error) { return octetsAt(&n.laptop, end) }
	return n, nil
}

// octetsAt is what an interface has sent and received.
func octetsAt(p *place, name string) (int64, error) {
	out, err := p.command(context.Background(), "cat", "/proc/net/dev").Output()
	if err != nil {
		return 0, err
	}
	return octetsOf(string(out), name)
}

// octetsOf reads a table of /proc/net/dev: a name, eight numbers of what was
// received, octets first, and eight of what was sent.
func octetsOf(table, name string) (int64, error) {
	for line := range strings.Lines(table) {
		found, rest, _ := strings.Cut(line, ":")
		fields := strings.Fields(rest)
		if strings.TrimSpace(found) != name || len(fields) < 9 {
			continue
		}
		received, err := strconv.ParseInt(fields[0], 10, 64)
		sent, err2 := strconv.ParseInt(fields[8], 10, 64)
		return received + sent, errors.Join(err, err2)
	}
	return 0, fmt.Errorf("no interface %s in\n%s", name, table)
}
