package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestStrangersCannotStopASync attacks every port of a box, while two devices that
// meet only through it sync: with garbage, with handshakes that stop or drip, with
// connections that say nothing, with what was recorded of real sessions, and with
// more connections than it takes. Each time what one device writes reaches the
// other, and the box's memory and descriptors stay within their bounds.
func TestStrangersCannotStopASync(t *testing.T) {
	b := besiege(t)
	before := b.box.peak(func() { b.sync(t) })
	row(t, "no stranger", before)
	for _, attack := range []struct {
		name  string
		begin func(*siege, string)
	}{
		{"garbage", (*siege).garbage},
		{"a greeting, then silence", (*siege).mute},
		{"a handshake of one octet a second", (*siege).drip},
		{"connections that say nothing", (*siege).silence},
		{"connections that are reset", (*siege).reset},
		{"recorded sessions, played again", (*siege).replay},
		{"a flood of connections", (*siege).flood},
	} {
		t.Run(attack.name, func(t *testing.T) {
			peak := b.box.peak(func() { b.under(t, attack.begin) })
			row(t, attack.name, peak)
			if peak.bytes > siegeBytesMax {
				t.Errorf("the box took %d MiB, at most %d", peak.bytes>>20, siegeBytesMax>>20)
			}
		})
	}
	b.settled(t, before.descriptors+10)
	row(t, "after", b.box.peak(func() { time.Sleep(time.Second) }))
}

// What the box may take at most, however many strangers there are.
const (
	siegeBytesMax       = 400 << 20 // resident; with the race detector, which multiplies what Go uses
	siegeDescriptorsMax = 400       // of the 1,024 that the box may have open, once those too many were cut
)

// besieged is how long each attack goes on, and with how many connections.
type besieged struct {
	lasts  time.Duration
	opened int // by the flood, as fast as it can
	held   int // kept open, and opened again when they are cut
}

// siege is a box that two other devices sync through, and its attackers.
type siege struct {
	t           *testing.T
	laptop, box *side
	tablet      *side
	relays      []*relay
	size        besieged
	files       int

	attackers sync.WaitGroup
	stop      chan struct{}
}

func besiege(t *testing.T) *siege {
	sides := newSides(t, "laptop", "box", "tablet")
	b := &siege{t: t, laptop: sides[0], box: sides[1], tablet: sides[2], size: besieged{time.Second, 1000, 400}}
	if os.Getenv("ZSYNC_HOSTILE") != "" {
		b.size = besieged{8 * time.Second, 5000, 1000}
	}
	for _, s := range sides { // what is dialled to either of its ports goes through a relay
		s.listen, s.transfer = elsewhere(s.listen), elsewhere(s.transfer)
		b.relays = append(b.relays, newRelay(t, s.listen), newRelay(t, s.transfer))
	}
	b.box.descriptors = "1024"
	for _, s := range []*side{b.laptop, b.tablet} {
		s.zsync("pair", "--key", b.box.key, "--peer", b.relays[2].at)
		b.box.zsync("pair", "--key", s.key)
	}
	for _, s := range sides {
		s.start()
		s.up()
	}
	agree(t, sides, nil)
	b.sync(t)
	return b
}

// elsewhere returns the same port of another address of loopback.
func elsewhere(address string) string { return strings.Replace(address, "127.0.0.1:", "127.0.0.2:", 1) }

// sync has the laptop write files and waits until the tablet has them.
func (b *siege) sync(t *testing.T) {
	t.Helper()
	wrote := make(map[string][]byte)
	for range 20 {
		b.files++
		data := bytes.Repeat(fmt.Appendf(nil, "%d %d\n", b.files, rand.Uint64()), 1+rand.IntN(20000))
		name := fmt.Sprintf("photo-%04d", b.files)
		if err := os.WriteFile(filepath.Join(b.laptop.folder, name), data, 0o644); err != nil {
			t.Fatal(err)
		}
		wrote[name] = data
	}
	for name, want := range wrote {
		for deadline := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
			got, err := os.ReadFile(filepath.Join(b.tablet.folder, name))
			if err == nil && bytes.Equal(got, want) {
				break
			}
			if err != nil && !errors.Is(err, fs.ErrNotExist) || time.Now().After(deadline) {
				t.Fatalf("%s did not arrive: %v\n%s", name, err, b.box.said())
			}
		}
	}
}

