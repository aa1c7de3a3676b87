package replica

import (
	"flag"
	"maps"
	"math/bits"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/eventlog"
	"github.com/zsync/zsync/internal/kv"
)

// TestAllSitesShowTheSameTreeAfterAnyHistory lets a few sites work on what they
// last applied and hear of each other in any order, not always causal, with
// repetitions, and some operations that no honest device writes.
func TestAllSitesShowTheSameTreeAfterAnyHistory(t *testing.T) {
	defer setChecks(t, flag.Lookup("rapid.checks").Value.String())
	setChecks(t, histories)
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(t)
		for range 40 {
			w.step()
		}
		for i, s := range w.sites {
			w.gossip(s, w.all(), i == 0)
			s.wantRows(w.sites[0].paint(), "the first site's")
		}
		w.sites[0].wantAllHeadsVisible()
	})
}

func setChecks(t *testing.T, number string) {
	if err := flag.Set("rapid.checks", number); err != nil {
		t.Fatal(err)
	}
}

// world is some sites and the die that drives them.
type world struct {
	t     *rapid.T
	sites []*site
	nodes []zsync.NodeID // that an operation was ever about, for hostile use
	dots  []zsync.Dot
}

func newWorld(t *rapid.T) *world {
	w := &world{t: t}
	for i := range rapid.IntRange(2, 5).Draw(t, "sites") {
		w.sites = append(w.sites, newSite(t, byte(i+1)))
	}
	return w
}

// roll draws evenly, as rapid's ranges do not: they favour their ends.
func (w *world) roll(sides int, what string) int {
	even := rapid.Custom(func(t *rapid.T) (n int) {
		for range bits.Len(uint(sides)) + 3 {
			n *= 2
			if rapid.Bool().Draw(t, "bit") {
				n++
			}
		}
		return n
	})
	return even.Draw(w.t, what) % sides
}

func pick[T any](w *world, from []T, what string) T { return from[w.roll(len(from), what)] }

func (w *world) step() {
	s := pick(w, w.sites, "site")
	switch w.roll(8, "what") {
	case 0, 1:
		w.gossip(s, w.some(pick(w, w.sites, "from")), w.roll(16, "check") == 0)
	case 2:
		s.apply()
	case 3:
		w.say(s, w.hostile(s))
	default:
		var body Body
		for range 1 + w.roll(3, "ops") {
			body = append(body, w.action(s)...)
		}
		w.say(s, body)
	}
}

func (w *world) say(s *site, body Body) {
	if len(body) == 0 {
		return
	}
	ev := s.author(body)
	for i, op := range body {
		w.dots = append(w.dots, zsync.Dot{Event: ev.ID, Index: uint32(i)})
		w.nodes = append(w.nodes, s.tree.opNode(op, ev.Header.Writer, ev.Header.Seq, uint32(i)))
	}
	w.gossip(s, []eventlog.Event{ev}, w.roll(32, "check") == 0)
}

// gossip delivers events, and checks what they did if told to.
func (w *world) gossip(s *site, events []eventlog.Event, check bool) {
	if !check {
		s.learn(events...)
		return
	}
	s.wantDirty(events...)
	s.wantAsOracle()
	s.wantLookups()
}

// some returns some of a site's events in some order.
func (w *world) some(s *site) (events []eventlog.Event) {
	for range w.roll(2*len(s.order)+1, "events") {
		events = append(events, s.log[pick(w, s.order, "event")])
	}
	return events
}

func (w *world) all() (events []eventlog.Event) {
	for _, s := range w.sites {
		for _, id := range s.order {
			events = append(events, s.log[id])
		}
	}
	return rapid.Permutation(events).Draw(w.t, "order")
}

var (
	testNames = []zsync.Name{"a", "b.txt", "log", "log.1", "d"}
	testTexts = []string{"", "one", "two", "three"}
)

// name returns a name that a user may choose: mostly one of a few, sometimes one
// that L has made up, sometimes a very long one.
func (w *world) name(s *site) zsync.Name {
	switch w.roll(12, "name") {
	case 0:
		if seen := s.onDisk(); len(seen) > 0 {
			look := s.disk[pick(w, seen, "seen")]
			for _, c := range look.copies {
				return c.name
			}
			return look.place.name
		}
		return "a"
	case 1:
		long := make([]byte, 251)
		for i := range long {
			long[i] = 'x'
		}
		return zsync.Name(long) + ".txt"
	default:
		return pick(w, testNames, "usual")
	}
}

func (w *world) version(op Op) Op {
	switch w.roll(6, "type") {
	case 0:
		op.Type, op.Target, op.Content = zsync.TypeSymlink, "a", content("a")
		return op
	case 1, 2:
		return op.dir()
	default:
		return op.file(pick(w, testTexts, "text"))
	}
}

func (w *world) moded(op Op) Op {
	if op.HasMode = w.roll(2, "has mode") == 0; op.HasMode {
		op.Mode = 0o600 + uint32(w.roll(3, "mode"))
	}
	return op
}

// onDisk returns the nodes that the user has seen.
func (s *site) onDisk() []zsync.NodeID {
	return slices.SortedFunc(maps.Keys(s.disk), zsync.NodeID.Compare)
}

