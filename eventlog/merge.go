package eventlog

import (
	"slices"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/internal/kv"
)

// Merged is what a merge changed.
type Merged struct {
	// Fresh are the events that were stored, in causal order, void ones included.
	Fresh []Event
	// Refold says that events merged earlier changed what they mean: fold again
	// all that [Log.Each] yields. Fresh is among it.
	Refold bool
	// Forked are the writers that were cut, or cut lower than before.
	Forked []zsync.WriterID
	// Bad counts envelopes that are no events of this space, and forgeries.
	Bad int

	// astray are events that continue another branch than the one here: an
	// earlier event of that branch would prove the fork.
	astray []stray
	// noted counts events past a cut that something had waited for.
	noted int
	// crowded says that a writer lost its place to another one of its device.
	crowded bool
}

// stray is where a chain does not fit the one here.
type stray struct {
	writer zsync.WriterID
	seq    uint64
}

// gained reports whether the merge brought anything that was lacking.
func (m *Merged) gained() bool { return len(m.Fresh) > 0 || len(m.Forked) > 0 || m.noted > 0 }

// Merge stores what is new among in and parks what cannot be stored yet. It may
// be given anything, in any order, any number of times. The events it returns
// alias in. An error is one of the database; the transaction must then not
// commit.
func (l *Log) Merge(tx kv.Tx, in []Envelope, auth Authority) (Merged, error) {
	m := l.begin(tx, auth)
	for _, e := range in {
		m.take(candidate{Envelope: e})
	}
	return m.end()
}

// merge is one change of the log under way.
type merge struct {
	log  *Log
	tx   kv.Tx
	auth Authority
	out  Merged

	queue   []candidate
	started map[*writer]uint64 // the seq of the first event stored in this merge
	revoked bool               // what is void has changed
	unpark  bool               // what waited for an event past a cut waits no more
	// unjudged says that rights rested on what was cut: all is judged again before
	// anything else is merged.
	unjudged bool
	writing  zsync.EventID // the own event that is being appended
}

func (l *Log) begin(tx kv.Tx, auth Authority) *merge {
	return &merge{log: l, tx: tx, auth: auth, started: make(map[*writer]uint64)}
}

// end settles which of the fresh events are void after all.
func (m *merge) end() (Merged, error) {
	if m.revoked {
		for i := range m.out.Fresh {
			e := &m.out.Fresh[i]
			e.Void = m.log.void(m.tx, m.log.byID[e.Header.Writer], e.Header.Seq)
		}
	}
	return m.out, m.tx.Err()
}

// take merges one envelope and then all that waited for it.
func (m *merge) take(c candidate) {
	m.queue = append(m.queue, c)
	m.drain()
}

// drain merges what waits, and then, once for all cuts that there were, what waited
// for an event past one.
func (m *merge) drain() {
	for {
		if m.unjudged {
			m.rejudge()
		}
		switch {
		case len(m.queue) > 0:
			next := m.queue[0]
			m.queue = m.queue[1:]
			m.offer(next)
		case m.unpark:
			m.unpark = false
			m.queue = m.log.parking.takeAll(m.tx)
		default:
			m.queue = nil
			return
		}
	}
}

func (m *merge) offer(c candidate) {
	r, err := parse(c.Envelope, m.log.meta.Space)
	if err != nil {
		m.out.Bad++
		return
	}
	w := m.log.byID[r.header.Writer]
	switch {
	case w != nil:
		m.extend(w, &r, c.verified)
	case r.header.Seq == 1:
		m.open(&r)
	default:
		id := r.header.Writer
		m.log.parking.add(m.tx, &r, need{key: id}, false)
	}
}

// extend judges an event of a writer that is here by its place in the chain.
func (m *merge) extend(w *writer, r *read, verified bool) {
	seq := r.header.Seq
	if held, found := m.log.idAt(m.tx, w, seq); found && held == r.id {
		return
	}
	if !verified && !m.log.signed(r, w.Key[:]) {
		m.out.Bad++
		return
	}
	if seq > w.Head.Seq {
		m.witness(r)
	}
	switch {
	case seq > w.Cut:
		m.note(r)
	case seq <= w.Head.Seq:
		m.fork(w, r)
	case seq > w.Head.Seq+1:
		m.log.parking.add(m.tx, r, need{key: prefixOf(*r.header.Prev)}, true)
	case *r.header.Prev != w.Head.ID:
		m.out.astray = append(m.out.astray, stray{w.ID, seq})
	case !follows(r.header.Lamport, w.Head.Lamport):
		m.out.Bad++
	default:
		m.link(w, r)
	}
}

// witness takes note of an event of the own writer that this device has not got,
// whose signature was checked: only this device can have made it.
func (m *merge) witness(r *read) {
	if r.header.Writer == m.log.own && r.id != m.writing {
		m.log.lost = m.log.own
	}
}

// follows is the jump rule: time goes on, and no event uses up much of what is
// left of it.
func follows(lamport, base uint64) bool {
	return lamport > base && lamport-base <= lamportJumpMax
}

