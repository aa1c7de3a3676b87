package disk

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/internal/kv"
	"github.com/zsync/zsync/store"
)

// Remember lets a new database of a folder know which directory it is about: dir, which
// must be that of a folder already. So a directory that is not there at the next start
// is missed, and no other one is taken for it.
func Remember(db kv.Store, dir string) error {
	if _, err := os.Stat(filepath.Join(dir, zsync.PrivateDir, "id")); err != nil {
		return fmt.Errorf("%s is no folder: %w", dir, err)
	}
	tree, err := store.OpenOS(dir)
	if err != nil {
		return err
	}
	root, err := store.Open(tree, store.Options{})
	if err != nil {
		return err
	}
	err = db.Update(func(tx kv.Tx) error {
		tx.Put(bucketRoot, keyIdentity, encodeIdentity(root.Identity()))
		return nil
	})
	return errors.Join(err, root.Close())
}
