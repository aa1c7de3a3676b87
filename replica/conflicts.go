package replica

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/internal/kv"
)

// Version is one version of a file as a person sees it.
type Version struct {
	Path    zsync.Path
	Type    zsync.FileType
	Content zsync.Digest
	Size    int64          // octets
	Author  zsync.DeviceID // who wrote it
	WallMS  uint64         // when, by the author's clock: milliseconds since 1970 UTC
	Event   zsync.EventID
	Here    bool // this disk has it

	key diskKey
}

// Conflict is a node that has conflict copies: the version that has the name
// first, then the copies beside it, the newest first.
type Conflict struct {
	Versions []Version
	Dir      bool // a directory has the name

	node uint64
}

// ErrBusy is returned for a file that is being looked at, applied or fetched: what
// is on the disk may be another than what is known.
var ErrBusy = errors.New("it is being looked at or changed at this moment; try again")

// ErrTooMany is returned for a conflict of more versions than one event can settle.
var ErrTooMany = errors.New("it has more versions than can be settled together; remove some of the copies by hand first")

// Conflicts returns what clashed and of which this disk has a conflict copy,
// ascending by path. It reads a key for each thing on the disk, and no record but
// those of conflicts.
func (r *Replica) Conflicts(tx kv.Tx) (all []Conflict) {
	for _, node := range r.nodesWithCopies(tx) {
		if c, found := r.conflict(tx, node); found {
			all = append(all, c)
		}
	}
	slices.SortFunc(all, func(a, b Conflict) int { return cmp.Compare(a.Versions[0].Path, b.Versions[0].Path) })
	return all
}

// ConflictAt returns the conflict that a path is of by the log, though this disk may have
// none of its copies.
func (r *Replica) ConflictAt(tx kv.Tx, path zsync.Path) (Conflict, bool) {
	node, _, found := r.tree.lookup(tx, path)
	if !found || node == rootNode {
		return Conflict{}, false
	}
	return r.conflict(tx, node)
}

func (r *Replica) nodesWithCopies(tx kv.Tx) (nodes []uint64) {
	if r.disk.totals.copies == 0 {
		return nil
	}
	tx.Scan(bucketDisk, nil, func(key, _ []byte) bool {
		k := parsedKey(tx, key)
		if k.isCopy() && (len(nodes) == 0 || nodes[len(nodes)-1] != k.node) {
			nodes = append(nodes, k.node)
		}
		return tx.Err() == nil
	})
	return nodes
}

// conflict returns the versions that L shows of a node, where they are several.
func (r *Replica) conflict(tx kv.Tx, node uint64) (Conflict, bool) {
	s := r.tree.look(tx, node)
	if !s.visible || len(s.copies) == 0 {
		return Conflict{}, false
	}
	c := Conflict{node: node, Dir: s.dir}
	for _, t := range s.targets(node) {
		c.Versions = append(c.Versions, r.versionOf(tx, s.versionFor(t), t.key, t.place))
	}
	return c, true
}

func (r *Replica) versionOf(tx kv.Tx, v *version, key diskKey, at place) Version {
	d := r.disk.get(tx, key)
	return v.tell(r.tree.shownPath(tx, at), v.kind, key, d != nil && d.kind == v.kind && d.content == v.content)
}

// versionFor is the version that a target shows; of a directory, what it was as a file.
func (s *shown) versionFor(t *target) *version {
	if t.version != nil {
		return t.version
	}
	return &s.main
}

// tell describes a version for a person.
func (v *version) tell(path zsync.Path, kind zsync.FileType, key diskKey, here bool) Version {
	return Version{
		Path: path, Type: kind, Content: v.content, Size: v.size,
		Author: v.author, WallMS: v.wallMS, Event: v.dot.Event, key: key, Here: here,
	}
}

