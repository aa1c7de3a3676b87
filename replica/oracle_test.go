package replica

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/eventlog"
)

// oracle is the view of a folder written down a second time, from the whole set
// of events at once and with no thought of speed. It shares with the package
// only the words of an operation and the decoder.
type oracle struct {
	space zsync.SpaceID
	nodes map[zsync.NodeID]*oracleNode
}

type oracleNode struct {
	id      zsync.NodeID
	history []oracleOp // puts, moves and attrs on it, oldest first
	live    []oracleOp // those that nothing supersedes, oldest first
	at      int        // which place, of those it was given, is in force
	kids    []*oracleNode
}

type oracleOp struct {
	Op
	event eventlog.Event
	dot   zsync.Dot
	stamp zsync.Stamp
}

type oraclePlace struct {
	parent zsync.NodeID
	name   string
	stamp  zsync.Stamp
}

// row is one node as a person would see it.
type row struct {
	Path    string
	Node    zsync.NodeID
	Dir     bool
	Mode    uint32
	Main    string
	DirDots string
	Copies  []string
}

func newOracle(space zsync.SpaceID, events map[zsync.EventID]eventlog.Event) *oracle {
	o := &oracle{space: space, nodes: map[zsync.NodeID]*oracleNode{}}
	o.node(zsync.NodeID{})
	ops, dead := o.read(events)
	for _, op := range ops {
		if op.Kind == OpDel {
			continue
		}
		n := o.node(o.id(op))
		n.history = append(n.history, op)
		if op.Kind != OpAttr {
			o.node(op.Parent)
			if !dead[op.dot] {
				n.live = append(n.live, op)
			}
		}
	}
	for o.breakCycle() {
	}
	o.attach()
	return o
}

func (o *oracle) node(id zsync.NodeID) *oracleNode {
	if o.nodes[id] == nil {
		o.nodes[id] = &oracleNode{id: id}
	}
	return o.nodes[id]
}

// read returns all operations, oldest first, and all superseded dots.
func (o *oracle) read(events map[zsync.EventID]eventlog.Event) (ops []oracleOp, dead map[zsync.Dot]bool) {
	dead = map[zsync.Dot]bool{}
	for id, ev := range events {
		body, err := DecodeBody(ev.Body)
		if err != nil || ev.Void || ev.Header.Kind != zsync.KindFS {
			continue
		}
		for i, op := range body {
			ops = append(ops, oracleOp{Op: op, event: ev, dot: zsync.Dot{Event: id, Index: uint32(i)}, stamp: ev.Header.Stamp(uint32(i))})
			for _, dot := range op.Supersedes {
				if dot.Event == (zsync.EventID{}) {
					dot.Event = id
				}
				dead[dot] = true
			}
		}
	}
	slices.SortFunc(ops, func(a, b oracleOp) int { return a.stamp.Compare(b.stamp) })
	return ops, dead
}

func (o *oracle) id(op oracleOp) zsync.NodeID {
	h := sha256.New()
	switch op.Create {
	case CreateDerived:
		fmt.Fprintf(h, "zsync/node/1%s%s%s", o.space[:], op.Parent[:], norm.NFC.String(string(op.Name)))
	case CreateFresh:
		fmt.Fprintf(h, "zsync/fresh/1%s%s", o.space[:], op.event.Header.Writer[:])
		_ = binary.Write(h, binary.BigEndian, op.event.Header.Seq)
		_ = binary.Write(h, binary.BigEndian, op.dot.Index)
	default:
		return op.Node
	}
	return zsync.NodeID(h.Sum(nil)[:16])
}

// places returns what may be in force, best first: moves from the newest on, the
// oldest create or else the oldest hint, and a place at the root.
func (n *oracleNode) places() (places []oraclePlace) {
	base := slices.IndexFunc(n.history, func(op oracleOp) bool { return op.Create != CreateNone })
	if base < 0 {
		base = slices.IndexFunc(n.history, func(op oracleOp) bool { return op.Kind == OpPut })
	}
	for i, op := range slices.Backward(n.history) {
		if op.Kind == OpMove {
			places = append(places, oraclePlace{op.Parent, string(op.Name), n.history[i].stamp})
		}
	}
	if base >= 0 {
		op := n.history[base]
		places = append(places, oraclePlace{op.Parent, string(op.Name), op.stamp})
	}
	return append(places, oraclePlace{name: "orphan~" + n.id.String()[:12]})
}

