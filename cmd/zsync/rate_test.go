package main

import (
	"strings"
	"testing"

	"github.com/zsync/zsync/internal/device"
)

func TestARateIsReadAsAPersonTypesIt(t *testing.T) {
	for text, want := range map[string]device.Rate{
		"500K": 500 << 10, "500k": 500 << 10, "500KiB": 500 << 10, "500 kib/s": 500 << 10,
		"500KB": 500_000, "500kB/s": 500_000, "2M": 2 << 20, "2MB": 2_000_000, "10MB/s": 10_000_000, "10mb/s": 10_000_000,
		"1.5M": 3 << 19, "0.5G": 1 << 29, "1GB": 1e9, "8G": 8 << 30, "16384B": 16 << 10, " 16K ": 16 << 10, "100000B/s": 100_000,
		"off": 0, "OFF": 0, "0": 0, "0K": 0, "0.0MB/s": 0,
	} {
		if got, err := parseRate(text); err != nil || got != want {
			t.Errorf("%q: %d, %v, want %d", text, got, err, want)
		}
	}
}

func TestWhatIsNoRateIsRefusedWithWhatWasMeant(t *testing.T) {
	for text, want := range map[string]string{
		"500": "500K is so many KiB", "2.5": "2.5M so many MiB",
		"16Mbit": "counts bits", "16Mbit/s": "counts bits", "16 Mbps": "counts bits", "100Mb/s": "counts bits", "1kb": "",
		"1K": "too little", "16383B": "too little", "0.000001M": "too little", "9G": "more than any link", "999999999999G": "more than any link",
		"": "no rate", "fast": "no rate", "-1M": "no rate", "1e9B": "no rate", "2M2": "no rate", "2T": "no rate", "1.2.3M": "no rate",
		"9999999999999999999999999K": "no rate", "２M": "no rate",
	} {
		got, err := parseRate(text)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %d, %v, want %q", text, got, err, want)
		}
	}
}

func TestARateIsRememberedAndShownAsItIs(t *testing.T) {
	for rate, want := range map[device.Rate][2]string{
		0: {"off", "no limit"}, 500 << 10: {"500K", "500 KiB/s"}, 10_000_000: {"10MB", "10 MB/s"}, 3 << 19: {"1536K", "1536 KiB/s"},
		device.RateMax: {"8G", "8 GiB/s"}, 1e9: {"1GB", "1 GB/s"}, 100_001: {"100001B", "100001 B/s"}, 500_000: {"500KB", "500 kB/s"},
	} {
		if got := [2]string{rateTyped(rate), rateShown(int64(rate))}; got != want {
			t.Errorf("%d: %q, want %q", rate, got, want)
		}
		if again, err := parseRate(rateTyped(rate)); err != nil || again != rate {
			t.Errorf("%d is read back as %d, %v", rate, again, err)
		}
	}
}
