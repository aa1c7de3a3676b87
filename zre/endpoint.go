package zre

import (
	"net/netip"
	"strconv"
	"strings"
)

const endpointPrefix = "tcp://"

// splitEndpoint reads "tcp://host:port". The last colon is the port's: Zyre
// writes IPv6 addresses without brackets.
func splitEndpoint(endpoint string) (host string, port uint16, ok bool) {
	rest, found := strings.CutPrefix(endpoint, endpointPrefix)
	at := strings.LastIndexByte(rest, ':')
	if !found || at < 0 {
		return "", 0, false
	}
	number, err := strconv.ParseUint(rest[at+1:], 10, 16)
	if err != nil || number == 0 {
		return "", 0, false
	}
	host = strings.TrimSuffix(strings.TrimPrefix(rest[:at], "["), "]")
	return host, uint16(number), true
}

func joinEndpoint(host string, port uint16) string {
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	return endpointPrefix + host + ":" + strconv.Itoa(int(port))
}

// reachable returns where to dial a peer that advertises an endpoint and speaks
// from an address. Names are never believed: a peer whose name is everyone's,
// or leads back here, makes a node dial itself without end. In plain mode the
// address is not believed either, lest anyone makes us dial a third party.
func reachable(advertised, address string, secure bool) (string, bool) {
	host, port, ok := splitEndpoint(advertised)
	if !ok || !secure && port < beaconPortMin {
		return "", false
	}
	ip, err := netip.ParseAddr(host)
	usable := err == nil && !ip.IsUnspecified() && !ip.IsMulticast() && (!ip.IsLoopback() || isLoopback(address))
	if address != "" && (!usable || !secure) {
		return joinEndpoint(address, port), true
	}
	return joinEndpoint(host, port), usable
}

func isLoopback(address string) bool {
	ip, err := netip.ParseAddr(address)
	return err == nil && ip.IsLoopback()
}

// sameNamedPort reports whether a route's endpoint, given by host name, has the
// port of the other: as good a match as there is without resolving the name.
func sameNamedPort(named, other string) bool {
	host, port, ok := splitEndpoint(named)
	_, otherPort, otherOK := splitEndpoint(other)
	_, err := netip.ParseAddr(host)
	return ok && otherOK && err != nil && port == otherPort
}
