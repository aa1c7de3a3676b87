package device

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/eventlog"
	"github.com/zsync/zsync/internal/kv"
	"github.com/zsync/zsync/internal/wire"
	"github.com/zsync/zsync/security"
)

// bucketClaims holds the folder operations of the circle: label, NUL and stamp
// lead to the space and genesis claimed. The lowest stamp of a label is the
// folder; the others rebase.
const bucketClaims = "claims"

const (
	claimsPerBodyMax = 1000
	// foldersMax is how many folders a device keeps: each costs a database, watches
	// and descriptors, and any device of the circle can offer some.
	foldersMax = 256
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
		if _, err := zsync.ParseName(op.Label); err != nil || op.Op != opClaim || op.Genesis.Space() != op.Space {
			return nil, fmt.Errorf("device: claim of label %q makes no sense", op.Label)
		}
	}
	return ops, nil
}

// fold takes new events of the circle into the claims, and lets the link know of
// new members.
func (h *HomeMachine) fold(tx kv.Tx, merged eventlog.Merged) {
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
		h.tellLink(tx)
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
		tx.Put(bucketClaims, claimKey(op.Label, ev.Header.Stamp(uint32(i))), append(op.Space[:], op.Genesis[:]...))
	}
}

func claimKey(label string, s zsync.Stamp) []byte {
	key := append([]byte(label), 0)
	key = binary.BigEndian.AppendUint64(key, s.Lamport)
	key = append(key, s.Writer[:]...)
	key = binary.BigEndian.AppendUint64(key, s.Seq)
	return binary.BigEndian.AppendUint32(key, s.Index)
}

// claimed returns the space that a label means in the circle.
func claimed(tx kv.Tx, label string) (id zsync.SpaceID, found bool) {
	kv.ScanPrefix(tx, bucketClaims, append([]byte(label), 0), func(_, value []byte) bool {
		copy(id[:], value)
		found = true
		return false
	})
	return id, found
}

// labels returns every label claimed in the circle, ascending.
func labels(tx kv.Tx) (all []string) {
	tx.Scan(bucketClaims, nil, func(key, _ []byte) bool {
		label := string(key[:bytes.IndexByte(key, 0)])
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
			ops = append(ops, folderOp{opClaim, label, reg.Space, reg.Founding.Genesis})
		}
	}
	if ops == nil {
		return nil
	}
	return wire.Marshal(ops)
}

// agree brings the folders here in line with the circle's: a folder whose label
// means another space is rebased onto that one, and a device that serves takes
// what it has not.
func (h *HomeMachine) agree(tx kv.Tx, now time.Time) error {
	for _, label := range labels(tx) {
		id, _ := claimed(tx, label)
		reg, kept := h.folders[label]
		switch {
		case id == h.circle.id || h.keptElsewhere(label, id):
			continue // a claim to what is another log already makes no sense
		case kept && reg.Space != id:
			if !h.circle.member {
				continue
			}
			h.rebase(tx, reg, id)
		case !kept && h.serve != "" && servable(label) && len(h.folders) < foldersMax:
			h.keep(tx, Registration{Label: label, Dir: filepath.Join(h.serve, label), Role: "sync", Space: id, Offered: true})
			h.emit(Address{Part: Owner}, OpenFolder{Registration: h.folders[label]})
		}
	}
	return nil
}

// keptElsewhere reports whether a space is that of another folder here.
func (h *HomeMachine) keptElsewhere(label string, id zsync.SpaceID) bool {
	for other, reg := range h.folders {
		if other != label && reg.Space == id {
			return true
		}
	}
	return false
}

// servable reports whether a label that another device chose may name a directory
// here.
func servable(label string) bool {
	return filepath.IsLocal(label) && !strings.HasPrefix(label, ".")
}

