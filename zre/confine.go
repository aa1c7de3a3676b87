package zre

import (
	"slices"
	"time"

	"github.com/zsync/zsync"
)

// untold is by how many changes of our groups the owner of a key is behind: what
// changed while the key was confined was not told it. The status that it is told
// has no gap, whatever others are told.
type untold struct {
	key     zsync.Key
	changes uint8 // modulo 256, as the status
}

// Confine lets the owner of a key no further than to prove itself: it may say
// HELLO, PING, PING-OK, GOODBYE and WHISPER, and whatever else it says is
// counted and dropped; it is not told which groups this node is in, nor the
// application which ones it is in; and it is not dialled where it says that it
// is. That lasts until [Node.Admit] or [Node.Drop], the latter of which it
// undoes. A peer that was not confined so far exits first. In plain mode it does
// nothing.
func (n *Node) Confine(now time.Time, key zsync.Key) {
	at, found := slices.BinarySearchFunc(n.confined, key, zsync.Key.Compare)
	if found || n.stopped || !n.cfg.secure() || key.IsZero() {
		return
	}
	n.restore(key)
	n.disconnect(now, key)
	n.confined = slices.Insert(n.confined, at, key)
}

// Admit trusts a key in full: it undoes [Node.Drop] and [Node.Confine]. Both
// sides then hear of each other's groups.
func (n *Node) Admit(now time.Time, key zsync.Key) {
	n.restore(key)
	at, found := slices.BinarySearchFunc(n.confined, key, zsync.Key.Compare)
	if !found || n.stopped {
		return
	}
	n.confined = slices.Delete(n.confined, at, at+1)
	n.catchUp(key)
	p := n.peerWithKey(key)
	if p == nil {
		return
	}
	p.confined = false
	n.tellGroups(p)
	if p.missed {
		p.missed = false
		n.lose(now, p)
	}
	n.connectBack(now, p, p.helloAfter)
}

// catchUp tells the owner of a key of our groups, wherever it heard our HELLO.
func (n *Node) catchUp(key zsync.Key) {
	before := n.statusFor(key)
	for range n.groups {
		n.unhold(key)
	}
	for _, l := range n.links {
		if l.key != key || !l.said || l.peer != nil && l.peer.out != l {
			continue
		}
		for i, group := range n.groups {
			n.send(l, Command{ID: CommandJoin, Group: group, Status: before + uint8(i) + 1})
		}
	}
}

// mayConfinedSay reports whether a command is one that proves something.
func mayConfinedSay(id CommandID) bool {
	switch id {
	case CommandHello, CommandWhisper, CommandPing, CommandPingOK, CommandGoodbye:
		return true
	}
	return false
}

// restore undoes Drop.
func (n *Node) restore(key zsync.Key) {
	if at, found := slices.BinarySearchFunc(n.dropped, key, zsync.Key.Compare); found {
		n.dropped = slices.Delete(n.dropped, at, at+1)
	}
}

// forgetConfined undoes Confine for a key whose connections are gone.
func (n *Node) forgetConfined(key zsync.Key) {
	if at, found := slices.BinarySearchFunc(n.confined, key, zsync.Key.Compare); found {
		n.confined = slices.Delete(n.confined, at, at+1)
	}
}

func (n *Node) isConfined(key zsync.Key) bool {
	_, found := slices.BinarySearchFunc(n.confined, key, zsync.Key.Compare)
	return found
}

// statusFor returns the status of our groups as the owner of a key knows it.
func (n *Node) statusFor(key zsync.Key) uint8 {
	if at, found := n.untoldAt(key); found {
		return n.status - n.behind[at].changes
	}
	return n.status
}

// hold notes a change that the owner of a key is not told.
func (n *Node) hold(key zsync.Key) { n.shift(key, 1) }

// unhold notes that it is told one that it was not.
func (n *Node) unhold(key zsync.Key) { n.shift(key, ^uint8(0)) }

func (n *Node) shift(key zsync.Key, by uint8) {
	at, found := n.untoldAt(key)
	if !found {
		n.behind = slices.Insert(n.behind, at, untold{key: key})
	}
	n.behind[at].changes += by
	if n.behind[at].changes == 0 {
		n.behind = slices.Delete(n.behind, at, at+1)
	}
}

func (n *Node) untoldAt(key zsync.Key) (int, bool) {
	return slices.BinarySearchFunc(n.behind, key, func(u untold, key zsync.Key) int { return u.key.Compare(key) })
}