func (n *oracleNode) place() oraclePlace { return n.places()[n.at] }

// breakCycle looks for some cycle and lets its youngest node fall back.
func (o *oracle) breakCycle() bool {
	for _, start := range o.all() {
		cycle := []*oracleNode{start}
		for n := o.nodes[start.place().parent]; !n.id.IsZero() && len(cycle) <= len(o.nodes); n = o.nodes[n.place().parent] {
			if n == start {
				youngest := slices.MaxFunc(cycle, func(a, b *oracleNode) int { return a.place().stamp.Compare(b.place().stamp) })
				youngest.at++
				return true
			}
			cycle = append(cycle, n)
		}
	}
	return false
}

// all returns the nodes but the root, by id.
func (o *oracle) all() []*oracleNode {
	nodes := slices.SortedFunc(maps.Values(o.nodes), func(a, b *oracleNode) int { return a.id.Compare(b.id) })
	return nodes[1:]
}

// attach gives each directory its visible nodes: those that have a version or
// lead to one that has.
func (o *oracle) attach() {
	for _, n := range o.all() {
		if len(n.live) == 0 {
			continue
		}
		for ; !n.id.IsZero(); n = o.nodes[n.place().parent] {
			parent := o.nodes[n.place().parent]
			if !slices.Contains(parent.kids, n) {
				parent.kids = append(parent.kids, n)
			}
		}
	}
}

// heads returns the versions that count, newest first, and the dots of those
// that do not.
func (n *oracleNode) heads() (heads, weak []oracleOp) {
	for _, op := range slices.Backward(n.live) {
		if op.Kind == OpPut {
			heads = append(heads, op)
		} else {
			weak = append(weak, op)
		}
	}
	if len(heads) == 0 {
		return weak, nil
	}
	return heads, weak
}

func (n *oracleNode) isDir() bool {
	heads, _ := n.heads()
	return len(n.kids) > 0 || slices.ContainsFunc(heads, func(op oracleOp) bool { return op.Type == zsync.TypeDir })
}

// paint returns everything visible, each directory before what is in it.
func (o *oracle) paint() []row { return o.paintDir(o.nodes[zsync.NodeID{}], "") }

func (o *oracle) paintDir(dir *oracleNode, path string) (rows []row) {
	taken := map[string]bool{}
	for _, kid := range dir.kids {
		taken[kid.place().name] = true
	}
	slices.SortFunc(dir.kids, func(a, b *oracleNode) int {
		rank := map[bool]int{true: 0, false: 1}
		return cmp.Or(strings.Compare(a.place().name, b.place().name), cmp.Compare(rank[a.isDir()], rank[b.isDir()]),
			a.place().stamp.Compare(b.place().stamp), a.id.Compare(b.id))
	})
	given := map[string]bool{}
	for i, kid := range dir.kids {
		name := kid.place().name
		if i > 0 && dir.kids[i-1].place().name == name {
			name = oracleRivalName(name, kid.id.String(), taken, given)
			given[name] = true
		}
		rows = append(rows, kid.row(path, name, taken))
		rows = append(rows, o.paintDir(kid, path+name+"/")...)
	}
	return rows
}

func (n *oracleNode) row(path, name string, taken map[string]bool) row {
	r := row{Path: path + name, Node: n.id, Dir: n.isDir(), Mode: n.mode()}
	groups := n.groups()
	if r.Dir {
		if i := slices.IndexFunc(groups, func(g oracleGroup) bool { return g.op.Type == zsync.TypeDir }); i >= 0 {
			r.DirDots = dotText(groups[i].dots)
			groups = slices.Delete(groups, i, i+1)
		}
	} else {
		r.Main = groups[0].String()
		groups = groups[1:]
	}
	given := map[string]bool{}
	for _, g := range groups {
		copied := oracleCopyName(name, g.op, taken, given)
		given[copied] = true
		r.Copies = append(r.Copies, copied+" "+g.String())
	}
	return r
}