func (s *site) id(node uint64) (id zsync.NodeID) {
	s.view(func(tx kv.Tx) { id = s.tree.nodeID(tx, node) })
	return id
}

// folder returns a directory that the user has seen, or the root.
func (w *world) folder(s *site) zsync.NodeID {
	dirs := []zsync.NodeID{{}}
	for _, id := range s.onDisk() {
		if s.disk[id].dir {
			dirs = append(dirs, id)
		}
	}
	return pick(w, dirs, "folder")
}

// action is what a user's deed on what he sees would be logged as.
func (w *world) action(s *site) Body {
	seen := s.onDisk()
	if len(seen) == 0 || w.roll(3, "new") == 0 {
		return w.create(s)
	}
	id := pick(w, seen, "node")
	look := s.disk[id]
	if len(look.copies) > 0 && w.roll(2, "copy") == 0 {
		return w.copyAction(s, id, look)
	}
	switch w.roll(6, "deed") {
	case 0:
		return w.remove(s, id)
	case 1, 2:
		unseen := func(dot zsync.Dot) bool { return !slices.Contains(look.main.dots, dot) }
		return Body{move(id, w.folder(s), w.name(s)).like(look.main).over(slices.DeleteFunc(s.weak(id), unseen)...)}
	case 3:
		return Body{chmod(id, 0o700+uint32(w.roll(3, "mode")))}
	default:
		if look.dir {
			return w.create(s)
		}
		op := edit(id, s.id(look.place.parent), look.place.name).file(pick(w, testTexts, "text"))
		return Body{w.moded(op).over(look.main.dots...)}
	}
}

// create makes something new, or adopts what L shows there already.
func (w *world) create(s *site) Body {
	parent, name := w.folder(s), w.name(s)
	op := create(parent, name)
	s.view(func(tx kv.Tx) {
		number, _ := s.tree.nodeOf(tx, parent)
		if node, ok := s.tree.at(tx, number, name); ok {
			op.Create, op.Node = CreateNone, s.tree.nodeID(tx, node)
			return
		}
		if _, state := s.tree.derived(tx, number, name); state >= derivedAlive {
			op.Create = CreateFresh
		}
	})
	return Body{w.moded(w.version(op))}
}

// remove takes the node away with all that the user sees in it.
func (w *world) remove(s *site, id zsync.NodeID) (body Body) {
	look := s.disk[id]
	if look.dir {
		for _, kid := range s.onDisk() {
			if kid != id && s.id(s.disk[kid].place.parent) == id && len(body) < 8 {
				body = append(body, w.remove(s, kid)...)
			}
		}
	}
	if len(look.main.dots) > 0 {
		body = append(body, remove(id, look.main.dots...))
	}
	return body
}

// copyAction removes a conflict copy, or makes it a file of its own.
func (w *world) copyAction(s *site, id zsync.NodeID, look shown) Body {
	c := pick(w, look.copies, "which copy")
	gone := remove(id, c.version.dots...)
	if w.roll(2, "keep") == 0 {
		return Body{gone}
	}
	op := create(s.id(look.place.parent), c.name).file("edited")
	op.Create = CreateFresh
	return Body{op, gone}
}

// hostile is what only a broken or malicious device writes: any node in any
// other, versions of unknown nodes, and supersedes of anything.
func (w *world) hostile(s *site) (body Body) {
	nodes := append([]zsync.NodeID{{}, {1}, {2}}, w.nodes...)
	for i := range 2 {
		nodes = append(nodes, s.tree.freshID(zsync.WriterID{s.device}, s.seq+1, uint32(i)))
	}
	dots := append([]zsync.Dot{{Index: 0}, {Index: 1}, {Event: zsync.EventID{9}, Index: 3}}, w.dots...)
	for range 2 {
		id, parent := pick(w, nodes[1:], "victim"), pick(w, nodes, "parent")
		op := edit(id, parent, w.name(s))
		switch w.roll(4, "mischief") {
		case 0:
			op = create(parent, op.Name)
			op.Create = CreateFresh
		case 1, 2:
			op = move(id, parent, op.Name)
		}
		op = w.version(op)
		if w.roll(2, "supersede") == 0 {
			op = op.over(pick(w, dots, "dot"), pick(w, dots, "dot"))
		}
		body = append(body, op)
	}
	return body
}

// wantAllHeadsVisible checks that no version that nothing superseded is hidden.
func (s *site) wantAllHeadsVisible() {
	s.t.Helper()
	live := map[zsync.Dot]bool{}
	for _, n := range newOracle(testSpace, s.log).all() {
		for _, op := range n.live {
			live[op.dot] = true
		}
	}
	s.view(func(tx kv.Tx) {
		s.walk(tx, rootNode, "", func(_ uint64, _ string, look shown) {
			versions := []version{look.main}
			for _, c := range look.copies {
				versions = append(versions, c.version)
			}
			for _, v := range versions {
				for _, dot := range v.dots {
					delete(live, dot)
				}
			}
		})
	})
	if len(live) > 0 {
		s.t.Fatalf("not to be seen anywhere: %v", live)
	}
}
