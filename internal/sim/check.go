package sim

import (
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/internal/device"
	"github.com/zsync/zsync/store/crashfs"
)

// Converged says why the devices do not have the same folder yet; nil when they do,
// each says so of itself, and each knows it of the others.
func (w *World) Converged() error {
	var frontier [16]byte
	for i, n := range w.Nodes {
		st, err := n.Status()
		if err != nil {
			return err
		}
		if i == 0 {
			frontier = st.Frontier
		}
		switch {
		case st.State != device.StateInSync:
			return fmt.Errorf("%s is %s, %d files to go, %v", n.Name, st.State, st.Replica.NeedFiles, st.Replica.Problems)
		case len(st.Devices) != len(w.Nodes)-1:
			return fmt.Errorf("%s knows %d other members", n.Name, len(st.Devices))
		case st.Frontier != frontier:
			return fmt.Errorf("%s has another frontier than %s", n.Name, w.Nodes[0].Name)
		}
		if err := n.accuses(); err != nil {
			return err
		}
	}
	first := w.Nodes[0].tree()
	for _, n := range w.Nodes[1:] {
		if err := differ(w.Nodes[0].Name, first, n.Name, n.tree()); err != nil {
			return err
		}
	}
	return nil
}

// accuses says of what the device accuses another one, which is honest, or itself. Two
// histories, and having forgotten some, come of a database that was lost, and a broken
// transfer of messages that came twice: in that, this network is worse than TCP.
func (n *Node) accuses() error {
	if n.link == nil {
		return nil
	}
	for _, o := range n.link.Status().Offences {
		if !slices.Contains([]device.Offence{device.OffenceFork, device.OffenceRestored, device.OffenceTransfer}, o.What) {
			return fmt.Errorf("%s accuses an honest device: it %s", n.Name, o.What.Why())
		}
	}
	return nil
}

// turnsIdleMax is how many turns a device may make in a minute in which nothing
// happens: a PING and its answer for each connection every few seconds.
const turnsIdleMax = 300

// youngSecond is how long files that were hashed right after a change wait for
// their second look.
const youngSecond = 10 * time.Second

// Idle lets a time pass in which nobody does anything, and says what a device did
// of its own accord: an event, a step of a disk, a commit, or much of anything.
func (w *World) Idle(minutes int) error {
	type before struct {
		made
		lamport uint64
	}
	if err := w.Run(youngSecond); err != nil {
		return err
	}
	was := make([]before, len(w.Nodes))
	for i, n := range w.Nodes {
		st, err := n.Status()
		if err != nil {
			return err
		}
		was[i] = before{n.made, st.Lamport}
	}
	if err := w.Run(time.Duration(minutes) * time.Minute); err != nil {
		return err
	}
	for i, n := range w.Nodes {
		st, err := n.Status()
		switch made := n.made; {
		case err != nil:
			return err
		case st.Lamport != was[i].lamport:
			return fmt.Errorf("%s knows %d more events, though nobody did anything", n.Name, st.Lamport-was[i].lamport)
		case made.Steps != was[i].Steps || made.Commits != was[i].Commits:
			return fmt.Errorf("%s made %d disk steps and %d commits, though nobody did anything",
				n.Name, made.Steps-was[i].Steps, made.Commits-was[i].Commits)
		case made.Turns-was[i].Turns > minutes*turnsIdleMax:
			return fmt.Errorf("%s made %d turns in %d idle minutes", n.Name, made.Turns-was[i].Turns, minutes)
		}
	}
	return w.Converged()
}

// Rescan has every device look through its whole folder, and says whether that told
// any of them something new: what a device takes its disk to hold would not be what
// is there.
func (w *World) Rescan() error {
	was := make([]uint64, len(w.Nodes))
	for i, n := range w.Nodes {
		st, err := n.Status()
		if err != nil {
			return err
		}
		was[i] = st.Lamport
		n.post(device.Address{Part: device.Folder, Space: st.Space}, device.Hinted{All: true})
	}
	if err := w.Run(youngSecond); err != nil {
		return err
	}
	for i, n := range w.Nodes {
		st, err := n.Status()
		if err == nil && st.Lamport != was[i] {
			err = fmt.Errorf("%s knows %d more events after another look at the same disks", n.Name, st.Lamport-was[i])
		}
		if err != nil {
			return err
		}
	}
	return w.Converged()
}

