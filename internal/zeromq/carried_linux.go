package zeromq

import (
	"net/netip"

	"golang.org/x/sys/unix"
)

// carried tells how many octets a TCP connection has brought in, and how many of
// those it took out were acknowledged. The descriptor is libzmq's and may have been
// closed and used again: not ok, unless its other end is still remote.
func carried(fd int, remote netip.AddrPort) (in, acked uint64, ok bool) {
	info, err := unix.GetsockoptTCPInfo(fd, unix.SOL_TCP, unix.TCP_INFO)
	if err != nil || !remote.IsValid() || remoteOf(fd) != remote {
		return 0, 0, false
	}
	return info.Bytes_received, info.Bytes_acked, true
}
