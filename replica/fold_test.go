package replica

import (
	"bytes"
	"fmt"
	"reflect"
	"testing"

	"pgregory.net/rapid"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/eventlog"
	"github.com/zsync/zsync/internal/kv"
)

var bucketsOfL = []string{bucketNodes, bucketKids, bucketFolded, bucketGhosts, bucketFallen, bucketDirty}

// dump writes down every pair of L.
func (s *site) dump() string {
	var out bytes.Buffer
	s.view(func(tx kv.Tx) {
		for _, bucket := range bucketsOfL {
			tx.Scan(bucket, nil, func(key, value []byte) bool {
				fmt.Fprintf(&out, "%s %x %x\n", bucket, key, value)
				return true
			})
		}
	})
	return out.String()
}

func (s *site) count(bucket string) (n int) {
	s.view(func(tx kv.Tx) {
		tx.Scan(bucket, nil, func(_, _ []byte) bool {
			n++
			return true
		})
	})
	return n
}

func TestFoldingTheSameEventsAgainWritesTheSameOctets(t *testing.T) {
	author := newSite(t, 1)
	for _, row := range mergeTable {
		author.script(row.before)
	}
	first, second := newSite(t, 2), newSite(t, 2)
	first.learn(author.inOrder()...)
	second.learn(author.inOrder()...)
	if first.dump() != second.dump() {
		t.Error("two runs wrote different octets")
	}
	before := first.dump()
	first.learn(author.inOrder()...)
	if first.dump() != before {
		t.Error("events folded a second time changed something")
	}
}

func TestSupersedeThatComesBeforeItsVersionLeavesNothingBehind(t *testing.T) {
	s := newSite(t, 1)
	early := s.author(Body{create(zsync.NodeID{}, "a").file("one")})
	node := s.tree.derivedID(zsync.NodeID{}, "a")
	late := s.author(Body{remove(node, zsync.Dot{Event: early.ID})})
	s.learn(late)
	if n := s.count(bucketGhosts); n != 1 {
		t.Fatalf("%d ghosts while the version is missing, want 1", n)
	}
	s.learn(early)
	s.wantTree("")
	if n := s.count(bucketGhosts); n != 0 {
		t.Errorf("%d ghosts after it came, want none", n)
	}
	again := s.author(Body{remove(node, zsync.Dot{Event: early.ID})})
	s.learn(again)
	if n := s.count(bucketGhosts); n != 0 {
		t.Errorf("%d ghosts after it was superseded once more, want none", n)
	}
}

func TestMalformedBodyFoldsAsAnEmptyOne(t *testing.T) {
	s := newSite(t, 1)
	bad := s.author(Body{create(zsync.NodeID{}, "a").file("one")})
	bad.Body = append(bad.Body, 0)
	s.learn(bad)
	s.wantTree("")
	if s.tree.malformed != 1 {
		t.Errorf("%d malformed bodies counted, want 1", s.tree.malformed)
	}
	s.say(remove(zsync.NodeID{1}, zsync.Dot{Event: bad.ID}))
	if n := s.count(bucketGhosts); n != 0 {
		t.Errorf("%d ghosts of an event that made nothing, want none", n)
	}
}

func TestEventsOfOtherKindsAndVoidOnesAreNotFolded(t *testing.T) {
	s := newSite(t, 1)
	feed := s.author(Body{create(zsync.NodeID{}, "a").file("one")})
	feed.Header.Kind = zsync.KindFeed
	void := s.author(Body{create(zsync.NodeID{}, "b").file("one")})
	void.Void = true
	s.learn(feed, void)
	s.wantTree("")
}

func TestNodeWhoseParentIsUnknownIsShownUnderAnOrphanDirectory(t *testing.T) {
	s := newSite(t, 1)
	mkdir := s.author(Body{create(zsync.NodeID{}, "d").dir()})
	dir := s.tree.derivedID(zsync.NodeID{}, "d")
	s.learn(s.author(Body{create(dir, "f").file("one")}))
	orphan := "orphan~" + dir.String()[:12]
	s.wantTree(fmt.Sprintf("%s/ %s/f=one", orphan, orphan))
	s.wantDirty(mkdir)
	s.wantTree("d/ d/f=one")
}