// rebase moves a directory from its own space into the circle's. The old
// database stays beside the new one and lends it its hashes.
func (h *HomeMachine) rebase(tx kv.Tx, old Registration, id zsync.SpaceID) {
	reg := old
	reg.Space, reg.Founding = id, nil
	h.keep(tx, reg)
	h.emit(Address{Part: Owner}, CloseFolder{old.Space})
	h.emit(Address{Part: Owner}, OpenFolder{Registration: reg, Cache: old.Space})
}

// watch registers a directory: under the circle's space of that label, or a new
// one.
func (h *HomeMachine) watch(tx kv.Tx, now time.Time, reg Registration) error {
	if old, kept := h.folders[reg.Label]; kept {
		if old.Dir != reg.Dir {
			return &Refusal{fmt.Sprintf("this device keeps %s under the label %q; choose another with --label", old.Dir, reg.Label)}
		}
		return nil
	}
	if id, taken := claimed(tx, reg.Label); taken {
		reg.Space = id
	} else {
		founding, genesis, err := h.conceive(now, eventlog.Folder)
		if err != nil {
			return err
		}
		reg.Space, reg.Founding = genesis.Space(), founding
	}
	h.keep(tx, reg)
	h.emit(Address{Part: Owner}, OpenFolder{Registration: reg})
	return nil
}

func (h *HomeMachine) unwatch(tx kv.Tx, label string) {
	if reg, kept := h.folders[label]; kept {
		delete(h.folders, label)
		tx.Delete(bucketFolders, []byte(label))
		h.emit(Address{Part: Owner}, CloseFolder{reg.Space})
	}
}

// registrationRecord is how device.db remembers a folder.
type registrationRecord struct {
	Dir      string          `cbor:"1,keyasint"`
	Role     string          `cbor:"2,keyasint"`
	Space    zsync.SpaceID   `cbor:"3,keyasint"`
	Founding *foundingRecord `cbor:"4,keyasint,omitempty"`
	Offered  bool            `cbor:"5,keyasint,omitempty"`
}

type foundingRecord struct {
	Nonce       [16]byte      `cbor:"1,keyasint"`
	Incarnation [16]byte      `cbor:"2,keyasint"`
	WallMS      int64         `cbor:"3,keyasint"`
	Genesis     zsync.EventID `cbor:"4,keyasint"`
}

func (f *Founding) record() *foundingRecord {
	if f == nil {
		return nil
	}
	return &foundingRecord{f.Nonce, f.Incarnation, f.Wall.UnixMilli(), f.Genesis}
}

func (r *foundingRecord) founding() *Founding {
	if r == nil {
		return nil
	}
	return &Founding{Nonce: r.Nonce, Incarnation: r.Incarnation, Wall: time.UnixMilli(r.WallMS), Genesis: r.Genesis}
}

func (h *HomeMachine) keep(tx kv.Tx, reg Registration) {
	h.folders[reg.Label] = reg
	tx.Put(bucketFolders, []byte(reg.Label), wire.Marshal(registrationRecord{
		reg.Dir, reg.Role, reg.Space, reg.Founding.record(), reg.Offered,
	}))
}

func (h *HomeMachine) readFolders(tx kv.Tx) (err error) {
	tx.Scan(bucketFolders, nil, func(key, value []byte) bool {
		var r registrationRecord
		if err = wire.Unmarshal(value, &r); err != nil {
			err = fmt.Errorf("device: folder %q in device.db: %w", key, err)
			return false
		}
		h.folders[string(key)] = Registration{
			Label: string(key), Dir: r.Dir, Role: r.Role, Space: r.Space, Founding: r.Founding.founding(), Offered: r.Offered,
		}
		return true
	})
	return err
}

func sortedLabels(folders map[string]Registration) []string {
	return slices.Sorted(maps.Keys(folders))
}

func sortedDevices(met map[zsync.DeviceID]security.Certificate) []zsync.DeviceID {
	return slices.SortedFunc(maps.Keys(met), zsync.DeviceID.Compare)
}
