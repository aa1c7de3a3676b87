package eventlog

import (
	"errors"
	"slices"
	"time"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/internal/kv"
)

// ErrNotLinked is returned for a message of a peer that is not linked.
var ErrNotLinked = errors.New("eventlog: message of a peer that is not linked")

// The times of an Exchange.
const (
	announceMin = 30 * time.Second // HEADS to the whole group, even when nothing happens
	announceMax = 60 * time.Second
	gossipMin   = 50 * time.Millisecond // HEADS to peers that may not know yet, after a gain
	gossipMax   = 500 * time.Millisecond
	askEvery    = time.Second      // VV to one peer
	answerWait  = 5 * time.Second  // for a VV
	eventsWait  = 10 * time.Second // for EVENTS, doubling where they are late
	eventsMax   = 80 * time.Second
	retryMin    = time.Second // after a round that brought nothing, doubling
	retryMax    = time.Minute
	doubtWait   = 10 * time.Second // for the proof that own events were lost
	proveMin    = 5 * time.Second  // before logging a proof that a peer found: it will log it itself
	proveMax    = 15 * time.Second
	proveEvery  = time.Second // between two looks at all proofs
)

// gossipPeersMax is how many peers are told of one gain. Rumours of that breadth
// reach everyone in a few rounds; telling all would cost the square of a group.
const gossipPeersMax = 8

// Message is one message to send: an order. Body is what follows the octets of
// version and type.
type Message struct {
	To   zsync.DeviceID // zero: to the group of the space
	Type uint8
	Body []byte
}

// ExchangeOutput is what an Exchange wants sent, once the transaction that
// produced it is committed.
type ExchangeOutput struct {
	Whisper []Message // each to one peer, in this order
	Shout   []Message // each to the group of the space
}

// Exchange keeps one space in step with all linked peers. Whoever lacks
// something pulls it: a digest of all heads says whether two logs differ
// (HEADS), the heads themselves say in what (VV), and the answer to a PULL is
// ordered so that it can be stored as it comes. Lost messages are made up for
// by asking again.
//
//	A                                   B
//	│ ── HEADS digest ────────────────▶ │  equal: done
//	│ ◀──────────────────── VV heads ── │
//	│ ── VV heads, answer ────────────▶ │  both know who lacks what
//	│ ◀───────────────────── PULL 4-9 ── │
//	│ ── EVENTS, more ────────────────▶ │  stored, then the next PULL
//
// It is used by the goroutine that owns its Log.
type Exchange struct {
	log  *Log
	auth Authority
	self zsync.DeviceID

	peers      []*peer // ascending by id
	announceAt time.Time
	gossipAt   time.Time
	proveAt    time.Time // from when a proof that no event carries is logged
	provedAt   time.Time // when that was done last
	proved     bool      // no cut has come since all proofs were seen to be carried
	compared   bool
	doubted    zsync.WriterID // the own writer, while a peer's claim to have more of it awaits its proof
	doubtUntil time.Time      // when the first such claim is believed no longer; zero: there was none
	recuts     recuts
	rolls      uint64
	push       [][]byte // envelopes to shout with the next HEADS
	shoutHeads bool
	out        ExchangeOutput
}

// NewExchange returns the Exchange of l's space on device self. auth is what
// the caller passes to [Log.Append], too.
func NewExchange(l *Log, auth Authority, self zsync.DeviceID) *Exchange {
	l.patient, l.cutsLeft = true, cutsFree
	return &Exchange{log: l, auth: auth, self: self}
}

// Linked begins the conversation with a peer, which the caller found to be a
// member, or wants the space from.
func (x *Exchange) Linked(_ kv.Tx, now time.Time, id zsync.DeviceID) {
	at, found := slices.BinarySearchFunc(x.peers, id, comparePeer)
	if found || id == x.self {
		return
	}
	p := &peer{id: id, retryAt: now, backoff: retryMin, patience: eventsWait, search: make(map[zsync.WriterID]search)}
	x.peers = slices.Insert(x.peers, at, p)
	x.whisper(p, MessageHeads, x.heads(nil))
	if x.announceAt.IsZero() {
		x.announceAt = x.between(now, announceMin, announceMax)
	}
}

// Unlinked ends it. What was being pulled from that peer is asked of others.
func (x *Exchange) Unlinked(now time.Time, id zsync.DeviceID) {
	at, found := slices.BinarySearchFunc(x.peers, id, comparePeer)
	if !found {
		return
	}
	x.peers = slices.Delete(x.peers, at, at+1)
	x.unblock(now)
	if len(x.peers) == 0 {
		x.announceAt, x.gossipAt = time.Time{}, time.Time{}
	}
}

