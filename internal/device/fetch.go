package device

import (
	"time"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/internal/kv"
	"github.com/zsync/zsync/replica"
	"github.com/zsync/zsync/store"
)

const (
	// fetchItemsMax is how many items one order to the link holds.
	fetchItemsMax = 1024
)

// Priorities of a request (filemq.md 4.3): lower is sooner.
const (
	prioUrgent = 0
	prioLists  = 1
	prioSmall  = 2
	prioNormal = 4
	prioLater  = 5 // large, but made just now
	prioBulk   = 6

	smallBytes = 64 << 10
	bulkBytes  = 64 << 20
)

// fetcher turns wanted contents into items to get. A content of one chunk is
// one item. A larger one is read down its list, one node of chunks at a time, so
// that memory does not grow with the file; chunks that this disk has already, in
// the staging file or in another version, are not asked for.
type fetcher struct {
	space   zsync.SpaceID
	wants   map[zsync.Digest]*want
	unhad   unhad          // nobody had these
	lacking []zsync.Digest // nor these, which nobody has judged yet: see giveUp
	resumed int64          // chunks found whole in staging files
	reused  int64          // chunks copied from other files of the folder
	got     work           // received and staged; files: those that are whole
}

// want is one content on its way.
type want struct {
	replica.Want
	nodes  []listRef      // list nodes to read, the next one last
	chunks map[int64]Item // chunks asked for, by offset
	unhad  bool           // every device that was connected then has said that it lacks some of it
	lacked bool           // the same, of any time
}

// listRef is a list node and the place in the content of what it names.
type listRef struct {
	hash   zsync.Digest
	size   uint32
	offset int64
}

func newFetcher(space zsync.SpaceID) *fetcher {
	return &fetcher{space: space, wants: make(map[zsync.Digest]*want)}
}

func (w *want) prio() uint8 {
	switch {
	case w.Urgent && w.Size <= bulkBytes:
		return prioUrgent
	case w.Urgent:
		return prioLater
	case w.Size <= smallBytes:
		return prioSmall
	case w.Size <= bulkBytes:
		return prioNormal
	}
	return prioBulk
}

// want takes up new contents and drops those no longer wanted.
func (f *FolderMachine) want(tx kv.Tx, wants []replica.Want, unwanted []zsync.Digest) {
	if len(unwanted) > 0 {
		for _, content := range unwanted {
			delete(f.fetch.wants, content)
		}
		f.space.emit(Address{Part: Link}, Unfetch{f.cfg.Space, unwanted})
	}
	if len(wants) > 0 {
		f.fetch.startAnew()
	}
	var run Fetch
	for _, each := range wants {
		w := &want{Want: each}
		f.fetch.wants[each.Content] = w
		if each.Size > zsync.ContentChunkMax {
			w.nodes = []listRef{{hash: each.Content, size: each.ListLen}}
			f.nextList(tx, w)
			continue
		}
		item := Item{Hash: each.Content, Size: uint32(each.Size)}
		if !run.takes(w) || len(run.Items) == fetchItemsMax {
			f.request(run)
			run = w.fetch(zsync.ContentChunkMax)
		}
		run.add(w, item)
	}
	f.request(run)
}

// fetch returns an order for items of w, without any yet.
func (w *want) fetch(total int64) Fetch {
	return Fetch{From: w.Author, Stamp: w.Stamp, Prio: w.prio(), Total: total}
}

// takes reports whether items of w may be in the same order.
func (q *Fetch) takes(w *want) bool {
	return q.From == w.Author && q.Stamp.Writer == w.Stamp.Writer && q.Prio == w.prio()
}

// add adds an item of w. Who has all of the newest has all of the others.
func (q *Fetch) add(w *want, item Item) {
	if w.Stamp.Seq > q.Stamp.Seq {
		q.Stamp = w.Stamp
	}
	q.Items = append(q.Items, item)
}

func (f *FolderMachine) request(q Fetch) {
	if len(q.Items) > 0 {
		q.Space = f.cfg.Space
		f.space.emit(Address{Part: Link}, q)
	}
}

// nextList goes on with the next list node of w, from the database where it is
// known, else from a peer; without one left, the content is whole.
func (f *FolderMachine) nextList(tx kv.Tx, w *want) {
	for len(w.nodes) > 0 {
		next := w.nodes[len(w.nodes)-1]
		data, known := f.replica.ListNode(tx, w.Content, next.hash)
		if !known {
			item := Item{Of: w.Content, Hash: next.hash, Size: next.size, Lists: true}
			f.request(Fetch{From: w.Author, Stamp: w.Stamp, Prio: min(prioLists, w.prio()), Total: w.Size, Items: []Item{item}})
			return
		}
		if !f.readList(tx, w, data) {
			return
		}
	}
}

