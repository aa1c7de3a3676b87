package zeromq

/*
#cgo pkg-config: libzmq
#include <errno.h>
#include <stdlib.h>
#include <zmq.h>

typedef struct {
	zmq_msg_t msg;
	const void *data;
	size_t size;
	int more;
	int fd;
	unsigned long long number;
} zsync_part;

static zsync_part *zsync_part_new(void) {
	zsync_part *p = calloc(1, sizeof *p);
	if (p)
		zmq_msg_init(&p->msg);
	return p;
}

static void zsync_part_free(zsync_part *p) {
	zmq_msg_close(&p->msg);
	free(p);
}

// Receives one frame without waiting, in place of the one that p held. Returns
// an errno.
static int zsync_part_receive(zsync_part *p, void *socket, int origin) {
	int rc;
	do
		rc = zmq_msg_recv(&p->msg, socket, ZMQ_DONTWAIT);
	while (rc < 0 && zmq_errno() == EINTR);
	if (rc < 0)
		return zmq_errno();
	p->data = zmq_msg_data(&p->msg);
	p->size = zmq_msg_size(&p->msg);
	p->more = zmq_msg_more(&p->msg);
	if (origin) {
		const char *number = zmq_msg_gets(&p->msg, "X-Conn");
		const char *fd = zmq_msg_gets(&p->msg, "__fd");
		p->number = number ? strtoull(number, NULL, 10) : 0;
		p->fd = fd ? atoi(fd) : -1;
	}
	return 0;
}
*/
import "C"

import (
	"reflect"
	"syscall"
	"unsafe"

	zmq "github.com/pebbe/zmq4"
)

// pooledReader receives with its own call into libzmq: one call a frame, and
// memory that [Link.Recycle] gave back.
type pooledReader struct {
	pool   *pool
	handle uintptr // where a binding's Socket keeps libzmq's pointer
	scrap  *C.zsync_part
}

// newReader returns a pooledReader, or a copyReader if that is asked for or if
// this version of the binding hides libzmq's pointer elsewhere.
func newReader(p *pool, plain bool) reader {
	handle, found := handleOffset()
	if plain || !found {
		return copyReader{}
	}
	scrap := C.zsync_part_new()
	if scrap == nil {
		return copyReader{}
	}
	return &pooledReader{pool: p, handle: handle, scrap: scrap}
}

// handleOffset finds where the binding keeps libzmq's pointer in its Socket.
func handleOffset() (offset uintptr, found bool) {
	field, ok := reflect.TypeFor[zmq.Socket]().FieldByName("soc")
	return field.Offset, ok && field.Type == reflect.TypeFor[unsafe.Pointer]()
}

func socketOf(s *zmq.Socket, offset uintptr) unsafe.Pointer {
	return *(*unsafe.Pointer)(unsafe.Add(unsafe.Pointer(s), offset))
}

func (r *pooledReader) part(s *zmq.Socket, origin bool) (part, error) {
	var ask C.int
	if origin {
		ask = 1
	}
	if number := C.zsync_part_receive(r.scrap, socketOf(s, r.handle), ask); number != 0 {
		return part{}, zmq.Errno(syscall.Errno(number))
	}
	frame := r.pool.get(int(r.scrap.size))
	copy(frame, unsafe.Slice((*byte)(r.scrap.data), int(r.scrap.size)))
	return part{
		frame:  frame,
		more:   r.scrap.more != 0,
		number: uint64(r.scrap.number),
		fd:     int(r.scrap.fd),
	}, nil
}

func (r *pooledReader) close() { C.zsync_part_free(r.scrap) }
