package device

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/eventlog"
	"github.com/zsync/zsync/internal/kv"
	"github.com/zsync/zsync/internal/wire"
)

// Registration is a folder as this device keeps it.
type Registration struct {
	Label Label
	Dir   string
	Role  string
	Space zsync.SpaceID
	// Founding is set by the device that founded the space: enough to write the
	// same genesis again.
	Founding *Founding
	// Offered: another device named it, and this one serves; its directory must be
	// made for it, and nothing that is there already be taken.
	Offered bool
	// Entered: this device was in the space before. A database that knows nothing of
	// it was lost, and with it what this device has written.
	Entered bool
	// Loss is that of the device at the time, see [NoteLoss]. A space whose database
	// has another one opens a new writer before it says anything.
	Loss Mark
	// Taken is drawn whenever the directory is taken up for the space. A database that
	// has another one forgets what it knew of the disk: it may have been left for long.
	Taken Mark
	// Scout: only the space is to be entered, to become a member of it. Its directory
	// stays with the space that it is in, and is not opened.
	Scout bool
}

// Mark is 16 random octets that tell one occasion from another; zero is none.
type Mark [16]byte

// Founding fixes a genesis.
type Founding struct {
	Nonce       [16]byte
	Incarnation [16]byte
	Wall        time.Time
	Genesis     zsync.EventID
}

// watch registers a directory: under the circle's space of that label, or a new
// one.
func (h *HomeMachine) watch(tx kv.Tx, now time.Time, in Watch) error {
	reg := in.Registration
	if old, kept := h.folders[reg.Label]; kept {
		if old.Dir != reg.Dir && !in.Same {
			return &Refusal{fmt.Sprintf("this device keeps %s under the label %q; choose another with --label or, if that directory is here now, add --same-folder", old.Dir, reg.Label)}
		}
		return h.again(tx, old, in)
	}
	if err := h.free(reg); err != nil {
		return err
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
	h.takeUp(tx, reg, zsync.SpaceID{})
	return nil
}

// free refuses a directory that another folder here is in.
func (h *HomeMachine) free(reg Registration) error {
	for _, label := range sortedLabels(h.folders) {
		if label != reg.Label && h.folders[label].Dir == reg.Dir {
			return &Refusal{fmt.Sprintf("this device keeps %s already, under the label %q", reg.Dir, label)}
		}
	}
	return nil
}

// again takes a folder that is kept already: where a person vouches for the directory,
// it may be another one than before.
func (h *HomeMachine) again(tx kv.Tx, old Registration, in Watch) error {
	if !in.Same {
		return nil
	}
	if err := h.free(in.Registration); err != nil {
		return err
	}
	if old.Dir != in.Dir {
		old.Dir, old.Offered = in.Dir, false
		h.keep(tx, old)
	}
	h.vouch(old)
	return nil
}

// vouch opens a folder again, whatever its directory looks like.
func (h *HomeMachine) vouch(reg Registration) {
	reg.Entered, reg.Loss = true, h.loss
	h.emit(Address{Part: Owner}, CloseFolder{reg.Space})
	h.emit(Address{Part: Owner}, OpenFolder{Registration: reg, Same: true})
}

func (h *HomeMachine) unwatch(tx kv.Tx, label Label) {
	if reg, kept := h.folders[label]; kept {
		delete(h.folders, label)
		tx.Delete(bucketFolders, []byte(label))
		h.leave(reg.Space)
	}
}

// registrationRecord is how device.db remembers a folder.
type registrationRecord struct {
	Dir      string          `cbor:"1,keyasint"`
	Role     string          `cbor:"2,keyasint"`
	Space    zsync.SpaceID   `cbor:"3,keyasint"`
	Founding *foundingRecord `cbor:"4,keyasint,omitempty"`
	Offered  bool            `cbor:"5,keyasint,omitempty"`
	Taken    Mark            `cbor:"6,keyasint"`
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
	tx.Put(bucketFolders, []byte(reg.Label), wire.Marshal(reg.record()))
}

func (r Registration) record() registrationRecord {
	return registrationRecord{r.Dir, r.Role, r.Space, r.Founding.record(), r.Offered, r.Taken}
}

func (r registrationRecord) registration(label Label) Registration {
	return Registration{
		Label: label, Dir: r.Dir, Role: r.Role, Space: r.Space, Founding: r.Founding.founding(),
		Offered: r.Offered, Taken: r.Taken,
	}
}

func (h *HomeMachine) readFolders(tx kv.Tx) (err error) {
	tx.Scan(bucketFolders, nil, func(key, value []byte) bool {
		var r registrationRecord
		if err = wire.Unmarshal(value, &r); err != nil {
			err = fmt.Errorf("device: folder %q in device.db: %w", key, err)
			return false
		}
		h.folders[Label(key)] = r.registration(Label(key))
		return true
	})
	return err
}

func sortedLabels(folders map[Label]Registration) []Label {
	return slices.Sorted(maps.Keys(folders))
}
