package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/eventlog"
	"github.com/zsync/zsync/filemq"
	"github.com/zsync/zsync/internal/wire"
	"github.com/zsync/zsync/replica"
	"github.com/zsync/zsync/zre"
)

// insiderBytesMax is what a device may take while one of its circle attacks it,
// resident, in octets: with the race detector.
const insiderBytesMax = 800 << 20

// TestADeviceOfTheCircleThatLiesHarmsNobodyAndIsNamed has one of three devices fall
// into the wrong hands. Whatever it does, the box touches nothing outside its folder,
// stays within its memory, goes on syncing with the laptop, and says who it was.
func TestADeviceOfTheCircleThatLiesHarmsNobodyAndIsNamed(t *testing.T) {
	if testing.Short() {
		t.Skip("takes half a minute")
	}
	t.Parallel()
	p := newPlot(t)
	row(t, "nobody lies", p.box.peak(func() { p.sync(t) }))
	for _, attack := range []struct {
		name  string
		do    func(*plot, *testing.T)
		named string // the word in status; "": it broke no rule
	}{
		{"names that lead out of the folder", (*plot).names, "change"},
		{"a link out of the folder, and files below it", (*plot).link, ""},
		{"two histories", (*plot).fork, "fork"},
		{"clocks that jump", (*plot).clocks, "events"},
		{"messages that make no sense", (*plot).nonsense, "message"},
		{"a flood of questions", (*plot).questions, ""},
		{"bytes that are not the file's", (*plot).wrongBytes, "bytes"},
		{"more than the credit", (*plot).overdraw, "transfer"},
		{"what nobody asked for, packed", (*plot).bomb, "transfer"},
		{"lists that lie", (*plot).lists, ""},
		{"all that there is, and nothing is read", (*plot).hunger, ""},
		{"files that nobody has", (*plot).nothing, ""},
	} {
		t.Run(attack.name, func(t *testing.T) {
			peak := p.box.peak(func() {
				attack.do(p, t)
				p.sync(t)
				if attack.named != "" {
					p.foe.eventuallyAccused(t, "tablet", attack.named)
				}
			})
			row(t, attack.name, peak)
			if peak.bytes > insiderBytesMax {
				t.Errorf("the box took %d MiB, at most %d", peak.bytes>>20, insiderBytesMax>>20)
			}
			p.untouched(t)
		})
	}
	if text := p.box.zsync("status"); !strings.Contains(text, "tablet (") || !strings.Contains(text, "two histories") {
		t.Errorf("status does not say who lies:\n%s", text)
	}
}

// plot is a circle of three, one of which is the foe.
type plot struct {
	laptop, box *side
	foe         *insider
	outside     string // a directory beside the folders, which nobody may touch
	files       int
	pens        byte
}

func newPlot(t *testing.T) *plot {
	sides := newSides(t, "laptop", "box", "tablet")
	pairSides(sides[0], sides[1])
	pairSides(sides[2], sides[1])
	for _, s := range sides {
		s.start()
		s.up()
	}
	agree(t, sides, nil)
	p := &plot{laptop: sides[0], box: sides[1], outside: filepath.Join(filepath.Dir(filepath.Dir(sides[1].folder)), "outside")}
	if err := os.MkdirAll(p.outside, 0o755); err != nil {
		t.Fatal(err)
	}
	p.foe = turned(t, sides[2], p.box)
	return p
}

// sync has each of the honest devices write a file that the other gets.
func (p *plot) sync(t *testing.T) {
	t.Helper()
	for _, way := range [][2]*side{{p.laptop, p.box}, {p.box, p.laptop}} {
		p.files++
		name, data := fmt.Sprintf("honest-%d", p.files), bytes.Repeat([]byte{byte(p.files)}, 1+rand.IntN(300_000))
		if err := os.WriteFile(filepath.Join(way[0].folder, name), data, 0o644); err != nil {
			t.Fatal(err)
		}
		for deadline := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
			got, err := os.ReadFile(filepath.Join(way[1].folder, name))
			if bytes.Equal(got, data) {
				break
			}
			if err != nil && !errors.Is(err, fs.ErrNotExist) || time.Now().After(deadline) {
				t.Fatalf("%s did not reach the %s: %v\n%s", name, way[1].name, err, p.box.said())
			}
		}
	}
}

