package zeromq

import (
	"net"
	"net/netip"
	"slices"
	"time"

	"github.com/zsync/zsync/internal/device"
)

// Lookout returns what tells how the machine's clocks and network are, for
// [device.Host]. A look takes some 50 µs.
func Lookout() func() device.Sight {
	began := time.Now()
	return func() device.Sight { return look(began) }
}

func look(began time.Time) (s device.Sight) {
	s.Awake, s.All = clocks(began)
	interfaces, err := net.Interfaces()
	if err != nil {
		return s
	}
	addresses, err := net.InterfaceAddrs()
	if err != nil {
		return s
	}
	s.Addresses, s.Networks = []string{}, device.Networks{}
	tunnels := map[string]bool{} // addresses of their ends here
	for _, i := range interfaces {
		if i.Flags&net.FlagRunning != 0 && i.Flags&net.FlagLoopback == 0 {
			s.Links = append(s.Links, i.Name)
		}
		for _, a := range tunnelAddrs(i) {
			tunnels[a.String()] = true
		}
	}
	for _, a := range addresses {
		of, is := a.(*net.IPNet)
		if !is || !of.IP.IsGlobalUnicast() {
			continue
		}
		s.Addresses = append(s.Addresses, of.IP.String())
		if network, err := netip.ParsePrefix(of.String()); err == nil && !tunnels[of.String()] {
			s.Networks = append(s.Networks, network.Masked())
		}
	}
	slices.Sort(s.Links)
	slices.Sort(s.Addresses)
	slices.SortFunc(s.Networks, netip.Prefix.Compare)
	return s
}

// tunnelAddrs returns the addresses of an interface that leads to one other end: what
// is behind it may be anywhere.
func tunnelAddrs(i net.Interface) []net.Addr {
	if i.Flags&net.FlagPointToPoint == 0 {
		return nil
	}
	addresses, err := i.Addrs()
	if err != nil {
		return nil
	}
	return addresses
}
