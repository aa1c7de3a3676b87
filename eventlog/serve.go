package eventlog

import (
	"cmp"
	"container/heap"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/internal/kv"
	"github.com/zsync/zsync/internal/wire"
)

// span names events of one writer, both ends included.
type span struct {
	_      struct{} `cbor:",toarray"`
	Writer zsync.WriterID
	From   uint64
	To     uint64
}

// gather returns stored envelopes of the spans in the total order, so that a
// receiver need not park them, up to limit octets but at least one. more says
// that others are left. Spans may reach past a cut.
func (l *Log) gather(tx kv.Tx, spans []span, limit int) (envelopes [][]byte, more bool) {
	var heads cursors
	for _, s := range spans {
		if w := l.byID[s.Writer]; w != nil && s.From > 0 {
			heads.start(tx, &cursor{log: l, writer: w, seq: s.From, to: min(s.To, w.Head.Seq)})
		}
	}
	heap.Init(&heads)
	total := 0
	for len(heads) > 0 {
		next := heads[0]
		if total += len(next.envelope); total > limit && len(envelopes) > 0 {
			return envelopes, true
		}
		envelopes = append(envelopes, next.envelope)
		next.seq++
		if next.load(tx) {
			heap.Fix(&heads, 0)
		} else {
			heap.Pop(&heads)
		}
	}
	return append(envelopes, l.gatherBeyond(tx, spans, limit-total)...), false
}

// gatherBeyond returns what is kept past cuts out of the chains: of spans past a
// cut, as much as fits.
func (l *Log) gatherBeyond(tx kv.Tx, spans []span, limit int) (envelopes [][]byte) {
	within := func(h *zsync.Header) bool {
		for _, s := range spans {
			if s.Writer == h.Writer && s.From <= h.Seq && h.Seq <= s.To {
				return true
			}
		}
		return false
	}
	tx.Scan(bucketBeyond, nil, func(_, value []byte) bool {
		e, err := DecodeEnvelope(value)
		if err != nil {
			return true
		}
		if h, err := parseHeader(e.Header); err == nil && within(&h) && len(value) <= limit {
			envelopes = append(envelopes, value)
			limit -= len(value)
		}
		return true
	})
	return envelopes
}

// cursor is the next event to be given of one span.
type cursor struct {
	log      *Log
	writer   *writer
	seq, to  uint64
	lamport  uint64
	envelope []byte
}

// load reads the event at seq; false past the end of the span.
func (c *cursor) load(tx kv.Tx) bool {
	if c.seq > c.to {
		return false
	}
	c.envelope = tx.Get(bucketLog, position(c.writer, c.seq))
	e, err := DecodeEnvelope(c.envelope)
	if err != nil {
		return false
	}
	var h zsync.Header
	if wire.Unmarshal(e.Header, &h) != nil {
		return false
	}
	c.lamport = h.Lamport
	return true
}

// cursors is a heap; the first in the total order is on top.
type cursors []*cursor

func (cs *cursors) start(tx kv.Tx, c *cursor) {
	if c.load(tx) {
		*cs = append(*cs, c)
	}
}

func (cs cursors) Len() int { return len(cs) }

func (cs cursors) Less(i, j int) bool {
	return cmp.Or(cmp.Compare(cs[i].lamport, cs[j].lamport), cs[i].writer.ID.Compare(cs[j].writer.ID), cmp.Compare(cs[i].seq, cs[j].seq)) < 0
}

func (cs cursors) Swap(i, j int) { cs[i], cs[j] = cs[j], cs[i] }

// Push implements [heap.Interface].
func (cs *cursors) Push(c any) { *cs = append(*cs, c.(*cursor)) }

// Pop implements [heap.Interface].
func (cs *cursors) Pop() any {
	last := (*cs)[len(*cs)-1]
	*cs = (*cs)[:len(*cs)-1]
	return last
}
