package replica

import (
	"slices"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/internal/kv"
)

// kids returns what D has in a directory, ascending by name.
func (s *disk) kids(tx kv.Tx, dir uint64) (all []*onDisk) {
	kv.ScanPrefix(tx, bucketDiskPath, nodeKey(dir), func(_, key []byte) bool {
		if d := s.load(tx, key); d != nil {
			all = append(all, d)
		}
		return true
	})
	return all
}

// holds reports whether D has anything in a directory.
func (s *disk) holds(tx kv.Tx, dir uint64) (found bool) {
	kv.ScanPrefix(tx, bucketDiskPath, nodeKey(dir), func(_, _ []byte) bool {
		found = true
		return false
	})
	return found
}

// kidsStep is how many names of a directory are looked at together.
const kidsStep = 256

// eachKid yields what D has in a directory, in the order of names, until yield returns
// false, and reports whether it did not. What was yielded may be changed meanwhile.
func (s *disk) eachKid(tx kv.Tx, dir uint64, yield func(*onDisk) bool) bool {
	for from := (place{parent: dir}); ; {
		kids := s.someKids(tx, from, kidsStep)
		for _, d := range kids {
			if !yield(d) {
				return false
			}
		}
		if len(kids) < kidsStep {
			return true
		}
		from.name = kids[len(kids)-1].place.name + "\x00" // the next name in order
	}
}

// someKids returns the keys of the first of what D has in a directory, from a
// name on.
func (s *disk) someKids(tx kv.Tx, from place, most int) (all []*onDisk) {
	prefix := nodeKey(from.parent)
	tx.Scan(bucketDiskPath, pathKey(from), func(path, key []byte) bool {
		if string(path[:8]) != string(prefix) {
			return false
		}
		if d := s.load(tx, key); d != nil {
			all = append(all, d)
		}
		return len(all) < most
	})
	return all
}

// dirNode returns the node that D has as the directory at path.
func (s *disk) dirNode(tx kv.Tx, path zsync.Path) (uint64, bool) {
	if path == "" {
		return rootNode, true
	}
	if node, known := s.dirs.get(path); known {
		return node, true
	}
	parent, found := s.dirNode(tx, path.Dir())
	if !found {
		return 0, false
	}
	d := s.at(tx, place{parent, path.Base()})
	if d == nil || d.kind != zsync.TypeDir {
		return 0, false
	}
	s.dirs.set(path, d.key.node)
	return d.key.node, true
}

// atPath returns what D has at a path, or nil.
func (s *disk) atPath(tx kv.Tx, path zsync.Path) *onDisk {
	if dir, known := s.dirNode(tx, path.Dir()); known {
		return s.at(tx, place{dir, path.Base()})
	}
	return nil
}

// path returns where a place lies on this disk. It is false when a directory
// above is not on this disk.
func (s *disk) path(tx kv.Tx, p place) (zsync.Path, bool) {
	return pathOf(p, func(dir uint64) *onDisk { return s.get(tx, mainKey(dir)) })
}

// pathOf returns where D has something, if it has it at all.
func (s *disk) pathOf(tx kv.Tx, d *onDisk) (zsync.Path, bool) {
	if d == nil {
		return "", false
	}
	return s.path(tx, d.place)
}

func pathOf(p place, dir func(node uint64) *onDisk) (zsync.Path, bool) {
	var room [8]zsync.Name // most trees are not deeper
	names := append(room[:0], p.name)
	for p.parent != rootNode {
		d := dir(p.parent)
		if d == nil || d.kind != zsync.TypeDir || len(names) >= zsync.PathDepthMax {
			return "", false
		}
		p = d.place
		names = append(names, p.name)
	}
	path := zsync.Path("")
	for _, name := range slices.Backward(names) {
		path = path.Join(name)
	}
	return path, true
}
