package main

import (
	"math/rand/v2"
	"time"
)

// shape is what a link does to packets.
type shape struct {
	bitsPerSecond float64
	delay         time.Duration // one way
	lost          float64       // of the packets, in each direction
	queue         time.Duration // what may wait to be sent; a packet that would wait longer is lost
}

// theLink is the link of W10: 100 Mbit/s, 20 ms there and back.
var theLink = shape{bitsPerSecond: 100e6, delay: 10 * time.Millisecond, lost: 0.005, queue: 100 * time.Millisecond}

// frameOctets are around every packet on an Ethernet, and take their time.
const frameOctets = 14

// direction is one direction of a link.
type direction struct {
	shape
	random *rand.Rand
	idleAt time.Time // when all that it has taken has been sent
}

// newDirection returns one that loses the same packets each time.
func newDirection(s shape, seed uint64) *direction {
	return &direction{shape: s, random: rand.New(rand.NewPCG(seed, 0))}
}

// takes says when a packet that came now arrives, or that it does not.
func (d *direction) takes(now time.Time, octets int) (due time.Time, arrives bool) {
	begins := now
	if d.idleAt.After(now) {
		begins = d.idleAt
	}
	if begins.Sub(now) > d.queue {
		return time.Time{}, false
	}
	bits := float64(octets+frameOctets) * 8
	d.idleAt = begins.Add(time.Duration(bits / d.bitsPerSecond * float64(time.Second)))
	return d.idleAt.Add(d.delay), d.random.Float64() >= d.lost
}
