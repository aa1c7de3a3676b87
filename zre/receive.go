package zre

import (
	"slices"
	"time"

	"github.com/zsync/zsync"
)

// Received tells of a message: frames without the routing id. What is malformed,
// forged or out of turn is counted and has no other effect.
func (n *Node) Received(now time.Time, c Conn, from Origin, frames [][]byte) {
	if n.stopped {
		return
	}
	l := n.link(c)
	if l == nil && c < FirstIncoming {
		n.counters.Ignored++
		return
	}
	from, ok := n.proved(l, from)
	if !ok {
		n.counters.Refused++
		return
	}
	command, err := ParseCommand(frames)
	if err != nil {
		n.counters.Malformed++
		return
	}
	n.counters.Parsed++
	if command.ID == CommandHello {
		n.greeted(now, c, l, from, command)
		return
	}
	if l == nil || !l.heard {
		n.counters.Ignored++
		n.strayed(now, l, from)
		return
	}
	n.followed(now, l, command)
}

// strayed looks at a command that no HELLO went before on its connection. If
// it is a known peer's, then that peer's ZeroMQ has reconnected behind its back,
// as Zyre's does, and lost who knows what.
func (n *Node) strayed(now time.Time, l *link, from Origin) {
	uuid, ok := parseIdentity(from.Identity)
	p := n.peer(uuid)
	if l == nil && ok && p != nil && p.key == from.Key && !p.resync {
		n.counters.Gaps++
		n.lose(now, p)
	}
}

// proved completes from with what is known of the connection, and reports
// whether its key may be heard at all. A connection's key never changes.
func (n *Node) proved(l *link, from Origin) (Origin, bool) {
	if !n.cfg.secure() {
		from.Key = zsync.Key{}
	}
	if l != nil && l.dialled() {
		if from.Key.IsZero() {
			from.Key = l.key
		}
		if from.Address == "" {
			from.Address = l.address
		}
	}
	switch {
	case from.Key.IsZero() == n.cfg.secure(), n.isDropped(from.Key):
		return from, false
	case n.cfg.secure() && from.Key == n.cfg.Key:
		return from, false // someone has our key; there is nothing to tell them
	}
	return from, l == nil || l.key == from.Key
}

func (n *Node) isDropped(key zsync.Key) bool {
	_, found := slices.BinarySearchFunc(n.dropped, key, zsync.Key.Compare)
	return found
}

// followed reads a command that follows a HELLO: it must be next in sequence.
func (n *Node) followed(now time.Time, l *link, c Command) {
	p := l.peer
	l.got++
	if c.Sequence != l.got {
		n.counters.Gaps++
		l.heard = false
		n.lose(now, p)
		return
	}
	n.hear(now, p, l)
	if p.confined && !mayConfinedSay(c.ID) {
		n.counters.Refused++
		p.missed = p.missed || c.ID == CommandJoin || c.ID == CommandLeave
		return
	}
	n.obey(now, p, l, c)
}

// obey acts on a command of a peer.
func (n *Node) obey(now time.Time, p *peer, l *link, c Command) {
	switch c.ID {
	case CommandWhisper:
		n.tell(p, message(Whisper, c))
	case CommandShout:
		if _, member := slices.BinarySearch(n.groups, c.Group); member {
			n.tell(p, message(Shout, c))
		}
	case CommandJoin, CommandLeave:
		n.changedGroups(now, p, c)
	case CommandPing:
		n.pong(p, l)
	case CommandPingOK:
		n.ponged(now, p)
		if !p.resync {
			p.greetAt = time.Time{} // it hears us: no other HELLO is needed
		}
	case CommandElect:
		n.elected(p, c)
	case CommandLeader:
		n.led(p, c)
	case CommandGoodbye:
		n.exit(now, p, nil)
	default:
		n.counters.Ignored++
	}
}

func message(kind EventKind, c Command) Event {
	e := Event{Kind: kind, Group: c.Group}
	if len(c.Content) > 0 {
		e.Content, e.More = c.Content[0], c.Content[1:]
	}
	return e
}

// changedGroups follows a JOIN or LEAVE. Two connections of a duplex peer may
// overtake each other, but its status numbers its changes: an old one is
// covered by a HELLO that came since, and a missing one was lost.
func (n *Node) changedGroups(now time.Time, p *peer, c Command) {
	ahead := int8(c.Status - p.status)
	if p.duplex && ahead <= 0 {
		return
	}
	if p.duplex && ahead > 1 {
		n.counters.Gaps++
		n.lose(now, p)
		return
	}
	p.status = c.Status
	groups := slices.Clone(p.groups)
	at, found := slices.BinarySearch(groups, c.Group)
	switch {
	case c.ID == CommandLeave && found:
		groups = slices.Delete(groups, at, at+1)
	case c.ID == CommandJoin && !found && len(groups) < n.cfg.GroupsMax:
		groups = slices.Insert(groups, at, c.Group)
	}
	n.regroup(p, groups)
}

// pong answers a PING: where it came from, if the peer listens there.
func (n *Node) pong(p *peer, l *link) {
	if !p.duplex || !l.said {
		l = p.out
	}
	n.send(l, Command{ID: CommandPingOK})
}