func TestFileModeNeverLocksADirectory(t *testing.T) {
	s := newSite(t, 1)
	s.say(create(zsync.NodeID{}, "x").dir().withMode(0o700))
	s.say(create(zsync.NodeID{}, "x").file("one").withMode(0o600))
	_, look, _ := s.nodeAt("x")
	if !look.dir || look.mode != dirModeDefault || look.copyMode != 0o600 {
		t.Errorf("mode %#o, of the copy %#o", look.mode, look.copyMode)
	}
}

func TestDerivedSaysWhatBecameOfTheNode(t *testing.T) {
	s := newSite(t, 1)
	s.script("put dead one\nput moved one\nput here one\nput away one\nmv away there\nmv moved gone\ndel gone\ndel dead")
	for name, want := range map[zsync.Name]derivedState{
		"never": derivedUnknown, "dead": derivedDead, "moved": derivedDeadMoved, "here": derivedAlive, "away": derivedAlive,
	} {
		s.view(func(tx kv.Tx) {
			if _, got := s.tree.derived(tx, rootNode, name); got != want {
				t.Errorf("%s is %d, want %d", name, got, want)
			}
		})
	}
}

func TestNodeNumbersGoOnAfterReopening(t *testing.T) {
	s := newSite(t, 1)
	s.script("put a one")
	s.tree = newTree(testSpace)
	s.script("put b two")
	s.wantTree("a=one b=two")
}

func TestNormalisedFormsOfANameMakeOneNode(t *testing.T) {
	s := newSite(t, 1)
	s.say(create(zsync.NodeID{}, "\u00e4").file("one"))
	s.say(create(zsync.NodeID{}, "a\u0308").file("one"))
	s.wantTree("\u00e4=one")
}

func TestRecordIsDecodedAsItWasEncoded(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := drawRecord(t)
		got, err := decodeRecord(r.encode())
		if err != nil || !reflect.DeepEqual(got, r) {
			t.Fatalf("%+v\nbecame %+v, %v", r, got, err)
		}
	})
}

func drawRecord(t *rapid.T) *record {
	operation := rapid.Custom(func(t *rapid.T) operation {
		n := rapid.Uint64Range(1, 5).Draw(t, "event")
		o := origin{event: zsync.EventID{byte(n)}, author: zsync.DeviceID{byte(n)}, writer: zsync.WriterID{byte(n)}, seq: n, lamport: n << 50, wallMS: n}
		return operation{origin: o, index: rapid.Uint32Range(0, BodyOpsMax).Draw(t, "index")}
	})
	candidates := rapid.Custom(func(t *rapid.T) candidate {
		return candidate{
			place: place{parent: rapid.Uint64().Draw(t, "parent"), name: zsync.Name(rapid.StringN(1, 60, 255).Draw(t, "name"))},
			by:    operation.Draw(t, "by"),
		}
	})
	heads := rapid.Custom(func(t *rapid.T) head {
		return head{
			by: operation.Draw(t, "by"), weak: rapid.Bool().Draw(t, "weak"), kind: zsync.FileType(rapid.Uint8Range(1, 3).Draw(t, "kind")),
			content: zsync.Digest{1}, size: rapid.Int64Range(0, 1<<62).Draw(t, "size"), listLen: rapid.Uint32().Draw(t, "list"),
			mtimeNS: rapid.Int64().Draw(t, "mtime"), target: rapid.StringN(0, 20, 80).Draw(t, "target"),
		}
	})
	r := &record{
		id: zsync.NodeID{1}, parent: rapid.Bool().Draw(t, "parent"), based: rapid.Bool().Draw(t, "based"),
		at: rapid.IntRange(0, 9).Draw(t, "at"), kids: rapid.Uint64().Draw(t, "kids"),
	}
	if r.based {
		r.created, r.base = rapid.Bool().Draw(t, "created"), candidates.Draw(t, "base")
	}
	if rapid.Bool().Draw(t, "mode") {
		r.mode = register{mode: 0o755, kind: zsync.TypeDir, by: operation.Draw(t, "by")}
	}
	r.moves = append(r.moves, rapid.SliceOfN(candidates, 0, 3).Draw(t, "moves")...)
	r.heads = append(r.heads, rapid.SliceOfN(heads, 0, 3).Draw(t, "heads")...)
	return r
}