// untouched: nothing was made outside the folder, nor in what is zsync's own in it.
func (p *plot) untouched(t *testing.T) {
	t.Helper()
	for _, dir := range []string{p.outside, filepath.Dir(p.box.folder), filepath.Join(p.box.folder, ".zsync")} {
		entries, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, entry := range entries {
			if strings.Contains(entry.Name(), "evil") {
				t.Errorf("%s was made in %s", entry.Name(), dir)
			}
		}
	}
	if info, err := os.Lstat("/tmp/zsync-evil"); err == nil {
		t.Errorf("%s was made", info.Name())
	}
}

func (p *plot) pen() *pen {
	p.pens++
	return p.foe.takePen(p.pens)
}

// file is a put of a file in the root.
func file(name string, content []byte) replica.Op {
	return replica.Op{
		Kind: replica.OpPut, Create: replica.CreateFresh, Name: zsync.Name(name), Type: zsync.TypeFile,
		Content: sha256.Sum256(content), Size: int64(len(content)), HasMode: true, Mode: 0o644,
	}
}

// serve answers what is asked for with what make says.
func (p *plot) serve(reply func(g filemq.Gimme, index int) []byte) {
	p.foe.do(func() {
		p.foe.asked = 0
		p.foe.answer = func(conn zre.Conn, g filemq.Gimme) {
			for i := range g.Items {
				if data := reply(g, i); data != nil {
					p.foe.send(conn, filemq.Bukkit{Req: g.Req, Items: []filemq.BukkitItem{{Index: uint16(i), Data: data}}})
				} else {
					p.foe.send(conn, filemq.Noez{Req: g.Req, Items: []filemq.NoezItem{{Index: uint16(i), Code: filemq.CodeAbsent}}})
				}
			}
		}
	})
}

// awaitAsked waits until the box has asked the foe for something.
func (p *plot) awaitAsked(t *testing.T) {
	t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		asked := 0
		p.foe.do(func() { asked = p.foe.asked })
		if asked > 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("the box asked for nothing\n%s", p.box.said())
		}
	}
}

func (p *plot) names(*testing.T) {
	content := []byte("evil")
	p.serve(func(filemq.Gimme, int) []byte { return content })
	pen := p.pen()
	for _, name := range []string{"..", ".", "../evil", "/tmp/zsync-evil", "a/evil", "evil\x00", "\xff\xfe", ""} {
		placeholder := strings.Repeat("N", len(name))
		if name == "" {
			placeholder = "N"
		}
		body := replica.EncodeBody(replica.Body{file(placeholder, content)})
		if name == "" {
			body = bytes.Replace(body, []byte("\x61N"), []byte("\x60"), 1)
		} else {
			body = bytes.Replace(body, []byte(placeholder), []byte(name), 1)
		}
		p.foe.give(pen.write(zsync.KindFS, body)...)
	}
	dir := replica.Op{Kind: replica.OpPut, Create: replica.CreateDerived, Name: ".zsync", Type: zsync.TypeDir, HasMode: true, Mode: 0o755}
	envelopes := pen.write(zsync.KindFS, replica.EncodeBody(replica.Body{dir}))
	p.foe.give(envelopes...)
	below := file("evil", content)
	below.Parent = derived(p.foe.space, zsync.NodeID{}, ".zsync")
	p.foe.give(pen.write(zsync.KindFS, replica.EncodeBody(replica.Body{below}))...)
}

// derived is the id of the node that is made for a name: docs/formats.md section 1.
func derived(space zsync.SpaceID, parent zsync.NodeID, name string) zsync.NodeID {
	text := append([]byte("zsync/node/1"), space[:]...)
	sum := sha256.Sum256(append(append(text, parent[:]...), name...))
	return zsync.NodeID(sum[:16])
}

