package disk

import (
	"sync"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/filemq"
)

// The sizes of the memory that items are sent from, in octets: most chunks are a
// little longer than the shortest, and the rest get what the longest needs.
const (
	usualFrameBytes   = 320 << 10
	longestFrameBytes = zsync.ContentChunkMax + filemq.Headroom
)

// The pools spare the collector what is read for peers, and the system its pages.
var (
	usualFrames   = sync.Pool{New: func() any { return new([usualFrameBytes]byte) }}
	longestFrames = sync.Pool{New: func() any { return new([longestFrameBytes]byte) }}
)

// newFrame returns memory of that many octets, at most those of the longest frame,
// and what gives it back.
func newFrame(bytes int) (frame []byte, done func()) {
	if bytes > usualFrameBytes {
		long := longestFrames.Get().(*[longestFrameBytes]byte)
		return long[:bytes], func() { longestFrames.Put(long) }
	}
	usual := usualFrames.Get().(*[usualFrameBytes]byte)
	return usual[:bytes], func() { usualFrames.Put(usual) }
}
