package replica

import (
	"fmt"
	"path"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/store/crashfs"
)

// Any history of users, gossip and crashes ends with equal disks, with every
// byte that was ever at rest on a disk, and with silence.
func TestDisksAgreeAfterAnyHistory(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newHousehold(t, rapid.IntRange(2, 5).Draw(t, "boxes"), true)
		for range rapid.IntRange(1, 40).Draw(t, "steps") {
			w.step()
		}
		w.end()
	})
}

// Where no user removes or renames anything, nothing is ever deleted, whatever
// crashes.
func TestNothingIsDeletedThatNoUserDeleted(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newHousehold(t, rapid.IntRange(2, 4).Draw(t, "boxes"), false)
		for range rapid.IntRange(1, 40).Draw(t, "steps") {
			w.step()
		}
		w.end()
		for _, b := range w.boxes {
			for _, op := range b.ops(0) {
				if op.Kind == OpDel || op.Kind == OpMove {
					t.Fatalf("%c: %+v", b.letter, op)
				}
			}
		}
	})
}

// household is some boxes and their users.
type household struct {
	t       *rapid.T
	boxes   []*box
	removes bool
	texts   int
	names   string // of files, a letter each …
	dirs    string // … and of directories
}

func newHousehold(t *rapid.T, boxes int, removes bool) *household {
	return newHouseholdOn(t, boxes, removes, func(int, *crashfs.FS) {})
}

// newHouseholdOn is newHousehold with other kinds of disks.
func newHouseholdOn(t *rapid.T, boxes int, removes bool, prepare func(box int, disk *crashfs.FS)) *household {
	w := &household{t: t, removes: removes, names: "abcd", dirs: "def"}
	for i := range boxes {
		b := newBoxOn(t, byte('a'+i), func(disk *crashfs.FS) { prepare(i, disk) })
		b.touched = true
		b.order = func(jobs int) int { return rapid.IntRange(0, jobs-1).Draw(t, "job") }
		w.boxes = append(w.boxes, b)
	}
	link(w.boxes...)
	return w
}

func (w *household) roll(n int, what string) int { return rapid.IntRange(0, n-1).Draw(w.t, what) }

func (w *household) step() {
	b := w.boxes[w.roll(len(w.boxes), "box")]
	switch w.roll(10, "step") {
	case 0, 1, 2, 3:
		w.use(b)
	case 4:
		b.scan()
	case 5:
		b.rep.Hinted(b.now, nil, true)
		for range w.roll(12, "jobs") {
			if !b.run() {
				b.pass(b.rep.Deadline())
			}
		}
	case 6:
		b.learn(w.boxes[w.roll(len(w.boxes), "from")], w.roll(4, "events"))
	case 7:
		b.learn(w.boxes[w.roll(len(w.boxes), "from")], -1)
		for range w.roll(12, "jobs") {
			if !b.run() {
				b.pass(b.rep.Deadline())
			}
		}
	case 8:
		w.failCommit(b)
	case 9:
		w.cutPower(b)
	}
}

// use is something that a user does.
func (w *household) use(b *box) {
	u := b.user()
	paths := strings.Fields(b.names())
	some := func() string {
		if len(paths) == 0 {
			return "a"
		}
		return paths[w.roll(len(paths), "path")]
	}
	fresh := func() string {
		name := string(w.names[w.roll(len(w.names), "name")])
		for range w.roll(3, "depth") {
			name = path.Join(string(w.dirs[w.roll(len(w.dirs), "dir")]), name)
		}
		if b.rep.disk.nature.Strict { // nobody gives such a name there
			name = strings.ReplaceAll(name, "?", "c")
		}
		return name
	}
	actions := 5
	if w.removes {
		actions = 9
	}
	w.texts++
	text := fmt.Sprintf("%c%d", b.letter, w.texts)
	if w.roll(3, "common") == 0 {
		text = "common"
	}
	switch w.roll(actions, "action") {
	case 0, 1:
		w.write(b, fresh(), text)
	case 2:
		if p := some(); w.removes || !strings.Contains(p, "~conflict") { // editing a copy removes it as such
			w.write(b, p, text)
		}
	case 3:
		if p := fresh(); w.free(b, p) {
			u.mkdir(p)
		}
	case 4:
		if p := some(); b.disk.User().Stat(p).Type != zsync.TypeOther && b.disk.User().Stat(p).Type != zsync.TypeSymlink {
			u.chmod(p, []uint32{0o755, 0o700, 0o744}[w.roll(3, "mode")])
		}
	case 5:
		u.remove(some())
	case 6:
		from, to := some(), fresh()
		if w.free(b, to) && !strings.HasPrefix(to+"/", from+"/") && b.disk.User().Stat(from).Type != zsync.TypeOther {
			u.rename(from, to)
		}
	case 7:
		from, to := some(), some()
		if !strings.HasPrefix(to+"/", from+"/") && !strings.HasPrefix(from+"/", to+"/") && b.disk.User().Stat(from).Type != zsync.TypeOther {
			u.remove(to)
			u.rename(from, to)
		}
	case 8:
		if p := fresh(); w.free(b, p) {
			u.symlink(p, text)
		}
	}
	b.disk.User().Settle()
	b.advance(time.Duration(w.roll(3000, "ms")) * time.Millisecond)
}

// write puts text at a path, where no directory is, nor a file above.
func (w *household) write(b *box, p, text string) {
	if b.disk.User().Stat(p).Type == zsync.TypeFile || w.free(b, p) {
		b.user().write(p, text)
	}
}

// free reports whether nothing is at p and only directories above it.
func (w *household) free(b *box, p string) bool {
	if b.disk.User().Stat(p).Type != zsync.TypeOther || slices.Contains(strings.Fields(b.names()), p) {
		return false
	}
	for dir := path.Dir(p); dir != "."; dir = path.Dir(dir) {
		if kind := b.disk.User().Stat(dir).Type; kind != zsync.TypeOther && kind != zsync.TypeDir || kind == zsync.TypeOther && slices.Contains(strings.Fields(b.names()), dir) {
			return false
		}
	}
	return true
}

// failCommit lets one of the next commits fail.
func (w *household) failCommit(b *box) {
	left := w.roll(8, "commits")
	b.db.Commit = func() error {
		if left--; left < 0 {
			b.db.Commit = nil
			return errCrash
		}
		return nil
	}
	b.rep.Hinted(b.now, nil, true)
	for range 12 {
		if !b.run() {
			b.pass(b.rep.Deadline())
		}
	}
	b.db.Commit = nil
}

// cutPower stops the disk at one of its next steps, in the middle of whatever.
func (w *household) cutPower(b *box) {
	b.disk.User().Settle()
	before := b.contents()
	b.disk.CrashAt(b.disk.Steps() + 1 + w.roll(12, "step"))
	b.applying = true
	b.rep.Hinted(b.now, nil, true)
	for range 20 {
		if !b.run() {
			b.pass(b.rep.Deadline())
		}
	}
	b.applying = false
	b.disk = b.disk.Crash()
	b.deaths++
	b.start()
	b.rest()
	b.wantContents(before)
}

// end brings everything to rest and looks at what came of it.
func (w *household) end() {
	held := map[string]bool{}
	for _, b := range w.boxes {
		b.order = nil
		b.scan()
		for text := range b.contents() {
			held[text] = true
		}
	}
	sync(w.boxes...)
	wantSame(w.boxes...)
	for _, b := range w.boxes {
		for text := range b.contents() {
			delete(held, text)
		}
	}
	for text := range held {
		w.t.Fatalf("%q was lost", text)
	}
}