// readList takes the node on top of w.nodes apart: into more nodes, and then it
// returns true, or into chunks, which go to the disk to see which it has.
func (f *FolderMachine) readList(tx kv.Tx, w *want, data []byte) (again bool) {
	at := w.nodes[len(w.nodes)-1]
	w.nodes = w.nodes[:len(w.nodes)-1]
	list, err := store.ParseListNode(at.hash, data)
	if err == nil && at.offset+list.Size > w.Size {
		err = store.ErrCorrupt
	}
	if err != nil {
		f.abandon(tx, w, err)
		return false
	}
	if len(w.nodes) > 0 {
		w.nodes[len(w.nodes)-1].offset = at.offset + list.Size
	}
	if list.Level > 0 {
		w.nodes = append(w.nodes, below(at, list)...)
		return true
	}
	chunks := make([]store.Chunk, len(list.Entries))
	offset := at.offset
	for i, entry := range list.Entries {
		chunks[i] = store.Chunk{Hash: entry.Hash, Offset: offset, Size: int(entry.Len)}
		offset += int64(entry.Len)
	}
	f.space.emit(Address{Part: Disk, Space: f.cfg.Space}, Assemble{
		Content: w.Content, Size: w.Size, Chunks: chunks,
		From: f.replica.Sources(tx, w.Content, chunks), Urgent: w.Urgent,
	})
	return false
}

// below returns the nodes that a node of a higher level names, the first of them
// last. Only its place is known; each other's is where its elder ends.
func below(at listRef, list store.List) []listRef {
	refs := make([]listRef, len(list.Entries))
	for i, entry := range list.Entries {
		refs[len(refs)-1-i] = listRef{hash: entry.Hash, size: entry.Len}
	}
	refs[len(refs)-1].offset = at.offset
	return refs
}

func (f *FolderMachine) abandon(tx kv.Tx, w *want, err error) {
	delete(f.fetch.wants, w.Content)
	f.space.emit(Address{Part: Link}, Unfetch{f.cfg.Space, []zsync.Digest{w.Content}})
	f.replica.Staged(tx, f.now, w.Content, err)
}

// gotNodes takes list nodes, whose digests the link has checked.
func (f *FolderMachine) gotNodes(tx kv.Tx, in GotNodes) {
	w := f.fetch.wants[in.Of]
	if w == nil {
		return
	}
	w.unhad = false
	f.replica.KeepList(tx, in.Of, in.Nodes)
	f.nextList(tx, w)
}

// assembled asks for the chunks that this disk does not have.
func (f *FolderMachine) assembled(tx kv.Tx, now time.Time, in Assembled) {
	w := f.fetch.wants[in.Content]
	if w == nil {
		return
	}
	if in.Err != nil {
		delete(f.fetch.wants, in.Content)
		f.replica.Staged(tx, now, in.Content, in.Err)
		return
	}
	f.fetch.resumed += int64(in.Resumed)
	w.chunks = make(map[int64]Item)
	run := w.fetch(w.Size)
	for i, chunk := range in.Chunks {
		if in.Have[i] {
			f.fetch.reused++
			continue
		}
		item := Item{Of: w.Content, Hash: chunk.Hash, Offset: chunk.Offset, Size: uint32(chunk.Size)}
		w.chunks[chunk.Offset] = item
		if run.Items = append(run.Items, item); len(run.Items) == fetchItemsMax {
			f.request(run)
			run.Items = nil
		}
	}
	f.fetch.reused -= int64(in.Resumed)
	f.request(run)
	f.proceed(tx, now, w)
}

// staged takes what became of received pieces.
func (f *FolderMachine) staged(tx kv.Tx, now time.Time, in Staged) {
	for _, piece := range in.Pieces {
		w := f.fetch.wants[piece.Content]
		if w == nil {
			f.replica.Stray(piece.Content)
			continue
		}
		switch {
		case piece.Err == nil && w.Size > zsync.ContentChunkMax:
			w.unhad = false
			f.fetch.got.bytes += int64(w.chunks[piece.Offset].Size)
			delete(w.chunks, piece.Offset)
			f.proceed(tx, now, w)
		case piece.Err == nil:
			f.fetch.got.add(work{1, w.Size})
			delete(f.fetch.wants, w.Content)
			f.replica.Staged(tx, now, w.Content, nil)
		case !isCorrupt(piece.Err): // a corrupt one comes again from elsewhere
			delete(f.fetch.wants, w.Content)
			f.space.emit(Address{Part: Link}, Unfetch{f.cfg.Space, []zsync.Digest{w.Content}})
			f.replica.Staged(tx, now, w.Content, piece.Err)
		}
	}
}

// proceed goes to the next list node, or ends, once all chunks are there.
func (f *FolderMachine) proceed(tx kv.Tx, now time.Time, w *want) {
	switch {
	case len(w.chunks) > 0:
	case len(w.nodes) > 0:
		f.nextList(tx, w)
	default:
		f.fetch.got.files++
		delete(f.fetch.wants, w.Content)
		f.replica.Staged(tx, now, w.Content, nil)
	}
}
