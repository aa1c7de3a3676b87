package zeromq

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// RaiseFileLimit raises the number of descriptors that this process may have
// open to the most that the system allows, and returns it. A connection that is
// dialled takes four (its TCP connection, its queue, and the two of its
// monitor), one that comes in takes one.
func RaiseFileLimit() (uint64, error) {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return 0, fmt.Errorf("zeromq: read the limit of open files: %w", err)
	}
	raised := limit
	raised.Cur = limit.Max
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &raised); err != nil {
		return uint64(limit.Cur), fmt.Errorf("zeromq: raise the limit of open files from %d to %d: %w", limit.Cur, limit.Max, err)
	}
	return uint64(raised.Cur), nil
}
