package eventlog

import (
	"cmp"
	"crypto/ed25519"
	"crypto/sha256"
	"fmt"
	"slices"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/internal/kv"
	"github.com/zsync/zsync/internal/wire"
)

// Found writes the first event of a new space into a database that holds no
// log, and returns the log with a as its author. The space's id follows from
// the event, so a's endorsement, and its key, are made for the zero space id.
// nonce must be random.
func Found(tx kv.Tx, t Type, a Author, nonce [16]byte, wallMS uint64, auth Authority) (*Log, Event, error) {
	if tx.Get(bucketMeta, []byte(metaKey)) != nil {
		return nil, Event{}, ErrOccupied
	}
	open := a.writerOpen()
	if a.public() == nil || !open.endorsed(zsync.SpaceID{}) {
		return nil, Event{}, fmt.Errorf("%w: the founder's endorsement is not over its writer", ErrRefused)
	}
	body := wire.Marshal(Genesis{Type: t, FoldVersion: foldVersion, Nonce: nonce, Open: open})
	header := zsync.Header{Writer: WriterOf(a.public(), zsync.SpaceID{}), Seq: 1, Lamport: 1, Kind: zsync.KindGenesis, WallMS: wallMS}
	r := seal(a, header, body)
	l, err := Open(tx, r.id.Space())
	if err != nil {
		return nil, Event{}, err
	}
	m := l.begin(tx, auth)
	m.open(&r)
	if len(m.out.Fresh) == 0 {
		panic("eventlog: own genesis refused")
	}
	l.Use(a)
	out, err := m.end()
	return l, out.Fresh[0], err
}

// Use makes a the author of own events. Its writer is opened before the first
// one that is appended, unless the log has it already. Call it before peers are
// linked, and with a new incarnation after [Log.OwnForked] or [Log.OwnLost].
func (l *Log) Use(a Author) {
	l.author, l.own, l.nameable = a, zsync.WriterID{}, nil
	public := a.public()
	if public == nil {
		return
	}
	l.own = WriterOf(public, l.meta.Space)
	if founder := WriterOf(public, zsync.SpaceID{}); l.byID[founder] != nil {
		l.own = founder
	}
}

// Next returns the writer and the seq of the event that [Log.Append] will write
// next; it accounts for the writer_open that will precede it.
func (l *Log) Next(kv.Tx) (zsync.WriterID, uint64) {
	if w := l.byID[l.own]; w != nil {
		return l.own, w.Head.Seq + 1
	}
	return l.own, 2
}

// Append signs and stores an event of this device with what the log holds as
// its past. Where the writer is new its writer_open is stored first. The event
// is void, for everyone, when auth does not admit it; a caller that goes on then
// only makes the log longer. Errors: [ErrNoAuthor], [ErrNoGenesis],
// [ErrForked], [ErrWriters], [ErrRefused] for a kind or a body that is no event,
// and those of the database.
func (l *Log) Append(tx kv.Tx, kind zsync.Kind, body []byte, wallMS uint64, auth Authority) (Event, error) {
	switch w := l.byID[l.own]; {
	case l.own == zsync.WriterID{}:
		return Event{}, ErrNoAuthor
	case !l.HasGenesis():
		return Event{}, ErrNoGenesis
	case w != nil && w.forked():
		return Event{}, ErrForked
	case l.OwnFull():
		return Event{}, ErrWriters
	case kind == zsync.KindGenesis || kind == zsync.KindWriterOpen:
		return Event{}, fmt.Errorf("%w: kind %d opens a writer", ErrRefused, kind)
	case len(body) > BodyBytesMax:
		return Event{}, fmt.Errorf("%w: body of %d octets, at most %d", ErrRefused, len(body), BodyBytesMax)
	}
	m := l.begin(tx, auth)
	if l.byID[l.own] == nil {
		open := l.author.writerOpen()
		if err := m.append(zsync.KindWriterOpen, wire.Marshal(open), wallMS); err != nil {
			return Event{}, err
		}
	}
	if err := m.append(kind, body, wallMS); err != nil {
		return Event{}, err
	}
	out, err := m.end()
	return out.Fresh[len(out.Fresh)-1], err
}

// append writes the next own event.
func (m *merge) append(kind zsync.Kind, body []byte, wallMS uint64) error {
	w := m.log.byID[m.log.own]
	h := m.compose(w, kind)
	if h.Lamport >= lamportEnd {
		return fmt.Errorf("%w: Lamport time has run out", ErrRefused)
	}
	h.WallMS = wallMS
	r := seal(m.log.author, h, body)
	m.writing = r.id
	if w == nil {
		m.open(&r)
	} else {
		m.link(w, &r)
	}
	m.drain()
	if w = m.log.byID[m.log.own]; w == nil || w.Head.ID != r.id {
		return fmt.Errorf("%w: own event not stored; is the endorsement over the writer?", ErrRefused)
	}
	return nil
}

// compose returns the header of the next own event of w, which is nil while it
// is not open: its place in the chain, in time, and in what is known.
func (m *merge) compose(w *writer, kind zsync.Kind) zsync.Header {
	l := m.log
	h := zsync.Header{Space: l.meta.Space, Writer: l.own, Seq: 1, Kind: kind}
	base, past := uint64(0), uint64(0)
	members := m.nameable()
	if w == nil || kind == zsync.KindMember || !slices.Equal(w.Auth, members) {
		h.Auth = slices.Clone(members)
		past = l.highest(m.tx, h.Auth)
		base = past
	}
	h.Deps = l.tips(m.tx, h.Auth)
	if w != nil {
		prev := w.Head.ID
		h.Seq, h.Prev, base = w.Head.Seq+1, &prev, w.Head.Lamport
	}
	for _, dep := range h.Deps {
		past = max(past, l.byID[dep.Writer].End.Lamport)
	}
	// A hostile past may be further on than one event can jump; each own event
	// then catches up as far as it may.
	h.Lamport = min(1+max(base, past), base+lamportJumpMax)
	return h
}

// tips returns the ends of the chains of others that no event is known to
// cover, ascending by writer. When there are too many, those of the authors of
// auth come first, so that whoever lacks one of these events sees whose it is,
// and then those latest in time.
func (l *Log) tips(tx kv.Tx, auth []zsync.EventID) []zsync.Ref {
	var tips []*writer
	for _, w := range l.sorted {
		if w.Tip && w.ID != l.own {
			tips = append(tips, w)
		}
	}
	if len(tips) > depsMax {
		named := make(map[*writer]int)
		for _, id := range auth {
			if w, _, found := l.find(tx, id); found {
				named[w] = 1
			}
		}
		slices.SortStableFunc(tips, func(a, b *writer) int {
			return cmp.Or(cmp.Compare(named[b], named[a]), cmp.Compare(b.End.Lamport, a.End.Lamport))
		})
		tips = tips[:depsMax]
		slices.SortFunc(tips, func(a, b *writer) int { return a.ID.Compare(b.ID) })
	}
	var refs []zsync.Ref
	for _, w := range tips {
		refs = append(refs, zsync.Ref{Writer: w.ID, Seq: w.End.Seq, ID: w.End.ID})
	}
	return refs
}

// seal completes and signs a header.
func seal(a Author, h zsync.Header, body []byte) read {
	h.Version, h.BodyLen, h.BodyHash = 1, uint64(len(body)), sha256.Sum256(body)
	header := wire.Marshal(&h)
	e := Envelope{Header: header, Sig: ed25519.Sign(a.Key, signatureText(header)), Body: body}
	return read{Envelope: e, header: h, id: eventID(header)}
}
