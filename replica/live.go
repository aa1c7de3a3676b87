package replica

import (
	"slices"
	"time"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/eventlog"
	"github.com/zsync/zsync/internal/kv"
)

// What somebody is at work on goes before what was there already: a photo taken
// while a million others are on their way is not the last of them. Which is which is
// known by facts, and not by a clock: a hint came of the directory, where a scan goes
// everywhere; an event was short and the newest of what was heard, where a long one
// tells of much at once. Being live changes when a thing is done and nothing else. Each
// step keeps some room for it:
//
//	a directory to be listed     goes before the others, however many files wait
//	a file to be hashed          has a lane of its own
//	what was found               is logged by itself, so that its event is short
//	a node that an event changed is planned before the cursor gets there
//	a content that it lacks      may be wanted beside WantsMax others
//	a batch that it is in        is sealed once nothing that is live is on its way
const (
	liveListsMax     = 64       // directories that are live; others wait their turn
	liveHashBytesMax = 32 << 20 // octets of live files being hashed at one time: larger ones are beside what a scan found
	liveNodesMax     = 256      // nodes that were heard of last: with more, the oldest wait for the cursor
	liveWantsMax     = 256      // contents asked for beside WantsMax …
	liveWantBytesMax = 16 << 20 // … and their octets, or one content
	liveBytesMax     = 8192     // of what is heard at once, the newest events of no more octets are live
	// liveWait is how long what was found waits for more that somebody is at work on.
	liveWait = 20 * time.Millisecond
	// livePatience is gapPatience where a directory that is live is to be read.
	livePatience = 100 * time.Millisecond
)

// liveFrom returns from where on events that were heard at once are live.
func liveFrom(fresh []eventlog.Event) int {
	octets := 0
	for i := len(fresh) - 1; i >= 0; i-- {
		if octets += len(fresh[i].Body); octets > liveBytesMax {
			return i + 1
		}
	}
	return 0
}

// noteLive notes nodes that an event just changed, for heard. Of more than there is room
// for the oldest are settled in their turn, like all others.
func (p *planner) noteLive(nodes []uint64) {
	noted := append(p.unsettled, nodes...)
	p.unsettled = noted[max(0, len(noted)-liveNodesMax):]
}

// heard has nodes that an event just changed settled and planned before all others.
func (r *Replica) heard(tx kv.Tx, nodes []uint64) {
	for _, node := range nodes {
		r.tree.dirty.unmark(tx, node)
		r.plan.rested(node)
		r.settle(tx, node)
	}
	r.plan.live.push(nodes)
}

// lately are the nodes that were heard of last: those of one turn together, the latest
// turn at the end.
type lately struct {
	turns [][]uint64
	count int
}

// push adds the nodes of a turn; of more than there is room for, the oldest go.
func (l *lately) push(nodes []uint64) {
	if len(nodes) == 0 {
		return
	}
	l.turns = append(l.turns, nodes)
	l.count += len(nodes)
	for l.count > liveNodesMax && len(l.turns) > 1 {
		l.count -= len(l.turns[0])
		l.turns = l.turns[1:]
	}
}

// pop takes the first node of the latest turn; there is one.
func (l *lately) pop() (node uint64) {
	last := len(l.turns) - 1
	nodes := l.turns[last]
	if l.count--; len(nodes) == 1 {
		l.turns = l.turns[:last]
	} else {
		l.turns[last] = nodes[1:]
	}
	return nodes[0]
}

// planLive looks at what was heard of last, the latest first, as long as there is room.
func (t *turn) planLive(take func(node uint64), full func() bool) {
	r := t.replica
	p := &r.plan
	t.urgent = true
	for t.looked < turnNodes && p.live.count > 0 && !full() && r.contents.hasUrgentRoom() {
		node := p.live.pop()
		if _, due := r.disk.todo(t.tx, node); due {
			take(node)
		}
	}
	t.urgent = false
}

// hasUrgentRoom reports whether something urgent may be ordered.
func (cs *contents) hasUrgentRoom() bool {
	return cs.urgent < liveWantsMax && cs.urgentBytes < liveWantBytesMax
}

// logsLive reports whether what was found is to be logged now, but only what is live:
// it waits for no other. While something moved waits, all is logged in its order.
func (r *Replica) logsLive() bool {
	fs := &r.findings
	if fs.live == 0 || fs.held || fs.waiting(foundMove) > 0 {
		return false
	}
	return !r.scan.lane(true).any() || !r.now.Before(fs.liveSince.Add(liveWait))
}

func (l *lane) any() bool { return l.ordered+l.backlog.count > 0 }

// addLive drafts what is live, and the new directories that it is in.
func (d *drafting) addLive() {
	noted := map[*finding]bool{}
	d.replica.findings.each(foundFile, func(f *finding) bool { return !f.live || d.addInto(f, noted) })
}

// addInto drafts a finding after those of the directories that it is in, which are
// noted.
func (d *drafting) addInto(f *finding, noted map[*finding]bool) bool {
	way := []*finding{f}
	for dir := f.path.Dir(); dir != ""; dir = dir.Dir() {
		if above := d.replica.findings.at[dir]; above != nil && above.kind == foundDir {
			way = append(way, above)
		}
	}
	for _, one := range slices.Backward(way) {
		if noted[one] {
			continue
		}
		if noted[one] = true; !d.add(one) {
			return false
		}
	}
	return true
}

// urgentFor reports whether a node waits for a content that goes before others.
func (cs *contents) urgentFor(node uint64) bool {
	return slices.ContainsFunc(cs.ofNode[node], func(digest zsync.Digest) bool {
		c := cs.by[digest]
		return c != nil && c.urgent
	})
}