// under attacks both ports of the box and meanwhile syncs.
func (b *siege) under(t *testing.T, begin func(*siege, string)) {
	t.Helper()
	b.stop = make(chan struct{})
	defer b.attackers.Wait()
	defer close(b.stop)
	for _, port := range []string{b.box.listen, b.box.transfer} {
		begin(b, port)
	}
	ends := time.Now().Add(b.size.lasts)
	for more := true; more; more = time.Now().Before(ends) {
		b.sync(t)
		b.settled(t, siegeDescriptorsMax)
	}
}

// attack runs an attacker on its own until it is told to stop: each attacks once
// more when it is cut off. i tells its address.
func (b *siege) attack(port string, attackers int, each func(net.Conn)) {
	for i := range attackers {
		b.attackers.Go(func() {
			for !b.over(0) {
				if conn, err := dialFrom(i, port); err == nil {
					each(conn)
					_ = conn.Close() // the other side has done so
				}
				if b.over(300 * time.Millisecond) {
					return
				}
			}
		})
	}
}

// over waits and reports whether the attack is to end.
func (b *siege) over(wait time.Duration) bool {
	select {
	case <-b.stop:
		return true
	case <-time.After(wait):
		return false
	}
}

// dialFrom connects from one of many addresses.
func dialFrom(i int, port string) (net.Conn, error) {
	from := &net.TCPAddr{IP: net.IPv4(127, 0, byte(1+i/200%200), byte(1+i%200))}
	return (&net.Dialer{LocalAddr: from, Timeout: time.Second}).Dial("tcp", port)
}

// listenOn reads until the other side hangs up or the attack ends.
func (b *siege) listenOn(conn net.Conn) {
	for !b.over(0) {
		_ = conn.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
		if _, err := conn.Read(make([]byte, 4096)); err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
			return
		}
	}
}

func (b *siege) garbage(port string) {
	b.attack(port, 50, func(conn net.Conn) {
		noise := make([]byte, 64<<10)
		for i := range noise {
			noise[i] = byte(rand.Uint32())
		}
		_, _ = conn.Write(noise) // it is cut somewhere within
		b.listenOn(conn)
	})
}

// greetingZMTP is how a client that speaks CURVE begins.
var greetingZMTP = append([]byte("\xff\x00\x00\x00\x00\x00\x00\x00\x01\x7f\x03\x00CURVE"), make([]byte, 64-17)...)

func (b *siege) mute(port string) {
	b.attack(port, b.size.held, func(conn net.Conn) {
		_, _ = conn.Write(greetingZMTP)
		b.listenOn(conn)
	})
}

func (b *siege) drip(port string) {
	b.attack(port, b.size.held, func(conn net.Conn) {
		for _, octet := range greetingZMTP {
			if _, err := conn.Write([]byte{octet}); err != nil || b.over(time.Second) {
				return
			}
		}
	})
}

func (b *siege) silence(port string) { b.attack(port, b.size.held, b.listenOn) }

// reset leaves half of a connection behind, as far as the box can tell.
func (b *siege) reset(port string) {
	b.attack(port, b.size.held, func(conn net.Conn) {
		_ = conn.(*net.TCPConn).SetLinger(0)
		_, _ = conn.Write(greetingZMTP[:10])
	})
}

func (b *siege) replay(port string) {
	for _, r := range b.relays {
		for _, session := range r.sessions() {
			b.attack(r.to, 4, func(conn net.Conn) {
				_, _ = conn.Write(session)
				b.listenOn(conn)
			})
		}
	}
}