// Restart ends all programs and starts them again.
func (w *World) Restart() {
	for _, n := range w.Nodes {
		n.Kill()
	}
	for _, n := range w.Nodes {
		n.Start()
	}
}

// socketsMax is how many ends of connections a device has at most for each other
// one when all is well: two ports, dialled by either side, and as many that are
// about to be noticed as gone.
const socketsMax = 8

// Bounded says which device keeps more of something the longer it runs.
func (w *World) Bounded() error {
	for _, n := range w.Nodes {
		if open := len(n.sockets[mailboxPort]) + len(n.sockets[transferPort]); open > socketsMax*len(w.Nodes) {
			return fmt.Errorf("%s has %d ends of connections", n.Name, open)
		}
		user := n.Disks[dir].User()
		for _, path := range user.Paths(zsync.PrivateDir + "/tmp") {
			if strings.HasPrefix(path, zsync.PrivateDir+"/tmp/swap/") {
				continue // looked after at the next batch
			}
			if st := user.Stat(path); st.Type == zsync.TypeFile && st.Size > 1 {
				return fmt.Errorf("%s has %d octets staged at %s, and nothing to fetch", n.Name, st.Size, path)
			}
		}
	}
	return nil
}

// Deleted returns the paths that the log says were deleted, as a device knows it.
func (n *Node) Deleted() (paths []string, err error) {
	for _, f := range n.folders {
		lines, err := f.machine.History()
		if err != nil {
			return nil, err
		}
		for _, line := range lines {
			if line.Op == "delete" {
				paths = append(paths, line.Path)
			}
		}
	}
	return paths, nil
}

// Status returns the status of the device's one folder.
func (n *Node) Status() (device.FolderStatus, error) {
	if !n.alive {
		return device.FolderStatus{}, fmt.Errorf("%s is off", n.Name)
	}
	for _, f := range n.folders {
		if f.reg.Dir == dir {
			return f.machine.Status()
		}
	}
	return device.FolderStatus{}, fmt.Errorf("%s has no folder", n.Name)
}

// tree is what a person sees, under the names that the log has.
func (n *Node) tree() map[string]string {
	tree := treeOf(n.Disks[dir])
	if n.index >= n.world.Sticks {
		return tree
	}
	logged := make(map[string]string, len(tree))
	for _, f := range n.folders {
		for path, text := range tree {
			if f.reg.Dir == dir {
				logged[string(f.machine.LoggedPath(zsync.Path(path)))] = text
			}
		}
	}
	return logged
}

// treeOf reads what a person sees: path to type, mode, time and content.
func treeOf(disk *crashfs.FS) map[string]string {
	tree := make(map[string]string)
	user := disk.User()
	for _, path := range user.Paths("", zsync.PrivateDir) {
		st := user.Stat(path)
		text := fmt.Sprintf("type %d mode %o", st.Type, st.Mode)
		if st.Type == zsync.TypeFile {
			sum, _ := user.Sum(path)
			text += fmt.Sprintf(" mtime %d content %x", st.MtimeNS, sum)
		} else if st.Type == zsync.TypeSymlink {
			text = "link " + string(user.Read(path))
		}
		tree[path] = text
	}
	return tree
}

func differ(nameA string, a map[string]string, nameB string, b map[string]string) error {
	for path, text := range a {
		if b[path] != text {
			return fmt.Errorf("%s: %s has %q, %s has %q", path, nameA, text, nameB, b[path])
		}
	}
	for path := range b {
		if _, there := a[path]; !there {
			return fmt.Errorf("%s: only %s has it", path, nameB)
		}
	}
	return nil
}

// quiet is how long bytes must have lain on a disk before zsync answers for them.
const quiet = time.Second

// Ledger remembers every content that a person wrote, and whether zsync answers
// for it: nobody destroyed it, or somebody did when another device had it too.
type Ledger struct {
	world   *World
	written map[[32]byte]*entry
}

