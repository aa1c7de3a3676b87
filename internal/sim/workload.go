package sim

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/internal/device"
)

// dir is where every device of a workload has the one folder.
const dir = "Photos"

// Watch makes a device keep the folder.
func (n *Node) Watch() {
	n.disk(dir)
	n.Order(device.Watch{Registration: device.Registration{Label: dir, Dir: dir, Role: "sync"}})
}

// Pair makes two devices trust each other; the first one dials.
func (w *World) Pair(a, b *Node) {
	a.Order(device.Pair{Key: b.keys.Key(), Address: strings.TrimPrefix(b.endpoint(mailboxPort), "tcp://")})
	b.Order(device.Pair{Key: a.keys.Key()})
}

// PairApart pairs every two devices while none of them reaches another, each with
// the other's address, and ends their programs.
func (w *World) PairApart() error {
	all := func(do func(a, b *Node)) {
		for i, a := range w.Nodes {
			for _, b := range w.Nodes[i+1:] {
				do(a, b)
			}
		}
	}
	all(func(a, b *Node) { w.Cut(a, b, true) })
	all(w.Pair)
	all(func(a, b *Node) { w.Pair(b, a) })
	if err := w.Run(time.Second); err != nil {
		return err
	}
	for _, n := range w.Nodes {
		n.Kill()
	}
	all(func(a, b *Node) { w.Cut(a, b, false) })
	return nil
}

// OneCircle says which devices are not in the circle of the first one.
func (w *World) OneCircle() error {
	var first spaceID
	for _, n := range w.Nodes {
		_, circle, err := device.Known(n.home, "")
		switch {
		case err != nil:
			return err
		case first.IsZero():
			first = circle
		}
		if circle.IsZero() || circle != first {
			return fmt.Errorf("%s is in circle %s, %s in %s", n.Name, circle, w.Nodes[0].Name, first)
		}
	}
	return nil
}

// Workload is people who use the files of some devices, and a ledger of what they
// wrote.
type Workload struct {
	World  *World
	Ledger *Ledger
	Done   map[Action]int // by Act
	serial int
}

// NewWorkload returns a workload on a world.
func NewWorkload(w *World) *Workload {
	return &Workload{World: w, Ledger: NewLedger(w), Done: make(map[Action]int)}
}

// names that files and directories are given: few, so that people collide.
var names = []string{"a.jpg", "b.jpg", "c.txt", "d", "e", "IMG 1.jpg"}

// namesLikeThem are more of them, for worlds with disks that take some for one, or
// refuse them.
var namesLikeThem = []string{"A.jpg", "B.JPG", "D", "img 1.jpg", "a:b"}

// name draws one that a person on the device can give.
func (l *Workload) name(n *Node) string {
	if l.World.Sticks == 0 {
		return names[l.World.random.IntN(len(names))]
	}
	all := append(slices.Clone(names), namesLikeThem...)
	name := all[l.World.random.IntN(len(all))]
	if n.index < l.World.Sticks {
		name = strings.ReplaceAll(name, ":", "-")
	}
	return name
}

// Step does one thing on one device.
func (l *Workload) Step() {
	w := l.World
	n := w.Nodes[w.random.IntN(len(w.Nodes))]
	user := n.disk(dir).User()
	paths := user.Paths("", zsync.PrivateDir)
	at := ""
	if len(paths) > 0 {
		at = paths[w.random.IntN(len(paths))]
	}
	isDir := at != "" && user.Stat(at).Type == zsync.TypeDir
	switch k := w.random.IntN(10); {
	case at == "" || k < 4:
		path := l.fresh(n, at, isDir)
		if user.Stat(path).Type == zsync.TypeDir {
			return
		}
		l.Ledger.gone(n, path)
		data := l.data()
		user.Write(path, data)
		l.Ledger.wrote(n, data)
		n.hint(path)
	case k < 6 && !isDir && user.Stat(at).Type == zsync.TypeFile:
		l.Ledger.gone(n, at)
		data := l.data()
		user.Replace(at, data)
		l.Ledger.wrote(n, data)
		n.hint(at)
	case k < 7:
		l.Ledger.gone(n, at)
		user.Remove(at)
		n.hint(at)
	case k < 9:
		to := l.fresh(n, "", false)
		if to == at || strings.HasPrefix(to, at+"/") || strings.HasPrefix(at, to+"/") || user.Stat(to).Type == zsync.TypeDir {
			return
		}
		l.Ledger.gone(n, to)
		user.Rename(at, to)
		n.hint(at, to)
	default:
		if path := l.fresh(n, at, isDir); user.Stat(path).Type == zsync.TypeOther {
			user.Mkdir(path)
			n.hint(path)
		}
	}
	user.Settle()
}

// fresh names something in a directory, or beside a file.
func (l *Workload) fresh(n *Node, at string, isDir bool) string {
	name := l.name(n)
	if at == "" || strings.Count(at, "/") > 3 {
		return name
	}
	if !isDir {
		i := strings.LastIndexByte(at, '/')
		return at[:i+1] + name
	}
	return at + "/" + name
}

// data returns bytes that were never written before; now and then enough of them
// for a list of chunks.
func (l *Workload) data() []byte {
	l.serial++
	head := fmt.Sprintf("content %d of this world\n", l.serial)
	size := l.World.random.IntN(3000)
	if l.World.random.IntN(40) == 0 {
		size = 1<<20 + l.World.random.IntN(2<<20)
	}
	data := make([]byte, len(head)+size)
	copy(data, head)
	for i := len(head); i < len(data); i++ {
		data[i] = byte(i*7 + l.serial*13 + i>>9)
	}
	return data
}

// hint tells the device's folder what its watch would: the directories of what
// changed at one time come together.
func (n *Node) hint(paths ...string) {
	n.touched = n.world.now
	var dirs []zsync.Path
	for _, path := range paths {
		i := max(0, strings.LastIndexByte(path, '/'))
		dirs = append(dirs, zsync.Path(path[:i]))
	}
	for space, f := range n.folders {
		if f.reg.Dir == dir {
			epoch := n.epoch
			n.world.after(50*time.Millisecond, func() {
				if n.alive && n.epoch == epoch {
					n.post(device.Address{Part: device.Folder, Space: space}, device.Hinted{Dirs: dirs})
				}
			})
		}
	}
}

// gapMax is how long people wait at most between two things that they do, mostly;
// one time in longGapOneIn it is minutes.
const (
	gapMax       = 400 * time.Millisecond
	longGapOneIn = 1000
	longGapMax   = 10 * time.Minute
)

// Gap draws how long it is until somebody does the next thing.
func (w *World) Gap() time.Duration {
	if w.random.IntN(longGapOneIn) == 0 {
		return time.Duration(w.random.Int64N(int64(longGapMax)))
	}
	return time.Duration(w.random.Int64N(int64(gapMax)))
}

// Fill has a person write many files on a device.
func (l *Workload) Fill(n *Node, files int) {
	user := n.disk(dir).User()
	for i := range files {
		data := fmt.Appendf(nil, "content %d of many\n", i)
		user.Write(fmt.Sprintf("many %d.txt", i), data)
		l.Ledger.wrote(n, data)
	}
	user.Settle()
	n.hint("")
}

// Purge has a person delete the first of these files.
func (l *Workload) Purge(n *Node, files int) {
	user := n.disk(dir).User()
	for i := range files {
		path := fmt.Sprintf("many %d.txt", i)
		l.Ledger.gone(n, path)
		user.Remove(path)
	}
	user.Settle()
	n.hint("")
}
