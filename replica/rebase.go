package replica

import (
	"fmt"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/internal/kv"
	"github.com/zsync/zsync/internal/wire"
	"github.com/zsync/zsync/store"
)

// bucketCache holds contents of files by what the files looked like, for files
// that D does not have: path -> stat | content 32 | list u32. It saves hashing
// and nothing else, so it may be dropped at any time.
const bucketCache = "hashcache"

// cached is what a file was found to hold.
type cached struct {
	stat    store.Stat
	content zsync.Digest
	listLen uint32
}

// matches compares all that would change with the bytes.
func (c cached) matches(s store.Stat) bool { return c.stat.Unchanged(s) }

func putCached(tx kv.Tx, path zsync.Path, c cached) {
	data := appendStat(nil, c.stat)
	data = append(data, c.content[:]...)
	data = append(data, byte(c.listLen>>24), byte(c.listLen>>16), byte(c.listLen>>8), byte(c.listLen))
	tx.Put(bucketCache, []byte(path), data)
}

func getCached(tx kv.Tx, path zsync.Path) (c cached, found bool) {
	data := tx.Get(bucketCache, []byte(path))
	if data == nil {
		return c, false
	}
	in := wire.NewReader(data)
	c.stat = readStat(in)
	in.Fill(c.content[:])
	c.listLen = in.Uint32()
	if err := in.End(); err != nil {
		tx.Fail(fmt.Errorf("replica: cache: %w", err))
		return c, false
	}
	return c, true
}

// dropCached forgets what D knows from now on.
func dropCached(tx kv.Tx, f *finding) {
	if f != nil && f.kind == foundFile {
		tx.Delete(bucketCache, []byte(f.path))
	}
}

// ExportCache copies from the database of one space to that of another for the
// same directory what saves hashing there: every file's content and list. What D let
// go and stays on the disk is in it, too: no scan looks there, and it may be the only
// copy. Into must have an empty D: so the scan of it only creates, and deletes nothing.
func ExportCache(old, into kv.Tx) {
	var d disk
	old.Scan(bucketCache, nil, func(path, cached []byte) bool { // first: what D has is newer
		into.Put(bucketCache, path, cached)
		return true
	})
	old.Scan(bucketDisk, nil, func(key, value []byte) bool {
		if entry := d.decode(old, key, value); entry != nil {
			d.export(old, into, entry)
		}
		return old.Err() == nil
	})
	for _, bucket := range []string{bucketLists, bucketKept, bucketKeptOf, bucketAside, bucketIgnoreHere} {
		old.Scan(bucket, nil, func(key, value []byte) bool {
			into.Put(bucket, key, value)
			return true
		})
	}
}

// export puts what D says of one file into the cache.
func (s *disk) export(tx, into kv.Tx, d *onDisk) {
	if d.kind != zsync.TypeFile || d.young {
		return
	}
	if path, found := s.path(tx, d.place); found {
		putCached(into, path, cached{stat: d.stat, content: d.content, listLen: d.listLen})
	}
}
