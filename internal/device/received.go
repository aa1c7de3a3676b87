package device

import (
	"crypto/sha256"
	"time"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/filemq"
	"github.com/zsync/zsync/store"
)

// receiving is the frame whose items are being taken. Its memory can be given
// back once all of them are on the disk, unless a list node in it went elsewhere.
type receiving struct {
	release func()
	space   zsync.SpaceID
	staged  int
	shared  bool
}

// received leaves it to the worker that writes the frame's items to give its
// memory back.
func (t *transfers) received(s *session) {
	r := t.receiving
	t.receiving = receiving{}
	if job := s.pieces[r.space]; job != nil && r.release != nil && r.staged > 0 && !r.shared {
		job.Release = append(job.Release, r.release)
	}
}

// got takes one item that came. List nodes are checked here and go to the folder;
// bytes go to the disk workers, who check them as they write.
func (t *transfers) got(now time.Time, s *session, got filemq.Got) {
	s.debt.arrived(now, int64(got.Item.Size)+itemWeight)
	b, item := s.take(got.Req, got.Index)
	if b == nil {
		s.fm.Disposed(now, got.Cost)
		return
	}
	if !item.Lists {
		t.settleTwin(now, b, item)
		t.receiving.shared = t.receiving.shared || t.receiving.staged > 0 && t.receiving.space != b.space
		t.receiving.space = b.space
		t.receiving.staged++
		s.stage(b, item, got)
		return
	}
	t.receiving.shared = true
	s.fm.Disposed(now, got.Cost)
	if sha256.Sum256(got.Data) != item.Hash {
		t.offences = append(t.offences, Offended{s.peer, OffenceBytes})
		s.fm.BadItem(now)
		t.requeue(b.with(item), s.peer, true)
		return
	}
	t.settleTwin(now, b, item)
	t.out = append(t.out, Effect{Address{Part: Folder, Space: b.space}, GotNodes{
		Of: item.Of, Nodes: []store.ListNode{{Hash: item.Hash, Data: got.Data}},
	}})
}

// stage adds an item to what goes to the disk at the end of the turn.
func (s *session) stage(b *batch, item Item, got filemq.Got) {
	job := s.pieces[b.space]
	if job == nil {
		job = &StagePieces{Session: s.conn, Peer: s.peer}
		s.pieces[b.space] = job
	}
	piece := store.Piece{Content: item.Of, Size: b.total, Hash: item.Hash, Offset: item.Offset, Data: got.Data}
	if item.Of.IsZero() {
		piece.Content, piece.Size = item.Hash, int64(item.Size)
	}
	job.Pieces = append(job.Pieces, piece)
	job.Cost += got.Cost
}

// missing takes an item that the peer has not, or not now.
func (t *transfers) missing(now time.Time, s *session, m filemq.Missing) {
	if m.Code == filemq.CodeBad {
		t.offences = append(t.offences, Offended{s.peer, OffenceBytes})
	}
	s.debt.heard = now
	b, item := s.take(m.Req, m.Index)
	if b != nil && m.Code != filemq.CodeCancelled {
		t.requeue(b.with(item), s.peer, m.Code < filemq.CodeStalled && m.Code != filemq.CodeQueueFull)
	}
}

// disposed returns credit for data that is on the disk or was dropped.
func (t *transfers) disposed(now time.Time, in Disposed) {
	if in.Bad > 0 {
		t.offences = append(t.offences, Offended{in.Peer, OffenceBytes})
	}
	if s := t.sessions[in.Session]; s != nil {
		s.fm.Disposed(now, in.Cost)
		for range in.Bad {
			s.fm.BadItem(now)
		}
		t.settle(now, s)
	}
	for _, item := range in.Lost {
		t.requeue(&batch{space: in.Space, prio: prioNormal, total: in.Total, of: item.Of, items: []Item{item}}, in.Peer, !in.Peer.IsZero())
	}
}

// take settles one item of a request and returns it with its batch.
func (s *session) take(req uint32, index uint16) (*batch, Item) {
	b := s.requests[req]
	if b == nil || int(index) >= len(b.items) {
		return nil, Item{}
	}
	item := b.items[index]
	if item.Hash.IsZero() {
		return nil, Item{}
	}
	b.items[index] = Item{}
	s.came += int64(item.Size)
	s.debt.settled(item.weight())
	if b.left--; b.left == 0 {
		delete(s.requests, req)
	}
	return b, item
}

// with returns a batch like b of one item.
func (b *batch) with(item Item) *batch {
	one := *b
	one.items = []Item{item}
	return &one
}