func TestRecordsThatContradictEachOtherFailTheTransaction(t *testing.T) {
	s := newSite(t, 1)
	s.script("mkdir d\nput d/f one")
	remove := s.author(s.deed("del", "d/f", ""))
	err := s.store.Update(func(tx kv.Tx) error {
		dir, _ := s.tree.at(tx, rootNode, "d")
		s.tree.store(tx, dir, &record{id: s.tree.nodeID(tx, dir)})
		return s.tree.fold(tx, remove)
	})
	if err == nil {
		t.Error("a directory lost an entry that it did not have")
	}
}

func TestBrokenRecordFailsTheTransaction(t *testing.T) {
	s := newSite(t, 1)
	s.script("put a one")
	err := s.store.Update(func(tx kv.Tx) error {
		value := tx.Get(bucketNodes, nodeKey(2))
		tx.Put(bucketNodes, nodeKey(2), value[:len(value)-1])
		newTree(testSpace).shown(tx, 2)
		return nil
	})
	if err == nil {
		t.Error("a record cut short was taken for whole")
	}
}

func FuzzDecodeRecordNeverPanics(f *testing.F) {
	s := newSite(f, 1)
	s.script("put a one\nmv a b\nput b two\nmkdir d\nchmod b 700")
	s.view(func(tx kv.Tx) {
		tx.Scan(bucketNodes, nil, func(_, value []byte) bool {
			f.Add(value)
			return true
		})
	})
	f.Fuzz(func(t *testing.T, data []byte) {
		if r, err := decodeRecord(data); err == nil {
			_, _ = r.footing(), r.versions()
			if again, err := decodeRecord(r.encode()); err != nil || !reflect.DeepEqual(again, r) {
				t.Errorf("%+v became %+v, %v", r, again, err)
			}
		}
	})
}

// newFiles returns events that create that many files, 1,000 an event, in
// directories of 500.
func newFiles(t tester, files int) (events []eventlog.Event) {
	s := newSite(t, 1)
	var body Body
	var dir zsync.NodeID
	for i := range files {
		if i%500 == 0 {
			mkdir := create(zsync.NodeID{}, zsync.Name(fmt.Sprintf("holiday %d", i/500))).dir().withMode(0o755)
			dir = s.tree.derivedID(zsync.NodeID{}, mkdir.Name)
			body = append(body, mkdir)
		}
		name := zsync.Name(fmt.Sprintf("IMG_%08d.jpg", i))
		body = append(body, create(dir, name).file(string(name)).withMode(0o644))
		if len(body) >= BodyOpsMax-1 || i == files-1 {
			events = append(events, s.author(body))
			body = nil
		}
	}
	return events
}

func BenchmarkFold20000NewFiles(b *testing.B) {
	events := newFiles(b, 20_000)
	for b.Loop() {
		newSite(b, 2).learn(events...)
	}
}

func BenchmarkFoldOneEditAmong20000Files(b *testing.B) {
	s := newSite(b, 2)
	s.learn(newFiles(b, 20_000)...)
	s.device = 3
	dir := s.tree.derivedID(zsync.NodeID{}, "holiday 7")
	node := s.tree.derivedID(dir, "IMG_00003600.jpg")
	last := s.say(edit(node, dir, "IMG_00003600.jpg").file("one"))
	for b.Loop() {
		last = s.say(edit(node, dir, "IMG_00003600.jpg").file("two").over(zsync.Dot{Event: last.ID}))
	}
}
