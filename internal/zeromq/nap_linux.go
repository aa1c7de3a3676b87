package zeromq

import (
	"os"
	"syscall"
	"time"

	zmq "github.com/pebbe/zmq4"
	"golang.org/x/sys/unix"
)

// nap waits for sockets as zmq_poll does, but in the Go runtime's own poller. A
// goroutine that waits in C keeps its processor until the runtime's watchdog has taken
// that away, by some fifty short looks: half a millisecond of CPU each time. For a link
// on which little happens that is most of what it costs; one that is busy waits in C,
// which wakes up sooner.
type nap struct {
	epoll int // of the descriptors by which libzmq tells that a socket has news
	file  *os.File
	raw   syscall.RawConn
	wakes [busyWakes]time.Time // the last ones, in a ring
	next  int
}

func newNap() (*nap, error) {
	epoll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, err
	}
	if err := unix.SetNonblock(epoll, true); err != nil {
		_ = unix.Close(epoll)
		return nil, err
	}
	n := &nap{epoll: epoll, file: os.NewFile(uintptr(epoll), "sockets")}
	n.raw, err = n.file.SyscallConn()
	return n, err
}

func (n *nap) add(s *zmq.Socket) error {
	fd, err := s.GetFd()
	if err != nil {
		return err
	}
	return unix.EpollCtl(n.epoll, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(fd)})
}

func (n *nap) remove(s *zmq.Socket) {
	if fd, err := s.GetFd(); err == nil {
		_ = unix.EpollCtl(n.epoll, unix.EPOLL_CTL_DEL, fd, nil) // it is closed soon, which does the same
	}
}

func (n *nap) close() { _ = n.file.Close() }

// busy notes that the link is about to wait, and reports whether it has waited so often
// of late that it is to wait in C.
func (n *nap) busy(now time.Time) bool {
	first := n.wakes[n.next]
	n.wakes[n.next] = now
	n.next = (n.next + 1) % busyWakes
	return now.Sub(first) < busyTime
}

// wait returns when libzmq may have something to say of a socket, or after so long,
// where that is not negative. Before it, each socket was asked and had nothing.
func (n *nap) wait(most time.Duration) {
	var until time.Time
	if most >= 0 {
		until = time.Now().Add(most)
	}
	if n.file.SetReadDeadline(until) != nil {
		return
	}
	_ = n.raw.Read(func(uintptr) bool { // an error says that the time is over
		var events [1]unix.EpollEvent
		count, err := unix.EpollWait(n.epoll, events[:], 0)
		return count > 0 || err != nil && err != unix.EINTR
	})
}