func (n *oracleNode) mode() uint32 {
	kind, mode := zsync.TypeFile, uint32(0o644)
	if n.isDir() {
		kind, mode = zsync.TypeDir, 0o755
	}
	var last *oracleOp
	for i := range n.history {
		if n.history[i].HasMode {
			last = &n.history[i]
		}
	}
	if last != nil && (last.Kind == OpAttr || last.Type == kind) {
		return last.Mode
	}
	return mode
}

type oracleGroup struct {
	op   oracleOp // the newest
	dots []zsync.Dot
}

func (g oracleGroup) String() string {
	return fmt.Sprintf("%d %v %d %d %s of %v by %s", g.op.Type, g.op.Content, g.op.Size, g.op.MtimeNS, g.op.Target, g.op.dot, dotText(g.dots))
}

func dotText(dots []zsync.Dot) string {
	if len(dots) == 0 {
		return ""
	}
	return fmt.Sprint(slices.SortedFunc(slices.Values(dots), zsync.Dot.Compare))
}

// groups collapses equal versions, newest first. Weak heads that do not count go with
// the version that they equal, or else with the directory, or with the newest version.
func (n *oracleNode) groups() (groups []oracleGroup) {
	heads, weak := n.heads()
	indexOf := func(op oracleOp) int {
		return slices.IndexFunc(groups, func(g oracleGroup) bool { return g.op.Type == op.Type && g.op.Content == op.Content })
	}
	for _, op := range heads {
		i := indexOf(op)
		if i < 0 {
			groups = append(groups, oracleGroup{op: op})
			i = len(groups) - 1
		}
		groups[i].dots = append(groups[i].dots, op.dot)
	}
	for _, op := range weak {
		i := indexOf(op)
		if i < 0 {
			i = max(0, slices.IndexFunc(groups, func(g oracleGroup) bool { return g.op.Type == zsync.TypeDir }))
		}
		groups[i].dots = append(groups[i].dots, op.dot)
	}
	return groups
}

// oracleRivalName tries 6, 12 … 30 and 32 digits, then counts.
func oracleRivalName(name, digits string, taken, given map[string]bool) string {
	for n := 6; n <= 30; n += 6 {
		made, shortened := oracleMadeName(name, digits[:n])
		if shortened {
			break
		}
		if !taken[made] && !given[made] {
			return made
		}
	}
	return oracleCounted(name, digits, taken, given)
}

func oracleCounted(name, suffix string, taken, given map[string]bool) string {
	made, _ := oracleMadeName(name, suffix)
	for n := 2; taken[made] || given[made]; n++ {
		made, _ = oracleMadeName(name, fmt.Sprintf("%s~%d", suffix, n))
	}
	return made
}

func oracleCopyName(name string, op oracleOp, taken, given map[string]bool) string {
	when := time.UnixMilli(int64(op.event.Header.WallMS)).UTC()
	head := fmt.Sprintf("conflict-%04d%02d%02d-%02d%02d%02d-%x-", when.Year(), when.Month(), when.Day(),
		when.Hour(), when.Minute(), when.Second(), op.event.Author[:3])
	suffix := head + fmt.Sprintf("%x", op.dot.Event[:2])
	if op.dot.Index > 0 {
		suffix += fmt.Sprintf(".%d", op.dot.Index)
	}
	made, shortened := oracleMadeName(name, suffix)
	_, ext := oracleSplit(name)
	twin := op.dot.Index > 0 && ext == "" && (strings.Contains(name, "~") || taken[fmt.Sprintf("%s.%d", name, op.dot.Index)])
	if !shortened && !twin && !taken[made] && !given[made] {
		return made
	}
	return oracleCounted(name, fmt.Sprintf("%s%v.%d", head, op.dot.Event, op.dot.Index), taken, given)
}

func oracleSplit(name string) (stem, ext string) {
	at := strings.LastIndex(name, ".")
	if at <= 0 || len(name[at:]) > 32 {
		return name, ""
	}
	return name[:at], name[at:]
}

func oracleMadeName(name, suffix string) (made string, shortened bool) {
	stem, ext := oracleSplit(name)
	for len(stem)+1+len(suffix)+len(ext) > 255 {
		_, last := utf8.DecodeLastRuneInString(stem)
		stem, shortened = stem[:len(stem)-last], true
	}
	return stem + "~" + suffix + ext, shortened
}
