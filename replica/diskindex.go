package replica

import (
	"encoding/binary"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/internal/kv"
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
	replaceKey(tx, bucketHave, s.from.have(old, key), s.to.have(d, key))
	replaceKey(tx, bucketInodes, s.from.inode(old, key), s.to.inode(d, key))
	if was := old.listed(); was != (zsync.Digest{}) && was != d.listed() {
		s.unlisted = append(s.unlisted, was)
	}
}

// replaceKey replaces one key of an index by another; nil is no key.
func replaceKey(tx kv.Tx, bucket string, from, to []byte) {
	if string(from) == string(to) {
		return
	}
	if from != nil {
		tx.Delete(bucket, from)
	}
	if to != nil {
		tx.Put(bucket, to, nil)
	}
}

// placeAsDir is where d is, if it is a directory.
func (d *onDisk) placeAsDir() place {
	if d == nil || d.kind != zsync.TypeDir {
		return place{}
	}
	return d.place
}

// have is the key in bucketHave of what D has under key; nil: there is none.
func (k *keyRoom) have(d *onDisk, key diskKey) []byte {
	if d == nil || d.kind != zsync.TypeFile || d.stat.Size == 0 {
		return nil
	}
	k.octets = key.append(append(k.octets[:0], d.content[:16]...))
	return k.octets
}

// inode is that in bucketInodes.
func (k *keyRoom) inode(d *onDisk, key diskKey) []byte {
	if d == nil || d.stat.Inode == 0 {
		return nil
	}
	k.octets = key.append(k.inodePrefix(d.stat))
	return k.octets
}

func (d *onDisk) listed() zsync.Digest {
	if d == nil || d.listLen == 0 {
		return zsync.Digest{}
	}
	return d.content
}

func (k *keyRoom) inodePrefix(s store.Stat) []byte {
	k.octets = binary.BigEndian.AppendUint64(k.node(s.Inode), uint64(s.BirthNS))
	return k.octets
}

// sameInode returns what D has under the identity that a directory entry shows:
// what it was renamed from, if it was.
func (s *disk) sameInode(tx kv.Tx, stat store.Stat) []*onDisk {
	if stat.Inode == 0 {
		return nil
	}
	prefix := s.key.inodePrefix(stat)
	if !kv.HasPrefix(tx, bucketInodes, prefix) {
		return nil // as of each new file
	}
	return s.allWith(tx, stat.Type, prefix)
}

func (s *disk) allWith(tx kv.Tx, kind zsync.FileType, prefix []byte) (all []*onDisk) {
	var keys [][]byte
	kv.ScanPrefix(tx, bucketInodes, prefix, func(key, _ []byte) bool {
		keys = append(keys, key[len(prefix):])
		return true
	})
	for _, key := range keys {
		if d := s.load(tx, key); d != nil && d.kind == kind {
			all = append(all, d)
		}
	}
	return all
}

// withContent yields the files that D has of a content, until yield returns false.
func (s *disk) withContent(tx kv.Tx, content zsync.Digest, yield func(*onDisk) bool) {
	if !kv.HasPrefix(tx, bucketHave, s.key.of(content[:16])) {
		return
	}
	var keys [][]byte
	kv.ScanPrefix(tx, bucketHave, s.key.of(content[:16]), func(key, _ []byte) bool {
		keys = append(keys, key[16:])
		return len(keys) < sameContentMax
	})
	for _, key := range keys {
		if d := s.load(tx, key); d != nil && d.content == content && !yield(d) {
			return
		}
	}
}

// sameContentMax is how many files of one content are looked at to find one
// that can be read.
const sameContentMax = 8
