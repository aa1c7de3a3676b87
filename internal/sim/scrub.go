package sim

import (
	"github.com/zsync/zsync/internal/device"
	"github.com/zsync/zsync/replica"
)

// Rot gives a file on one device other bytes of the same length behind everybody's
// back. They are somebody's all the same: they may not be lost.
func (p *Play) Rot(node int, path, data string) {
	n := p.Nodes[node]
	p.Ledger.gone(n, path)
	n.disk(dir).User().Rot(path, []byte(data))
	p.Ledger.wrote(n, []byte(data))
}

// Scrub has a device read its folder again.
func (p *Play) Scrub(node int) {
	n := p.Nodes[node]
	for space, f := range n.folders {
		if f.reg.Dir == dir {
			p.scrubs++
			n.post(device.Address{Part: device.Folder, Space: space}, device.Scrub{Ticket: p.scrubs, Scrub: replica.Scrub{Share: 1}})
		}
	}
}

// Content returns what a file of a device's folder holds.
func (n *Node) Content(path string) string { return string(n.disk(dir).User().Read(path)) }