type entry struct {
	at        time.Time
	node      *Node
	head      string // its first line
	octets    int
	destroyed bool // by a person, or by a power cut before it was quiet
}

// NewLedger returns an empty ledger.
func NewLedger(w *World) *Ledger { return &Ledger{world: w, written: make(map[[32]byte]*entry)} }

func (l *Ledger) wrote(n *Node, data []byte) {
	l.written[sha256.Sum256(data)] = &entry{at: l.world.now, node: n, head: headOf(data), octets: len(data)}
}

// gone notes that a person is about to destroy what is at path on a device. What
// another device has in its tree is not lost by that.
func (l *Ledger) gone(n *Node, path string) {
	user := n.Disks[dir].User()
	for _, each := range append([]string{path}, under(user, path)...) {
		sum, _ := user.Sum(each)
		if e := l.written[sum]; e != nil && !l.elsewhere(n, sum) {
			e.destroyed = true
		}
	}
}

// only reports whether a device has what would be lost if an image took the place of
// all that it has: a person who throws that away has thrown it away.
func (l *Ledger) only(n *Node, to *image) bool {
	left := contents(to.folder)
	for sum := range contents(n.Disks[dir]) {
		if e := l.written[sum]; e != nil && !e.destroyed && !left[sum] && !l.anywhere(n, sum) {
			return true
		}
	}
	return false
}

// headOf is enough of a content to know it again.
func headOf(data []byte) string {
	head, _, _ := strings.Cut(string(data[:min(len(data), 80)]), "\n")
	return head
}

func under(user crashfs.User, path string) (paths []string) {
	if user.Stat(path).Type != zsync.TypeDir {
		return nil
	}
	return user.Paths(path)
}

func (l *Ledger) elsewhere(n *Node, sum [32]byte) bool {
	for _, other := range l.world.Nodes {
		if other != n && holds(other, sum, false) {
			return true
		}
	}
	return false
}

// anywhere is elsewhere, in a versions area too.
func (l *Ledger) anywhere(n *Node, sum [32]byte) bool {
	for _, other := range l.world.Nodes {
		if other != n && holds(other, sum, true) {
			return true
		}
	}
	return false
}

// holds reports whether a device has a content, in its tree or also kept.
func holds(n *Node, sum [32]byte, kept bool) bool {
	disk := n.Disks[dir]
	if disk == nil {
		return false
	}
	return disk.User().HasSum(sum, func(at string) bool {
		private, inside := strings.CutPrefix(at, zsync.PrivateDir)
		return !inside || kept && (private == "" || strings.HasPrefix(private, "/versions"))
	})
}

// LostError says that what a person wrote is on no device any more.
type LostError struct {
	Octets int
	first  *entry // of the contents that were lost
}

func (e *LostError) Error() string {
	return fmt.Sprintf("lost: %d octets, the first of them %q, written on %s at %s",
		e.Octets, e.first.head, e.first.node.Name, e.first.at.Sub(start))
}

// Check says which content was lost, by a [LostError]: quiet, not destroyed by a
// person, and on no device any more, in a tree or a versions area.
func (l *Ledger) Check() error {
	here := make(map[[32]byte]bool)
	for _, n := range l.world.Nodes {
		for sum := range contents(n.Disks[dir]) {
			here[sum] = true
		}
	}
	var lost LostError
	for sum, e := range l.written {
		if e.destroyed || here[sum] || l.world.now.Sub(e.at) <= quiet {
			continue
		}
		lost.Octets += e.octets
		if lost.first == nil || e.at.Before(lost.first.at) || e.at.Equal(lost.first.at) && e.head < lost.first.head {
			lost.first = e
		}
	}
	if lost.first == nil {
		return nil
	}
	return &lost
}

// contents returns every content of a disk's tree and versions area.
func contents(disk *crashfs.FS) map[[32]byte]bool {
	sums := make(map[[32]byte]bool)
	if disk == nil {
		return sums
	}
	user := disk.User()
	for _, path := range append(user.Paths("", zsync.PrivateDir), user.Paths(zsync.PrivateDir+"/versions")...) {
		if sum, isFile := user.Sum(path); isFile {
			sums[sum] = true
		}
	}
	return sums
}
