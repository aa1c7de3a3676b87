package zre

import (
	"slices"
	"time"

	"github.com/zsync/zsync"
)

// RequireAnew is [Node.Require] for a key that was typed just now: a dial along the
// way that began before is given up for a new one, since it may hang at a peer that
// did not know this node then.
func (n *Node) RequireAnew(now time.Time, endpoint string, key zsync.Key) {
	if n.stopped {
		return
	}
	n.restore(key)
	r, _ := n.required(now, endpoint, key)
	n.giveUp(now, r)
	n.Require(now, endpoint, key)
}

// Retry cuts the pauses that failed dials have earned: whoever was away may be there
// now. A dial under way goes on, and none follows another to the same place within a
// second, however often this is called; after that pauses grow again, from two.
func (n *Node) Retry(now time.Time) { n.retry(now, func(*route) bool { return true }) }

// RetryKey is [Node.Retry] for the owner of one key.
func (n *Node) RetryKey(now time.Time, key zsync.Key) {
	n.retry(now, func(r *route) bool { return r.key == key })
}

func (n *Node) retry(now time.Time, which func(*route) bool) {
	for _, r := range n.routes {
		if r.link == nil && which(r) {
			soon := later(now, r.dialedAt.Add(helloPauseMin))
			if r.peer != nil {
				soon = later(soon, r.peer.helloAfter)
			}
			r.retryAt, r.wait = sooner(r.retryAt, soon), min(r.wait, helloPauseMin)
		}
	}
	n.dialDue(now)
}

// Woke tells that this node slept, or was cut off in another way that nobody tells
// its connections: dials under way are begun anew, and every peer gets a HELLO, on a
// new connection where this node dialled the old one. What arrived meanwhile counts.
func (n *Node) Woke(now time.Time) {
	if n.stopped {
		return
	}
	for _, r := range slices.Clone(n.routes) {
		n.giveUp(now, r)
	}
	for _, p := range slices.Clone(n.peers) {
		if p.out != nil && !p.resync {
			n.lose(now, p)
		}
	}
	n.Retry(now)
}

// giveUp ends a dial that began before now and has not come to anything.
func (n *Node) giveUp(now time.Time, r *route) {
	l := r.link
	if l == nil || l.open || !r.dialedAt.Before(now) {
		return
	}
	n.hangup(now, l)
	n.broke(now, l)
	if r.link == nil {
		r.retryAt, r.wait = now, 0
	}
}
