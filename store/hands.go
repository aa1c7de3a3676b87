package store

import (
	"crypto/sha256"
	"io"
	"sync"

	"github.com/zsync/zsync"
)

const (
	// handsMin is from which size on, in octets, several goroutines work at one file:
	// of smaller ones there are mostly many, which keep all cores busy as it is.
	handsMin = 16 << 20
	// handsMax is how many there are at most: the disk is busy then.
	handsMax = 4
	// chunksAhead is how many chunks wait for each of them, so that none is idle.
	chunksAhead = 3
)

// handsFor is how many goroutines work at a file of a size.
func (r *Root) handsFor(size int64) int {
	if size < handsMin {
		return 1
	}
	return max(1, min(r.hands, handsMax))
}

// name reads size octets once and returns the content's name and its list, as
// contentOf does, by several hands: one cuts, which is the lesser half of the work, and
// hashes only what the others do not come to.
func (r *Root) name(from io.ReaderAt, size int64, buffer []byte) (zsync.Digest, []ListNode, error) {
	hands := r.handsFor(size)
	if hands == 1 {
		return contentOf(from, size, buffer, nil)
	}
	most := chunksAhead * (hands - 1)
	n := naming{free: make(chan *[chunkBytesMax]byte, most), jobs: make(chan namingJob, most)}
	for range most {
		n.free <- new([chunkBytesMax]byte)
	}
	for range hands - 1 {
		n.group.Go(n.help)
	}
	err := n.cut(from, size, buffer)
	close(n.jobs)
	n.group.Wait()
	if err != nil {
		return zsync.Digest{}, nil, err
	}
	nodes := n.list()
	return nodes[len(nodes)-1].Hash, nodes, nil
}

// naming is one large file that several hands hash.
type naming struct {
	free  chan *[chunkBytesMax]byte
	jobs  chan namingJob
	group sync.WaitGroup
	cuts  []*ListEntry // in the order of the file
}

// namingJob is a chunk in a buffer of its own, and where its digest goes.
type namingJob struct {
	data  *[chunkBytesMax]byte
	entry *ListEntry
}

func (n *naming) help() {
	for job := range n.jobs {
		job.entry.Hash = sha256.Sum256(job.data[:job.entry.Len])
		n.free <- job.data
	}
}

func (n *naming) cut(from io.ReaderAt, size int64, buffer []byte) error {
	cutter, err := newCutter(from, size, buffer)
	if err != nil {
		return err
	}
	for left := size; left > 0; {
		chunk, err := cutter.Next()
		if len(chunk) == 0 {
			return shortRead(err)
		}
		left -= int64(len(chunk))
		entry := &ListEntry{Len: uint32(len(chunk))}
		n.cuts = append(n.cuts, entry)
		n.hand(chunk, entry)
	}
	return nil
}

// hand gives a chunk to the others, or hashes it when they have enough.
func (n *naming) hand(chunk []byte, entry *ListEntry) {
	select {
	case data := <-n.free:
		copy(data[:], chunk)
		n.jobs <- namingJob{data, entry} // which has room for all that there are
	default:
		entry.Hash = sha256.Sum256(chunk)
	}
}

func (n *naming) list() []ListNode {
	var list ListBuilder
	for _, entry := range n.cuts {
		list.Add(entry.Hash, entry.Len)
	}
	return list.Finish()
}
