package replica

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/eventlog"
	"github.com/zsync/zsync/internal/kv"
)

// mergeTable is what two devices make of what their users did at the same time.
// Each user knows what the first column did, and not what the other does; the
// last column is done by the first user after both have heard everything. In a
// script, each line is one event. A tree is written as its paths in order:
// "d/" a directory, "a=one" a file and its text, with its mode when it was set;
// "~conflict" and "~node" stand for the longer suffixes.
var mergeTable = []struct {
	situation          string
	before, left, also string
	tree               string
	after, treeAfter   string
}{
	{situation: "1 edit and edit", before: "put a one", left: "put a two", also: "put a three", tree: "a=three a~conflict=two"},
	{
		situation: "2 edit and edit, same bytes", before: "put a one", left: "put a two", also: "put a two", tree: "a=two",
		after: "put a three", treeAfter: "a=three",
	},
	{situation: "3 edit and delete", before: "put a one", left: "put a two", also: "del a", tree: "a=two"},
	{situation: "3 delete and edit", before: "put a one", left: "del a", also: "put a two", tree: "a=two"},
	{situation: "4 delete and delete", before: "put a one", left: "del a", also: "del a", tree: ""},
	{
		situation: "5 create and create, same content", left: "put a one", also: "put a one", tree: "a=one",
		after: "del a", treeAfter: "",
	},
	{situation: "6 create and create, different", left: "put a one", also: "put a two", tree: "a=two a~conflict=one"},
	{situation: "7 rename and edit", before: "put a one", left: "mv a b", also: "put a two", tree: "b=two"},
	{situation: "8 rename and rename", before: "put a one", left: "mv a b", also: "mv a c", tree: "c=one"},
	{
		situation: "9 rename and delete", before: "put a one", left: "mv a b", also: "del a", tree: "b=one",
		after: "del b", treeAfter: "",
	},
	{
		situation: "10 two nodes renamed onto one name", before: "put a one\nput b two", left: "mv a c", also: "mv b c",
		tree: "c=one c~node=two",
	},
	{
		situation: "10 a directory and an older file renamed onto one name", before: "mkdir d\nput a one",
		left: "mv a x.y", also: "mv d x.y", tree: "x.y/ x~node.y=one",
	},
	{
		situation: "11 rename over a file and edit of that file", before: "put a one\nput b two",
		left: "replace a b", also: "put b three", tree: "b=three b~conflict=one",
	},
	{
		situation: "12 two directories into each other", before: "mkdir a\nmkdir b\nput a/f one\nput b/g two",
		left: "mv a b/a", also: "mv b a/b", tree: "b/ b/a/ b/a/f=one b/g=two",
	},
	{
		situation: "12 three directories into each other", before: "mkdir a\nmkdir b\nmkdir c\nput c/f one",
		left: "mv a b/a\nmv b c/b", also: "put x two\nput x two\nmv c a/c", tree: "c/ c/b/ c/b/a/ c/f=one x=two",
	},
	{situation: "13 a directory into itself", before: "mkdir a\nput a/f one", left: "mv a a/a", tree: "a/ a/f=one"},
	{
		situation: "14 file and directory on one new path", left: "put x.y one", also: "mkdir x.y", tree: "x.y/ x~conflict.y=one",
		after: "del x.y", treeAfter: "x.y=one",
	},
	{situation: "14 directory and file, the file being newer", left: "mkdir x\nput x/f one", also: "put x two\nput x three", tree: "x/ x/f=one x~conflict=three"},
	{situation: "15 names that differ by case only", left: "put a one", also: "put A two", tree: "A=two a=one"},
	{situation: "16 attr and attr", before: "put a one", left: "chmod a 700", also: "chmod a 600", tree: "a=one(600)"},
	{situation: "17 attr and edit", before: "put a one", left: "chmod a 700", also: "put a two", tree: "a=two(700)"},
	{situation: "17 attr and rename", before: "put a one", left: "chmod a 700", also: "mv a b", tree: "b=one(700)"},
	{situation: "18 attr and delete", before: "put a one", left: "chmod a 700", also: "del a", tree: ""},
	{
		situation: "19 directory deleted and a new file in it", before: "mkdir d", left: "del d", also: "put d/f one", tree: "d/ d/f=one",
		after: "del d/f", treeAfter: "",
	},
	{
		situation: "20 directory deleted and a file moved out before", before: "mkdir d\nput d/f one\nput d/g two",
		left: "del d", also: "mv d/f f", tree: "f=one",
	},
	{
		situation: "21 directory deleted and a file in it edited", before: "mkdir d\nmkdir d/e\nput d/e/f one\nput d/g two",
		left: "del d", also: "put d/e/f three", tree: "d/ d/e/ d/e/f=three",
	},
	{
		situation: "22 directory renamed and a new file in it", before: "mkdir d\nput d/f one",
		left: "mv d e", also: "put d/g two", tree: "e/ e/f=one e/g=two",
	},
	{
		situation: "23 edit of the main version beside a copy", before: "put a one", left: "put a two", also: "put a three",
		tree: "a=three a~conflict=two", after: "put a four", treeAfter: "a=four a~conflict=two",
	},
	{
		situation: "24 delete of a copy", before: "put a.b one", left: "put a.b two", also: "put a.b three",
		tree: "a.b=three a~conflict.b=two", after: "dropcopy a.b", treeAfter: "a.b=three",
	},
	{
		situation: "24 edit of a copy", before: "put a one", left: "put a two", also: "put a three",
		tree: "a=three a~conflict=two", after: "keepcopy a four", treeAfter: "a=three a~conflict=four",
	},
	{
		situation: "24 rename of a copy", before: "put a one", left: "put a two", also: "put a three",
		tree: "a=three a~conflict=two", after: "mvcopy a b", treeAfter: "a=three b=two",
	},
	{
		situation: "a file replaced by a directory and edited", before: "put a one", left: "del a\nmkdir a", also: "put a two",
		tree: "a/ a~conflict=two",
	},
	{
		situation: "a directory moved away and another made in its place", before: "mkdir d\nput d/f one",
		left: "mv d e\nmkdir d\nput d/f two", also: "put d/g three", tree: "d/ d/f=two e/ e/f=one e/g=three",
	},
	{
		situation: "moved away and back", before: "mkdir d\nput a one", left: "mv a d/a\nmv d/a a", also: "put a two", tree: "a=two d/",
	},
}