// Received takes a message of a linked peer and returns what it merged. An
// error that wraps [ErrMalformed] or is [ErrNotLinked] is the sender's; any
// other is the database's, and the transaction must not commit.
func (x *Exchange) Received(tx kv.Tx, now time.Time, from zsync.DeviceID, msgType uint8, body []byte) (Merged, error) {
	at, found := slices.BinarySearchFunc(x.peers, from, comparePeer)
	if !found {
		return Merged{}, ErrNotLinked
	}
	before := x.log.Frontier()
	merged, err := x.release(tx, now)
	if err != nil {
		return merged, err
	}
	left := x.log.cutsLeft
	brought, err := x.dispatch(tx, now, x.peers[at], msgType, body)
	if merged.with(brought); err != nil {
		return merged, err
	}
	if x.log.cutsLeft < left {
		x.recuts.last = now
	}
	if x.log.Frontier() != before {
		x.changed(now)
	}
	err = x.shoutForks(tx, now, &merged, msgType)
	return merged, err
}

func (x *Exchange) dispatch(tx kv.Tx, now time.Time, p *peer, msgType uint8, body []byte) (Merged, error) {
	switch msgType {
	case MessageHeads:
		return x.receivedHeads(tx, now, p, body)
	case MessageVV:
		return Merged{}, x.receivedVV(tx, now, p, body)
	case MessagePull:
		return Merged{}, x.receivedPull(tx, p, body)
	case MessageEvents:
		return x.receivedEvents(tx, now, p, body)
	case MessageFork:
		return x.receivedFork(tx, now, p, body)
	case MessageNak:
		return Merged{}, x.receivedNak(now, p, body)
	}
	return Merged{}, malformed("message of type %d", msgType)
}

// Appended announces own events that were appended in this transaction.
func (x *Exchange) Appended(tx kv.Tx, now time.Time, events []Event) {
	for i := range events {
		w := x.log.byID[events[i].Header.Writer]
		first := events[i].Header.Seq
		if first == 2 {
			first = 1 // Append opened the writer just before
		}
		for seq := first; seq <= events[i].Header.Seq; seq++ {
			x.push = append(x.push, slices.Clone(tx.Get(bucketLog, position(w, seq))))
		}
	}
	x.shoutHeads = true
	x.gossipAt = time.Time{}
	if len(x.peers) > 0 {
		x.announceAt = x.between(now, announceMin, announceMax)
	}
}

// Advance acts on every deadline that has passed.
func (x *Exchange) Advance(tx kv.Tx, now time.Time) {
	if due(x.announceAt, now) {
		x.shoutHeads = true
		x.announceAt = x.between(now, announceMin, announceMax)
	}
	if due(x.gossipAt, now) {
		x.gossip()
	}
	if due(x.doubtUntil, now) {
		x.doubted = zsync.WriterID{}
	}
	for _, p := range x.peers {
		if due(p.answerBy, now) {
			p.answerBy = time.Time{}
			p.wait(now)
		}
		if due(p.eventsBy, now) {
			p.patience = min(2*p.patience, eventsMax)
			x.finish(tx, now, p, false)
		}
	}
	x.considerAll(tx, now)
}

// Deadline returns when Advance is next needed; zero: never.
func (x *Exchange) Deadline() time.Time {
	next := earliest(x.announceAt, x.gossipAt)
	if x.doubts() {
		next = earliest(next, x.doubtUntil)
	}
	frontier := x.log.Frontier()
	for _, p := range x.peers {
		next = earliest(next, earliest(p.answerBy, p.eventsBy))
		if p.pending(frontier) {
			next = earliest(next, p.retryAt)
		}
	}
	return next
}

// Output returns the messages to send and forgets them. They go out after the
// commit.
func (x *Exchange) Output() ExchangeOutput {
	if x.shoutHeads && len(x.peers) > 0 {
		x.out.Shout = append(x.out.Shout, Message{Type: MessageHeads, Body: x.heads(x.pushed())})
	}
	x.shoutHeads, x.push = false, nil
	out := x.out
	x.out = ExchangeOutput{}
	for _, p := range x.peers {
		p.given = 0
	}
	return out
}

// Confirmed reports whether the own head was compared with a linked peer's and
// found not to be behind: own events are then safe to append. A peer that claims
// to have more of the own writer puts that off until the proof is here, but no
// longer than ten seconds, and once: a claim alone proves nothing.
func (x *Exchange) Confirmed() bool { return x.compared && !x.doubts() && !x.OwnBehind() }

// OwnBehind reports whether a peer gave an event of the own writer that this
// device had lost. The caller opens a new incarnation: see [Log.Use].
func (x *Exchange) OwnBehind() bool { return x.log.OwnLost() }

func (x *Exchange) doubts() bool { return x.doubted != zsync.WriterID{} && x.doubted == x.log.own }

// doubt takes note of the first claim that own events were lost.
func (x *Exchange) doubt(now time.Time) {
	if x.doubtUntil.IsZero() {
		x.doubted, x.doubtUntil = x.log.own, now.Add(doubtWait)
	}
}

func due(at, now time.Time) bool { return !at.IsZero() && !at.After(now) }

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

func earliest(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}