func (p *plot) link(t *testing.T) {
	content := []byte("evil")
	p.serve(func(filemq.Gimme, int) []byte { return content })
	link := replica.Op{
		Kind: replica.OpPut, Create: replica.CreateDerived, Name: "way-out", Type: zsync.TypeSymlink,
		Target: p.outside, Content: sha256.Sum256([]byte(p.outside)), HasMode: true, Mode: 0o777,
	}
	below := file("evil", content)
	below.Parent = derived(p.foe.space, zsync.NodeID{}, "way-out")
	again := below
	again.Name = "evil-2"
	pen := p.pen()
	var said [][]byte
	for _, body := range []replica.Body{{link}, {below}, {link, again}} {
		said = append(said, pen.write(zsync.KindFS, replica.EncodeBody(body))...)
	}
	// It is made beside the directory that has its name once it is known that there are
	// files below it.
	made := func() bool {
		names, _ := filepath.Glob(filepath.Join(p.box.folder, "way-out*"))
		return slices.ContainsFunc(names, func(name string) bool {
			target, err := os.Readlink(name)
			return err == nil && target == p.outside
		})
	}
	for deadline := time.Now().Add(patience); ; time.Sleep(200 * time.Millisecond) {
		p.foe.give(said...) // what is said while a link is made anew is lost
		if made() {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("the link was not made\n%s", p.box.said())
		}
	}
}

func (p *plot) fork(*testing.T) {
	left := p.pen()
	right := p.foe.takePen(p.pens)
	p.foe.give(left.write(zsync.KindFS, replica.EncodeBody(replica.Body{file("left", []byte("l"))}))...)
	p.foe.give(right.write(zsync.KindFS, replica.EncodeBody(replica.Body{file("right", []byte("r"))}))...)
}

func (p *plot) clocks(*testing.T) {
	pen := p.pen()
	body := replica.EncodeBody(replica.Body{file("late", []byte("l"))})
	written := pen.write(zsync.KindFS, body)
	p.foe.give(written...)
	next := pen.write(zsync.KindFS, body)
	for _, lamport := range []uint64{1 << 53, 1<<60 - 1, 1 << 60, 1<<64 - 1, 0} {
		p.foe.give(pen.forge(next[0], func(header map[uint64]any) { header[5] = lamport }))
	}
}

func (p *plot) nonsense(*testing.T) {
	body := append([]byte{0xa1, 1, 0x50}, p.foe.space[:]...)
	for range 200 {
		p.foe.do(func() {
			for i := range 200 {
				p.foe.tell(byte(i%12), append(bytes.Clone(body), byte(i)))
			}
		})
	}
	p.foe.do(func() { p.foe.tell(eventlog.MessageHeads, append(body, make([]byte, 900<<10)...)) })
}

// questions asks for the whole log, without end.
func (p *plot) questions(*testing.T) {
	spans := make([]any, 0, 1000)
	for range 1000 {
		spans = append(spans, []any{make([]byte, 16), uint64(1), uint64(1) << 60})
	}
	pull := wire.Marshal(map[uint64]any{1: p.foe.space[:], 2: spans, 3: uint64(1) << 60})
	vv := wire.Marshal(map[uint64]any{1: p.foe.space[:], 2: []any{}, 3: false})
	each := 50
	if os.Getenv("ZSYNC_HOSTILE") != "" {
		each = 200
	}
	for range 50 {
		p.foe.do(func() {
			for range each {
				p.foe.tell(eventlog.MessageVV, vv)
				p.foe.tell(eventlog.MessagePull, pull)
			}
		})
	}
}

func (p *plot) wrongBytes(t *testing.T) {
	p.serve(func(g filemq.Gimme, i int) []byte { return make([]byte, g.Items[i].Size) })
	var body replica.Body
	for i := range 20 {
		body = append(body, file(fmt.Sprint("wrong-", i), fmt.Appendf(nil, "right %d", i)))
	}
	p.foe.give(p.pen().write(zsync.KindFS, replica.EncodeBody(body))...)
	p.awaitAsked(t)
}

// session opens a session and returns it.
func (p *plot) session(t *testing.T) zre.Conn {
	t.Helper()
	conn := p.foe.open()
	for deadline := time.Now().Add(patience); !p.foe.stands(conn); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("no session")
		}
	}
	return conn
}

