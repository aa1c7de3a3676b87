package zeromq

import (
	"errors"
	"fmt"
	"runtime"
	"sync"

	zmq "github.com/pebbe/zmq4"

	"github.com/zsync/zsync"
)

// Context is the ZeroMQ context of a process: made once, kept for life. It
// holds who may connect, for all its links. Its methods may be called from any
// goroutine.
type Context struct {
	zmq      *zmq.Context
	door     *door
	attempts *attempts
	doorDone chan struct{}

	mu     sync.Mutex // links are made and ended by any goroutine, and looked up by the door's
	links  map[string]*Link
	named  int
	closed bool
	lent   []*lent // of links that have ended before all of it was returned
}

// NewContext starts ZeroMQ and the ZAP handler, which lets nobody in before
// [Context.SetTrusted]. It fails where libzmq was built without CURVE.
func NewContext() (*Context, error) {
	keepPages()
	z, err := zmq.NewContext()
	if err != nil {
		return nil, fmt.Errorf("zeromq: %w", err)
	}
	if !zmq.HasCurve() {
		return nil, errors.Join(errors.New("zeromq: this libzmq was built without CURVE"), z.Term())
	}
	c := &Context{zmq: z, attempts: newAttempts(), doorDone: make(chan struct{}), links: map[string]*Link{}}
	c.door = newDoor(c.attempts, c.link)
	socket, err := c.openDoor()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("zeromq: %w", err), z.Term())
	}
	go func() {
		defer close(c.doorDone)
		c.door.serve(socket)
	}()
	return c, nil
}

func (c *Context) openDoor() (*zmq.Socket, error) {
	err := errors.Join(
		c.zmq.SetIoThreads(min(runtime.NumCPU(), ioThreadsMax)),
		c.zmq.SetMaxSockets(linkSocketsMax),
		c.zmq.SetBlocky(false),
	)
	if err != nil {
		return nil, err
	}
	socket, err := c.zmq.NewSocket(zmq.REP)
	if err != nil {
		return nil, err
	}
	if err := errors.Join(socket.SetLinger(0), socket.Bind(zapEndpoint)); err != nil {
		return nil, errors.Join(err, socket.Close())
	}
	return socket, nil
}

// SetTrusted sets whose connections are let in, from now on. Connections of keys
// that were in it and are no more are closed at once, in both directions.
func (c *Context) SetTrusted(keys []zsync.Key) {
	c.change(func(next *trust) { next.trusted = keySet(keys) })
}

// SetPending sets whose connections are let in besides those of trusted keys, by
// links with [Config.AdmitPending]. Their connections are treated alike.
func (c *Context) SetPending(keys []zsync.Key) {
	c.change(func(next *trust) { next.pending = keySet(keys) })
}

// SetRevoked sets whose connections are refused for good, whether trusted or
// not; connections of these keys are closed at once, in both directions.
func (c *Context) SetRevoked(keys []zsync.Key) {
	c.change(func(next *trust) { next.revoked = keySet(keys) })
}

func (c *Context) change(set func(next *trust)) {
	c.door.change(set)
	c.recheck()
}

// Attempts tells of strangers that were not let in. What nobody takes is added
// to the count of the next one. Close closes it.
func (c *Context) Attempts() <-chan Attempt { return c.attempts.out }

// Close ends ZeroMQ. It waits for the Run of every link: cancel them first.
func (c *Context) Close() error {
	c.mu.Lock()
	c.closed = true
	idle := c.allLinks()
	c.mu.Unlock()
	for _, l := range idle {
		l.closeIfIdle()
	}
	if err := c.zmq.Term(); err != nil { // also ends the door's wait
		return fmt.Errorf("zeromq: %w", err)
	}
	<-c.doorDone
	c.takeBack()
	c.attempts.close()
	return nil
}

// takeBack ends the loans of links that ended before libzmq was done with them. Now
// that it has ended, all is returned.
func (c *Context) takeBack() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, l := range c.lent {
		l.sweep()
		l.close()
	}
	c.lent = nil
}

func (c *Context) recheck() {
	c.mu.Lock()
	links := c.allLinks()
	c.mu.Unlock()
	for _, l := range links {
		l.post(l.dropUntrusted)
	}
}

func (c *Context) allLinks() []*Link {
	links := make([]*Link, 0, len(c.links))
	for _, l := range c.links {
		links = append(links, l)
	}
	return links
}

// link finds the link that a ZAP request is about by its ZAP domain.
func (c *Context) link(domain string) *Link {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.links[domain]
}

func (c *Context) register(l *Link) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return errors.New("zeromq: the context is closed")
	}
	c.named++
	l.name = fmt.Sprintf("zsync-%d", c.named)
	c.links[l.name] = l
	return nil
}

func (c *Context) unregister(l *Link) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.links, l.name)
	if l.lent.sweep() {
		c.lent = append(c.lent, l.lent)
	} else {
		l.lent.close()
	}
}
