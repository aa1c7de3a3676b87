package zeromq

/*
#cgo pkg-config: libzmq
#include <errno.h>
#include <stdlib.h>
#include <zmq.h>

// Tells that libzmq is done with what was lent to it. Called by any thread.
static void zsync_returned(void *data, void *hint) {
	__atomic_store_n((int *)hint, 1, __ATOMIC_RELEASE);
}

// Sends a frame without waiting and without a copy. *returned becomes 1 when its
// memory is free again, also when it could not be sent. Returns an errno.
static int zsync_lend(void *socket, void *data, size_t size, int *returned) {
	zmq_msg_t msg;
	int rc;
	*returned = 0;
	if (zmq_msg_init_data(&msg, data, size, zsync_returned, returned) < 0) {
		*returned = 1;
		return zmq_errno();
	}
	do
		rc = zmq_msg_send(&msg, socket, ZMQ_DONTWAIT);
	while (rc < 0 && zmq_errno() == EINTR);
	if (rc >= 0)
		return 0;
	rc = zmq_errno();
	zmq_msg_close(&msg);
	return rc;
}
*/
import "C"

import (
	"runtime"
	"sync/atomic"
	"syscall"
	"unsafe"

	zmq "github.com/pebbe/zmq4"
)

const (
	// lentMax is how many frames of a link libzmq may be reading at one time; what is
	// beyond that is copied. It is a window of the smallest that are lent.
	lentMax = 256
	// lentBytesMin is from which size on a frame is not copied, in octets.
	lentBytesMin = 64 << 10
	// lentEvery is how often a link that has nothing else to do looks for frames that
	// were returned.
	lentEvery = lingerTimeout / 4
)

// lent are frames that libzmq reads where they lie, until it has encrypted them. They
// are pinned, so the collector lets them be, and a word in C memory tells when each is
// returned. It belongs to the link's goroutine, and after that to the context.
type lent struct {
	handle   uintptr
	copies   bool            // nothing is lent
	returned *[lentMax]int32 // C memory, since something was
	loans    [lentMax]loan
	idle     []int // of loans
	busy     []int
}

type loan struct {
	pin  runtime.Pinner
	done func()
}

func newLent(plain bool) *lent {
	handle, found := handleOffset()
	l := &lent{handle: handle, copies: plain || !found}
	for i := range lentMax {
		l.idle = append(l.idle, i)
	}
	return l
}

// takes reports whether a message can be sent in place: its frame's owner waits for it.
func (l *lent) takes(m Send) bool {
	return !l.copies && m.Done != nil && len(m.Frames) == 1 && len(m.Frames[0]) >= lentBytesMin && len(l.idle) > 0
}

// send sends a message that is taken. In any case its Done is called by a later sweep.
func (l *lent) send(s *zmq.Socket, m Send) error {
	if l.returned == nil {
		l.returned = (*[lentMax]int32)(C.calloc(lentMax, C.sizeof_int))
	}
	i := l.idle[len(l.idle)-1]
	l.idle, l.busy = l.idle[:len(l.idle)-1], append(l.busy, i)
	data := unsafe.Pointer(unsafe.SliceData(m.Frames[0]))
	l.loans[i].pin.Pin(data)
	l.loans[i].done = m.Done
	number := C.zsync_lend(socketOf(s, l.handle), data, C.size_t(len(m.Frames[0])), (*C.int)(&l.returned[i]))
	if number != 0 {
		return zmq.Errno(syscall.Errno(number))
	}
	return nil
}

// sweep gives back what was returned, and reports whether anything is still lent.
func (l *lent) sweep() (lending bool) {
	busy := l.busy[:0]
	for _, i := range l.busy {
		if atomic.LoadInt32(&l.returned[i]) == 0 {
			busy = append(busy, i)
			continue
		}
		l.loans[i].pin.Unpin()
		l.loans[i].done()
		l.loans[i].done = nil
		l.idle = append(l.idle, i)
	}
	l.busy = busy
	return len(busy) > 0
}

// close frees what libzmq no longer writes to: after a sweep that found nothing lent.
func (l *lent) close() {
	C.free(unsafe.Pointer(l.returned))
	l.returned = nil
}
