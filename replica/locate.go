package replica

import (
	"bytes"
	"cmp"
	"slices"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/internal/kv"
	"github.com/zsync/zsync/internal/wire"
	"github.com/zsync/zsync/store"
)

// The buckets of what else this disk holds.
const (
	bucketKept   = "kept"   // name in the versions area -> content 32 | stat
	bucketKeptOf = "keptof" // content[:16] | name -> nothing
	bucketAside  = "aside"  // content[:16] | path -> nothing: files that D let go, and the cache remembers
	bucketLists  = "lists"  // content[:16] | list hash[:16] -> list node
)

// Locate finds a content on this disk: in the tree, or among the versions that
// were replaced, or in staging.
func (r *Replica) Locate(tx kv.Tx, content zsync.Digest) (span store.Span, found bool) {
	r.disk.withContent(tx, content, func(d *onDisk) bool {
		var path zsync.Path
		if path, found = r.disk.path(tx, d.place); found {
			span = store.Span{Area: store.InTree, Path: path, Content: content, Stat: d.stat}
		}
		return !found
	})
	if found {
		return span, true
	}
	key := r.disk.key.of(content[:16])
	if !kv.HasPrefix(tx, bucketKeptOf, key) && !kv.HasPrefix(tx, bucketAside, key) && !r.contents.has(content) {
		return span, false // as of nearly all that is fetched
	}
	if span, found = locateKept(tx, content); found {
		return span, true
	}
	if r.contents.has(content) {
		return store.Span{Area: store.InStaging, Content: content}, true
	}
	return locateAside(tx, content)
}

// setAsideTree remembers what D is about to let go, and stays on the disk: it may be
// the only copy.
func (r *Replica) setAsideTree(tx kv.Tx, d *onDisk) {
	if d.kind == zsync.TypeDir {
		r.disk.eachKid(tx, d.key.node, func(kid *onDisk) bool {
			r.setAsideTree(tx, kid)
			return true
		})
	}
	if path, found := r.disk.path(tx, d.place); found && d.kind == zsync.TypeFile && !d.young {
		tx.Put(bucketAside, keptOfKey(d.content, string(path)), nil)
	}
}

func locateAside(tx kv.Tx, content zsync.Digest) (span store.Span, found bool) {
	kv.ScanPrefix(tx, bucketAside, content[:16], func(key, _ []byte) bool {
		path := zsync.Path(key[16:])
		c, cached := getCached(tx, path)
		found = cached && c.content == content
		span = store.Span{Area: store.InTree, Path: path, Content: content, Stat: c.stat}
		return !found
	})
	return span, found
}

func keptOfKey(content zsync.Digest, kept string) []byte {
	return append(append(make([]byte, 0, 16+len(kept)), content[:16]...), kept...)
}

// putKept remembers where the bytes of d went.
func putKept(tx kv.Tx, d *onDisk, kept string) {
	if d.kind != zsync.TypeFile {
		return
	}
	tx.Put(bucketKept, []byte(kept), appendStat(slices.Clone(d.content[:]), d.stat))
	tx.Put(bucketKeptOf, keptOfKey(d.content, kept), nil)
}

func locateKept(tx kv.Tx, content zsync.Digest) (span store.Span, found bool) {
	kv.ScanPrefix(tx, bucketKeptOf, content[:16], func(key, _ []byte) bool {
		var of zsync.Digest
		span = store.Span{Area: store.InVersions, Kept: string(key[16:]), Content: content}
		of, span.Stat, found = keptRecord(tx, span.Kept)
		found = found && of == content
		return !found
	})
	return span, found
}

func keptRecord(tx kv.Tx, kept string) (content zsync.Digest, stat store.Stat, found bool) {
	in := wire.NewReader(tx.Get(bucketKept, []byte(kept)))
	in.Fill(content[:])
	stat = readStat(in)
	return content, stat, in.End() == nil
}

func (r *Replica) dropKept(tx kv.Tx, content zsync.Digest, kept string) {
	tx.Delete(bucketKept, []byte(kept))
	tx.Delete(bucketKeptOf, keptOfKey(content, kept))
	r.dropList(tx, content)
}

// Pruned says that these names of the versions area are gone.
func (r *Replica) Pruned(tx kv.Tx, kept []string) {
	for _, name := range kept {
		if value := tx.Get(bucketKept, []byte(name)); len(value) >= 32 {
			r.dropKept(tx, zsync.Digest(value[:32]), name)
		}
	}
}

