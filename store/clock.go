package store

import (
	"sync"
	"time"

	"github.com/zsync/zsync"
)

const (
	// youngNS is how long after a change another one may leave the same Stat: no
	// file system in use keeps times coarser than two seconds.
	youngNS = int64(2 * time.Second)
	// looksShared is how many recent small files are judged by one look at the
	// file system's clock. An old look calls a file young that no longer is, which
	// costs one more read of it: when that comes, a new look is taken.
	looksShared = 64
	clockName   = "clock" // in swap: the file that is written to see what time it is given
)

// clock tells the time that the file system stamps on changes, which is not this
// device's own where the disk is another machine's.
type clock struct {
	mu     sync.Mutex      // hashing workers share it
	nowNS  int64           // the file system's time, at the last look
	judged map[uint64]bool // the files that share that look, by inode
}

// young reports whether a file that has just been read changed so recently that a
// later change could leave the same Stat. A time in the future (the clock was set
// back) is not recent.
func (r *Root) young(stat Stat) (bool, error) {
	c := &r.clock
	c.mu.Lock()
	defer c.mu.Unlock()
	if stat.CtimeNS <= c.nowNS-youngNS {
		return false, nil
	}
	if stat.CtimeNS >= c.nowNS+youngNS || // the look is old, or the clock was set back
		c.judged[stat.Inode] || len(c.judged) >= looksShared || stat.Size > zsync.ContentChunkMax {
		now, err := r.lookAtClock()
		if err != nil {
			return false, err
		}
		c.nowNS, c.judged = now, make(map[uint64]bool, looksShared)
	}
	c.judged[stat.Inode] = true
	return stat.CtimeNS > c.nowNS-youngNS && stat.CtimeNS < c.nowNS+youngNS, nil
}

// TryWrite writes an octet into the private directory, and returns why that fails.
func (r *Root) TryWrite() error {
	_, err := r.lookAtClock()
	return err
}

func (r *Root) lookAtClock() (int64, error) {
	file, err := r.staging.swap.Create(clockName)
	if err != nil {
		return 0, err
	}
	defer file.Close()
	if _, err := file.WriteAt([]byte{0}, 0); err != nil {
		return 0, err
	}
	stat, err := file.Stat()
	return stat.MtimeNS, err
}
