package replica

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strings"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/internal/kv"
	"github.com/zsync/zsync/store"
)

// The buckets of projection, empty for a disk that holds all names.
const (
	bucketNature    = "nature"    // "nature" -> flags u8 | longest name u16: what the indexes below are made for
	bucketFolds     = "folds"     // parent u64 | slot | 0x00 | node u64 -> nothing: the visible nodes, by what the disk makes of their names
	bucketDiskFolds = "diskfolds" // directory's node u64 | key | 0x00 | disk key -> nothing: what D has, by what names have in common that are one
)

var keyNature = []byte("nature")

const (
	natureCases = 1 << iota
	natureForms
	natureStrict
)

// natureOf returns the nature that the database is kept for.
func natureOf(tx kv.Tx) (n store.Nature) {
	value := tx.Get(bucketNature, keyNature)
	switch len(value) {
	case 0:
	case 3:
		n.Cases, n.Forms, n.Strict = value[0]&natureCases != 0, value[0]&natureForms != 0, value[0]&natureStrict != 0
		n.Long = int(binary.BigEndian.Uint16(value[1:]))
	default:
		tx.Fail(fmt.Errorf("replica: a disk's nature of %d octets", len(value)))
	}
	return n
}

func putNature(tx kv.Tx, n store.Nature) {
	var flags byte
	for _, each := range []struct {
		flag byte
		set  bool
	}{{natureCases, n.Cases}, {natureForms, n.Forms}, {natureStrict, n.Strict}} {
		if each.set {
			flags |= each.flag
		}
	}
	tx.Put(bucketNature, keyNature, binary.BigEndian.AppendUint16([]byte{flags}, uint16(n.Long)))
}

// SetNature says what the folder's disk makes of names. It comes before Start; without
// it, it is taken to be as it was at the last.
func (r *Replica) SetNature(tx kv.Tx, n store.Nature) {
	if n == r.tree.names.nature {
		return
	}
	putNature(tx, n)
	r.tree.names, r.disk.nature = newProjection(n), n
	tx.Drop(bucketFolds)
	tx.Drop(bucketDiskFolds)
	if !n.IsPlain() {
		r.tree.indexFolds(tx)
		r.disk.indexFolds(tx)
	}
	r.tree.markAll(tx)
}

// indexFolds makes the index of L's names anew.
func (l *tree) indexFolds(tx kv.Tx) {
	var keys [][]byte
	tx.Scan(bucketKids, nil, func(key, _ []byte) bool {
		keys = append(keys, slices.Clone(key))
		return true
	})
	for _, key := range keys {
		end := len(key) - 9
		p := place{binary.BigEndian.Uint64(key), zsync.Name(key[8:end])}
		tx.Put(bucketFolds, l.key.kids(l.names.slot(p), binary.BigEndian.Uint64(key[end+1:])), nil)
	}
}

// markAll has every node looked at again.
func (l *tree) markAll(tx kv.Tx) {
	var nodes []uint64
	tx.Scan(bucketNodes, nil, func(key, _ []byte) bool {
		nodes = append(nodes, binary.BigEndian.Uint64(key))
		return true
	})
	for _, node := range nodes {
		if l.dirty.mark(node); len(l.dirty.fresh) > freshMax {
			l.dirty.save(tx)
		}
	}
}

// indexFolds makes the index of what D has anew.
func (s *disk) indexFolds(tx kv.Tx) {
	if !s.nature.Folds() {
		return
	}
	var keys [][]byte
	tx.Scan(bucketDisk, nil, func(key, value []byte) bool {
		if d := s.decode(tx, key, value); d != nil {
			keys = append(keys, s.foldKey(d, key))
		}
		return true
	})
	for _, key := range keys {
		tx.Put(bucketDiskFolds, key, nil)
	}
}

// foldKey is the key of bucketDiskFolds for d, or nil.
func (s *disk) foldKey(d *onDisk, raw []byte) []byte {
	if d == nil || !s.nature.Folds() {
		return nil
	}
	return append(foldPrefix(s.nature, d.place), raw...)
}

func foldPrefix(n store.Nature, p place) []byte {
	return append(pathKey(place{p.parent, n.Key(p.name)}), 0)
}

// folded returns what D has under names that may be one with that of p.
func (s *disk) folded(tx kv.Tx, p place) (keys []diskKey) {
	prefix := foldPrefix(s.nature, p)
	kv.ScanPrefix(tx, bucketDiskFolds, prefix, func(key, _ []byte) bool {
		keys = append(keys, parsedKey(tx, key[len(prefix):]))
		return true
	})
	return keys
}

// slot is the place that a name takes on this disk: names that are one, and names that
// are one when what the disk refuses of them is left out.
func (n *projection) slot(p place) place {
	return place{p.parent, n.nature.Key(n.nature.Fit(p.name))}
}

// inSlot returns the visible nodes whose location takes a slot, ascending.
func (l *tree) inSlot(tx kv.Tx, slot place) []uint64 {
	nodes, known := l.names.slots.get(slot)
	if !known {
		nodes = nodesWith(tx, bucketFolds, l.key.kids(slot))
		l.names.slots.set(slot, nodes)
	}
	return nodes
}

// hangFold puts a node into the slot of its location, or takes it out.
func (l *tree) hangFold(tx kv.Tx, p place, node uint64, in bool) {
	if l.names.plain {
		return
	}
	slot := l.names.slot(p)
	if in {
		tx.Put(bucketFolds, l.key.kids(slot, node), nil)
	} else {
		tx.Delete(bucketFolds, l.key.kids(slot, node))
	}
	l.names.slots.drop(slot)
}

// noteFolds marks as dirty whose names on this disk may depend on what has changed of a
// node: all that takes the same slot, or would but for what was put to its name.
func (l *tree) noteFolds(tx kv.Tx, before, now footing) {
	if l.names.plain {
		return
	}
	l.names.groups.clear()
	for _, f := range []footing{before, now} {
		if !f.visible {
			continue
		}
		slot := l.names.slot(f.place)
		for _, node := range l.foldPeel(tx, slot, layersMax+1) {
			l.dirty.mark(node)
		}
	}
}

// foldPeel is peel by slots.
func (l *tree) foldPeel(tx kv.Tx, slot place, layers int) []uint64 {
	nodes := slices.Clip(l.inSlot(tx, slot))
	if layers == 0 || !strings.Contains(string(slot.name), "~") {
		return nodes
	}
	stem, ext := split(slot.name)
	for _, reading := range []struct{ text, ext string }{{stem, ext}, {string(slot.name), ""}} {
		before, suffix, found := cutLast(reading.text)
		if !found {
			continue
		}
		nodes = append(nodes, l.suffixed(tx, slot, strings.TrimPrefix(suffix, projectedMark))...)
		nodes = append(nodes, l.suffixed(tx, slot, suffix)...)
		if before += reading.ext; before != "" {
			nodes = append(nodes, l.foldPeel(tx, place{slot.parent, zsync.Name(before)}, layers-1)...)
		}
	}
	if isNumber(ext) {
		nodes = append(nodes, l.inSlot(tx, place{slot.parent, zsync.Name(stem)})...)
	}
	return nodes
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