func (p *plot) overdraw(t *testing.T) {
	conn := p.session(t)
	p.foe.do(func() {
		for range 100 {
			p.foe.send(conn, filemq.Bukkit{Req: 1, Items: []filemq.BukkitItem{{Data: make([]byte, 1<<20)}}})
		}
	})
}

func (p *plot) bomb(t *testing.T) {
	encoder, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	packed := encoder.EncodeAll(make([]byte, 64<<20), nil)
	conn := p.session(t)
	p.foe.do(func() {
		for range 10 {
			p.foe.send(conn, filemq.Bukkit{Req: 1, Items: []filemq.BukkitItem{{Compressed: true, Data: packed}}})
		}
	})
}

// lists claims files of an exabyte, and gives lists of lists of chunks that do not
// add up.
func (p *plot) lists(t *testing.T) {
	node := func(level byte, size uint64, entries ...[32]byte) []byte {
		data := append([]byte("zsync/list/1\x00"), level)
		data = binary.BigEndian.AppendUint64(data, size)
		for _, entry := range entries {
			data = append(data, entry[:]...)
			data = binary.BigEndian.AppendUint32(data, 49)
		}
		return data
	}
	deep := node(3, 1<<60, sha256.Sum256(node(3, 1<<60, [32]byte{1})))
	wide := node(0, 1<<60, [32]byte{2})
	over := node(9, 1<<40, [32]byte{3})
	full := node(0, 16384*49)
	for i := range 16384 {
		full = append(full, node(0, 0, [32]byte{4, byte(i), byte(i >> 8)})[22:]...)
	}
	byHash := make(map[zsync.Digest][]byte)
	var body replica.Body
	for i, root := range [][]byte{deep, wide, over, full, node(1, 1<<62, [32]byte{5}), node(0, 5)} {
		byHash[sha256.Sum256(root)] = root
		op := file(fmt.Sprint("exabyte-", i), []byte("x"))
		op.Content, op.Size, op.ListLen = sha256.Sum256(root), 1<<60, uint32(len(root))
		body = append(body, op)
	}
	p.serve(func(g filemq.Gimme, i int) []byte { return byHash[g.Items[i].Hash] })
	p.foe.give(p.pen().write(zsync.KindFS, replica.EncodeBody(body))...)
	p.awaitAsked(t)
}

// hunger asks in several sessions for all that the box has, and reads none of it.
func (p *plot) hunger(t *testing.T) {
	data := make([]byte, 1<<20)
	if err := writeNoise(filepath.Join(p.box.folder, "big"), len(data)); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(filepath.Join(p.box.folder, "big"))
	if err != nil {
		t.Fatal(err)
	}
	p.sync(t) // it is recorded before
	item := filemq.Item{Hash: sha256.Sum256(data), Size: 1 << 20}
	sessions := []zre.Conn{p.session(t), p.session(t), p.session(t)}
	p.foe.do(func() {
		p.foe.deaf = true
		for _, conn := range sessions {
			p.foe.send(conn, filemq.Nom{Credit: 16 << 20})
			for req := range uint32(20) {
				p.foe.send(conn, filemq.Gimme{Req: req + 1, Space: p.foe.space, Items: repeat(item, 100)})
			}
		}
	})
	time.Sleep(2 * time.Second)
	p.foe.do(func() { p.foe.deaf = false })
}

func repeat(item filemq.Item, n int) (items []filemq.Item) {
	for range n {
		items = append(items, item)
	}
	return items
}

// nothing puts many files whose bytes nobody has.
func (p *plot) nothing(t *testing.T) {
	p.serve(func(filemq.Gimme, int) []byte { return nil })
	pen := p.pen()
	for i := range 50 {
		var body replica.Body
		for j := range 50 {
			body = append(body, file(fmt.Sprintf("nothing-%d-%d", i, j), fmt.Appendf(nil, "nobody has %d %d", i, j)))
		}
		p.foe.give(pen.write(zsync.KindFS, replica.EncodeBody(body))...)
	}
	p.awaitAsked(t)
}
