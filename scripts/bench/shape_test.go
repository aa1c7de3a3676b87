package main

import (
	"testing"
	"time"
)

func TestALinkSendsNoFasterThanItsRate(t *testing.T) {
	d := newDirection(shape{bitsPerSecond: 100e6, delay: 10 * time.Millisecond, queue: time.Hour}, 1)
	now := time.Unix(1, 0)
	var due time.Time
	for range 1000 {
		due, _ = d.takes(now, 1500)
	}
	want := 10*time.Millisecond + 1000*1514*80*time.Nanosecond
	if got := due.Sub(now); got != want {
		t.Errorf("the last of 1000 packets after %v, want %v", got, want)
	}
}

func TestALinkLosesItsPartAndWhatWouldWaitTooLong(t *testing.T) {
	d := newDirection(theLink, 1)
	now := time.Unix(1, 0)
	lost := 0
	for i := range 100_000 {
		if _, arrives := d.takes(now.Add(time.Duration(i)*time.Millisecond), 1500); !arrives {
			lost++
		}
	}
	if lost < 400 || lost > 600 {
		t.Errorf("%d of 100,000 packets lost, at 0.5 %%", lost)
	}
	arrived := 0
	later := now.Add(time.Hour)
	for range 10_000 {
		if _, arrives := d.takes(later, 1500); arrives {
			arrived++
		}
	}
	if most := 900; arrived > most { // 100 ms of 100 Mbit/s are 826 packets
		t.Errorf("%d packets wait for a link that has a queue of 100 ms", arrived)
	}
}
