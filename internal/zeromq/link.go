package zeromq

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"syscall"

	zmq "github.com/pebbe/zmq4"
)

// Link is one ROUTER, which listens, and a DEALER for each connection that was
// dialled. One goroutine, that of [Link.Run], owns all its sockets. Do and
// Facts may be used from any goroutine; one should read Facts.
type Link struct {
	context *Context
	cfg     Config
	name    string // the link's ZAP domain
	facts   chan []Fact
	inbox   inbox
	bound   string

	// Owned by Run once it has begun.
	sockets  []*zmq.Socket // wake and router sockets, to be closed at the end
	wake     *zmq.Socket
	poller   *zmq.Poller
	nap      *nap
	in       *listener
	dialled  map[uint64]*dialled
	bySocket map[*zmq.Socket]*dialled // by either of its sockets
	turn     map[string]int           // which of a name's addresses is to be dialled next
	watched  int                      // monitors made
	reader   reader
	pool     pool
	lent     *lent
	sweeping bool // a look at what is lent is planned
	out      outbox
	timers   timers
	watching bool            // a look at what is held unread is planned
	running  context.Context // ends the goroutines that Run started
	helpers  sync.WaitGroup  // waits for them
}

// Listen opens a link and binds it. The sockets live until [Link.Run] returns,
// which must be called.
func (c *Context) Listen(cfg Config) (*Link, error) {
	cfg = cfg.withDefaults()
	if err := cfg.check(); err != nil {
		return nil, err
	}
	l := &Link{
		context:  c,
		cfg:      cfg,
		facts:    make(chan []Fact, factsQueued),
		poller:   zmq.NewPoller(),
		dialled:  map[uint64]*dialled{},
		turn:     map[string]int{},
		bySocket: map[*zmq.Socket]*dialled{},
		lent:     newLent(cfg.copies),
	}
	if err := c.register(l); err != nil {
		return nil, err
	}
	if err := l.open(); err != nil {
		c.unregister(l)
		return nil, errors.Join(err, l.closeSockets())
	}
	return l, nil
}

func (l *Link) open() error {
	l.reader = newReader(&l.pool, l.cfg.copies)
	var err error
	if l.nap, err = newNap(); err != nil {
		return fmt.Errorf("zeromq: wait for sockets: %w", err)
	}
	if l.wake, err = l.inbox.open(l); err != nil {
		return fmt.Errorf("zeromq: %w", err)
	}
	if err := l.await(l.wake); err != nil {
		return err
	}
	l.in = newListener(l)
	if err := l.in.open(); err != nil {
		return err
	}
	if err := l.await(l.in.socket, l.in.monitor); err != nil {
		return err
	}
	l.bound, err = l.in.socket.GetLastEndpoint()
	return err
}

// await has the loop wait for sockets to be readable, too.
func (l *Link) await(sockets ...*zmq.Socket) error {
	for _, s := range sockets {
		l.poller.Add(s, zmq.POLLIN)
		if err := l.nap.add(s); err != nil {
			return fmt.Errorf("zeromq: wait for a socket: %w", err)
		}
	}
	return nil
}

// newSocket makes a socket that is closed with the link.
func (l *Link) newSocket(kind zmq.Type) (*zmq.Socket, error) {
	s, err := l.context.zmq.NewSocket(kind)
	if err != nil {
		return nil, fmt.Errorf("zeromq: new %v socket: %w", kind, err)
	}
	l.sockets = append(l.sockets, s)
	return s, s.SetLinger(lingerTimeout)
}

func (l *Link) closeSockets() error {
	l.inbox.stop()
	if l.in != nil {
		l.in.close()
	}
	if l.reader != nil {
		l.reader.close()
	}
	var errs []error
	for _, s := range l.sockets {
		errs = append(errs, s.Close())
	}
	l.sockets = nil
	if l.nap != nil {
		l.nap.close()
	}
	return errors.Join(errs...)
}

// Endpoint returns where the link listens, with the port that it got.
func (l *Link) Endpoint() string { return l.bound }

// Facts delivers what happens, in order, in batches. The link reads no more
// from its sockets while a few batches wait. It is closed when Run returns.
func (l *Link) Facts() <-chan []Fact { return l.facts }

// Do has orders carried out soon, in the order of the calls. It never blocks.
// More than 64 MiB waiting for one connection closes that connection.
func (l *Link) Do(o Orders) { l.inbox.order(o) }

// Recycle gives a received frame back, for the next one. Neither the frame nor
// anything that aliases it may be used any more. It need not be called.
func (l *Link) Recycle(frame []byte) { l.pool.put(frame) }

// post has f called by the goroutine that owns the sockets.
func (l *Link) post(f func()) { l.inbox.post(f) }

// arrived tells the link of a connection that the door has judged.
func (l *Link) arrived(a arrival) { l.inbox.arrive(a) }

// closeIfIdle closes the sockets of a link that was never run.
func (l *Link) closeIfIdle() {
	if l.inbox.begin() {
		_ = l.closeSockets()
		close(l.facts)
	}
}

// bindError says in words what is wrong with where to listen.
func bindError(endpoint string, err error) error {
	if number := syscall.Errno(zmq.AsErrno(err)); number == syscall.EADDRINUSE {
		return fmt.Errorf("zeromq: listen on %s: another program holds this port, perhaps a zsync that runs already: %w", endpoint, number)
	}
	return fmt.Errorf("zeromq: listen on %s: %w", endpoint, err)
}