// flood opens connections as fast as it can, and keeps many.
func (b *siege) flood(port string) {
	for part := range 8 {
		b.attackers.Go(func() {
			for i := range b.size.opened / 8 {
				if conn, err := dialFrom(part+8*i, port); err == nil {
					_ = conn.Close()
				}
			}
		})
	}
	b.attack(port, b.size.held, b.listenOn)
}

// usage is what a device takes of the system.
type usage struct{ bytes, descriptors int }

func (u usage) most(other usage) usage {
	return usage{max(u.bytes, other.bytes), max(u.descriptors, other.descriptors)}
}

// usage is read from the kernel.
func (s *side) usage() (u usage, err error) {
	proc := filepath.Join("/proc", strconv.Itoa(s.process.Process.Pid))
	status, err := os.ReadFile(filepath.Join(proc, "status"))
	if err != nil {
		return u, err
	}
	_, resident, _ := strings.Cut(string(status), "VmRSS:")
	if _, err := fmt.Sscanf(resident, "%d kB", &u.bytes); err != nil {
		return u, err
	}
	u.bytes <<= 10
	files, err := os.ReadDir(filepath.Join(proc, "fd"))
	u.descriptors = len(files)
	return u, err
}

// peak is the most that the device takes while f runs.
func (s *side) peak(f func()) (most usage) {
	done := make(chan struct{})
	var sampler sync.WaitGroup
	sampler.Go(func() {
		for {
			if now, err := s.usage(); err == nil {
				most = most.most(now)
			}
			select {
			case <-done:
				return
			case <-time.After(20 * time.Millisecond):
			}
		}
	})
	f()
	close(done)
	sampler.Wait()
	return most
}

// settled waits until the box has no more descriptors open than it may.
func (b *siege) settled(t *testing.T, most int) {
	t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(50 * time.Millisecond) {
		now, err := b.box.usage()
		if err != nil {
			t.Fatal(err)
		}
		if now.descriptors <= most {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d descriptors are open, at most %d", now.descriptors, most)
		}
	}
}

// row prints what is published in docs/hostile.md.
func row(t *testing.T, name string, u usage) {
	t.Helper()
	t.Logf("| %s | %d MiB | %d |", name, u.bytes>>20, u.descriptors)
}

// relay passes connections on to a port, and remembers what the dialling side said.
type relay struct {
	at, to string
	mutex  sync.Mutex
	said   []*bytes.Buffer
}

// recordedMax is how much of a session is remembered, in octets.
const recordedMax = 1 << 20

// newRelay listens on the same port of 127.0.0.1.
func newRelay(t *testing.T, to string) *relay {
	r := &relay{at: strings.Replace(to, "127.0.0.2:", "127.0.0.1:", 1), to: to}
	listener, err := net.Listen("tcp", r.at)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go r.pass(conn)
		}
	}()
	return r
}

func (r *relay) pass(client net.Conn) {
	defer client.Close()
	server, err := net.Dial("tcp", r.to)
	if err != nil {
		return
	}
	defer server.Close()
	heard := &bytes.Buffer{}
	r.mutex.Lock()
	r.said = append(r.said, heard)
	r.mutex.Unlock()
	go func() {
		_, _ = io.Copy(client, server)
		_ = client.Close()
	}()
	buffer := make([]byte, 64<<10)
	for {
		n, err := client.Read(buffer)
		if err != nil {
			return
		}
		r.mutex.Lock()
		if heard.Len() < recordedMax {
			heard.Write(buffer[:n])
		}
		r.mutex.Unlock()
		if _, err := server.Write(buffer[:n]); err != nil {
			return
		}
	}
}

func (r *relay) sessions() (all [][]byte) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	for _, heard := range r.said {
		all = append(all, bytes.Clone(heard.Bytes()))
	}
	return all
}
