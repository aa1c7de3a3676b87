package control

import (
	"fmt"

	"github.com/zsync/zsync/internal/device"
)

// Limit is how fast data may go, each way, in octets a second; 0: no limit.
type Limit struct {
	Up   int64 `json:"up"`
	Down int64 `json:"down"`
}

// Limits are those of the links to devices on a network that this one is on, and of
// all others. Each is for all of its links together.
type Limits struct {
	LAN Limit `json:"lan"`
	WAN Limit `json:"wan"`
}

// LimitsOf turns the limits of a device into those that are printed.
func LimitsOf(l device.Limits) Limits { return Limits{LAN: limitOf(l.LAN), WAN: limitOf(l.WAN)} }

func limitOf(l device.Limit) Limit { return Limit{Up: int64(l.Up), Down: int64(l.Down)} }

// limits parses what a person wants.
func (l Limits) limits() (out device.Limits, err error) {
	for _, rate := range []int64{l.LAN.Up, l.LAN.Down, l.WAN.Up, l.WAN.Down} {
		if rate != 0 && (rate < int64(device.RateMin) || rate > int64(device.RateMax)) {
			return out, fmt.Errorf("a limit of %d octets a second: it is 0, or %d to %d", rate, device.RateMin, device.RateMax)
		}
	}
	return device.Limits{LAN: l.LAN.limit(), WAN: l.WAN.limit()}, nil
}

func (l Limit) limit() device.Limit {
	return device.Limit{Up: device.Rate(l.Up), Down: device.Rate(l.Down)}
}
