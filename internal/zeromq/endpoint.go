package zeromq

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
)

// parseEndpoint reads tcp://host:port. The port follows the last colon, so that
// an IPv6 address may come without brackets, as ZRE writes it.
func parseEndpoint(endpoint string) (host string, port uint16, err error) {
	rest, found := strings.CutPrefix(endpoint, "tcp://")
	colon := strings.LastIndexByte(rest, ':')
	if !found || colon < 1 {
		return "", 0, fmt.Errorf("zeromq: %q is not tcp://host:port", endpoint)
	}
	number, err := strconv.ParseUint(rest[colon+1:], 10, 16)
	if err != nil || number == 0 {
		return "", 0, fmt.Errorf("zeromq: %q has no port", endpoint)
	}
	host = strings.TrimSuffix(strings.TrimPrefix(rest[:colon], "["), "]")
	return host, uint16(number), nil
}

// locate calls then with the address of an endpoint, in the loop's goroutine: at
// once, or when its name was looked up. libzmq would look it up in the thread
// that moves all data. Of a name with several addresses each dial tries the
// next.
func (l *Link) locate(endpoint string, then func(netip.AddrPort, error)) {
	host, port, err := parseEndpoint(endpoint)
	if err != nil {
		then(netip.AddrPort{}, err)
		return
	}
	if address, err := netip.ParseAddr(host); err == nil {
		then(netip.AddrPortFrom(address.Unmap(), port), nil)
		return
	}
	l.helpers.Go(func() {
		ctx, cancel := context.WithTimeout(l.running, connectTimeout)
		defer cancel()
		found, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
		l.post(func() {
			if err != nil || len(found) == 0 {
				then(netip.AddrPort{}, fmt.Errorf("%w: %w", ErrUnreachable, err))
				return
			}
			turn := l.turn[endpoint]
			if len(l.turn) >= namesMax {
				clear(l.turn)
			}
			l.turn[endpoint] = turn + 1
			then(netip.AddrPortFrom(found[turn%len(found)].Unmap(), port), nil)
		})
	})
}
