package eventlog

import (
	"slices"
	"time"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/internal/kv"
	"github.com/zsync/zsync/internal/wire"
)

// A cut below what was merged before, or below an event about membership, has all that
// counts folded anew, and a proof costs its author nothing. So a log has so many of them at once, all writers
// together; further proofs are held, of each writer the lowest, and take effect
// together after a pause, which doubles while there are more. A quiet time restores
// what is free. An own writer is cut at once: this device has to open another one.
const (
	cutsFree    = 8
	recutMin    = time.Second
	recutMax    = 10 * time.Minute
	recutForget = time.Hour // without a costly cut
)

// costs reports whether a cut takes back what earlier merges brought, or rights, which
// has all that counts judged anew though they came just now.
func (m *merge) costs(w *writer, seq uint64) bool {
	first, fresh := m.started[w]
	if !fresh {
		first = w.Head.Seq + 1
	}
	return seq <= w.End.Seq && (seq < first || m.grants(w, seq, w.End.Seq))
}

// grants reports whether one of some events of w is about membership.
func (m *merge) grants(w *writer, from, to uint64) bool {
	for seq := from; seq <= to; seq++ {
		if r, found := m.log.at(m.tx, w, seq); found && r.header.Kind == zsync.KindMember {
			return true
		}
	}
	return false
}

// holds reports whether a cut has to wait, and takes note of it. Below one that is
// held every other one costs as much.
func (m *merge) holds(w *writer, seq uint64, proof ForkProof) bool {
	l := m.log
	if !l.patient || w.ID == l.own {
		return false
	}
	held, found := l.heldOf(m.tx, w.ID)
	switch {
	case !found && !m.costs(w, seq):
		return false
	case l.cutsLeft > 0:
		l.cutsLeft--
		return false
	case !found || seq < held.Seq:
		m.saveHeld(w, forkRecord{Seq: seq, Proof: proof})
	}
	return true
}

// holdsCrowd reports whether writers that are too many keep their places for now.
func (m *merge) holdsCrowd(out []*writer) bool {
	l := m.log
	costs := func(w *writer) bool { return m.costs(w, 1) }
	own := func(w *writer) bool { return w.ID == l.own }
	switch {
	case !l.patient || slices.ContainsFunc(out, own) || !slices.ContainsFunc(out, costs):
		return false
	case l.cutsLeft > 0:
		l.cutsLeft--
		return false
	}
	l.held = true
	return true
}

func (m *merge) saveHeld(w *writer, rec forkRecord) {
	m.tx.Put(bucketHeld, w.ID[:], wire.Marshal(&rec))
	m.log.held = true
}

func (l *Log) heldOf(tx kv.Tx, w zsync.WriterID) (rec forkRecord, found bool) {
	if !l.held {
		return rec, false
	}
	data := tx.Get(bucketHeld, w[:])
	if data == nil {
		return rec, false
	}
	return decodeFork(tx, data), true
}

func (l *Log) openHeld(tx kv.Tx) {
	tx.Scan(bucketHeld, nil, func(_, _ []byte) bool {
		l.held = true
		return false
	})
	l.held = l.held || len(l.crowds()) > 0
}

// release lets all that is held take effect, at the cost of one cut.
func (l *Log) release(tx kv.Tx, auth Authority) (Merged, error) {
	type one struct {
		w   *writer
		rec forkRecord
	}
	var all []one
	tx.Scan(bucketHeld, nil, func(key, value []byte) bool {
		all = append(all, one{l.byID[zsync.WriterID(key)], decodeFork(tx, value)})
		return true
	})
	tx.Drop(bucketHeld)
	patient := l.patient
	l.held, l.patient = false, false
	m := l.begin(tx, auth)
	for _, h := range all {
		if h.rec.Seq-1 >= h.w.Cut {
			continue
		}
		if m.cut(h.w, h.rec.Seq, h.rec.Proof); h.rec.CarrierSeq > 0 {
			m.saveFork(h.w, h.rec)
		}
	}
	for _, device := range l.crowds() {
		m.crowdOut(device)
	}
	m.drain()
	l.patient = patient
	return m.end()
}

// recuts is when the cuts that a log holds take effect.
type recuts struct {
	at   time.Time // zero: nothing is held
	wait time.Duration
	last time.Time // when there was a costly cut last
}

// release lets what is held take effect once its time has come, and makes cuts free
// again after a quiet time.
func (x *Exchange) release(tx kv.Tx, now time.Time) (Merged, error) {
	r := &x.recuts
	if now.Sub(r.last) >= recutForget {
		x.log.cutsLeft, r.wait = cutsFree, 0
	}
	switch {
	case !x.log.held:
		r.at = time.Time{}
		return Merged{}, nil
	case r.at.IsZero():
		r.wait = min(max(2*r.wait, recutMin), recutMax)
		r.at = now.Add(r.wait)
	}
	if !due(r.at, now) {
		return Merged{}, nil
	}
	r.at, r.last = time.Time{}, now
	return x.log.release(tx, x.auth)
}

// with adds what another merge after this one in the same transaction changed.
func (m *Merged) with(o Merged) {
	m.Fresh, m.Forked, m.astray = append(m.Fresh, o.Fresh...), append(m.Forked, o.Forked...), append(m.astray, o.astray...)
	m.Refold, m.crowded = m.Refold || o.Refold, m.crowded || o.crowded
	m.Bad, m.noted = m.Bad+o.Bad, m.noted+o.noted
}
