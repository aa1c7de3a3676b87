package replica

import (
	"cmp"
	"slices"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/eventlog"
	"github.com/zsync/zsync/internal/kv"
)

// Past is a folder's tree as some of its events tell it. Because L is a function of
// a set of events, what was, and what would be without some of them, is L of fewer.
type Past struct {
	tree    *tree
	memory  *kv.Memory
	waiting []eventlog.Event // added, and not yet in the tree
}

// Entry is what a Past has at a path.
type Entry struct {
	Path    zsync.Path
	Node    zsync.NodeID
	Type    zsync.FileType
	Content zsync.Digest
	Size    int64 // octets
	ListLen uint32
	MtimeNS int64
	Mode    uint32
	Target  string
	Author  zsync.DeviceID
	Stamp   zsync.Stamp
	dots    []zsync.Dot
	parent  zsync.NodeID
	name    zsync.Name
}

// Same reports whether two entries are equal but for their mode and time.
func (e Entry) Same(o Entry) bool { return e.Type == o.Type && e.Content == o.Content }

// NewPast returns a Past of a space that knows no event yet.
func NewPast(space zsync.SpaceID) *Past {
	return &Past{tree: newTree(space), memory: kv.NewMemory()}
}

// PastOf folds events, in any order, into a tree of their own, in memory.
func PastOf(space zsync.SpaceID, events []eventlog.Event) (*Past, error) {
	p := NewPast(space)
	return p, p.fold(events)
}

// pastStep is how many events are taken in one transaction: a transaction in memory
// keeps all that it has read.
const pastStep = 16

// Add takes one more event; it may come in any order, and its body is kept.
func (p *Past) Add(ev eventlog.Event) error {
	if p.waiting = append(p.waiting, ev); len(p.waiting) < pastStep {
		return nil
	}
	return p.foldWaiting()
}

func (p *Past) foldWaiting() error {
	events := p.waiting
	p.waiting = nil
	return p.fold(events)
}

func (p *Past) fold(events []eventlog.Event) error {
	return p.each(events, func(tx kv.Tx, i int) error { return p.tree.fold(tx, events[i]) })
}

