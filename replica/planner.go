package replica

import (
	"slices"
	"time"
)

// The limits of planning.
const (
	restFirst = time.Second // a node whose change failed is tried again after this, and twice that the next time …
	restMax   = time.Minute // … up to this
	restsMax  = 4096        // nodes that rest: with more, all planning does
)

// planner walks the nodes to be worked on, orders the contents that they lack
// and fills the batch with changes. It keeps no list of nodes: they are in the
// bucket todo, and it has a cursor.
type planner struct {
	cursor    uint64    // the next node to look at
	blocked   uint64    // the lowest node that could not be planned; 0 is none
	asleep    time.Time // when all rests end
	rests     map[uint64]rest
	ready     []uint64  // nodes that a content came for
	after     []uint64  // nodes that wait for what is under way
	live      lately    // nodes that were heard of last
	unsettled []uint64  // nodes of these that are not compared with D yet
	alone     time.Time // since then a change waits that nothing is ordered beside; zero: none
	swept     bool      // all of todo was looked at since the start
}

type rest struct {
	until time.Time
	delay time.Duration
}

const cursorEnd = ^uint64(0)

func newPlanner() planner { return planner{rests: map[uint64]rest{}} }

// lower makes sure that a node is looked at.
func (p *planner) lower(node uint64) { p.cursor = min(p.cursor, node) }

// wake has everything that could not be planned looked at again: something has
// changed.
func (p *planner) wake() {
	if p.blocked != 0 {
		p.lower(p.blocked)
		p.blocked = 0
	}
}

func (p *planner) block(node uint64) {
	if p.blocked == 0 || node < p.blocked {
		p.blocked = node
	}
}

// come has the nodes that a content came for planned.
func (p *planner) come(c *wanted) {
	if c.urgent {
		p.ready = slices.Insert(p.ready, 0, c.nodes...)
		return
	}
	p.ready = append(p.ready, c.nodes...)
}

// await has a node planned once a batch under way is done.
func (p *planner) await(node uint64) {
	if len(p.after) < batchChangesMax {
		p.after = append(p.after, node)
		return
	}
	p.block(node)
}

// awaited has what waited for a batch planned.
func (p *planner) awaited() {
	p.ready = append(p.after, p.ready...)
	p.after = nil
}

// rest lets a node wait before its next try.
func (p *planner) rest(now time.Time, node uint64) {
	if len(p.rests) >= restsMax {
		p.sleep(now)
		return
	}
	delay := min(max(2*p.rests[node].delay, restFirst), restMax)
	p.rests[node] = rest{until: now.Add(delay), delay: delay}
}

// sleep lets all nodes wait.
func (p *planner) sleep(now time.Time) {
	clear(p.rests)
	p.asleep = now.Add(restMax / 6)
	p.cursor = 0
}

func (p *planner) rested(node uint64) { delete(p.rests, node) }

// deadline is when the first rest ends.
func (p *planner) deadline() (due time.Time) {
	for _, rest := range p.rests {
		due = earlier(due, rest.until)
	}
	return due
}

// stirred looks for rests that are over. The delay is remembered for the next
// failure.
func (p *planner) stirred(now time.Time) {
	if !p.asleep.IsZero() && !now.Before(p.asleep) {
		p.asleep = time.Time{}
	}
	for node, rest := range p.rests {
		if !rest.until.IsZero() && !now.Before(rest.until) {
			p.rests[node] = restOver(rest)
			p.lower(node)
		}
	}
}

func restOver(r rest) rest { return rest{delay: r.delay} }

func (p *planner) resting(node uint64) bool { return !p.rests[node].until.IsZero() }
