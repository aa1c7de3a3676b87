package device

import (
	"errors"
	"fmt"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/eventlog"
	"github.com/zsync/zsync/internal/kv"
	"github.com/zsync/zsync/internal/wire"
	"github.com/zsync/zsync/replica"
)

// keptFolder is one folder in the list that [EncodeFolders] writes.
type keptFolder struct {
	Label  string             `cbor:"1,keyasint"`
	Record registrationRecord `cbor:"2,keyasint"`
}

// EncodeFolders returns the folders that a device keeps in a form that stands in for
// a device.db that was lost.
func EncodeFolders(folders []Registration) []byte {
	list := make([]keptFolder, len(folders))
	for i, reg := range folders {
		list[i] = keptFolder{string(reg.Label), reg.record()}
	}
	return wire.Marshal(list)
}

// DecodeFolders reads what [EncodeFolders] wrote.
func DecodeFolders(data []byte) (folders []Registration, err error) {
	var list []keptFolder
	if err := wire.Unmarshal(data, &list); err != nil {
		return nil, err
	}
	for _, kept := range list {
		label, err := ParseLabel(kept.Label)
		if err != nil {
			return nil, err
		}
		folders = append(folders, kept.Record.registration(label))
	}
	return folders, nil
}

// Rebuild fills a new device.db with the folders that the lost one had. Nothing else
// is taken over: the circle is joined again, by the devices that are trusted, and each
// space gets a new writer, since nobody knows any more what the old one has said.
func Rebuild(store kv.Store, folders []Registration, lost Mark) error {
	return store.Update(func(tx kv.Tx) error {
		for _, reg := range folders {
			tx.Put(bucketFolders, []byte(reg.Label), wire.Marshal(reg.record()))
		}
		NoteLoss(tx, lost)
		return tx.Err()
	})
}

// Examine reads all of a space's log and checks each event anew, as zsync show does, and
// reads what is known of its folder, if it has one.
// A database that has no log yet has no faults.
func Examine(store kv.Store, space zsync.SpaceID) error {
	return store.View(func(tx kv.Tx) error {
		log, err := eventlog.Open(tx, space)
		if err != nil {
			return err
		}
		var ids []zsync.EventID
		log.Each(tx, func(ev eventlog.Event) bool {
			ids = append(ids, ev.ID)
			return true
		})
		for _, id := range ids {
			if _, err := log.Verify(tx, id); err != nil {
				return fmt.Errorf("event %s: %w", id, err)
			}
		}
		return errors.Join(replica.Examine(tx), tx.Err())
	})
}
