package replica

import (
	"github.com/zsync/zsync"
	"github.com/zsync/zsync/store"
)

// Output is what a Replica wants done. It may be carried out once the
// transaction that made it has been committed, and not before. Everything in
// one Output may go at once and in any order, but for what is said at Flush
// and Apply.
type Output struct {
	ListFirst []zsync.Path    // read these directories, before all else: answered by Listed
	HashFirst []store.HashJob // read these files, before all else: answered by Hashed

	List    []zsync.Path    // read these directories: answered by Listed
	Hash    []store.HashJob // read these files: answered by Hashed
	Verify  []store.HashJob // read these files from the disk itself: answered by Verified
	Want    []Want          // get these contents from a peer into staging: answered by Staged
	Unwant  []zsync.Digest  // these wants are void; no answer is due any more
	Copy    []CopyJob       // copy these contents into staging: answered by Staged
	Unstage []zsync.Digest  // nothing needs these staging files
	Flush   bool            // make all that is staged durable: answered by Flushed
	Apply   []Batch         // change the tree, one after the other: each is answered by Applied
}

// Want asks for one content. At most [WantsMax] are outstanding.
type Want struct {
	Content zsync.Digest
	Size    int64          // octets
	ListLen uint32         // octets of the root list node; 0 up to zsync.ContentChunkMax
	Author  zsync.DeviceID // who wrote the version, and so surely had it
	Stamp   zsync.Stamp    // of the version: newer ones are more urgent
	MtimeNS int64          // of the version; it orders work and nothing else
	Urgent  bool           // it was changed just now: it goes before all that is not. At most 256 more
}

// CopyJob asks for a content that this disk has already.
type CopyJob struct {
	Content zsync.Digest
	Size    int64 // octets
	From    store.Span
	Urgent  bool // as in Want
}

// Batch is changes to be carried out in their order. Redo is set after a
// crash: some of them may have been done.
type Batch struct {
	Number  uint64 // for the answer
	Changes []store.Change
	Redo    bool
	Urgent  bool // some of them were made elsewhere just now
}
