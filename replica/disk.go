package replica

import (
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/internal/kv"
	"github.com/zsync/zsync/store"
)

// The buckets of D. Only hashcache can be dropped without a new scan.
const (
	bucketDisk     = "disk"     // disk key -> onDisk
	bucketDiskPath = "diskpath" // directory's node u64 | name -> disk key
	bucketTodo     = "todo"     // node u64 -> octets missing: nodes that the disk has otherwise than L
	bucketTotals   = "totals"   // "" … -> totals
)

// formerBuckets were indexes: see nodeIndex.
var formerBuckets = []string{"have", "inodes", "ids"}

// diskKey names one thing that this disk has: the main version of a node, or
// one of its conflict copies.
type diskKey struct {
	node uint64
	copy zsync.Dot // of a conflict copy, the lowest dot of its version; zero for the main version
}

func mainKey(node uint64) diskKey { return diskKey{node: node} }

func (k diskKey) isCopy() bool { return k.copy != zsync.Dot{} }

// onDisk is what D says of one file, symlink or directory: the versions of it
// that this disk has, and exactly how it looked when that was last known.
type onDisk struct {
	key     diskKey
	place   place      // on this disk, which may be behind L
	stands  zsync.Name // the name of the log that place.name stands for, if that is another: see projection
	kind    zsync.FileType
	young   bool        // hashed too soon after a change: to be hashed again
	apart   bool        // ignored when it was looked at last: see apart
	kept    bool        // a directory that L has no more, but that holds what zsync leaves alone
	mode    uint32      // as logged or applied last; stat.Mode is what the disk made of it
	mtimeNS int64       // the same for the mtime
	dots    []zsync.Dot // the versions, ascending: what a change or removal by the user supersedes
	content zsync.Digest
	listLen uint32
	target  string
	stat    store.Stat
}

func (d *onDisk) size() int64 {
	if d.kind != zsync.TypeFile {
		return 0
	}
	return d.stat.Size
}

func (d *onDisk) clone() *onDisk {
	c := *d
	c.dots = slices.Clone(d.dots)
	return &c
}

// disk is D: what this device's disk has, by what the scanner saw and the
// applier did. It never follows from L.
type disk struct {
	totals   totals
	saved    totals
	dirty    *marks
	top      uint64 // no node above it is in D; 0 until it is asked for
	nature   store.Nature
	unlisted []zsync.Digest // large contents that a record lost; another may have them

	nodes  memo[uint64, []*onDisk]  // by node, as node returns them
	places memo[place, diskKey]     // of bucketDiskPath; zero: nothing is there
	dirs   memo[zsync.Path, uint64] // of directories, since one of them came, went or moved
	needs  memo[uint64, int64]      // of bucketTodo; needsNothing: not in it

	indexed   bool
	byContent nodeIndex // files, once indexed
	byInode   nodeIndex

	key, to, value keyRoom
}

// totals are kept up to date with each change, so that nobody need walk.
type totals struct {
	files, bytes, copies, needFiles, needBytes int64
}

var totalsKey = []byte("totals")

func openDisk(tx kv.Tx, dirty *marks) (disk, error) {
	d := disk{dirty: dirty}
	if value := tx.Get(bucketTotals, totalsKey); value != nil {
		if len(value) != 5*8 {
			return d, fmt.Errorf("replica: totals of %d octets", len(value))
		}
		for i, field := range d.totals.fields() {
			*field = int64(binary.BigEndian.Uint64(value[8*i:]))
		}
	}
	d.saved = d.totals
	return d, nil
}

func (t *totals) fields() [5]*int64 {
	return [5]*int64{&t.files, &t.bytes, &t.copies, &t.needFiles, &t.needBytes}
}

// save stores the totals and the marks, once for all that a fact changed.
func (s *disk) save(tx kv.Tx) {
	s.dirty.save(tx)
	if s.totals == s.saved {
		return
	}
	var value []byte
	for _, field := range s.totals.fields() {
		value = binary.BigEndian.AppendUint64(value, uint64(*field))
	}
	tx.Put(bucketTotals, totalsKey, value)
	s.saved = s.totals
}

func (t *totals) count(d *onDisk, sign int64) {
	if d.kind != zsync.TypeDir {
		t.files += sign
		t.bytes += sign * d.size()
	}
	if d.key.isCopy() {
		t.copies += sign
	}
}

// DropFormer gives back the room of what earlier versions kept in the database and
// this one does not. It comes before Start.
func (r *Replica) DropFormer(tx kv.Tx) {
	for _, bucket := range formerBuckets {
		tx.Drop(bucket)
	}
}

// get returns what D has under key, or nil. Like all records that D returns it is
// shared: who wants to change it changes a clone.
func (s *disk) get(tx kv.Tx, key diskKey) *onDisk {
	for _, d := range s.node(tx, key.node) {
		if d.key == key {
			return d
		}
	}
	return nil
}

func (s *disk) load(tx kv.Tx, raw []byte) *onDisk { return s.get(tx, parsedKey(tx, raw)) }

func parsedKey(tx kv.Tx, raw []byte) diskKey {
	key, err := parseDiskKey(raw)
	if err != nil {
		tx.Fail(fmt.Errorf("replica: disk key %x: %w", raw, err))
		return diskKey{}
	}
	return key
}