// each calls do for the place of every event.
func (p *Past) each(events []eventlog.Event, do func(tx kv.Tx, i int) error) error {
	for first := 0; first < len(events); first += pastStep {
		err := p.memory.Update(func(tx kv.Tx) error {
			for i := first; i < min(first+pastStep, len(events)); i++ {
				if err := do(tx, i); err != nil {
					return err
				}
				p.tree.ended = p.tree.ended[:0] // no disk loses what was ended
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// Under returns what was at a path and below it, directories before what is in them.
func (p *Past) Under(path zsync.Path) (entries []Entry, err error) {
	if err := p.foldWaiting(); err != nil {
		return nil, err
	}
	err = p.memory.View(func(tx kv.Tx) error {
		if path == "" {
			p.walk(tx, rootNode, "", &entries)
		} else if e, found := p.tree.entryAt(tx, path); found {
			entries = append(entries, e)
			if node, known := p.tree.nodeOf(tx, e.Node); known && e.Type == zsync.TypeDir {
				p.walk(tx, node, path, &entries)
			}
		}
		return nil
	})
	return entries, err
}

// Items returns what was in a directory, as [Replica.Items] does. Nothing of it is
// here.
func (p *Past) Items(path zsync.Path) (items []Item, found bool, err error) {
	if err := p.foldWaiting(); err != nil {
		return nil, false, err
	}
	err = p.memory.View(func(tx kv.Tx) error {
		items, found = p.tree.items(tx, path, func(*target) (bool, zsync.Name) { return false, "" })
		return nil
	})
	return items, found, err
}

func (p *Past) walk(tx kv.Tx, dir uint64, at zsync.Path, entries *[]Entry) {
	if pathDepth(at) >= zsync.PathDepthMax {
		return
	}
	for _, kid := range p.tree.kids(tx, dir) {
		s := p.tree.look(tx, kid)
		for i := range s.copies {
			*entries = append(*entries, p.tree.entry(tx, kid, s, at.Join(s.copies[i].name), &s.copies[i].version))
		}
		path := at.Join(s.place.name)
		*entries = append(*entries, p.tree.entry(tx, kid, s, path, &s.main))
		if s.dir {
			p.walk(tx, kid, path, entries)
		}
	}
}

func pathDepth(path zsync.Path) (depth int) {
	for ; path != ""; path = path.Dir() {
		depth++
	}
	return depth
}

// entry describes a version of a node that is shown at a path.
func (l *tree) entry(tx kv.Tx, node uint64, s *shown, path zsync.Path, v *version) Entry {
	e := Entry{
		Path: path, Node: l.nodeID(tx, node), Type: v.kind, Content: v.content, Size: v.size, ListLen: v.listLen,
		MtimeNS: v.mtimeNS, Mode: s.mode, Target: v.target, Author: v.author, Stamp: v.stamp,
		dots: v.dots, parent: l.nodeID(tx, s.place.parent), name: s.place.name,
	}
	if v != &s.main {
		e.Mode = s.copyMode
	}
	return e
}

// entryAt returns what is shown at a path; the root is a directory.
func (l *tree) entryAt(tx kv.Tx, path zsync.Path) (Entry, bool) {
	if path == "" {
		return Entry{Type: zsync.TypeDir, Mode: dirModeDefault}, true
	}
	node, dot, found := l.lookup(tx, path)
	if !found {
		return Entry{}, false
	}
	s := l.look(tx, node)
	if dot == (zsync.Dot{}) {
		return l.entry(tx, node, s, path, &s.main), true
	}
	i := slices.IndexFunc(s.copies, func(c copyVersion) bool { return c.name == path.Base() })
	return l.entry(tx, node, s, path, &s.copies[i].version), true
}

// byNode returns what is shown of a node, at its main place.
func (l *tree) byNode(tx kv.Tx, id zsync.NodeID) (Entry, bool) {
	node, known := l.nodeOf(tx, id)
	if !known || node == rootNode {
		return Entry{}, false
	}
	s := l.look(tx, node)
	if !s.visible {
		return Entry{}, false
	}
	return l.entry(tx, node, s, l.shownPath(tx, s.place), &s.main), true
}

// shownPath returns where a place is, by the names that everything is shown under.
// Places in force form a tree, so the climb ends.
func (l *tree) shownPath(tx kv.Tx, at place) zsync.Path {
	if at.parent == rootNode {
		return zsync.Path(at.name)
	}
	return l.shownPath(tx, l.look(tx, at.parent).place).Join(at.name)
}

// lossGapMS is how far apart, by their author's clock, the losses of one directory
// may be that are taken for one: who removes many files makes many events.
const lossGapMS = 60_000

// loss is an event that replaced, deleted or moved away something.
type loss struct {
	index  int // of the event
	author zsync.DeviceID
	wallMS uint64
	had    Entry
	found  bool // had is set
}

// BeforeLoss returns how many of the events, which are all of a log in its order, say
// how things were just before a path lost its last version, or what is below it: by
// a deletion or replacement, or by being moved away. Losses of a directory by one
// device that follow each other within a minute count as one. found is false where
// nothing was ever lost.
func BeforeLoss(space zsync.SpaceID, events []eventlog.Event, path zsync.Path) (first int, found bool, err error) {
	p := NewPast(space)
	var losses []loss
	err = p.each(events, func(tx kv.Tx, i int) error {
		ev := &events[i]
		if p.tree.takes(tx, ev, path) {
			was := loss{index: i, author: ev.Author, wallMS: ev.Header.WallMS}
			was.had, was.found = p.tree.entryAt(tx, path)
			losses = append(losses, was)
		}
		return p.tree.fold(tx, *ev)
	})
	if err != nil {
		return 0, false, err
	}
	err = p.memory.View(func(tx kv.Tx) error {
		now, there := p.tree.entryAt(tx, path)
		first, found = lastLoss(losses, now, there)
		return nil
	})
	return first, found, err
}

// lastLoss picks the loss that a person means.
func lastLoss(losses []loss, now Entry, there bool) (first int, found bool) {
	losses = slices.DeleteFunc(losses, func(was loss) bool {
		return !was.found || there && was.had.Type != zsync.TypeDir && was.had.Same(now)
	})
	if len(losses) == 0 {
		return 0, false
	}
	i := len(losses) - 1
	if losses[i].had.Type != zsync.TypeDir {
		return losses[i].index, true
	}
	for ; i > 0; i-- {
		older, newer := &losses[i-1], &losses[i]
		gap := max(older.wallMS, newer.wallMS) - min(older.wallMS, newer.wallMS)
		if older.author != newer.author || gap > lossGapMS || older.had.Type != zsync.TypeDir {
			break
		}
	}
	return losses[i].index, true
}

// takes reports whether an event that is not yet folded takes something away at a
// path or below it.
func (l *tree) takes(tx kv.Tx, ev *eventlog.Event, path zsync.Path) bool {
	if ev.Void || ev.Header.Kind != zsync.KindFS {
		return false
	}
	body, err := DecodeBody(ev.Body)
	if err != nil {
		return false
	}
	return slices.ContainsFunc(body, func(op Op) bool {
		if op.Kind == OpAttr || op.Create == CreateFresh {
			return false
		}
		id := op.Node
		if op.Create == CreateDerived {
			id = l.derivedID(op.Parent, op.Name)
		}
		node, known := l.nodeOf(tx, id)
		return known && node != rootNode && l.loses(tx, node, &op, path)
	})
}

func (l *tree) loses(tx kv.Tx, node uint64, op *Op, path zsync.Path) bool {
	s := l.look(tx, node)
	if !s.visible || op.Kind == OpPut && s.main.kind == op.Type && s.main.content == op.Content {
		return false
	}
	at := l.shownPath(tx, s.place)
	if path == "" || below(at, path) || op.Kind == OpMove && below(path, at) {
		return true
	}
	return slices.ContainsFunc(s.copies, func(c copyVersion) bool { return at.Dir().Join(c.name) == path })
}

// Undoing is what takes some events back. What is moved comes first, directories
// before what is in them; Remove has them after. Now is where and what a thing is
// before anything is taken back.
type Undoing struct {
	Move    []Reversal
	Remove  []Reversal
	Put     []Reversal
	Skipped []Skipped
}

// Reversal is one thing to be taken back: at Now it is, unless Now.Path is "", and
// Then is what it should be, but for Remove.
type Reversal struct{ Now, Then Entry }

// Skipped is something that is not taken back.
type Skipped struct {
	Path zsync.Path
	Why  string
}

// UndoingOf finds out what takes back the undone among the events of a log: how
// things are is held against how they would be without these. What something else was done
// to since is left as it is, and named.
func UndoingOf(space zsync.SpaceID, events []eventlog.Event, undone map[zsync.EventID]bool) (u Undoing, err error) {
	var others []eventlog.Event
	for i := range events {
		if !undone[events[i].ID] {
			others = append(others, events[i])
		}
	}
	now, err := PastOf(space, events)
	if err != nil {
		return u, err
	}
	then, err := PastOf(space, others)
	if err != nil {
		return u, err
	}
	touched, since := concerned(now.tree, events, undone)
	err = now.memory.View(func(nowTx kv.Tx) error {
		return then.memory.View(func(thenTx kv.Tx) error {
			for _, id := range touched {
				a, is := now.tree.byNode(nowTx, id)
				b, was := then.tree.byNode(thenTx, id)
				u.add(a, is, b, was, since[id] || is && stands(a, b, was, undone))
			}
			return nil
		})
	})
	u.sort()
	return u, err
}

// concerned returns the nodes that the undone events changed, in the order of the
// log, and which of them something was done to that builds on that.
func concerned(l *tree, events []eventlog.Event, undone map[zsync.EventID]bool) (touched []zsync.NodeID, since map[zsync.NodeID]bool) {
	seen := make(map[zsync.NodeID]bool)
	since = make(map[zsync.NodeID]bool)
	of := make(map[zsync.Dot]zsync.NodeID)
	for i := range events {
		ev := &events[i]
		body, err := DecodeBody(ev.Body)
		if ev.Void || ev.Header.Kind != zsync.KindFS || err != nil {
			continue
		}
		for j, op := range body {
			id := l.opNode(op, ev.Header.Writer, ev.Header.Seq, uint32(j))
			if undone[ev.ID] {
				of[zsync.Dot{Event: ev.ID, Index: uint32(j)}] = id
				if !seen[id] {
					seen[id] = true
					touched = append(touched, id)
				}
				continue
			}
			for _, dot := range op.Supersedes {
				if node, found := of[dot]; found {
					since[node] = true
				}
			}
		}
	}
	return touched, since
}

// stands reports whether what is there now is of none of the undone events, and is
// not what would be there without them: somebody has put it there since.
func stands(now, then Entry, was bool, undone map[zsync.EventID]bool) bool {
	if was && now.Same(then) || len(now.dots) == 0 {
		return false
	}
	return !slices.ContainsFunc(now.dots, func(dot zsync.Dot) bool { return undone[dot.Event] })
}

// add sorts one node into what is to be done.
func (u *Undoing) add(now Entry, is bool, then Entry, was, changed bool) {
	path := cmp.Or(now.Path, then.Path)
	switch {
	case !is && !was:
	case changed:
		u.Skipped = append(u.Skipped, Skipped{path, "it was changed since"})
	case !was:
		u.Remove = append(u.Remove, Reversal{Now: now})
	case !is:
		u.Put = append(u.Put, Reversal{Then: then})
	case now.Type != then.Type:
		u.Skipped = append(u.Skipped, Skipped{path, "it is something of another kind now"})
	default:
		if now.parent != then.parent || now.name != then.name {
			u.Move = append(u.Move, Reversal{now, then})
		}
		if !now.Same(then) || now.Mode != then.Mode {
			u.Put = append(u.Put, Reversal{now, then})
		}
	}
}

func (u *Undoing) sort() {
	slices.SortStableFunc(u.Move, func(a, b Reversal) int { return cmp.Compare(a.Then.Path, b.Then.Path) })
	slices.SortStableFunc(u.Remove, func(a, b Reversal) int { return cmp.Compare(b.Now.Path, a.Now.Path) })
	slices.SortStableFunc(u.Put, func(a, b Reversal) int { return cmp.Compare(a.Then.Path, b.Then.Path) })
}
