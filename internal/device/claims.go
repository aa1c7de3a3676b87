package device

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"time"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/eventlog"
	"github.com/zsync/zsync/internal/kv"
	"github.com/zsync/zsync/internal/wire"
	"github.com/zsync/zsync/security"
)

// bucketClaims holds the folder operations of the circle: label, NUL and stamp
// lead to the space and genesis claimed. The lowest stamp of a label is the
// folder; the others rebase, once they are members of its space.
const bucketClaims = "claims"

// bucketRebased holds label, NUL and space of each move of a folder into another
// space: it goes into one once, however often claims come and go.
const bucketRebased = "rebased"

const (
	claimsPerBodyMax = 1000
	// foldersMax is how many folders a device keeps of those that others offer: each
	// costs a database, watches and descriptors, and any device of the circle can
	// offer some.
	foldersMax = 256
	// scoutsMax is how many spaces are scouted at one time, and how many claims of one
	// label are looked at: each costs a database, and any device can claim some.
	scoutsMax = 8
)

// folderOp is one operation of a kind 10 body (docs/formats.md section 2).
type folderOp struct {
	Op      uint64        `cbor:"1,keyasint"`
	Label   string        `cbor:"2,keyasint"`
	Space   zsync.SpaceID `cbor:"3,keyasint"`
	Genesis zsync.EventID `cbor:"4,keyasint"`
}

const opClaim = 1

// decodeFolderBody reads a kind 10 body; an operation that makes no sense is an
// error for the whole body.
func decodeFolderBody(body []byte) ([]folderOp, error) {
	var ops []folderOp
	if err := wire.Unmarshal(body, &ops); err != nil {
		return nil, err
	}
	if len(ops) == 0 || len(ops) > claimsPerBodyMax {
		return nil, fmt.Errorf("device: %d folder operations", len(ops))
	}
	for _, op := range ops {
		if _, err := ParseLabel(op.Label); err != nil || op.Op != opClaim || op.Genesis.Space() != op.Space {
			return nil, fmt.Errorf("device: claim of label %q makes no sense", op.Label)
		}
	}
	return ops, nil
}

// fold takes new events of the circle into the claims, and lets the link know of
// new members.
func (h *HomeMachine) fold(tx kv.Tx, now time.Time, merged eventlog.Merged) {
	fresh := merged.Fresh
	if merged.Refold {
		tx.Drop(bucketClaims)
		fresh = nil
		h.circle.log.Each(tx, func(ev eventlog.Event) bool {
			h.foldEvent(tx, ev)
			return true
		})
	}
	members := merged.Refold
	for _, ev := range fresh {
		h.foldEvent(tx, ev)
		members = members || ev.Header.Kind == zsync.KindMember || ev.Header.Kind == zsync.KindGenesis
	}
	if members {
		h.tellLink(tx, now)
	}
}

func (h *HomeMachine) foldEvent(tx kv.Tx, ev eventlog.Event) {
	if ev.Header.Kind != zsync.KindFolder || ev.Void {
		return
	}
	ops, err := decodeFolderBody(ev.Body)
	if err != nil {
		return // folds as empty, on every device alike
	}
	for i, op := range ops {
		tx.Put(bucketClaims, claimKey(Label(op.Label), ev.Header.Stamp(uint32(i))), append(op.Space[:], op.Genesis[:]...))
	}
}

func claimKey(label Label, s zsync.Stamp) []byte {
	key := append([]byte(label), 0)
	key = binary.BigEndian.AppendUint64(key, s.Lamport)
	key = append(key, s.Writer[:]...)
	key = binary.BigEndian.AppendUint64(key, s.Seq)
	return binary.BigEndian.AppendUint32(key, s.Index)
}

// claimed returns the space that a label means in the circle.
func claimed(tx kv.Tx, label Label) (id zsync.SpaceID, found bool) {
	kv.ScanPrefix(tx, bucketClaims, append([]byte(label), 0), func(_, value []byte) bool {
		copy(id[:], value)
		found = true
		return false
	})
	return id, found
}

// labels returns every label claimed in the circle, ascending.
func labels(tx kv.Tx) (all []Label) {
	tx.Scan(bucketClaims, nil, func(key, _ []byte) bool {
		label := Label(key[:bytes.IndexByte(key, 0)])
		if len(all) == 0 || all[len(all)-1] != label {
			all = append(all, label)
		}
		return true
	})
	return all
}

// unclaimed returns the body that claims this device's own folders whose labels
// nobody has claimed; nil when there are none.
func (h *HomeMachine) unclaimed(tx kv.Tx) []byte {
	var ops []folderOp
	for _, label := range sortedLabels(h.folders) {
		reg := h.folders[label]
		if _, taken := claimed(tx, label); !taken && reg.Founding != nil {
			ops = append(ops, folderOp{opClaim, string(label), reg.Space, reg.Founding.Genesis})
		}
	}
	if ops == nil {
		return nil
	}
	return wire.Marshal(ops)
}

