package control

import (
	"errors"
	"net"
	"os"
	"sync"
	"syscall"
)

// reserveMax is how many descriptors are kept back for the control socket.
const reserveMax = 4

// reserve is a listener that keeps descriptors back, so that a person can ask a
// process that may open no more files what is wrong with it.
type reserve struct {
	net.Listener
	open func() (*os.File, error)

	mutex sync.Mutex // connections end in goroutines of their own
	spare []*os.File
}

func newReserve(l net.Listener) *reserve {
	r := &reserve{Listener: l, open: func() (*os.File, error) { return os.Open(os.DevNull) }}
	r.refill()
	return r
}

// Accept implements [net.Listener]. Where the process is full, one of what was kept
// back makes room.
func (r *reserve) Accept() (net.Conn, error) {
	for {
		conn, err := r.Listener.Accept()
		if err == nil {
			r.refill() // what could not be got back when it was used
			return &reserved{Conn: conn, reserve: r}, nil
		}
		if !errors.Is(err, syscall.EMFILE) && !errors.Is(err, syscall.ENFILE) || !r.release() {
			return nil, err
		}
	}
}

func (r *reserve) release() bool {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	if len(r.spare) == 0 {
		return false
	}
	last := len(r.spare) - 1
	_ = r.spare[last].Close()
	r.spare = r.spare[:last]
	return true
}

// refill takes back what it gave, as far as there is room.
func (r *reserve) refill() {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	for len(r.spare) < reserveMax {
		file, err := r.open()
		if err != nil {
			return
		}
		r.spare = append(r.spare, file)
	}
}

// Close implements [net.Listener].
func (r *reserve) Close() error {
	for r.release() {
	}
	return r.Listener.Close()
}

// reserved is a connection that gives its descriptor back to the reserve.
type reserved struct {
	net.Conn
	reserve *reserve
}

// Close implements [net.Conn].
func (c *reserved) Close() error {
	err := c.Conn.Close()
	if err == nil {
		c.reserve.refill()
	}
	return err
}
