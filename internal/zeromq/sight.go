package zeromq

import (
	"net"
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
	s.Addresses = []string{}
	for _, i := range interfaces {
		if i.Flags&net.FlagRunning != 0 && i.Flags&net.FlagLoopback == 0 {
			s.Links = append(s.Links, i.Name)
		}
	}
	for _, a := range addresses {
		if of, is := a.(*net.IPNet); is && of.IP.IsGlobalUnicast() {
			s.Addresses = append(s.Addresses, of.IP.String())
		}
	}
	slices.Sort(s.Links)
	slices.Sort(s.Addresses)
	return s
}