// Choice settles one conflict: the version Keep stays, as an index of
// Conflict.Versions, and the others go; with [KeepAll] each stays, under the name
// that it has, as a file of its own.
type Choice struct {
	Conflict
	Keep int
}

// KeepAll as Choice.Keep leaves every version.
const KeepAll = -1

// Choose returns the operations that settle the first of some conflicts, as the
// body of the event that the given writer logs next at seq, and of how many. As
// after [Replica.Body], [Replica.Logged] follows in the same transaction. The disk
// follows the log, as if another device had said so: what goes is moved to the
// versions area, if it still is what is known of it; if not, what was written
// meanwhile is found, and is a version again.
func (r *Replica) Choose(tx kv.Tx, writer zsync.WriterID, seq uint64, choices []Choice) (body []byte, n int, err error) {
	r.drafts = nil
	d := newDrafting(r, tx, writer, seq)
	for ; n < len(choices); n++ {
		drafts, err := d.choose(&choices[n])
		if err != nil {
			return nil, 0, err
		}
		if !d.append(drafts...) {
			if n == 0 {
				return nil, 0, fmt.Errorf("%s: %w", choices[0].Versions[0].Path, ErrTooMany)
			}
			break
		}
	}
	return d.body(), n, nil
}

// choose drafts what settles one conflict.
func (d *drafting) choose(c *Choice) (drafts []draft, err error) {
	r := d.replica
	for _, v := range c.Versions {
		if path, found := r.disk.pathOf(d.tx, r.disk.get(d.tx, v.key)); r.busy(v.Path) || found && r.busy(path) {
			return nil, fmt.Errorf("%s: %w", v.Path, ErrBusy)
		}
	}
	if c.Keep != KeepAll && c.Dir && c.Keep != 0 {
		return nil, fmt.Errorf("%s is a directory, which no file can replace; move one of them away", c.Versions[0].Path)
	}
	s := r.tree.look(d.tx, c.node)
	for i, t := range r.tree.project(d.tx, c.node, s) {
		switch {
		case c.Keep == KeepAll && i > 0:
			promoted, err := d.release(t)
			if err != nil {
				return nil, err
			}
			drafts = append(drafts, promoted...)
		case c.Keep != KeepAll && i != c.Keep:
			drafts = append(drafts, d.dels(c.node, t.dots)...)
		}
	}
	return drafts, nil
}

// release makes a conflict copy a file of its own, as it is on the disk.
func (d *drafting) release(t *target) ([]draft, error) {
	old := d.replica.disk.get(d.tx, t.key)
	path, found := d.replica.disk.pathOf(d.tx, old)
	if !found || !t.sameContent(old) || old.place != t.place {
		return nil, fmt.Errorf("%s: %w", d.replica.tree.shownPath(d.tx, place{t.place.parent, cmp.Or(t.stands, t.place.name)}), ErrBusy)
	}
	f := &finding{
		kind: foundMove, path: path, key: old.key, stat: old.stat,
		content: old.content, listLen: old.listLen, target: old.target, young: old.young,
	}
	dir := dirRef{node: old.place.parent, id: d.replica.tree.nodeID(d.tx, old.place.parent)}
	return d.promote(f, dir, old), nil
}

// Settled reports whether this disk has no conflict copy of the node any more.
func (r *Replica) Settled(tx kv.Tx, c Conflict) bool {
	if tx.Get(bucketTodo, nodeKey(c.node)) != nil || r.tree.dirty.any(tx) {
		return false
	}
	return !slices.ContainsFunc(r.disk.node(tx, c.node), func(d *onDisk) bool { return d.key.isCopy() })
}

// Looking reports whether the directory of a path is being looked at, or will be in
// a moment.
func (r *Replica) Looking(path zsync.Path) bool {
	soon, hinted := r.scan.hints[path.Dir()]
	return r.scan.busy() || r.busy(path) || len(r.findings.at) > 0 ||
		hinted && soon.due.Sub(r.now) <= settleFirst
}
