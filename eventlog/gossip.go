package eventlog

import (
	"crypto/sha256"
	"encoding/binary"
	"time"

	"github.com/zsync/zsync/internal/kv"
	"github.com/zsync/zsync/internal/wire"
)

func (x *Exchange) whisper(p *peer, msgType uint8, body []byte) {
	p.given += len(body)
	x.out.Whisper = append(x.out.Whisper, Message{To: p.id, Type: msgType, Body: body})
}

// heads returns the body of a HEADS.
func (x *Exchange) heads(envelopes [][]byte) []byte {
	return wire.Marshal(headsBody{
		Space: x.log.meta.Space, Frontier: x.log.Frontier(),
		Writers: uint64(len(x.log.Heads())), Lamport: x.log.MaxLamport(), Envelopes: envelopes,
	})
}

// pushed returns the envelopes to send along with HEADS: all that were appended
// or, when they are too long, none.
func (x *Exchange) pushed() [][]byte {
	total := 0
	for _, e := range x.push {
		total += len(e)
	}
	if total > pushBytesMax {
		return nil
	}
	return x.push
}

// whisperVV tells a peer all heads, and the proof of each fork: the peer may
// need it to take events that rest on what lies past the cut.
func (x *Exchange) whisperVV(tx kv.Tx, p *peer, answer bool) {
	body := vvBody{Space: x.log.meta.Space, Heads: []headPrefix{}, Answer: answer}
	for _, h := range x.log.Heads() {
		body.Heads = append(body.Heads, headPrefix{Writer: h.Writer, Seq: h.Seq, Prefix: [8]byte(h.ID[:8])})
	}
	sent := 0
	x.log.forks(tx, func(rec forkRecord) bool {
		x.whisper(p, MessageFork, wire.Marshal(forkBody{x.log.meta.Space, rec.Proof}))
		sent++
		return sent < forksMax
	})
	x.whisper(p, MessageVV, wire.Marshal(body))
}

// receivedHeads takes a peer's frontier and the events pushed with it.
func (x *Exchange) receivedHeads(tx kv.Tx, now time.Time, p *peer, data []byte) (Merged, error) {
	body, err := decode[headsBody](data, x.log.meta.Space)
	if err != nil {
		return Merged{}, err
	}
	envelopes, bad := decodeEnvelopes(body.Envelopes)
	merged, err := x.log.Merge(tx, envelopes, x.auth)
	merged.Bad += bad
	if err != nil {
		return merged, err
	}
	p.told(body.Frontier, x.log.Frontier())
	x.compared = x.compared || body.Frontier == x.log.Frontier()
	x.consider(tx, now, p)
	return merged, nil
}

func (x *Exchange) receivedFork(tx kv.Tx, now time.Time, p *peer, data []byte) (Merged, error) {
	body, err := decode[forkBody](data, x.log.meta.Space)
	if err != nil {
		return Merged{}, err
	}
	merged, err := x.log.learn(tx, body.Proof, x.auth)
	if err == nil && merged.gained() {
		x.consider(tx, now, p)
	}
	return merged, err
}

// changed spreads a gain that came from a peer, a little later: others may do it
// first, and more may come.
func (x *Exchange) changed(now time.Time) {
	own := x.log.Frontier()
	for _, p := range x.peers {
		p.level = p.level || p.heard && p.frontier == own
	}
	if x.gossipAt.IsZero() && len(x.peers) > 1 {
		x.gossipAt = x.between(now, gossipMin, gossipMax)
	}
}

// gossip tells the own frontier to peers that are not known to have it. Which
// ones, when they are many, differs each time and between devices.
func (x *Exchange) gossip() {
	x.gossipAt = time.Time{}
	own := x.log.Frontier()
	first, told := int(x.roll()%uint64(len(x.peers))), 0
	for i := range x.peers {
		p := x.peers[(first+i)%len(x.peers)]
		if p.heard && p.frontier == own {
			continue
		}
		if told++; told > gossipPeersMax {
			return
		}
		x.whisper(p, MessageHeads, x.heads(nil))
	}
}

// shoutForks spreads new cuts at once, and logs proofs that no event carries:
// those found here at once, those that a peer found when it seems not to do so.
func (x *Exchange) shoutForks(tx kv.Tx, now time.Time, merged *Merged, msgType uint8) error {
	for _, w := range merged.Forked {
		rec, _ := x.log.forkOf(tx, w)
		x.out.Shout = append(x.out.Shout, Message{Type: MessageFork, Body: wire.Marshal(forkBody{x.log.meta.Space, rec.Proof})})
		x.proveAt, x.proved = later(now, x.provedAt.Add(proveEvery)), false
		if msgType == MessageFork {
			x.proveAt = x.between(now, proveMin, proveMax)
		}
	}
	if merged.crowded { // the lost events may have carried proofs
		x.proveAt, x.proved = x.between(now, proveMin, proveMax), false
	}
	if x.proveAt.IsZero() { // since the start
		x.proveAt = x.between(now, proveMin, proveMax)
	}
	if x.proved || !due(x.proveAt, now) || !x.Confirmed() || !x.log.mayProve(tx) {
		return tx.Err()
	}
	proofs, err := x.log.Prove(tx, uint64(max(0, now.UnixMilli())), x.auth)
	x.provedAt, x.proved = now, true // until another cut: all proofs are carried now
	if len(proofs) > 0 {
		merged.Fresh = append(merged.Fresh, proofs...)
		x.Appended(tx, now, proofs)
	}
	return err
}

// between returns a time that much after now, evenly spread over devices and
// occasions, and the same each time that the same facts are played.
func (x *Exchange) between(now time.Time, least, most time.Duration) time.Time {
	return now.Add(least + time.Duration(x.roll()%uint64(most-least)))
}

func (x *Exchange) roll() uint64 {
	x.rolls++
	text := append([]byte("zsync/spread/1"), x.self[:]...)
	text = append(text, x.log.meta.Space[:]...)
	sum := sha256.Sum256(binary.BigEndian.AppendUint64(text, x.rolls))
	return binary.BigEndian.Uint64(sum[:])
}
