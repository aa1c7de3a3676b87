package replica

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/eventlog"
	"github.com/zsync/zsync/internal/kv"
)

var testSpace = zsync.SpaceID{0: 's', 15: 'p'}

// tester is what rapid's and testing's T have in common.
type tester interface {
	Helper()
	Fatalf(format string, args ...any)
}

// site is one device as far as L is concerned: a log, the tree that it folds
// into, and what its user has had on the disk so far.
type site struct {
	t       tester
	store   *kv.Memory
	tree    *tree
	log     map[zsync.EventID]eventlog.Event
	order   []zsync.EventID // of log, as it came
	device  byte
	seq     uint64
	lamport uint64
	disk    map[zsync.NodeID]shown // by node, as it was last applied
}

func newSite(t tester, device byte) *site {
	return &site{
		t: t, store: kv.NewMemory(), tree: newTree(testSpace), device: device,
		log: map[zsync.EventID]eventlog.Event{}, disk: map[zsync.NodeID]shown{},
	}
}

func (s *site) update(f func(tx kv.Tx)) {
	s.t.Helper()
	err := s.store.Update(func(tx kv.Tx) error {
		f(tx)
		return nil
	})
	if err != nil {
		s.t.Fatalf("update: %v", err)
	}
}

func (s *site) view(f func(tx kv.Tx)) {
	s.t.Helper()
	err := s.store.View(func(tx kv.Tx) error {
		f(tx)
		return nil
	})
	if err != nil {
		s.t.Fatalf("view: %v", err)
	}
}

// author makes an event of that body, newer than all that the site has seen.
func (s *site) author(body Body) eventlog.Event {
	s.seq++
	s.lamport++
	ev := eventlog.Event{
		Header: zsync.Header{
			Kind: zsync.KindFS, Writer: zsync.WriterID{s.device}, Seq: s.seq, Lamport: s.lamport,
			WallMS: 1_600_000_000_000 + 60_000*s.lamport,
		},
		Author: zsync.DeviceID{s.device, 0xde},
		Body:   EncodeBody(body),
	}
	ev.ID = sha256.Sum256(binary.BigEndian.AppendUint64([]byte{s.device}, s.seq))
	return ev
}

// say authors an event and folds it here.
func (s *site) say(ops ...Op) eventlog.Event {
	s.t.Helper()
	ev := s.author(ops)
	s.learn(ev)
	return ev
}

// learn folds events, in one transaction.
func (s *site) learn(events ...eventlog.Event) {
	s.t.Helper()
	s.update(func(tx kv.Tx) {
		for _, ev := range events {
			if err := s.tree.fold(tx, ev); err != nil {
				s.t.Fatalf("fold: %v", err)
			}
		}
		s.tree.dirty.save(tx)
	})
	for _, ev := range events {
		if _, known := s.log[ev.ID]; !known {
			s.log[ev.ID] = ev
			s.order = append(s.order, ev.ID)
		}
		s.lamport = max(s.lamport, ev.Header.Lamport)
	}
}

// apply makes the user see everything that L shows.
func (s *site) apply() {
	s.view(func(tx kv.Tx) {
		s.disk = map[zsync.NodeID]shown{}
		s.walk(tx, rootNode, "", func(node uint64, _ string, look shown) {
			s.disk[s.tree.nodeID(tx, node)] = look
		})
	})
}

// walk visits everything visible, each directory before what is in it.
func (s *site) walk(tx kv.Tx, parent uint64, path string, visit func(node uint64, path string, look shown)) {
	var kids []uint64
	kv.ScanPrefix(tx, bucketKids, nodeKey(parent), func(key, _ []byte) bool {
		kids = append(kids, binary.BigEndian.Uint64(key[len(key)-8:]))
		return true
	})
	for _, node := range kids {
		look := s.tree.shown(tx, node)
		if !look.visible || look.place.parent != parent {
			s.t.Fatalf("node %d is listed in %d but shown as %+v", node, parent, look)
		}
		visit(node, path+string(look.place.name), look)
		s.walk(tx, node, path+string(look.place.name)+"/", visit)
	}
}

// paint returns what the oracle would paint, from the tree.
func (s *site) paint() (rows []row) {
	s.view(func(tx kv.Tx) {
		s.walk(tx, rootNode, "", func(node uint64, path string, look shown) {
			r := row{Path: path, Node: s.tree.nodeID(tx, node), Dir: look.dir, Mode: look.mode, DirDots: dotText(look.dirDots)}
			if !look.dir {
				r.Main = look.main.text()
			}
			for _, c := range look.copies {
				r.Copies = append(r.Copies, string(c.name)+" "+c.version.text())
			}
			rows = append(rows, r)
		})
	})
	return sorted(rows)
}

func sorted(rows []row) []row {
	slices.SortFunc(rows, func(a, b row) int { return strings.Compare(a.Path, b.Path) })
	return rows
}

func (v version) text() string {
	return fmt.Sprintf("%d %v %d %d %s of %v by %s", v.kind, v.content, v.size, v.mtimeNS, v.target, v.dot, dotText(v.dots))
}