func listKey(content, hash zsync.Digest) []byte {
	return append(append(make([]byte, 0, 32), content[:16]...), hash[:16]...)
}

// ListNode returns a copy of a node of a large content's list, to be sent when
// the transaction is over; the root's hash is the content's own.
func (r *Replica) ListNode(tx kv.Tx, content, hash zsync.Digest) ([]byte, bool) {
	data := bytes.Clone(tx.Get(bucketLists, listKey(content, hash)))
	return data, data != nil
}

// KeepList stores a large content's list. It is dropped with the last file here
// that has the content.
func (r *Replica) KeepList(tx kv.Tx, content zsync.Digest, nodes []store.ListNode) {
	for _, n := range nodes {
		tx.Put(bucketLists, listKey(content, n.Hash), n.Data)
	}
}

// dropLists forgets the lists of contents that lost a record, if no other has
// them. It waits until nothing found is on its way into D.
func (r *Replica) dropLists(tx kv.Tx) {
	if len(r.findings.at) > 0 {
		return
	}
	for _, content := range r.disk.unlisted {
		r.dropList(tx, content)
	}
	r.disk.unlisted = nil
}

// Relist makes the list of a content anew that this disk has and whose list it
// was asked for and has not.
func (r *Replica) Relist(tx kv.Tx, content zsync.Digest) {
	r.disk.withContent(tx, content, func(d *onDisk) bool {
		path, found := r.disk.path(tx, d.place)
		if found && r.scan.tasks[path] == nil {
			r.order(&task{job: store.HashJob{Path: path, Old: d.stat}})
		}
		return !found
	})
}

// dropList forgets the list of a content that this disk does not have any more.
func (r *Replica) dropList(tx kv.Tx, content zsync.Digest) {
	used := kv.HasPrefix(tx, bucketKeptOf, content[:16]) || kv.HasPrefix(tx, bucketAside, content[:16])
	if used || r.disk.hasContent(tx, content) {
		return
	}
	var keys [][]byte
	kv.ScanPrefix(tx, bucketLists, content[:16], func(key, _ []byte) bool {
		keys = append(keys, slices.Clone(key))
		return true
	})
	for _, key := range keys {
		tx.Delete(bucketLists, key)
	}
}

// Sources finds chunks of a wanted content in the other versions that this disk
// has of the nodes that want it: what an edit left as it was need not be fetched. The
// known ones come first, by index, and then the guesses.
func (r *Replica) Sources(tx kv.Tx, content zsync.Digest, chunks []store.Chunk) (sources []store.Source) {
	c := r.contents.by[content]
	if c == nil {
		return nil
	}
	lacks := make(map[zsync.Digest][]int, len(chunks))
	for i := range chunks {
		lacks[chunks[i].Hash] = append(lacks[chunks[i].Hash], i)
	}
	var guesses guesses
	for _, node := range c.nodes {
		for _, d := range r.disk.node(tx, node) {
			path, found := r.disk.path(tx, d.place)
			if !found || d.kind != zsync.TypeFile {
				continue
			}
			span := store.Span{Area: store.InTree, Path: path, Content: d.content, Stat: d.stat}
			first := len(sources)
			r.eachChunk(tx, d, func(chunk store.Chunk) {
				for _, i := range lacks[chunk.Hash] {
					sources = append(sources, store.Source{Index: i, Span: span, Offset: chunk.Offset})
				}
				delete(lacks, chunk.Hash)
			})
			guesses.add(chunks, c.want.Size, span, sources[first:])
		}
	}
	slices.SortFunc(sources, func(a, b store.Source) int { return cmp.Compare(a.Index, b.Index) })
	return append(sources, guesses.sources...)
}

// eachChunk yields the chunks of a file that D has, as far as its list is here.
func (r *Replica) eachChunk(tx kv.Tx, d *onDisk, yield func(store.Chunk)) {
	if d.listLen == 0 {
		yield(store.Chunk{Hash: d.content, Size: int(d.stat.Size)})
		return
	}
	var offset int64
	var walk func(hash zsync.Digest)
	walk = func(hash zsync.Digest) {
		data, found := r.ListNode(tx, d.content, hash)
		if !found {
			return
		}
		list, err := store.ParseListNode(hash, data)
		if err != nil {
			tx.Fail(err)
			return
		}
		for _, entry := range list.Entries {
			if list.Level > 0 {
				walk(entry.Hash)
				continue
			}
			yield(store.Chunk{Hash: entry.Hash, Offset: offset, Size: int(entry.Len)})
			offset += int64(entry.Len)
		}
	}
	walk(d.content)
}
