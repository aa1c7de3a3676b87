package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"time"
)

const (
	congestionControl = "/proc/sys/net/ipv4/tcp_congestion_control"
	packetMax         = 1 << 16
	flyingMax         = 4096 // packets on their way: a queue and a delay of the link are 910
)

// lossy is the link of W10 between two namespaces. This program is the link: each
// side has a device whose packets come here, and go out of the other's when they are
// due. So it needs no scheduler that the kernel may lack.
func lossy(row string) (*network, error) {
	n, err := namespaces(row)
	if err != nil {
		return nil, err
	}
	laptop, err := attach(&n.laptop, "a")
	if err != nil {
		return nil, errors.Join(err, n.close())
	}
	box, err := attach(&n.box, "b")
	if err != nil {
		return nil, errors.Join(err, laptop.Close(), n.close())
	}
	var carriers sync.WaitGroup
	carriers.Go(func() { carry(laptop, box, newDirection(theLink, 1)) })
	carriers.Go(func() { carry(box, laptop, newDirection(theLink, 2)) })
	n.ends = append(n.ends, func() error {
		err := errors.Join(laptop.Close(), box.Close())
		carriers.Wait()
		return err
	})
	n.note = classic(&n.laptop, &n.box)
	return n, nil
}

// attach gives a namespace a device whose packets can be read and written here.
func attach(p *place, end string) (*os.File, error) {
	name := fmt.Sprintf("zsb%d%s", os.Getpid(), end)
	device, err := openTun(name)
	if err != nil {
		return nil, fmt.Errorf("%w: it needs a TUN device: %w", errSkipped, err)
	}
	err = errors.Join(
		ip("link", "set", name, "netns", p.namespace),
		ip("-n", p.namespace, "address", "add", p.address+"/24", "dev", name),
		ip("-n", p.namespace, "link", "set", name, "up"))
	if err != nil {
		return nil, errors.Join(err, device.Close())
	}
	return device, nil
}

// carry is one direction of the link, until one of its ends is closed.
func carry(from, to *os.File, d *direction) {
	type packet struct {
		due  time.Time
		data []byte
	}
	flying := make(chan packet, flyingMax)
	var arriving sync.WaitGroup
	arriving.Go(func() {
		for p := range flying {
			time.Sleep(time.Until(p.due))
			_, _ = to.Write(p.data) // a packet that is not taken is lost, as on any link
		}
	})
	buffer := make([]byte, packetMax)
	for {
		n, err := from.Read(buffer)
		if err != nil {
			break
		}
		if due, arrives := d.takes(time.Now(), n); arrives {
			flying <- packet{due, append([]byte(nil), buffer[:n]...)}
		}
	}
	close(flying)
	arriving.Wait()
}

// classic has both sides' TCP take loss for a full link, as most systems do, and
// says when it does so in another way than they.
func classic(places ...*place) (note string) {
	for _, p := range places {
		for _, name := range []string{"cubic", "reno"} {
			out, err := p.command(context.Background(), "sh", "-c", "echo "+name+" > "+congestionControl+" && cat "+congestionControl).Output()
			if err == nil && string(out) == name+"\n" {
				note = name
				break
			}
		}
	}
	switch note {
	case "cubic":
		return ""
	case "":
		return "the system's own congestion control"
	}
	return "TCP is " + note + ": the system allows no namespace to have cubic, see net.ipv4.tcp_allowed_congestion_control"
}

const bigOctets = 64 << 20

// overTheLink brings one file to an idle box.
func overTheLink(r *run) (sample, error) {
	p, err := r.settled(r.trees[0])
	if err != nil {
		return nil, err
	}
	defer p.stop()
	size, from, err := r.big()
	if err != nil {
		return nil, err
	}
	began := time.Now()
	if err := os.Rename(from, filepath.Join(p.tree, "big.bin")); err != nil {
		return nil, err
	}
	if err := r.appears(filepath.Join(p.copy, "big.bin"), size); err != nil {
		return nil, err
	}
	return share(size, time.Since(began)), errors.Join(same(p.tree, p.copy), p.stop())
}

func overTheLinkByRsync(r *run, options ...string) (sample, error) {
	size, from, err := r.big()
	if err != nil {
		return nil, err
	}
	spent, err := r.rsync(filepath.Dir(from), filepath.Join(r.at, "there"), options...)
	return share(size, spent.time), err
}

// big makes the file, alone in a directory.
func (r *run) big() (size int64, path string, err error) {
	dir := filepath.Join(r.at, "new")
	if err := os.Mkdir(dir, 0o755); err != nil {
		return 0, "", err
	}
	size = bigOctets / int64(r.scale)
	path = filepath.Join(dir, "big.bin")
	err = errors.Join(writeNoise(path, rand.NewChaCha8([32]byte{10}), size), ready(dir))
	return size, path, err
}

func share(size int64, spent time.Duration) sample {
	bits := float64(size) * 8
	return sample{
		"share of the link": {100 * bits / spent.Seconds() / theLink.bitsPerSecond},
		took:                {spent.Seconds()},
	}
}

// appears waits until a file of that size has its final name.
func (r *run) appears(path string, size int64) error {
	return until(r.ctx, lookEvery, func() bool {
		info, err := os.Stat(path)
		return err == nil && info.Size() == size
	})
}