// open stores the first event of a writer that is not here yet.
func (m *merge) open(r *read) {
	o, space, err := opening(r)
	if err != nil || !m.log.expects(r) || WriterOf(o.Writer[:], space) != r.header.Writer ||
		!o.endorsed(space) || !m.log.signed(r, o.Writer[:]) {
		m.out.Bad++
		return
	}
	m.witness(r)
	w := &writer{ID: r.header.Writer, Key: o.Writer, Device: zsync.DeviceOf(o.Device[:]), Cut: noCut}
	if m.log.crowded(w) {
		m.noteCrowded(w, r)
		return
	}
	if m.log.held && len(m.log.tooMany(w.Device)) >= deviceWritersMax {
		return // until those that are held have gone; it is asked for again
	}
	if m.log.places() >= writersMax {
		m.out.Bad++
		return
	}
	if n, lacking := m.lacks(r); lacking {
		m.log.parking.add(m.tx, r, n, true)
		return
	}
	if r.header.Kind != zsync.KindGenesis && !follows(r.header.Lamport, m.log.highest(m.tx, r.header.Auth)) {
		m.out.Bad++
		return
	}
	m.log.insert(w)
	if r.header.Kind == zsync.KindGenesis {
		m.log.meta.Founder = w.Device
		m.log.saveMeta(m.tx)
		m.log.Use(m.log.author) // the author may be the founder
	}
	m.store(w, r)
	m.wake(w.ID)
	m.crowdOut(w.Device)
}

// expects reports whether r is not the genesis of a space of an unexpected type.
func (l *Log) expects(r *read) bool {
	if l.expected == 0 || r.header.Kind != zsync.KindGenesis {
		return true
	}
	g, err := DecodeGenesis(r.Body)
	return err == nil && g.Type == l.expected
}

// highest returns the highest Lamport time of the events named.
func (l *Log) highest(tx kv.Tx, ids []zsync.EventID) uint64 {
	highest := uint64(0)
	for _, id := range ids {
		h, _, _ := l.headerOf(tx, id)
		highest = max(highest, h.Lamport)
	}
	return highest
}

// link stores the next event of a chain once all that it names is here.
func (m *merge) link(w *writer, r *read) {
	if n, lacking := m.lacks(r); lacking {
		m.log.parking.add(m.tx, r, n, true)
		return
	}
	m.store(w, r)
}

// lacks returns the first thing that an event names and that is not here,
// besides its place in its own chain.
func (m *merge) lacks(r *read) (need, bool) {
	for _, dep := range r.header.Deps {
		w := m.log.byID[dep.Writer]
		if w == nil {
			return need{prefixOf(dep.ID), askWriter, dep.Writer}, true
		}
		if dep.Seq > w.Cut {
			continue
		}
		if held, found := m.log.idAt(m.tx, w, dep.Seq); !found || held != dep.ID {
			return need{key: prefixOf(dep.ID)}, true
		}
	}
	if _, missing := m.log.standing(m.tx, r.header.Auth); missing != nil {
		return need{key: prefixOf(*missing), ask: askTail}, true
	}
	if p, found := proofIn(r); found {
		// An honest author had the accused in its past.
		if accused, _, err := p.accused(m.log.meta.Space); err == nil && m.log.byID[accused] == nil {
			return need{accused, askWriter, accused}, true
		}
	}
	return need{}, false
}

// store puts the next event of w into the log: all it rests on is here.
func (m *merge) store(w *writer, r *read) {
	l, tx, h := m.log, m.tx, &r.header
	key := position(w, h.Seq)
	tx.Put(bucketLog, key, r.Encode())
	tx.Put(bucketOrder, orderKey(h), indexKey(w))
	tx.Put(bucketHash, r.id[:16], append(slices.Clone(key), r.id[16:]...))
	if _, found := m.started[w]; !found {
		m.started[w] = h.Seq
	}
	w.Head = point{Seq: h.Seq, Lamport: h.Lamport, ID: r.id}
	w.End, w.Tip, l.unchanged = w.Head, true, false
	if len(h.Auth) > 0 {
		w.Auth = h.Auth
	}
	w.save(tx)
	l.cover(tx, h.Deps)

	admitted := m.judge(w, r)
	m.out.Fresh = append(m.out.Fresh, Event{ID: r.id, Header: *h, Author: w.Device, Body: r.Body, Void: !admitted})
	m.wake(prefixOf(r.id))
	if p, found := proofIn(r); found {
		m.prove(p, w, h.Seq)
	}
}

// cover takes from the tips what an event names as its past.
func (l *Log) cover(tx kv.Tx, deps []zsync.Ref) {
	for _, dep := range deps {
		if w := l.byID[dep.Writer]; w.Tip && dep.Seq >= w.End.Seq {
			w.Tip = false
			w.save(tx)
		}
	}
}

// wake merges again what waited for key.
func (m *merge) wake(key [16]byte) {
	m.queue = append(m.queue, m.log.parking.take(m.tx, key)...)
}

// note keeps an event past a cut if something waits for it, which can only be
// as its auth: it gave no right, but now it is known.
func (m *merge) note(r *read) {
	if !m.log.parking.awaited(r.id) {
		return
	}
	m.tx.Put(bucketBeyond, r.id[:16], r.Encode())
	m.out.noted++
	m.wake(prefixOf(r.id))
}

func prefixOf(id zsync.EventID) [16]byte { return [16]byte(id[:16]) }
