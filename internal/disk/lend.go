package disk

import "github.com/zsync/zsync/internal/kv"

// LendRoot lets a new database of a directory know which directory it is: the one
// that the old database is about. Else a bare mount point would be taken for the
// folder when its space changes while the disk is away.
func LendRoot(from, into kv.Store) error {
	var identity []byte
	err := from.View(func(tx kv.Tx) error {
		identity = append(identity, tx.Get(bucketRoot, keyIdentity)...)
		return nil
	})
	if err != nil || identity == nil {
		return err
	}
	return into.Update(func(tx kv.Tx) error {
		if tx.Get(bucketRoot, keyIdentity) == nil {
			tx.Put(bucketRoot, keyIdentity, identity)
		}
		return nil
	})
}

// Knows reports whether a folder's database is about a directory already.
func Knows(db kv.Store) (known bool, err error) {
	err = db.View(func(tx kv.Tx) error {
		known = tx.Get(bucketRoot, keyIdentity) != nil
		return nil
	})
	return known, err
}
