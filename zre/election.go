package zre

import (
	"cmp"
	"slices"
)

// wave is an election that passes through this node: an echo wave with
// extinction, in which the lowest UUID of a group wins. The node never stands
// for leader, but Zyre's elections wait for every member's echo, so a node that
// did not pass them on would block them for good.
type wave struct {
	group   string
	lowest  UUID // the challenger it runs for; the only one that is passed on
	father  UUID // who brought it
	echoes  int  // ELECTs for it, the father's included
	leaders int  // LEADERs seen
}

// elected passes an ELECT on: a lower challenger's wave to all others of the
// group, and, once every one of them has echoed it, the echo to its father.
func (n *Node) elected(p *peer, c Command) {
	members, ok := n.electorate(p, c.Group)
	if !ok {
		return
	}
	at, found := n.waveAt(c.Group)
	if !found {
		n.waves = slices.Insert(n.waves, at, &wave{group: c.Group, lowest: c.Node, father: p.uuid})
	}
	w := n.waves[at]
	if found && c.Node.Compare(w.lowest) < 0 {
		*w = wave{group: c.Group, lowest: c.Node, father: p.uuid}
		found = false
	}
	if c.Node != w.lowest {
		return
	}
	if !found {
		n.sendAll(members, p, Command{ID: CommandElect, Group: w.group, Node: w.lowest})
	}
	w.echoes++
	if w.echoes == len(members) {
		n.send(n.peer(w.father).out, Command{ID: CommandElect, Group: w.group, Node: w.lowest})
	}
}

// led passes the first LEADER on to the whole group; when everyone's has come,
// the election is over.
func (n *Node) led(p *peer, c Command) {
	members, ok := n.electorate(p, c.Group)
	at, found := n.waveAt(c.Group)
	if !ok || !found {
		return
	}
	w := n.waves[at]
	if w.leaders == 0 {
		n.sendAll(members, nil, Command{ID: CommandLeader, Group: w.group, Node: w.lowest})
	}
	w.leaders++
	if w.leaders == len(members) {
		n.endWave(c.Group)
	}
}

// electorate returns the peers in a group, if this node and p are in it.
func (n *Node) electorate(p *peer, group string) (members []*peer, ok bool) {
	if _, ok := slices.BinarySearch(n.groups, group); !ok || !p.entered || !p.in(group) {
		return nil, false
	}
	for _, o := range n.peers {
		if o.entered && o.in(group) {
			members = append(members, o)
		}
	}
	return members, true
}

func (n *Node) sendAll(to []*peer, except *peer, c Command) {
	for _, p := range to {
		if p != except {
			n.send(p.out, c)
		}
	}
}

func (n *Node) waveAt(group string) (int, bool) {
	return slices.BinarySearchFunc(n.waves, group, func(w *wave, group string) int { return cmp.Compare(w.group, group) })
}

// endWave forgets an election: it is over, or the group has changed under it.
func (n *Node) endWave(group string) {
	if at, found := n.waveAt(group); found {
		n.waves = slices.Delete(n.waves, at, at+1)
	}
}