func (s *disk) decode(tx kv.Tx, key, value []byte) *onDisk {
	d, err := decodeOnDisk(key, value)
	if err != nil {
		tx.Fail(fmt.Errorf("replica: disk record %x: %w", key, err))
		return nil
	}
	return d
}

// at returns what D has at a place, or nil.
func (s *disk) at(tx kv.Tx, p place) *onDisk {
	if key := s.keyAt(tx, p); key != (diskKey{}) {
		return s.get(tx, key)
	}
	return nil
}

// keyAt returns the key of what D has at a place, or zero.
func (s *disk) keyAt(tx kv.Tx, p place) diskKey {
	key, known := s.places.get(p)
	if known {
		return key
	}
	if raw := tx.Get(bucketDiskPath, s.key.path(p)); raw != nil {
		key = parsedKey(tx, raw)
	}
	s.places.set(p, key)
	return key
}

// node returns what D has of a node, the main version first.
func (s *disk) node(tx kv.Tx, node uint64) []*onDisk {
	if s.top != 0 && node > s.top {
		return nil
	}
	all, known := s.nodes.get(node)
	if !known {
		all = s.loadNode(tx, node)
		s.nodes.set(node, all)
	}
	return all
}

func (s *disk) loadNode(tx kv.Tx, node uint64) []*onDisk {
	if s.top == 0 {
		s.top = rootNode
		if last, _ := tx.Last(bucketDisk); last != nil {
			s.top = parsedKey(tx, last).node
		}
	}
	if node > s.top {
		return nil
	}
	return s.readNode(tx, s.key.node(node))
}

func (s *disk) readNode(tx kv.Tx, prefix []byte) (all []*onDisk) {
	kv.ScanPrefix(tx, bucketDisk, prefix, func(key, value []byte) bool {
		if d := s.decode(tx, key, value); d != nil {
			all = append(all, d)
		}
		return true
	})
	return all
}

// put stores d in place of what D has under its key. What D had at its place
// under another key is not there any more, wherever it went.
func (s *disk) put(tx kv.Tx, d *onDisk) {
	old := s.get(tx, d.key)
	if old == d {
		panic("replica: a record of D was changed where it is shared")
	}
	if old == nil || old.place != d.place {
		if in := s.at(tx, d.place); in != nil && in.key != d.key {
			s.displace(tx, in)
		}
	}
	if old != nil {
		s.totals.count(old, -1)
	}
	s.totals.count(d, +1)
	s.reindex(tx, d.key, old, d)
	tx.Put(bucketDisk, s.rawKey(d.key), s.encode(d))
	s.remember(tx, d.key, d)
	s.top = max(s.top, d.key.node)
	if old != nil && old.kind == zsync.TypeDir && d.kind != zsync.TypeDir {
		s.bereave(tx, d.key.node)
	}
	if s.orphaned(tx, d) {
		s.dirty.mark(d.key.node)
	}
}

// rawKey is the key in bucketDisk, in room of its own.
func (s *disk) rawKey(key diskKey) []byte {
	s.key.octets = key.append(s.key.octets[:0])
	return s.key.octets
}

// encode is what d is stored as, until the next one.
func (s *disk) encode(d *onDisk) []byte {
	s.value.octets = d.append(s.value.octets[:0])
	return s.value.octets
}

// remember has the memo say d under key; nil: nothing.
func (s *disk) remember(tx kv.Tx, key diskKey, d *onDisk) {
	all := slices.Clone(s.node(tx, key.node))
	i, found := slices.BinarySearchFunc(all, key.copy, func(in *onDisk, dot zsync.Dot) int { return in.key.copy.Compare(dot) })
	if found {
		all = slices.Delete(all, i, i+1)
	}
	if d != nil {
		all = slices.Insert(all, i, d)
	}
	s.nodes.set(key.node, all)
}

// orphaned reports whether D has no directory where it has d: then d is not on
// the disk. A person took the directory away while d was on its way into it.
func (s *disk) orphaned(tx kv.Tx, d *onDisk) bool {
	if d.place.parent == rootNode {
		return false
	}
	dir := s.get(tx, mainKey(d.place.parent))
	return dir == nil || dir.kind != zsync.TypeDir
}

// bereave has everything looked at that D has in a directory that it has no more.
func (s *disk) bereave(tx kv.Tx, dir uint64) {
	for _, kid := range s.kids(tx, dir) {
		s.dirty.mark(kid.key.node)
	}
}

// displace gives what D has a place where it is not on the disk: so the next scan
// misses it, and finds out where it was moved to, or that it was deleted.
func (s *disk) displace(tx kv.Tx, d *onDisk) {
	d = d.clone()
	d.place = place{rootNode, parkedName(d)}
	s.put(tx, d)
	s.dirty.mark(d.key.node)
}

// drop makes D forget what it has under key. The disk is left as it is.
func (s *disk) drop(tx kv.Tx, key diskKey) {
	old := s.get(tx, key)
	if old == nil {
		return
	}
	s.totals.count(old, -1)
	s.reindex(tx, key, old, nil)
	tx.Delete(bucketDisk, s.rawKey(key))
	s.remember(tx, key, nil)
	if old.kind == zsync.TypeDir {
		s.bereave(tx, key.node)
	}
}
