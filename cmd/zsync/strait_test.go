package main

import (
	"io"
	"net"
	"sync"

	"github.com/rogpeppe/go-internal/testscript"
)

// A strait is a way to a device that lets so many octets pass towards it and holds
// the rest back until it is widened: a slow link, whatever the speed of the machine.
type strait struct {
	mu    sync.Mutex
	moved *sync.Cond // left was changed
	left  int        // octets that may still pass
}

type straits map[string]*strait

// straitsKey is where a script keeps its straits.
const straitsKey = "straits"

// widened is more than a script sends.
const widened = 1 << 40

// cmdStrait puts the address of a new strait into a variable: NAME ADDRESS KIB.
func cmdStrait(ts *testscript.TestScript, _ bool, args []string) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	s := &strait{left: int(parseKiB(ts, args[2]))}
	s.moved = sync.NewCond(&s.mu)
	ts.Value(straitsKey).(straits)[args[0]] = s
	ts.Setenv(args[0], listener.Addr().String())
	ts.Defer(func() {
		_ = listener.Close() // the script is over
		s.widen()
	})
	go s.serve(listener, args[1])
}

func cmdWiden(ts *testscript.TestScript, _ bool, args []string) {
	ts.Value(straitsKey).(straits)[args[0]].widen()
}

func (s *strait) serve(listener net.Listener, to string) {
	for {
		from, err := listener.Accept()
		if err != nil {
			return
		}
		go s.carry(from, to)
	}
}

// carry passes one connection on until one of its ends closes it. What is held back
// is read all the same: the end of a connection passes at once.
func (s *strait) carry(near net.Conn, to string) {
	defer near.Close()
	far, err := net.Dial("tcp", to)
	if err != nil {
		return
	}
	defer far.Close()
	go func() {
		defer near.Close()
		_, _ = io.Copy(near, far) // ends with either end
	}()
	held := make(chan []byte, 1<<12)
	defer close(held)
	go s.passTo(far, held)
	for {
		read := make([]byte, 16<<10)
		n, err := near.Read(read)
		if err != nil {
			return
		}
		held <- read[:n]
	}
}

func (s *strait) passTo(far io.Writer, held <-chan []byte) {
	for octets := range held {
		s.take(len(octets))
		_, _ = far.Write(octets) // a closed end is seen by who reads it
	}
}

// take waits until that many octets may pass.
func (s *strait) take(octets int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.left < octets {
		s.moved.Wait()
	}
	s.left -= octets
}

func (s *strait) widen() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.left = widened
	s.moved.Broadcast()
}