func TestMergeTable(t *testing.T) {
	for _, c := range mergeTable {
		t.Run(c.situation, func(t *testing.T) {
			left, right, third := newSite(t, 1), newSite(t, 2), newSite(t, 3)
			left.script(c.before)
			right.learn(left.inOrder()...)
			left.script(c.left)
			right.script(c.also)
			both := [][]eventlog.Event{left.inOrder(), right.inOrder()}
			left.wantDirty(both[1]...)
			right.wantDirty(both[0]...)
			third.wantDirty(backwards(right.inOrder())...)
			for _, s := range []*site{left, right, third} {
				s.wantTree(c.tree)
				s.wantLookups()
			}
			if c.after != "" {
				left.script(c.after)
				third.wantDirty(backwards(left.inOrder())...)
				left.wantTree(c.treeAfter)
				third.wantTree(c.treeAfter)
			}
		})
	}
}

func TestMergeTable25EditThatIsVoidedGivesThePreviousVersionBack(t *testing.T) {
	left, right := newSite(t, 1), newSite(t, 2)
	left.script("put a one\nput b one\nput c one")
	right.learn(left.inOrder()...)
	cut := right.seq
	right.script("put a two\nput b two\ndel c")
	left.learn(right.inOrder()...)
	left.script("put b three")
	left.wantTree("a=two b=three")

	for id, ev := range left.log {
		ev.Void = ev.Author == (zsync.DeviceID{2, 0xde}) && ev.Header.Seq > cut
		left.log[id] = ev
	}
	numbers := left.numbers()
	left.update(func(tx kv.Tx) {
		tx.Drop(bucketDirty)
		if err := left.tree.refold(tx, func(yield func(eventlog.Event) bool) {
			for _, ev := range left.inOrder() {
				if !yield(ev) {
					return
				}
			}
		}); err != nil {
			t.Fatal(err)
		}
		left.tree.dirty.save(tx)
	})
	left.wantTree("a=one b=three b~conflict=one c=one")
	if after := left.numbers(); !maps.Equal(numbers, after) {
		t.Errorf("a refold renumbered the nodes: %v, before %v", after, numbers)
	}
	left.view(func(tx kv.Tx) {
		for id, node := range numbers {
			if tx.Get(bucketDirty, nodeKey(node)) == nil {
				t.Errorf("node %v is not dirty after a refold", id)
			}
		}
	})
}

func (s *site) numbers() map[zsync.NodeID]uint64 {
	numbers := map[zsync.NodeID]uint64{}
	s.view(func(tx kv.Tx) {
		tx.Scan(bucketNodes, nil, func(_, record []byte) bool {
			id := zsync.NodeID(record[:16])
			numbers[id], _ = s.tree.nodeOf(tx, id)
			return true
		})
	})
	return numbers
}

func backwards(events []eventlog.Event) []eventlog.Event {
	slices.Reverse(events)
	return events
}

// script does what each line says, on what this site sees.
func (s *site) script(text string) {
	s.t.Helper()
	for line := range strings.Lines(text) {
		word := append(strings.Fields(line), "", "")
		s.say(s.deed(word[0], word[1], word[2])...)
	}
}

