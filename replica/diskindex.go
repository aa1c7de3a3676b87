package replica

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/internal/kv"
	"github.com/zsync/zsync/internal/wire"
	"github.com/zsync/zsync/store"
)

// reindex brings the indexes from old to d; either may be nil.
func (s *disk) reindex(tx kv.Tx, key diskKey, old, d *onDisk) {
	if old != nil && (d == nil || old.place != d.place) {
		// Another may have taken the place since.
		if s.keyAt(tx, old.place) == old.key {
			tx.Delete(bucketDiskPath, s.key.path(old.place))
			s.places.set(old.place, diskKey{})
		}
	}
	if d != nil && (old == nil || old.place != d.place) {
		tx.Put(bucketDiskPath, s.to.path(d.place), s.rawKey(key))
		s.places.set(d.place, d.key)
	}
	if s.nature.Folds() && (old == nil || d == nil || old.place != d.place) {
		raw := key.append(nil)
		replaceKey(tx, bucketDiskFolds, s.foldKey(old, raw), s.foldKey(d, raw))
	}
	if old.placeAsDir() != d.placeAsDir() {
		s.dirs.clear()
	}
	if s.indexed {
		s.byContent.replace(old.contentHash(), d.contentHash(), key.node)
		s.byInode.replace(old.inodeHash(), d.inodeHash(), key.node)
	}
	if was := old.listed(); was != (zsync.Digest{}) && was != d.listed() {
		s.unlisted = append(s.unlisted, was)
	}
}

// placeAsDir is where d is, if it is a directory.
func (d *onDisk) placeAsDir() place {
	if d == nil || d.kind != zsync.TypeDir {
		return place{}
	}
	return d.place
}

func (d *onDisk) listed() zsync.Digest {
	if d == nil || d.listLen == 0 {
		return zsync.Digest{}
	}
	return d.content
}

// index makes the indexes by content and by inode when they are first asked, of all
// that D has.
func (s *disk) index(tx kv.Tx) {
	if s.indexed {
		return
	}
	s.indexed = true
	contents := make([]uint64, 0, max(0, s.totals.files))
	inodes := make([]uint64, 0, max(0, s.totals.files))
	tx.Scan(bucketDisk, nil, func(key, value []byte) bool {
		node := binary.BigEndian.Uint64(key)
		d, err := decodeHashed(value)
		if err != nil {
			tx.Fail(fmt.Errorf("replica: disk record %x: %w", key, err))
			return false
		}
		if hash := d.contentHash(); hash != 0 && node <= indexNodeMax {
			contents = append(contents, indexEntry(hash, node))
		}
		if hash := d.inodeHash(); hash != 0 && node <= indexNodeMax {
			inodes = append(inodes, indexEntry(hash, node))
		}
		return true
	})
	s.byContent.build(contents)
	s.byInode.build(inodes)
}

// decodeHashed decodes of a record what the indexes need: it is done for all at once.
func decodeHashed(value []byte) (d onDisk, err error) {
	in := wire.NewReader(value)
	in.Bytes(1)
	d.kind = zsync.FileType(in.Uint8())
	in.Bytes(8)
	in.Bytes(int(in.Uint8())) // name
	in.Bytes(4 + 8)
	in.Fill(d.content[:])
	in.Bytes(4)
	in.Bytes(int(in.Uint32())) // target
	d.stat = readStat(in)
	return d, in.Err()
}

// contentHash is what a file is found by that a content may be read of; 0: by nothing.
func (d *onDisk) contentHash() uint64 {
	if d == nil || d.kind != zsync.TypeFile || d.stat.Size == 0 {
		return 0
	}
	return contentHash(d.content)
}

func contentHash(content zsync.Digest) uint64 { return binary.BigEndian.Uint64(content[:]) | 1 }

// inodeHash is what something is found by that was renamed; 0: by nothing.
func (d *onDisk) inodeHash() uint64 {
	if d == nil {
		return 0
	}
	return inodeHash(d.stat)
}

func inodeHash(s store.Stat) uint64 {
	if s.Inode == 0 {
		return 0
	}
	const odd = 0x9e3779b97f4a7c15 // spreads neighbours
	hash := (s.Inode*odd ^ uint64(s.BirthNS)) * odd
	return (hash^hash>>32)*odd | 1
}

// sameInode returns what D has under the identity that a directory entry shows:
// what it was renamed from, if it was.
func (s *disk) sameInode(tx kv.Tx, stat store.Stat) (all []*onDisk) {
	hash := inodeHash(stat)
	if hash == 0 {
		return nil
	}
	s.index(tx)
	var room [1]uint64 // mostly none: a new file
	for _, node := range s.byInode.find(hash, math.MaxInt, room[:0]) {
		for _, d := range s.node(tx, node) {
			if d.kind == stat.Type && d.stat.Inode == stat.Inode && d.stat.BirthNS == stat.BirthNS {
				all = append(all, d)
			}
		}
	}
	return all
}

// withContent yields the files that D has of a content, until yield returns false.
func (s *disk) withContent(tx kv.Tx, content zsync.Digest, yield func(*onDisk) bool) {
	s.index(tx)
	var room [sameContentMax]uint64
	for _, node := range s.byContent.find(contentHash(content), sameContentMax, room[:0]) {
		for _, d := range s.node(tx, node) {
			if d.contentHash() != 0 && d.content == content && !yield(d) {
				return
			}
		}
	}
}

// hasContent reports whether D has a file of a content.
func (s *disk) hasContent(tx kv.Tx, content zsync.Digest) (has bool) {
	s.withContent(tx, content, func(*onDisk) bool {
		has = true
		return false
	})
	return has
}

// sameContentMax is how many files of one content are looked at to find one
// that can be read.
const sameContentMax = 8
