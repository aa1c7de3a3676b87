package device

import (
	"time"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/eventlog"
	"github.com/zsync/zsync/replica"
)

// When is a moment in a folder's log: by wall clock, or by Lamport time. Zero is
// none.
type When struct {
	Wall    time.Time
	Lamport uint64
}

// IsZero reports whether no moment is named.
func (w When) IsZero() bool { return w.Wall.IsZero() && w.Lamport == 0 }

// before reports whether an event had happened by then.
func (w When) before(ev *eventlog.Event) bool {
	if w.Lamport > 0 {
		return ev.Header.Lamport <= w.Lamport
	}
	return ev.Header.WallMS <= uint64(max(0, w.Wall.UnixMilli()))
}

// cut parts the events of a log, which come in the total order, into those that lie
// before a moment and the others.
type cut struct {
	When
	held map[zsync.WriterID]uint64 // the last event of each chain that counts
}

func cutAt(at When) cut { return cut{When: at, held: make(map[zsync.WriterID]uint64)} }

// counts reports whether the next event lies before the cut. By time one does if all
// that it rests on does too: so no file is without its directory because a clock is
// wrong.
func (c cut) counts(h *zsync.Header) bool {
	if !c.precedes(h) {
		return false
	}
	c.held[h.Writer] = h.Seq
	return true
}

func (c cut) precedes(h *zsync.Header) bool {
	if c.Wall.IsZero() {
		return c.Lamport == 0 || h.Lamport <= c.Lamport
	}
	if int64(h.WallMS) > c.Wall.UnixMilli() || h.Seq != c.held[h.Writer]+1 {
		return false
	}
	for _, dep := range h.Deps {
		if c.held[dep.Writer] < dep.Seq {
			return false
		}
	}
	return true
}

// Past is a folder as its log had it at an earlier time. It is in memory: about
// 1 KiB for each name that the folder had until then, so 100 MB for 100,000 files.
type Past struct {
	cut   cut
	tree  *replica.Past
	names map[zsync.DeviceID]string
}

// NewPast returns a Past of a space that knows no event yet.
func NewPast(space zsync.SpaceID, at When) *Past {
	return &Past{cut: cutAt(at), tree: replica.NewPast(space), names: make(map[zsync.DeviceID]string)}
}

// Add takes the next event of the log in the total order.
func (p *Past) Add(ev LogEvent) error {
	if !p.cut.counts(&ev.Header) {
		return nil
	}
	p.names[ev.Author] = ev.Name
	return p.tree.Add(ev.Event)
}

// Tree yields what the folder had at a path and below it, as [Running.Tree] does.
func (p *Past) Tree(label string, path zsync.Path, yield func(TreeLine) bool) error {
	return walk(func(dir zsync.Path) (lines []TreeLine, found bool, err error) {
		items, found, err := p.tree.Items(dir)
		for _, item := range items {
			lines = append(lines, TreeLine{label, item, p.names[item.Author]})
		}
		return lines, found, err
	}, label, path, yield)
}
