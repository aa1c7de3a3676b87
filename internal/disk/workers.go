package disk

import (
	"errors"
	"sync"
	"time"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/filemq"
	"github.com/zsync/zsync/internal/device"
	"github.com/zsync/zsync/internal/failpoint"
	"github.com/zsync/zsync/internal/meter"
	"github.com/zsync/zsync/store"
)

// workersPerFolder is how many orders of one folder are carried out at once: with
// hashing and reading spread over them, a few keep two to four cores and one disk
// busy.
const workersPerFolder = 4

// Workers carry out the disk orders of one folder's machine and post what they
// find out. They own nothing between two orders.
type Workers struct {
	root   *store.Root
	space  zsync.SpaceID
	stages *meter.Stages
	post   func(device.Address, any)
	left   sync.Once // the owner was told that the disk takes no writes

	// The queue has a lock because the machine that orders must never wait. It is
	// bounded by what a machine has outstanding.
	mutex  sync.Mutex
	ready  *sync.Cond
	queue  queue
	closed bool
	group  sync.WaitGroup
}

var _ device.Workers = (*Workers)(nil)

// NewWorkers starts the workers on an open root. What they do is counted in stages.
func NewWorkers(root *store.Root, space zsync.SpaceID, stages *meter.Stages, post func(device.Address, any)) *Workers {
	w := &Workers{root: root, space: space, stages: stages, post: post}
	w.ready = sync.NewCond(&w.mutex)
	for range workersPerFolder {
		w.group.Go(w.work)
	}
	return w
}

// Do queues an order; it never blocks.
func (w *Workers) Do(order any) {
	w.mutex.Lock()
	w.queue.push(order)
	w.mutex.Unlock()
	w.ready.Signal()
}

// Close waits for the orders under way, drops the rest, and closes the root. Files
// that are only read are read no further.
func (w *Workers) Close() error {
	w.root.Stop()
	w.mutex.Lock()
	w.closed, w.queue = true, queue{}
	w.mutex.Unlock()
	w.ready.Broadcast()
	w.group.Wait()
	return w.root.Close()
}

func (w *Workers) work() {
	var at job
	tell := func(to device.Address, what any) {
		at.count(w.stages, what)
		w.tell(to, what)
	}
	for {
		order, ok := w.next()
		if !ok {
			return
		}
		at = job{order: order, began: time.Now()}
		Carry(w.root, w.space, order, tell)
		w.done(order)
	}
}

func (w *Workers) next() (order any, ok bool) {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	for !w.closed {
		if order, ok = w.queue.take(); ok {
			return order, true
		}
		w.ready.Wait()
	}
	return nil, false
}

// done lets another order begin that could not beside this one.
func (w *Workers) done(order any) {
	w.mutex.Lock()
	w.queue.done(order)
	w.mutex.Unlock()
	w.ready.Signal()
}

// Carry carries out one disk order on root and posts its fact. The simulator
// calls it too, so that both run the same code on their disks.
func Carry(root *store.Root, space zsync.SpaceID, order any, post func(device.Address, any)) {
	folder := device.Address{Part: device.Folder, Space: space}
	switch o := order.(type) {
	case device.ListDir:
		post(folder, device.Listed{Listing: list(root, o.Path)})
	case device.HashFiles:
		results := make([]store.Hashed, len(o.Jobs))
		for i, job := range o.Jobs {
			results[i] = root.Hash(job)
			failpoint.Reach(failpoint.Hash)
		}
		post(folder, device.Hashed{Results: results})
	case device.VerifyFiles:
		results := make([]store.Hashed, len(o.Jobs))
		for i, job := range o.Jobs {
			results[i] = root.Verify(job)
		}
		post(folder, device.Verified{Results: results})
	case device.StagePieces:
		stage(root, space, o, post)
	case device.Assemble:
		have, resumed, err := root.Assemble(o.Content, o.Size, o.Chunks, o.From)
		post(folder, device.Assembled{Content: o.Content, Chunks: o.Chunks, Have: have, Resumed: resumed, Err: err})
	case device.CopyContent:
		post(folder, device.Copied{Content: o.Content, Err: root.Copy(o.Content, o.Size, o.From)})
	case device.FlushStaged:
		post(folder, device.Flushed{Err: root.Flush()})
	case device.ApplyBatch:
		failpoint.Reach(failpoint.Intent)
		results := root.Apply(o.Changes, o.Redo)
		failpoint.Reach(failpoint.DiskCommit)
		post(folder, device.Applied{Batch: o.Batch, Results: results})
	case device.ApplyPast:
		post(folder, device.AppliedPast{Results: root.Apply(o.Changes, false)})
	case device.DiscardVersions:
		gone, err := root.Discard(o.Names)
		post(folder, device.Discarded{Gone: gone, Err: err})
	case device.LookAgain:
		post(folder, lookAgain(root, o.Files))
	case device.PruneVersions:
		gone, err := root.PruneVersions(o.Before, root.VersionsMax())
		post(folder, device.Pruned{Gone: gone, Next: root.VersionsNext(), Err: err})
	case device.ReadSpans:
		parts, release := read(root, o.Parts)
		post(device.Address{Part: device.Link}, device.Supply{Session: o.Session, Parts: parts, Release: release})
	case device.ForgetRead:
		root.ForgetRead()
	case device.UnstageFiles:
		for _, content := range o.Contents {
			root.Unstage(content)
		}
	}
}