// wantAsOracle checks the tree against the oracle, and against itself folded
// anew from scratch.
func (s *site) wantAsOracle() {
	s.t.Helper()
	s.wantRows(sorted(newOracle(testSpace, s.log).paint()), "the oracle")
	again := newSite(s.t, s.device)
	again.update(func(tx kv.Tx) {
		err := again.tree.refold(tx, func(yield func(eventlog.Event) bool) {
			for _, ev := range s.inOrder() {
				if !yield(ev) {
					return
				}
			}
		})
		if err != nil {
			s.t.Fatalf("refold: %v", err)
		}
	})
	s.wantRows(again.paint(), "a full fold")
}

// inOrder returns the log in the total order.
func (s *site) inOrder() []eventlog.Event {
	return slices.SortedFunc(maps.Values(s.log), func(a, b eventlog.Event) int {
		return a.Header.Stamp(0).Compare(b.Header.Stamp(0))
	})
}

func (s *site) wantRows(want []row, whose string) {
	s.t.Helper()
	if got := s.paint(); !reflect.DeepEqual(got, want) {
		s.t.Fatalf("the tree differs from %s (-%s +tree):\n%s", whose, whose, cmp.Diff(want, got))
	}
}

// wantLookups checks that at and copyAt find everything under its name, and
// that no two things have one name.
func (s *site) wantLookups() {
	s.t.Helper()
	s.view(func(tx kv.Tx) {
		used := map[string]bool{}
		s.walk(tx, rootNode, "", func(node uint64, path string, look shown) {
			if got, ok := s.tree.at(tx, look.place.parent, look.place.name); !ok || got != node || used[path] {
				s.t.Fatalf("at(%q) = %d, %v; shown there is %d (used before: %v)", path, got, ok, node, used[path])
			}
			used[path] = true
			for _, c := range look.copies {
				path := strings.TrimSuffix(path, string(look.place.name)) + string(c.name)
				got, dot, ok := s.tree.copyAt(tx, look.place.parent, c.name)
				if !ok || got != node || dot != c.version.dot || used[path] {
					s.t.Fatalf("copyAt(%q) = %d, %v, %v; shown there is %d, %v", path, got, dot, ok, node, c.version.dot)
				}
				used[path] = true
			}
		})
	})
}

// wantDirty folds events and checks that each node that then looks otherwise
// is dirty, and that none is remembered as it looked before.
func (s *site) wantDirty(events ...eventlog.Event) {
	s.t.Helper()
	before := s.looks()
	s.update(func(tx kv.Tx) { tx.Drop(bucketDirty) })
	s.learn(events...)
	after := s.looks()
	s.view(func(tx kv.Tx) {
		for node, look := range after {
			if got, want := s.tree.look(tx, node), newTree(testSpace).look(tx, node); !reflect.DeepEqual(got, want) {
				s.t.Fatalf("node %d looks like\n%+v\nand is remembered as\n%+v", node, *want, *got)
			}
			if look != before[node] && tx.Get(bucketDirty, nodeKey(node)) == nil {
				s.t.Fatalf("node %d looked like\n%s\nlooks like\n%s\nand is not dirty", node, before[node], look)
			}
		}
	})
}

func (s *site) looks() map[uint64]string {
	looks := map[uint64]string{}
	s.view(func(tx kv.Tx) {
		tx.Scan(bucketNodes, nil, func(key, _ []byte) bool {
			node := binary.BigEndian.Uint64(key)
			looks[node] = ""
			if look := newTree(testSpace).shown(tx, node); look.visible {
				looks[node] = fmt.Sprintf("%+v", look)
			}
			return true
		})
	})
	return looks
}

// nodeAt returns what L shows at a path, and the node's id.
func (s *site) nodeAt(path string) (id zsync.NodeID, look shown, found bool) {
	s.view(func(tx kv.Tx) {
		s.walk(tx, rootNode, "", func(node uint64, at string, l shown) {
			if at == path {
				id, look, found = s.tree.nodeID(tx, node), l, true
			}
		})
	})
	return id, look, found
}

// Ops as a user's actions make them.

func content(text string) zsync.Digest { return sha256.Sum256([]byte(text)) }

// file returns op as a version with that text.
func (op Op) file(text string) Op {
	op.Type, op.Content, op.Size, op.MtimeNS = zsync.TypeFile, content(text), int64(len(text)), 1e9
	return op
}

func (op Op) dir() Op {
	op.Type = zsync.TypeDir
	return op
}

func (op Op) over(dots ...zsync.Dot) Op {
	op.Supersedes = slices.Compact(slices.SortedFunc(slices.Values(dots), zsync.Dot.Compare))
	return op
}

func create(parent zsync.NodeID, name zsync.Name) Op {
	return Op{Kind: OpPut, Create: CreateDerived, Parent: parent, Name: name}
}

func edit(node, parent zsync.NodeID, name zsync.Name) Op {
	return Op{Kind: OpPut, Node: node, Parent: parent, Name: name}
}

func move(node, parent zsync.NodeID, name zsync.Name) Op {
	return Op{Kind: OpMove, Node: node, Parent: parent, Name: name}
}

func remove(node zsync.NodeID, dots ...zsync.Dot) Op {
	return Op{Kind: OpDel, Node: node}.over(dots...)
}

func chmod(node zsync.NodeID, mode uint32) Op {
	return Op{Kind: OpAttr, Node: node, HasMode: true, Mode: mode}
}

var _ tester = (*testing.T)(nil)