func (s *site) deed(what, path, arg string) Body {
	parent, name := s.split(path)
	node, look, found := s.nodeAt(path)
	switch what {
	case "put":
		if found {
			return Body{edit(node, parent, name).file(arg).over(look.main.dots...)}
		}
		return Body{s.create(parent, name).file(arg)}
	case "mkdir":
		return Body{s.create(parent, name).dir()}
	case "del":
		return s.removal(path)
	case "chmod":
		mode, _ := strconv.ParseUint(arg, 8, 32)
		return Body{chmod(node, uint32(mode))}
	case "mv":
		parent, name := s.split(arg)
		return Body{move(node, parent, name).like(look.main).over(s.weak(node)...)}
	case "replace":
		parent, name := s.split(arg)
		other, old, _ := s.nodeAt(arg)
		return Body{edit(other, parent, name).like(look.main).over(old.main.dots...), remove(node, look.main.dots...)}
	case "dropcopy", "keepcopy", "mvcopy":
		return s.copyDeed(what, node, parent, look.copies[0], arg)
	default:
		panic(what)
	}
}

func (s *site) copyDeed(what string, node, parent zsync.NodeID, c copyVersion, arg string) Body {
	gone := remove(node, c.version.dots...)
	switch what {
	case "keepcopy":
		return Body{s.create(parent, c.name).file(arg), gone}
	case "mvcopy":
		return Body{s.create(parent, zsync.Name(arg)).like(c.version), gone}
	default:
		return Body{gone}
	}
}

// like gives a Move or Put what the version says.
func (op Op) like(v version) Op {
	op.Type, op.Content, op.Size, op.ListLen, op.MtimeNS, op.Target = v.kind, v.content, v.size, v.listLen, v.mtimeNS, v.target
	return op
}

// weak returns the weak heads of a node: what a Move of it supersedes.
func (s *site) weak(id zsync.NodeID) (dots []zsync.Dot) {
	s.view(func(tx kv.Tx) {
		node, _ := s.tree.nodeOf(tx, id)
		for _, h := range s.tree.load(tx, node).heads {
			if h.weak {
				dots = append(dots, h.by.dot())
			}
		}
	})
	return dots
}

// create names the node as a scanner does.
func (s *site) create(parent zsync.NodeID, name zsync.Name) Op {
	op := create(parent, name)
	s.view(func(tx kv.Tx) {
		number, _ := s.tree.nodeOf(tx, parent)
		if _, state := s.tree.derived(tx, number, name); state >= derivedAlive {
			op.Create = CreateFresh
		}
	})
	return op
}

// removal deletes everything at and below a path, the deepest first.
func (s *site) removal(path string) (body Body) {
	s.view(func(tx kv.Tx) {
		s.walk(tx, rootNode, "", func(node uint64, at string, look shown) {
			if (at == path || strings.HasPrefix(at, path+"/")) && len(look.main.dots) > 0 {
				body = append(body, remove(s.tree.nodeID(tx, node), look.main.dots...))
			}
		})
	})
	slices.Reverse(body)
	return body
}

func (s *site) split(path string) (parent zsync.NodeID, name zsync.Name) {
	p := zsync.Path(path)
	parent, _, _ = s.nodeAt(string(p.Dir()))
	return parent, p.Base()
}

var madeUp = regexp.MustCompile(`~(conflict)-[0-9]{8}-[0-9]{6}-[0-9a-f]{6}-[0-9a-f]{4}|~([0-9a-f]{6})\b`)

func (s *site) wantTree(want string) {
	s.t.Helper()
	if got := s.String(); got != want {
		s.t.Fatalf("site %d shows\n\t%s\nwant\n\t%s", s.device, got, want)
	}
	s.wantAsOracle()
}

// String writes the tree in the form of the merge table.
func (s *site) String() string {
	var lines []string
	s.view(func(tx kv.Tx) {
		s.walk(tx, rootNode, "", func(_ uint64, path string, look shown) {
			if look.dir {
				lines = append(lines, path+"/")
			} else {
				lines = append(lines, path+"="+look.main.word()+moded(look))
			}
			dir := strings.TrimSuffix(path, string(look.place.name))
			for _, c := range look.copies {
				lines = append(lines, dir+string(c.name)+"="+c.version.word())
			}
		})
	})
	slices.Sort(lines)
	for i, line := range lines {
		lines[i] = madeUp.ReplaceAllStringFunc(line, func(found string) string {
			if strings.HasPrefix(found, "~conflict") {
				return "~conflict"
			}
			return "~node"
		})
	}
	return strings.Join(lines, " ")
}

func moded(look shown) string {
	if look.mode == fileModeDefault {
		return ""
	}
	return fmt.Sprintf("(%o)", look.mode)
}

func (v version) word() string {
	for _, text := range []string{"one", "two", "three", "four"} {
		if v.content == content(text) {
			return text
		}
	}
	return v.content.String()
}
