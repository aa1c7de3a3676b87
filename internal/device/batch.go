package device

import (
	"iter"

	"github.com/zsync/zsync/store"
)

const (
	// hashJobsMax and hashBytesMax bound one order to a disk worker, so that
	// small files share a trip and big ones do not wait for each other.
	hashJobsMax  = 256
	hashBytesMax = 32 << 20
	// hashFirstBytesMax is the same for what somebody is at work on: none of it waits
	// for much else.
	hashFirstBytesMax = 4 << 20
)

// batches cuts jobs into runs of at most count files and, but for a single
// larger one, size octets.
func batches(jobs []store.HashJob, count int, size int64) iter.Seq[[]store.HashJob] {
	return func(yield func([]store.HashJob) bool) {
		for len(jobs) > 0 {
			n, octets := 1, jobs[0].Old.Size
			for n < len(jobs) && n < count && octets+jobs[n].Old.Size <= size {
				octets += jobs[n].Old.Size
				n++
			}
			if !yield(jobs[:n:n]) {
				return
			}
			jobs = jobs[n:]
		}
	}
}
