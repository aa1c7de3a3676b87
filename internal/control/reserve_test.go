package control

import (
	"net"
	"os"
	"syscall"
	"testing"
)

// crowded is a listener of a process that may open no more files at first.
type crowded struct {
	net.Listener
	full bool
}

func (c *crowded) Accept() (net.Conn, error) {
	if c.full {
		c.full = false // what is given up for it makes room
		return nil, syscall.EMFILE
	}
	conn, other := net.Pipe()
	return conn, other.Close()
}

func TestWhatCouldNotBeKeptBackAgainAtOnceIsGotBackOnceThereIsRoom(t *testing.T) {
	listener := &crowded{full: true}
	r := newReserve(listener)
	room := r.open
	r.open = func() (*os.File, error) { return nil, syscall.EMFILE } // others were faster
	conn, err := r.Accept()
	if err == nil {
		err = conn.Close()
	}
	if err != nil || len(r.spare) != reserveMax-1 {
		t.Fatalf("%d are kept back: %v", len(r.spare), err)
	}
	r.open = room
	conn, err = r.Accept()
	if err != nil || len(r.spare) != reserveMax {
		t.Errorf("%d are kept back: %v", len(r.spare), err)
	}
	_ = conn.Close()
	for r.release() {
	}
}
