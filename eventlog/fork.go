package eventlog

import (
	"fmt"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/internal/kv"
	"github.com/zsync/zsync/internal/wire"
)

// forkRecord is the lowest proof against a writer, and where the log holds an
// event that carries a proof for that seq. CarrierSeq 0: nowhere.
type forkRecord struct {
	_          struct{} `cbor:",toarray"`
	Seq        uint64
	Carrier    uint32
	CarrierSeq uint64
	Proof      ForkProof
}

// proofIn returns the fork proof that an event carries, unless it carries none
// or one that does not decode.
func proofIn(r *read) (ForkProof, bool) {
	if r.header.Kind != zsync.KindForkProof || r.header.KeyEpoch != 0 {
		return ForkProof{}, false
	}
	p, err := DecodeForkProof(r.Body)
	return p, err == nil
}

// fork meets an event of w where the log holds another one.
func (m *merge) fork(w *writer, r *read) {
	held, found := m.log.at(m.tx, w, r.header.Seq)
	if !found {
		return
	}
	if held.header.Kind == zsync.KindGenesis {
		m.out.Bad++ // only the event that names the space can be its genesis
		return
	}
	m.cut(w, r.header.Seq, proofOf(held.Envelope, r.Envelope))
	if r.header.Seq == 1 {
		return
	}
	before, _ := m.log.idAt(m.tx, w, r.header.Seq-1)
	if *r.header.Prev != before {
		m.out.astray = append(m.out.astray, stray{w.ID, r.header.Seq})
	}
}

// prove takes a proof from an event or, with a nil carrier, from a message. One
// that proves nothing has no effect. Nor has one that says what is known, which
// anyone can repeat at no cost: it is dropped before a signature is checked.
func (m *merge) prove(p ForkProof, carrier *writer, carrierSeq uint64) {
	id, seq, err := p.accused(m.log.meta.Space)
	w := m.log.byID[id]
	if err != nil || w == nil || seq-1 > w.Cut {
		return
	}
	if seq-1 == w.Cut {
		m.carry(w, seq, p, carrier, carrierSeq)
		return
	}
	if held, found := m.log.heldOf(m.tx, w.ID); found && held.Seq < seq || found && carrier == nil && held.Seq == seq {
		return // it would change nothing
	}
	if p.signedBy(w.Key[:]) {
		m.cut(w, seq, p)
		m.carry(w, seq, p, carrier, carrierSeq)
	}
}

// carry notes which event carries the proof of a cut, if none was known to. Only
// another proof than the one kept, which was checked, has to be checked.
func (m *merge) carry(w *writer, seq uint64, p ForkProof, carrier *writer, carrierSeq uint64) {
	if carrier == nil {
		return
	}
	if held, found := m.log.heldOf(m.tx, w.ID); found && held.Seq == seq && !m.log.carried(held) {
		held.Carrier, held.CarrierSeq = carrier.index, carrierSeq
		m.saveHeld(w, held)
		return
	}
	rec, found := m.log.forkOf(m.tx, w.ID)
	if !found || rec.Seq != seq || m.log.carried(rec) || !rec.Proof.equal(&p) && !p.signedBy(w.Key[:]) {
		return
	}
	rec.Carrier, rec.CarrierSeq = carrier.index, carrierSeq
	m.saveFork(w, rec)
}

// cut ends the chain of w before seq, where proof shows two events, or notes that it
// will be.
func (m *merge) cut(w *writer, seq uint64, proof ForkProof) {
	if seq-1 >= w.Cut || m.holds(w, seq, proof) {
		return
	}
	ended := w.End.Seq
	w.Cut = seq - 1
	if w.Head.Seq > w.Cut {
		m.truncate(w, ended)
	}
	w.save(m.tx)
	m.saveFork(w, forkRecord{Seq: seq, Proof: proof})
	m.out.Forked = append(m.out.Forked, w.ID)
	m.unpark = true
}

// truncate moves the end of w, which was at seq ended, back to its cut.
func (m *merge) truncate(w *writer, ended uint64) {
	w.End = point{}
	if r, found := m.log.at(m.tx, w, w.Cut); found {
		w.End = point{Seq: w.Cut, Lamport: r.header.Lamport, ID: r.id}
	}
	w.Tip, m.log.unchanged = w.Tip && w.End.Seq > 0, false
	m.revoked = true
	first, fresh := m.started[w]
	if !fresh {
		first = w.Head.Seq + 1
	}
	m.out.Refold = m.out.Refold || w.End.Seq+1 < first && w.End.Seq < ended
	m.unjudged = m.unjudged || m.grants(w, w.Cut+1, ended)
}

// rejudge asks the authority about every event that counts, as if those past a
// cut had never been.
func (m *merge) rejudge() {
	m.unjudged = false
	forgetter, able := m.auth.(Forgetter)
	if !able {
		return
	}
	forgetter.Forget(m.tx)
	m.tx.Drop(bucketVoid)
	m.log.meta.Members, m.log.nameable = nil, nil
	m.log.causally(m.tx, func(w *writer, r *read) { m.judge(w, r) })
	m.out.Refold = true
}

// learn takes a proof that came as a message of its own.
func (l *Log) learn(tx kv.Tx, p ForkProof, auth Authority) (Merged, error) {
	m := l.begin(tx, auth)
	m.prove(p, nil, 0)
	m.drain()
	return m.end()
}

// Prove logs, with the own writer, each proof that no event here carries. It
// does nothing while that writer is not open, not admitted or forked itself.
func (l *Log) Prove(tx kv.Tx, wallMS uint64, auth Authority) ([]Event, error) {
	if !l.mayProve(tx) {
		return nil, nil
	}
	var bare []ForkProof
	l.forks(tx, func(rec forkRecord) bool {
		if !l.carried(rec) {
			bare = append(bare, rec.Proof)
		}
		return true
	})
	m := l.begin(tx, auth)
	for _, p := range bare {
		if err := m.append(zsync.KindForkProof, wire.Marshal(p), wallMS); err != nil {
			return m.out.Fresh, err
		}
	}
	out, err := m.end()
	return out.Fresh, err
}

// mayProve reports whether what the own writer says now would count.
func (l *Log) mayProve(tx kv.Tx) bool {
	own := l.byID[l.own]
	return own != nil && !own.forked() && !l.void(tx, own, own.Head.Seq)
}

// carried reports whether an event that counts, or is merely not admitted,
// carries the proof, so that every device will have it.
func (l *Log) carried(rec forkRecord) bool {
	return rec.CarrierSeq > 0 && rec.CarrierSeq <= l.writers[rec.Carrier].Cut
}

// forks calls visit for the lowest proof against each forked writer, ascending,
// until it returns false.
func (l *Log) forks(tx kv.Tx, visit func(forkRecord) bool) {
	tx.Scan(bucketForks, nil, func(_, value []byte) bool { return visit(decodeFork(tx, value)) })
}

func (l *Log) forkOf(tx kv.Tx, w zsync.WriterID) (rec forkRecord, found bool) {
	data := tx.Get(bucketForks, w[:])
	if data == nil {
		return forkRecord{}, false
	}
	return decodeFork(tx, data), true
}

func decodeFork(tx kv.Tx, value []byte) forkRecord {
	var rec forkRecord
	if err := wire.Unmarshal(value, &rec); err != nil {
		tx.Fail(fmt.Errorf("%w: forks: %w", ErrCorrupt, err))
	}
	return rec
}

func (m *merge) saveFork(w *writer, rec forkRecord) {
	m.tx.Put(bucketForks, w.ID[:], wire.Marshal(&rec))
}