// list reads a directory, and afterwards makes sure that the root still is the
// directory that was watched: nothing may be concluded from the emptiness of
// another, or of one that is being taken away.
func list(root *store.Root, path zsync.Path) store.Listing {
	if path == "" {
		if err := root.Check(); err != nil {
			return store.Listing{Path: path, Err: err}
		}
	}
	l := root.List(path)
	if err := root.Check(); err != nil {
		return store.Listing{Path: path, Err: err}
	}
	return l
}

// stage writes received pieces, tells the folder what is there now, and gives the
// sender's credit back.
func stage(root *store.Root, space zsync.SpaceID, o device.StagePieces, post func(device.Address, any)) {
	errs := root.Stage(o.Pieces)
	for _, release := range o.Release {
		release()
	}
	staged := device.Staged{Pieces: make([]device.StagedPiece, len(o.Pieces))}
	link := device.Address{Part: device.Link}
	disposed := device.Disposed{Session: o.Session, Cost: o.Cost, Space: space, Peer: o.Peer}
	for i, piece := range o.Pieces {
		staged.Pieces[i] = device.StagedPiece{Content: piece.Content, Hash: piece.Hash, Offset: piece.Offset, Err: errs[i]}
		if errors.Is(errs[i], store.ErrCorrupt) {
			disposed.Bad++
			post(link, device.Disposed{Space: space, Peer: o.Peer, Total: piece.Size, Lost: []device.Item{itemOf(piece)}})
		}
	}
	post(device.Address{Part: device.Folder, Space: space}, staged)
	post(link, disposed)
}

func itemOf(p store.Piece) device.Item {
	item := device.Item{Hash: p.Hash, Offset: p.Offset, Size: uint32(len(p.Data))}
	if p.Content != p.Hash {
		item.Of = p.Content
	}
	return item
}

// read reads the pieces that a peer wants: one that travels alone into the memory that
// it is sent from. What cannot be read is refused with the reason. release gives the
// memory of the others back.
func read(root *store.Root, parts []device.SpanPart) (out []device.SupplyPart, release func()) {
	out = make([]device.SupplyPart, len(parts))
	var memory borrowed
	for _, p := range parts {
		if !filemq.Alone(int(p.Size)) {
			memory.left += int(p.Size)
		}
	}
	for i, p := range parts {
		out[i] = device.SupplyPart{Req: p.Req, Index: p.Index}
		if filemq.Alone(int(p.Size)) {
			readAlone(root, p, &out[i])
			continue
		}
		if out[i].Data = recent(root, p); out[i].Data != nil {
			memory.left -= int(p.Size)
			continue
		}
		out[i].Data = memory.take(int(p.Size))
		if err := root.Read(p.Span, p.Offset, out[i].Data); err != nil {
			out[i].Data, out[i].Code = nil, codeFor(err)
		}
	}
	return out, memory.release
}

func readAlone(root *store.Root, p device.SpanPart, out *device.SupplyPart) {
	out.Frame, out.Done = newFrame(filemq.Headroom + int(p.Size))
	out.Data = out.Frame[filemq.Headroom:]
	if err := root.Read(p.Span, p.Offset, out.Data); err != nil {
		out.Done()
		*out = device.SupplyPart{Req: p.Req, Index: p.Index, Code: codeFor(err)}
	}
}

// borrowed is the memory that the items of one answer lie in, one behind the other.
type borrowed struct {
	left    int    // octets that will be asked for yet
	rest    []byte // of the last buffer
	buffers []*chunkBuffer
}

// take returns size octets, at most a chunk.
func (b *borrowed) take(size int) []byte {
	if size > len(b.rest) {
		b.more()
	}
	data := b.rest[:size:size]
	b.rest, b.left = b.rest[size:], b.left-size
	return data
}

func (b *borrowed) more() {
	if b.left <= smallRead {
		b.rest = make([]byte, b.left)
		return
	}
	buffer := chunkBuffers.Get().(*chunkBuffer)
	b.buffers, b.rest = append(b.buffers, buffer), buffer[:]
}

func (b *borrowed) release() {
	for _, buffer := range b.buffers {
		chunkBuffers.Put(buffer)
	}
}

// recent returns the bytes of a whole small file that is still in memory, or nil.
func recent(root *store.Root, p device.SpanPart) []byte {
	if p.Offset != 0 || int64(p.Size) != p.Span.Stat.Size {
		return nil
	}
	return root.TakeRecent(p.Span.Content)
}

// smallRead is what is not worth a buffer from the pool, in octets.
const smallRead = 128 << 10

// chunkBuffer holds the largest item that a peer can ask for.
type chunkBuffer [zsync.ContentChunkMax]byte

// chunkBuffers spare the collector a megabyte for each chunk sent.
var chunkBuffers = sync.Pool{New: func() any { return new(chunkBuffer) }}

func codeFor(err error) filemq.Code {
	if errors.Is(err, store.ErrChanged) || errors.Is(err, store.ErrGone) {
		return filemq.CodeChanged
	}
	return filemq.CodeRead
}
