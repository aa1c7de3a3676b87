package main

import "testing"

func TestTimesAreReadBehindANameWithSpaces(t *testing.T) {
	stat := "4407 (a (b) c) S 1 4407 4407 0 -1 4194304 100 200 0 0 123 45 6 7 20 0 9 0 100 1000 10"
	own, children := timesOf(stat)
	if own != 1.68 || children != 0.13 {
		t.Errorf("own %v, children %v", own, children)
	}
	if own, children := timesOf("4407 (a)"); own != 0 || children != 0 {
		t.Errorf("of a short line: %v, %v", own, children)
	}
}

func TestMemoryIsReadByItsName(t *testing.T) {
	status := "Name:\tzsync\nVmHWM:\t  102400 kB\nVmRSS:\t   51200 kB\n"
	if peak, now := memoryOf(status, residentPeak), memoryOf(status, resident); peak != 100 || now != 50 {
		t.Errorf("peak %v, now %v", peak, now)
	}
	if got := memoryOf("Name:\tzsync\n", resident); got != 0 {
		t.Errorf("where there is none: %v", got)
	}
}

func TestOctetsAreThoseOfBothDirections(t *testing.T) {
	table := `Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
    lo:     999       9    0    0    0     0          0         0      999       9    0    0    0     0       0          0
  eth0: 1000000      10    0    0    0     0          0         0      234       5    0    0    0     0       0          0
`
	if got, err := octetsOf(table, "eth0"); err != nil || got != 1000234 {
		t.Errorf("%d, %v", got, err)
	}
	if _, err := octetsOf(table, "eth1"); err == nil {
		t.Error("an interface that there is not was read")
	}
}
