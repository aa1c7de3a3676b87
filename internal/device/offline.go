package device

import (
	"fmt"
	"time"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/internal/kv"
	"github.com/zsync/zsync/internal/wire"
	"github.com/zsync/zsync/security"
)

// Known reads whom a device trusts, and its circle, before its machines run. The
// text file at path stands in for a database that was lost.
func Known(store kv.Store, path string) (trust *security.Trust, circle zsync.SpaceID, err error) {
	err = store.View(func(tx kv.Tx) error {
		if data := tx.Get(bucketHome, []byte(keyCircle)); data != nil {
			var record circleRecord
			if err := wire.Unmarshal(data, &record); err != nil {
				return fmt.Errorf("device: circle in device.db: %w", err)
			}
			circle = record.Space
		}
		text := tx.Get(bucketHome, []byte(keyTrust))
		if text == nil {
			return nil
		}
		trust, err = security.ParseTrust(text)
		return err
	})
	if err == nil && trust == nil {
		trust, err = security.LoadTrust(path)
	}
	return trust, circle, err
}

// PairOffline writes a typed key down for the next start of a device that does
// not run.
func PairOffline(now time.Time, store kv.Store, path string, key zsync.Key, address string) error {
	trust, _, err := Known(store, path)
	if err != nil {
		return err
	}
	if err := trust.Pend(now, key, address); err != nil {
		return err
	}
	err = store.Update(func(tx kv.Tx) error {
		tx.Put(bucketHome, []byte(keyTrust), trust.Text())
		return nil
	})
	if err != nil {
		return err
	}
	return trust.Save(path)
}

// Kept reads which folders a device keeps, and the directory that it serves from,
// while it does not run.
func Kept(store kv.Store) (folders []Registration, serve string, err error) {
	h := &HomeMachine{folders: make(map[Label]Registration)}
	err = store.View(func(tx kv.Tx) error {
		serve = string(tx.Get(bucketHome, []byte(keyServe)))
		return h.readFolders(tx)
	})
	for _, label := range sortedLabels(h.folders) {
		folders = append(folders, h.folders[label])
	}
	return folders, serve, err
}

// Offered reads which labels of the circle a device does not keep, while it does
// not run.
func Offered(store kv.Store) (offered []string, err error) {
	h := &HomeMachine{store: store, folders: make(map[Label]Registration)}
	if err := store.View(h.readFolders); err != nil {
		return nil, err
	}
	return h.Offered()
}

// Offered returns the labels of the circle's folders that this device does not
// keep, ascending.
func (h *HomeMachine) Offered() (offered []string, err error) {
	err = h.store.View(func(tx kv.Tx) error {
		for _, label := range labels(tx) {
			if _, kept := h.folders[label]; !kept {
				offered = append(offered, string(label))
			}
		}
		return nil
	})
	return offered, err
}