// agree brings the folders here in line with the circle's: a folder whose label
// means another space moves into that one, and a device that serves takes what it
// has not.
func (h *HomeMachine) agree(tx kv.Tx) {
	scouts := make(map[zsync.SpaceID]Label)
	for _, label := range labels(tx) {
		id, _ := claimed(tx, label)
		reg, kept := h.folders[label]
		switch {
		case kept && h.circle.member:
			h.converge(tx, reg, scouts)
		case kept || id == h.circle.id || h.keptElsewhere(label, id):
			continue // a claim to what is another log already makes no sense
		case h.serve != "" && servable(label) && len(h.folders) < h.cfg.FoldersMax:
			h.takeUp(tx, Registration{Label: label, Dir: filepath.Join(h.serve, string(label)), Role: "sync", Space: id, Offered: true}, zsync.SpaceID{})
		}
	}
	h.send(scouts)
}

// converge moves a folder into the first of the spaces that its label means more
// than its own, of those that this device has become a member of. It stays where it
// is until then: a claim may be to a space that nobody has any more. The spaces
// that it would rather be in are scouted.
func (h *HomeMachine) converge(tx kv.Tx, reg Registration, scouts map[zsync.SpaceID]Label) {
	for _, id := range h.better(tx, reg) {
		if _, taken := scouts[id]; taken {
			continue
		}
		if h.joined[id] {
			h.rebase(tx, reg, id)
			return
		}
		if len(scouts) < scoutsMax {
			scouts[id] = reg.Label
		}
	}
}

// better returns the spaces that a folder's label means more than its own: those
// claimed before it, the first one first, but for those that it has been in.
func (h *HomeMachine) better(tx kv.Tx, reg Registration) (spaces []zsync.SpaceID) {
	kv.ScanPrefix(tx, bucketClaims, append([]byte(reg.Label), 0), func(_, value []byte) bool {
		id := zsync.SpaceID(value[:len(zsync.SpaceID{})])
		if id != reg.Space && len(spaces) < scoutsMax && !slices.Contains(spaces, id) {
			spaces = append(spaces, id)
		}
		return id != reg.Space
	})
	return slices.DeleteFunc(spaces, func(id zsync.SpaceID) bool {
		return id == h.circle.id || h.keptElsewhere(reg.Label, id) || tx.Get(bucketRebased, rebasedKey(reg.Label, id)) != nil
	})
}

// send has these spaces scouted, and no others.
func (h *HomeMachine) send(scouts map[zsync.SpaceID]Label) {
	for _, id := range bySpace(h.scouts) {
		if _, still := scouts[id]; !still {
			h.recall(id)
		}
	}
	for _, id := range bySpace(scouts) {
		if _, sent := h.scouts[id]; !sent && !h.keeps(id) {
			h.scouts[id] = scouts[id]
			h.openFolder(Registration{Label: scouts[id], Space: id, Scout: true}, zsync.SpaceID{})
		}
	}
}

// recall ends the scouting of a space.
func (h *HomeMachine) recall(id zsync.SpaceID) {
	delete(h.scouts, id)
	h.leave(id)
}

// leave closes a space.
func (h *HomeMachine) leave(id zsync.SpaceID) {
	delete(h.joined, id)
	h.emit(Address{Part: Owner}, CloseFolder{id})
}

// keptElsewhere reports whether a space is that of another folder here.
func (h *HomeMachine) keptElsewhere(label Label, id zsync.SpaceID) bool {
	for other, reg := range h.folders {
		if other != label && reg.Space == id {
			return true
		}
	}
	return false
}

// servable reports whether a label that another device chose may name a directory
// here.
func servable(label Label) bool {
	return filepath.IsLocal(string(label)) && label[0] != '.'
}

// rebase moves a directory from its own space into another of its label, once and
// never again. The old database stays beside the new one and lends it its hashes.
func (h *HomeMachine) rebase(tx kv.Tx, old Registration, id zsync.SpaceID) {
	tx.Put(bucketRebased, rebasedKey(old.Label, id), []byte{1})
	reg := old
	reg.Space, reg.Founding = id, nil
	h.leave(old.Space)
	h.takeUp(tx, reg, old.Space)
}

func rebasedKey(label Label, id zsync.SpaceID) []byte {
	return append(append([]byte(label), 0), id[:]...)
}

// takeUp takes a directory up for a space.
func (h *HomeMachine) takeUp(tx kv.Tx, reg Registration, cache zsync.SpaceID) {
	if _, scouted := h.scouts[reg.Space]; scouted {
		h.recall(reg.Space)
	}
	reg.Taken = h.draws.next()
	h.keep(tx, reg)
	h.openFolder(reg, cache)
}

func bySpace(scouts map[zsync.SpaceID]Label) []zsync.SpaceID {
	return slices.SortedFunc(maps.Keys(scouts), zsync.SpaceID.Compare)
}

func sortedDevices(met map[zsync.DeviceID]security.Certificate) []zsync.DeviceID {
	return slices.SortedFunc(maps.Keys(met), zsync.DeviceID.Compare)
}
