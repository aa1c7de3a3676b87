package sim

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/zsync/zsync"
)

// Script is something that people do with one folder on two devices, and what the
// folder must hold in the end whatever goes wrong meanwhile.
type Script struct {
	Strangers bool          // the two devices are not paired before
	Before    func(p *Play) // done and settled before anything goes wrong
	Do        func(p *Play)
	// Want is the path and content of every file in the end; Contents, where the
	// paths are for zsync to choose, the contents alone.
	Want     map[string]string
	Contents []string
	Files    int // or only how many there are
	// Deletes are the paths that people delete: the log may tell of no others.
	Deletes []string
}

// Play is a script being played.
type Play struct {
	*World
	Ledger *Ledger
	err    error
	scrubs uint64
}

// Point is one place in a script at which a device's power goes: a step of its
// disk, or else a commit, before or after it took effect. The zero Point is none.
type Point struct {
	Node   int
	Step   int
	Commit int
	After  bool
	Refuse bool // the database refuses the commit, and the power stays
}

// playTimeMax is how long the devices may take to be quiet again.
const playTimeMax = 5 * time.Minute

// Play plays the script once with a crash at the point, and says what was wrong in
// the end. It returns how many disk steps and commits each device made after the
// point was set: every n up to these is a point.
func (s Script) Play(seed, tear uint64, carry Carry, point Point) (steps, commits [2]int, err error) {
	p := &Play{World: NewWorld(seed, carry)}
	p.Tear = tear
	p.Ledger = NewLedger(p.World)
	if err := p.prepare(s); err != nil {
		return steps, commits, fmt.Errorf("before the script: %w", err)
	}
	crashed := p.set(point)
	var before [2]made
	for i, n := range p.Nodes {
		before[i] = n.made
	}
	s.Do(p)
	p.Settle()
	for i, n := range p.Nodes {
		steps[i], commits[i] = n.made.Steps-before[i].Steps, n.made.Commits-before[i].Commits
	}
	if p.err == nil && !crashed() {
		p.err = errNoSuchPoint
	}
	return steps, commits, errors.Join(p.err, p.judge(s))
}

var errNoSuchPoint = errors.New("sim: the script ended before the power could go: it is not the same each time")

func (p *Play) prepare(s Script) error {
	for _, name := range []string{"one", "two"} {
		p.Add(name).Watch()
	}
	if !s.Strangers {
		p.Pair(p.Nodes[0], p.Nodes[1])
	}
	if s.Before != nil {
		s.Before(p)
	}
	if s.Strangers {
		p.Wait(5 * time.Second)
	} else {
		p.Settle()
	}
	return p.err
}

// set arms the point; the function it returns tells whether the point was reached.
func (p *Play) set(at Point) func() bool {
	n := p.Nodes[at.Node]
	epoch := n.epoch
	switch {
	case at.Step > 0:
		n.CrashAtStep(at.Step)
	case at.Refuse:
		n.RefuseCommit(at.Commit)
		return func() bool { return n.fate.refusals == 0 }
	case at.Commit > 0:
		n.CrashAtCommit(at.Commit, at.After)
	default:
		return func() bool { return true }
	}
	return func() bool { return n.epoch > epoch }
}

// Wait lets time pass; a device that is off starts again a second later.
func (p *Play) Wait(d time.Duration) {
	for end := p.now.Add(d); p.err == nil && p.now.Before(end); {
		p.err = p.Run(min(100*time.Millisecond, end.Sub(p.now)))
		p.rouse(time.Second)
	}
}

// Settle lets time pass until the devices agree and are quiet.
func (p *Play) Settle() {
	for end := p.now.Add(playTimeMax); p.err == nil; p.Wait(100 * time.Millisecond) {
		why := p.Converged()
		if why == nil {
			return
		}
		if p.now.After(end) {
			p.err = fmt.Errorf("after %s: %w", playTimeMax, why)
		}
	}
}

// Write lets a person write a file on one device, and brings it to the disk, as do
// Replace, Remove and Rename: what is lost then, zsync has lost.
func (p *Play) Write(node int, path, data string) {
	n := p.Nodes[node]
	p.Ledger.gone(n, path)
	n.disk(dir).User().Write(path, []byte(data))
	p.Ledger.wrote(n, []byte(data))
	p.changed(n, path)
}

// Replace puts a new file in the place of one.
func (p *Play) Replace(node int, path, data string) {
	n := p.Nodes[node]
	p.Ledger.gone(n, path)
	n.disk(dir).User().Replace(path, []byte(data))
	p.Ledger.wrote(n, []byte(data))
	p.changed(n, path)
}

// Remove removes a file, or a directory with all that is in it.
func (p *Play) Remove(node int, path string) {
	n := p.Nodes[node]
	p.Ledger.gone(n, path)
	n.disk(dir).User().Remove(path)
	p.changed(n, path)
}

// Rename moves a file or a directory.
func (p *Play) Rename(node int, from, to string) {
	n := p.Nodes[node]
	p.Ledger.gone(n, to)
	n.disk(dir).User().Rename(from, to)
	p.changed(n, from, to)
}

func (p *Play) changed(n *Node, paths ...string) {
	n.disk(dir).User().Settle()
	n.hint(paths...)
}

// judge says what the devices have done wrong.
func (p *Play) judge(s Script) error {
	if p.err != nil {
		return nil // said already; nothing is quiet
	}
	if err := errors.Join(p.Ledger.Check(), s.compare(p.Nodes[0])); err != nil {
		return err
	}
	deleted, err := p.Nodes[0].Deleted()
	if err != nil {
		return err
	}
	for _, path := range deleted {
		if !slices.Contains(s.Deletes, path) {
			return fmt.Errorf("the log deletes %s, which nobody did", path)
		}
	}
	return p.Idle(1)
}

// Paths returns the paths of all files that a person sees on a device.
func (p *Play) Paths(node int) []string { return p.Nodes[node].files() }

func (n *Node) files() (paths []string) {
	user := n.disk(dir).User()
	for _, path := range user.Paths("", zsync.PrivateDir) {
		if user.Stat(path).Type == zsync.TypeFile {
			paths = append(paths, path)
		}
	}
	return paths
}

// compare holds the files of a device against those that the script wants.
func (s Script) compare(n *Node) error {
	found := make(map[string]string)
	for _, path := range n.files() {
		found[path] = string(n.disk(dir).User().Read(path))
	}
	if s.Files > 0 {
		if len(found) != s.Files {
			return fmt.Errorf("there are %d files: %.100q", len(found), found)
		}
		return nil
	}
	if s.Contents != nil {
		if had := slices.Sorted(maps.Values(found)); !slices.Equal(had, s.Contents) {
			return fmt.Errorf("the contents are %.100q", had)
		}
		return nil
	}
	for _, path := range slices.Sorted(maps.Keys(found)) {
		if content, wanted := s.Want[path]; !wanted || content != found[path] {
			return fmt.Errorf("%s holds %.40q, which nobody wants there", path, found[path])
		}
	}
	for _, path := range slices.Sorted(maps.Keys(s.Want)) {
		if _, there := found[path]; !there {
			return fmt.Errorf("%s is missing", path)
		}
	}
	return nil
}

// Err returns what went wrong so far, in a play or among its devices.
func (p *Play) Err() error { return p.err }
