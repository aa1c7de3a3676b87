package main

import (
	"slices"
	"strings"
	"time"

	"github.com/zsync/zsync/internal/zeromq"
	"github.com/zsync/zsync/security"
)

const dialPatience = 2 * time.Second

// checkPeers tries to reach the other devices.
func (c *checkup) checkPeers() {
	if c.running {
		c.checkLinked()
		return
	}
	if len(c.trusted)+len(c.settings.Peers) == 0 {
		c.say(levelWarn, "devices", "zsync pair --key KEY --peer HOST:PORT", "no other device is paired with this one: there is one copy of each file")
	}
	for _, r := range c.trusted {
		c.checkReach(r)
	}
	for _, peer := range staticPeers(c.settings.Peers) {
		known := func(r security.Record) bool { return slices.Contains(r.Addresses, peer.Address) }
		if !slices.ContainsFunc(c.trusted, known) {
			c.say(levelOK, "devices", "", "%s: it is tried when the device runs", peer.Address)
		}
	}
}

// checkReach dials a device as the one that this is. Whoever only opened a port would be
// a stranger there.
func (c *checkup) checkReach(r security.Record) {
	name := r.Name
	if name == "" {
		name = shortKey(r.Key.String())
	}
	switch {
	case len(r.Addresses) == 0:
		c.say(levelOK, "devices", "", "%s: no address is known here; it connects by itself", name)
		return
	case c.keys == nil || r.State == security.Pending || r.State == security.Revoked:
		c.say(levelOK, "devices", "", "%s: it is tried when the device runs", name)
		return
	}
	public, secret := c.keys.Curve()
	for _, address := range r.Addresses {
		address = strings.TrimPrefix(address, "tcp://")
		if zeromq.Reach("tcp://"+address, r.Key, public, secret, dialPatience) == nil {
			c.say(levelOK, "devices", "", "%s answers at %s", name, address)
			return
		}
	}
	c.say(levelWarn, "devices", "zsync status  on that device", "%s does not answer at %s: it is off, elsewhere, or behind a firewall", name, strings.Join(r.Addresses, ", "))
}

// checkLinked takes the word of the device that runs.
func (c *checkup) checkLinked() {
	if len(c.status.Circle)+len(c.status.Pending) == 0 {
		c.say(levelWarn, "devices", "zsync pair --key KEY --peer HOST:PORT", "no other device is paired with this one: there is one copy of each file")
	}
	for _, d := range c.status.Circle {
		if d.Linked {
			c.say(levelOK, "devices", "", "%s is connected", d.Name)
		} else {
			c.say(levelWarn, "devices", "zsync doctor  on that device", "%s is not connected; seen %s", d.Name, ago(d.Seen))
		}
	}
	for _, o := range c.status.Offences {
		c.say(levelWarn, "devices", "zsync status", "%s", offenceLine(o))
	}
	for _, pending := range c.status.Pending {
		c.say(levelWarn, "devices", "zsync pair --key  with this device's key, on that device", "%s", pending.Sentence())
	}
	for _, a := range c.status.Attempts {
		c.say(levelWarn, "devices", "zsync status", "%s", attemptLine(a))
	}
}
