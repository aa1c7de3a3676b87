package sim

import (
	"fmt"
	"strings"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/store"
)

// Action is one kind of thing that a person does with files.
type Action string

// What people do.
const (
	Create   Action = "create"
	Edit     Action = "edit in place"
	Replace  Action = "edit by another file"
	BigFile  Action = "big file"
	Remove   Action = "delete"
	Rename   Action = "rename file"
	Move     Action = "rename directory"
	Chmod    Action = "chmod"
	Mkdir    Action = "mkdir"
	Symlink  Action = "symlink"
	Conflict Action = "edit on two devices" // counts as two operations
)

// Actions are all kinds of them.
func Actions() []Action {
	return []Action{Create, Edit, Replace, BigFile, Remove, Rename, Move, Chmod, Mkdir, Symlink, Conflict}
}

// weights say how often of 100 each is tried.
var weights = []struct {
	action Action
	of100  int
}{
	{Create, 22},
	{Edit, 22},
	{Replace, 10},
	{Remove, 14},
	{Rename, 9},
	{Move, 4},
	{Chmod, 5},
	{Mkdir, 5},
	{Symlink, 4},
	{Conflict, 5},
}

// bigOneIn is how many contents there are to one that is cut into chunks.
const bigOneIn = 300

// Act does one thing on some device and returns how many operations that was. Done
// counts them by kind.
func (l *Workload) Act() int {
	for {
		n := l.World.Nodes[l.World.random.IntN(len(l.World.Nodes))]
		if action := l.choose(); l.act(n, action) {
			l.Done[action]++
			if action == Conflict {
				return 2
			}
			return 1
		}
	}
}

// burstMax is how many things people do at most before a device hears of the first.
const burstMax = 4

// Burst does some things at one time, on any devices, and returns how many operations
// that was.
func (l *Workload) Burst() (ops int) {
	for range 1 + l.World.random.IntN(burstMax) {
		ops += l.Act()
	}
	return ops
}

func (l *Workload) choose() Action {
	drawn := l.World.random.IntN(100)
	for _, w := range weights {
		if drawn -= w.of100; drawn < 0 {
			return w.action
		}
	}
	return Create
}

// act does one thing, unless there is nothing on the device to do it with.
func (l *Workload) act(n *Node, action Action) bool {
	user := n.disk(dir).User()
	at := l.any(n)
	kind := user.Stat(at).Type
	there := at != ""
	switch action {
	case Create, Mkdir, Symlink:
		return l.make(n, action, l.fresh(n, at, kind == zsync.TypeDir))
	case Edit, Replace:
		return kind == zsync.TypeFile && there && l.edit(n, at, action == Replace)
	case Conflict:
		return kind == zsync.TypeFile && there && l.conflict(n, at)
	case Remove:
		return there && l.remove(n, at)
	case Rename, Move:
		return there && (kind == zsync.TypeDir) == (action == Move) && l.rename(n, at)
	case Chmod:
		return there && l.chmod(n, at, kind)
	}
	return false
}

// any returns some path that a person sees, "" where there is none.
func (l *Workload) any(n *Node) string {
	paths := n.disk(dir).User().Paths("", zsync.PrivateDir)
	if len(paths) == 0 {
		return ""
	}
	return paths[l.World.random.IntN(len(paths))]
}

func (l *Workload) make(n *Node, action Action, path string) bool {
	user := n.disk(dir).User()
	if user.Stat(path) != (store.Stat{}) {
		return false
	}
	switch action {
	case Mkdir:
		user.Mkdir(path)
	case Symlink:
		user.Symlink(path, fmt.Sprintf("target %d", l.World.random.IntN(5)))
	default:
		l.write(n, path)
	}
	l.done(n, path)
	return true
}

func (l *Workload) write(n *Node, path string) {
	data := l.content()
	n.disk(dir).User().Write(path, data)
	l.Ledger.wrote(n, data)
}

func (l *Workload) edit(n *Node, path string, replace bool) bool {
	l.Ledger.gone(n, path)
	if replace {
		n.disk(dir).User().Remove(path)
	}
	l.write(n, path)
	l.done(n, path)
	return true
}

// conflict edits a file on two devices at one time.
func (l *Workload) conflict(n *Node, path string) bool {
	other := l.World.Nodes[l.World.random.IntN(len(l.World.Nodes))]
	if other == n || other.disk(dir).User().Stat(path).Type != zsync.TypeFile {
		return false
	}
	return l.edit(n, path, false) && l.edit(other, path, false)
}

func (l *Workload) remove(n *Node, path string) bool {
	l.Ledger.gone(n, path)
	n.disk(dir).User().Remove(path)
	l.done(n, path)
	return true
}

func (l *Workload) rename(n *Node, from string) bool {
	user := n.disk(dir).User()
	at := l.any(n)
	to := l.fresh(n, at, user.Stat(at).Type == zsync.TypeDir)
	if to == from || strings.HasPrefix(to, from+"/") || strings.HasPrefix(from, to+"/") || user.Stat(to).Type == zsync.TypeDir {
		return false
	}
	l.Ledger.gone(n, to)
	user.Rename(from, to)
	l.done(n, from, to)
	return true
}

func (l *Workload) chmod(n *Node, path string, kind zsync.FileType) bool {
	modes := []uint32{0o644, 0o600, 0o755, 0o444}
	switch kind {
	case zsync.TypeFile:
	case zsync.TypeDir:
		modes = []uint32{0o700, 0o755, 0o750, 0o770}
	default:
		return false
	}
	n.disk(dir).User().Chmod(path, modes[l.World.random.IntN(len(modes))])
	l.done(n, path)
	return true
}

// done brings what a person did to the disk, and has the watch tell of it.
func (l *Workload) done(n *Node, paths ...string) {
	n.disk(dir).User().Settle()
	n.hint(paths...)
}

// content returns bytes that were never written before.
func (l *Workload) content() []byte {
	l.serial++
	head := fmt.Sprintf("content %d of this world\n", l.serial)
	size := l.World.random.IntN(2000)
	if l.World.random.IntN(bigOneIn) == 0 {
		l.Done[BigFile]++
		size = 1<<20 + l.World.random.IntN(1<<20)
	}
	data := make([]byte, len(head)+size)
	copy(data, head)
	state := uint32(l.serial)
	for i := len(head); i < len(data); i++ {
		state = state*1664525 + 1013904223
		data[i] = byte(state >> 24)
	}
	return data
}
