package zeromq

import "golang.org/x/sys/unix"

// room is how many connections may come in by a link. The descriptors of a process
// are also what it opens files with, so those who connect must leave most of them
// alone: a link takes a quarter at most, a device has two.
type room struct {
	sockets int // accepted TCP connections
	silent  int // of them, that have not said anything yet
	ofOne   int // of these, of one address
}

// roomOf shares out the descriptors that a process may have open.
func roomOf(descriptors int) room {
	silent := max(1, min(silentMax, descriptors/8))
	return room{sockets: max(1, min(socketsMax, descriptors/4)), silent: silent, ofOne: max(1, min(silentOfOneMax, silent/2))}
}

// descriptorsMax is how many descriptors this process may have open.
func descriptorsMax() int {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return 1024 // what POSIX systems give at least
	}
	return int(min(uint64(limit.Cur), 8*socketsMax))
}
