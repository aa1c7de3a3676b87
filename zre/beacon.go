package zre

import (
	"encoding/binary"
	"errors"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/internal/wire"
)

// BeaconPort is the UDP port that beacons are broadcast to.
const BeaconPort = 5670

// Beacon is the datagram by which a node says, once a second, that it is there:
//
//	"ZRE" | version u8 | UUID 16 | port u16 [ | CURVE public key 32 ]
//
// Version 1 is 22 octets, without a key; version 3, with one, is 54.
// It is not authenticated. The key makes a device recognisable wherever it is
// switched on, so a program should let its user turn beacons off.
type Beacon struct {
	UUID UUID
	Port uint16    // of the node's ROUTER; 0: the node is leaving
	Key  zsync.Key // zero in plain mode
}

const (
	beaconMark    = "ZRE"
	beaconPlain   = 1
	beaconSecure  = 3
	beaconPortMin = 1024 // lower ones are no mailbox: someone wants strangers to be dialled
)

var errNoBeacon = errors.New("zre: not a beacon of version 1 or 3")

// Bytes returns the datagram.
func (b Beacon) Bytes() []byte {
	version := byte(beaconPlain)
	if !b.Key.IsZero() {
		version = beaconSecure
	}
	datagram := append([]byte(beaconMark), version)
	datagram = append(datagram, b.UUID[:]...)
	datagram = binary.BigEndian.AppendUint16(datagram, b.Port)
	if version == beaconSecure {
		datagram = append(datagram, b.Key[:]...)
	}
	return datagram
}

// ParseBeacon reads a datagram. It is strict, unlike Zyre: version and length
// must agree, and version 3 must have a key.
func ParseBeacon(datagram []byte) (Beacon, error) {
	var b Beacon
	r := wire.NewReader(datagram)
	mark, version := string(r.Bytes(len(beaconMark))), r.Uint8()
	r.Fill(b.UUID[:])
	b.Port = r.Uint16()
	if version == beaconSecure {
		r.Fill(b.Key[:])
	}
	known := version == beaconPlain || version == beaconSecure && !b.Key.IsZero()
	if r.End() != nil || mark != beaconMark || !known || b.UUID.IsZero() {
		return Beacon{}, errNoBeacon
	}
	return b, nil
}
