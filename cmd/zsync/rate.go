package main

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/zsync/zsync/internal/device"
)

// rateUnits are those of a rate, the largest first: what a person types, and what is
// shown. As with rsync, K is 1,024 octets and KB is 1,000.
var rateUnits = []struct {
	typed, shown string
	octets       int64
}{
	{"G", " GiB/s", 1 << 30},
	{"GB", " GB/s", 1e9},
	{"M", " MiB/s", 1 << 20},
	{"MB", " MB/s", 1e6},
	{"K", " KiB/s", 1 << 10},
	{"KB", " kB/s", 1e3},
	{"B", " B/s", 1},
}

var (
	rateForm = regexp.MustCompile(`(?i)^([0-9]{1,12}(?:\.[0-9]{1,6})?)\s*([kmg]?)(|b|ib)(?:/s|ps)?$`)
	bitsForm = regexp.MustCompile(`(?i:bits?(/s|ps)?$)|[0-9 ](?i:[kmg])bps$|[KMG]b(/s)?$`)
)

// parseRate reads a rate as a person types it: 500K, 2M, 10MB/s; off or 0 is no limit.
func parseRate(text string) (device.Rate, error) {
	text = strings.TrimSpace(text)
	if strings.EqualFold(text, "off") {
		return 0, nil
	}
	if bitsForm.MatchString(text) {
		return 0, fmt.Errorf("%q counts bits, and a limit counts octets (bytes): eight times as much; 16 Mbit/s is 2MB", text)
	}
	m := rateForm.FindStringSubmatch(text)
	if m == nil {
		return 0, fmt.Errorf("%q is no rate", text)
	}
	number, err := strconv.ParseFloat(m[1], 64)
	if err != nil {
		return 0, fmt.Errorf("%q is no rate", text)
	}
	unit, suffix := strings.ToUpper(m[2]), strings.ToUpper(m[3])
	switch {
	case number == 0:
		return 0, nil
	case unit+suffix == "":
		return 0, fmt.Errorf("%s has no unit: %sK is so many KiB a second, %sM so many MiB", text, text, text)
	}
	return boundedRate(text, number*float64(octetsOf(unit+strings.TrimPrefix(suffix, "IB"))))
}

func octetsOf(unit string) int64 {
	for _, u := range rateUnits {
		if u.typed == unit {
			return u.octets
		}
	}
	return 1
}

func boundedRate(text string, octets float64) (device.Rate, error) {
	switch {
	case octets < float64(device.RateMin):
		return 0, fmt.Errorf("%s is too little: at less than %s a piece of a photo takes so long that other devices give it up",
			text, rateTyped(device.RateMin))
	case octets > float64(device.RateMax):
		return 0, fmt.Errorf("%s is more than any link here carries: %s at most, or off", text, rateTyped(device.RateMax))
	}
	return device.Rate(octets), nil
}

// rateTyped is a rate as it can be typed, and is remembered.
func rateTyped(r device.Rate) string {
	if r == 0 {
		return "off"
	}
	for _, u := range rateUnits {
		if int64(r)%u.octets == 0 {
			return fmt.Sprintf("%d%s", int64(r)/u.octets, u.typed)
		}
	}
	return ""
}

// rateShown is a rate in words.
func rateShown(octets int64) string {
	if octets == 0 {
		return "no limit"
	}
	for _, u := range rateUnits {
		if octets%u.octets == 0 {
			return fmt.Sprintf("%d%s", octets/u.octets, u.shown)
		}
	}
	return ""
}
