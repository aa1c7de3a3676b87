package zeromq

import (
	"net/netip"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// pathOf tells what a TCP connection has carried in its life, and its round trips. Not
// ok: the descriptor, which is libzmq's, leads elsewhere by now.
func pathOf(fd int, remote netip.AddrPort) (now segments, seen Path, ok bool) {
	info, err := unix.GetsockoptTCPInfo(fd, unix.SOL_TCP, unix.TCP_INFO)
	if err != nil || !remote.IsValid() || remoteOf(fd) != remote {
		return now, seen, false
	}
	seen.RoundTrip = time.Duration(info.Rtt) * time.Microsecond
	seen.LeastRoundTrip = min(seen.RoundTrip, time.Duration(info.Min_rtt)*time.Microsecond)
	return segments{info.Data_segs_out, info.Total_retrans, info.Data_segs_in, info.Rcv_ooopack}, seen, true
}

// askFor asks for a congestion control. Systems that have not got it, or keep it for
// the privileged, say so, and all stays as it was.
func askFor(fd int, control string) {
	if !strings.HasPrefix(congestionOf(fd), control) { // bbr2 is as good
		_ = unix.SetsockoptString(fd, unix.IPPROTO_TCP, unix.TCP_CONGESTION, control)
	}
}

// isSteady reports whether a connection sends by some version of BBR.
func isSteady(fd int) bool { return strings.HasPrefix(congestionOf(fd), steadyControl) }

// congestionOf returns the congestion control of a connection, "" where there is none.
func congestionOf(fd int) string {
	control, err := unix.GetsockoptString(fd, unix.IPPROTO_TCP, unix.TCP_CONGESTION)
	if err != nil {
		return ""
	}
	return control
}
