package zeromq

import (
	"strconv"
	"syscall"

	zmq "github.com/pebbe/zmq4"
)

// part is one frame off a socket. Number and fd are those of the connection it
// came on, where they were asked for.
type part struct {
	frame  []byte
	more   bool
	number uint64
	fd     int
}

// reader takes frames off sockets. There are two: copyReader uses what the
// binding offers, pooledReader takes a fifth off the CPU of a transfer.
type reader interface {
	// part does not wait: EAGAIN when there is nothing.
	part(s *zmq.Socket, origin bool) (part, error)
	close()
}

// message is what one connection sent in one piece.
type message struct {
	number   uint64 // incoming: as the door gave it
	fd       int    // incoming: the TCP connection's descriptor in this process
	identity []byte // incoming: the routing id
	frames   [][]byte
	bytes    int
	wire     uint64 // octets on the wire, of the frames that were left out too
	tooMany  bool   // more frames or octets than the link takes: frames is not the whole
}

// receive takes one message off a DEALER, or, with origin, off a ROUTER, whose
// messages begin with the routing id. The origin is asked of the frame after
// that one: after a poll libzmq makes the routing id's frame without it.
func receive(r reader, s *zmq.Socket, origin bool, cfg *Config) (message, error) {
	var m message
	if origin {
		first, err := r.part(s, false)
		if err != nil {
			return m, err
		}
		m.identity = first.frame
	}
	for more := true; more; {
		next, err := r.part(s, origin && m.frames == nil)
		if err != nil {
			return m, err
		}
		if m.frames == nil {
			m.number, m.fd = next.number, next.fd
		}
		m.add(next.frame, cfg)
		more = next.more
	}
	return m, nil
}

func (m *message) add(frame []byte, cfg *Config) {
	m.wire += cfg.wireBytes(len(frame))
	if len(m.frames) == cfg.framesMax() || m.bytes+len(frame) > cfg.wholeBytesMax() {
		m.tooMany = true
		return
	}
	m.frames = append(m.frames, frame)
	m.bytes += len(frame)
}

// fdProperty is how libzmq tells which descriptor a message came in by; it is
// what its own ZMQ_SRCFD reads.
const fdProperty = "__fd"

// copyReader receives with the binding: a copy into fresh memory a frame.
type copyReader struct{}

func (copyReader) close() {}

func (copyReader) part(s *zmq.Socket, origin bool) (p part, err error) {
	if !origin {
		p.frame, err = s.RecvBytes(zmq.DONTWAIT)
	} else {
		var told map[string]string
		p.frame, told, err = s.RecvBytesWithMetadata(zmq.DONTWAIT, numberProperty, fdProperty)
		p.number, _ = strconv.ParseUint(told[numberProperty], 10, 64) // 0, no such connection, if it is missing
		p.fd, _ = strconv.Atoi(told[fdProperty])
	}
	if err != nil {
		return part{}, err
	}
	p.more, err = s.GetRcvmore()
	return p, err
}

// again reports whether err only says that there is nothing to do now.
func again(err error) bool { return zmq.AsErrno(err) == zmq.Errno(syscall.EAGAIN) }
