package zeromq

import "sync"

// The sizes of recycled buffers, in octets. Smaller frames are not worth it;
// the largest holds a data frame of the transfer.
const (
	pooledBytesMin = 16 << 10
	smallBytes     = 64 << 10
	mediumBytes    = 288 << 10
	largeBytes     = 1152 << 10
)

// pool keeps buffers that readers gave back. Buffers go in and out by any
// goroutine.
type pool struct {
	small, medium, large sync.Pool // of *[smallBytes]byte, and so on
}

func (p *pool) get(n int) []byte {
	switch {
	case n < pooledBytesMin || n > largeBytes:
		return make([]byte, n)
	case n <= smallBytes:
		if b, ok := p.small.Get().(*[smallBytes]byte); ok {
			return b[:n]
		}
		return make([]byte, n, smallBytes)
	case n <= mediumBytes:
		if b, ok := p.medium.Get().(*[mediumBytes]byte); ok {
			return b[:n]
		}
		return make([]byte, n, mediumBytes)
	}
	if b, ok := p.large.Get().(*[largeBytes]byte); ok {
		return b[:n]
	}
	return make([]byte, n, largeBytes)
}

// put takes a frame of get; what is not one is left to the garbage collector.
func (p *pool) put(frame []byte) {
	switch cap(frame) {
	case smallBytes:
		p.small.Put((*[smallBytes]byte)(frame[:smallBytes]))
	case mediumBytes:
		p.medium.Put((*[mediumBytes]byte)(frame[:mediumBytes]))
	case largeBytes:
		p.large.Put((*[largeBytes]byte)(frame[:largeBytes]))
	}
}
